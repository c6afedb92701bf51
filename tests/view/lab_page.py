"""A page with one lab on it and a fake kernel at the other end: the browser's half of the lab, without Jupyter."""

from __future__ import annotations

import json
from typing import Any

from browser.moments import tape_of
from raft_lab import Cluster
from raft_lab.view import assets
from view import sample_tapes

DARK = ":root{--jp-layout-color1:#212121;--jp-ui-font-color1:rgba(255,255,255,.87)} body{background:#111}"
LIGHT = ":root{--jp-layout-color1:white;--jp-ui-font-color1:rgba(0,0,0,.87)}"

PAGE = """<!doctype html><meta charset="utf-8"><body style="margin:20px"><script>
class Model {
  constructor(state) { this.state = state; this.calls = {}; this.sent = []; }
  get(name) { return this.state[name]; }
  set(name, value) { this.state[name] = value; this.emit("change:" + name); }
  on(event, call) { (this.calls[event] ??= []).push(call); }
  off(event, call) { this.calls[event] = (this.calls[event] ?? []).filter((one) => one !== call); }
  emit(event, ...args) { for (const call of this.calls[event] ?? []) call(...args); }
  send(content) { if (this.closed) throw new Error("Cannot send"); this.sent.push(content); }
  save_changes() { throw new Error("the browser never writes to the kernel's traits"); }
}
async function start(code, css, tape, width, options) { // the tape as JSON
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
  window.module = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  window.model = new Model({ tape: JSON.parse(tape), options });
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


def bundle(entry: str = "lab.js") -> tuple[str, str]:
    """All modules as one, and the style sheets."""
    return assets.bundle(entry), assets.styles()


class Recorded:
    """A real run in the clothes of a toy."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def tape(self, cursor: int | None = None) -> dict[str, Any]:
        tape = tape_of(self.cluster)
        return tape if cursor is None else {**tape, "cursor": cursor}


class LabPage:
    """A page with one lab on it, and a fake kernel at the other end."""

    def __init__(self, page: Any) -> None:
        self.page = page
        self.troubles: list[str] = []
        self.listeners = {
            "pageerror": lambda error: self.troubles.append(f"error: {error}"),
            "console": lambda line: line.type in ("error", "warning") and self.troubles.append(line.text),
            "request": lambda ask: (
                ask.url.startswith(("data:", "blob:", "about:")) or self.troubles.append(f"request: {ask.url}")
            ),
        }
        for event, listener in self.listeners.items():
            page.on(event, listener)
        page.goto("about:blank")
        page.set_content(PAGE)

    def leave(self) -> None:
        for event, listener in self.listeners.items():
            self.page.remove_listener(event, listener)
        assert self.troubles == []  # no error, no warning, no request to anywhere

    def show(
        self,
        toy: sample_tapes.Toy | Recorded,
        cursor: int | None = None,
        width: int = 1200,
        css: str = "",
        options: dict[str, Any] | None = None,
    ) -> LabPage:
        code, style = bundle()
        self.page.evaluate(
            "([code, css, tape, width, options]) => start(code, css, tape, width, options)",
            [code, style + css, json.dumps(toy.tape(cursor)), width, options or {}],
        )
        return self

    @property
    def step(self) -> int:
        return int(self.page.get_attribute(".raft-lab", "data-step"))

    def sent(self, *kinds: str) -> list[dict[str, Any]]:
        """What went to the kernel, without the running numbers."""
        said = self.page.evaluate("model.sent")
        return [
            {k: v for k, v in content.items() if k != "n"} for content in said if not kinds or content["do"] in kinds
        ]

    def kernel_says(self, **content: Any) -> None:
        self.page.evaluate("kernel", content)

    def kernel_answers(self, **content: Any) -> None:
        """The answer to what was asked last."""
        number = self.page.evaluate("model.sent.at(-1).n")
        self.kernel_says(reply_to=number, **content)

    def button(self, name: str) -> Any:
        return self.page.get_by_role("button", name=name, exact=True)

    def server(self, name: str) -> Any:
        return self.page.locator(f'[data-server="{name}"]')

    def text(self, selector: str) -> str:
        return self.page.locator(selector).inner_text()
