"""The lab in a browser, without Jupyter: a page, a fake model, and tapes written by a toy."""

from __future__ import annotations

import re
from pathlib import Path

STATIC = Path(__file__).parents[2] / "raft_lab" / "view" / "static"
CHROMIUM_ARGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
                 "--disable-component-update", "--disable-sync"]


def bundle() -> tuple[str, str]:
    """All modules as one, each after what it imports; and the style sheet."""
    done: dict[str, str] = {}

    def add(name: str) -> None:
        if name in done:
            return
        text = (STATIC / name).read_text(encoding="utf-8")
        for needed in re.findall(r'^import .* from "\./(.*)";$', text, re.M):
            add(needed)
        text = re.sub(r"^import .*;\n", "", text, flags=re.M)
        done[name] = re.sub(r"^export (?!default)", "", text, flags=re.M)

    add("lab.js")
    return "\n".join(done.values()), (STATIC / "lab.css").read_text(encoding="utf-8")


PAGE = """<!doctype html><meta charset="utf-8"><body style="margin:20px"><script>
class Model {
  constructor(state) { this.state = state; this.calls = {}; this.sent = []; }
  get(name) { return this.state[name]; }
  set(name, value) { this.state[name] = value; this.emit("change:" + name); }
  on(event, call) { (this.calls[event] ??= []).push(call); }
  off(event, call) { this.calls[event] = (this.calls[event] ?? []).filter((one) => one !== call); }
  emit(event, ...args) { for (const call of this.calls[event] ?? []) call(...args); }
  send(content) { this.sent.push(content); }
  save_changes() { throw new Error("the browser never writes to the kernel's traits"); }
}
async function start(code, css, tape, width) {
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
  window.module = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  window.model = new Model({ tape, options: {} });
  await view(width);
}
async function view(width) {
  const el = document.createElement("div");
  el.style.width = width + "px";
  document.body.append(el);
  const close = await window.module.default.render({ model, el });
  (window.views ??= []).push({ el, close });
}
function kernel(content) { model.emit("msg:custom", content, []); }
</script>"""
