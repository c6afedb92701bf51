"""How long after a click the picture has changed, in a real JupyterLab: python tests/benchmarks/click_latency.py.

A lab with 500 past steps stands beside the barest widget that can be: one button, whose click goes to Python and comes
back as a text. Their clicks take turns, so that both meet the same machine. A step is shown when it was foretold, which
is before the kernel has confirmed it; an act always waits for the kernel. Numbers are milliseconds.
"""

from __future__ import annotations

import argparse
import statistics
import sys
import tempfile
from collections.abc import Mapping, Sequence
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

sys.path.insert(0, str(Path(__file__).parents[1]))

from browser.chromium import ARGUMENTS, HOW_TO_GET_ONE, find_chromium
from browser.jupyter import running_jupyter
from browser.notebook import Notebook, write_notebook

BARE = '''
import anywidget, traitlets

class Bare(anywidget.AnyWidget):
    _esm = """export default { render({ model, el }) {
        el.innerHTML = '<button class="bare">click</button> <output class="bare-answer">0</output>';
        let clicks = 0;
        el.querySelector("button").onclick = () => { model.set("clicks", ++clicks); model.save_changes(); };
        model.on("change:answer", () => { el.querySelector("output").textContent = model.get("answer"); });
    } }"""
    clicks = traitlets.Int(0).tag(sync=True)
    answer = traitlets.Int(0).tag(sync=True)

    @traitlets.observe("clicks")
    def answered(self, change):
        self.answer = change.new

Bare()
'''
LAB = """
import json, time
from raft_lab import Cluster
from raft_lab.view.lab import Lab

handled_ms, answers = [], []

class Watched(Lab):
    def _receive(self, *message):
        began = time.perf_counter()
        super()._receive(*message)
        handled_ms.append((time.perf_counter() - began) * 1000)

    def send(self, content, *more):
        answers.append(content)
        super().send(content, *more)

cluster = Cluster(5, seed=7)
cluster.step(STEPS)
Watched(cluster)
"""
# Click `button`, wait until `changes` is no longer what it was, and let the page come to rest.
MEASURE = """
window.seenChange = (element, read, act) => new Promise((done, fail) => {
  const before = read(element);
  const patience = setTimeout(() => fail(new Error("no answer")), 20000);
  let began;
  const look = new MutationObserver(() => {
    if (read(element) === before) return;
    look.disconnect();
    clearTimeout(patience);
    done(performance.now() - began);
  });
  look.observe(element, { attributes: true, childList: true, characterData: true, subtree: true });
  began = performance.now();
  act();
});
window.nextFrame = () => new Promise((done) => requestAnimationFrame(() => setTimeout(done, 0)));
window.rest = async (ms) => { await nextFrame(); await new Promise((done) => setTimeout(done, ms)); };
"""
KERNEL_CLICKS = """async ([rounds, restMs]) => {
  const lab = document.querySelector(".raft-lab[data-step]"), bare = document.querySelector("output.bare-answer");
  const step = (root) => root.dataset.step, text = (output) => output.textContent;
  const stepButton = [...lab.querySelectorAll("button")].find((button) => button.textContent.trim() === "Step");
  // crash S5, start it again, and so on: the agenda stays as long as it is in a lesson
  const crashOrRestart = () =>
    lab.querySelector('[data-about="S5"] :is([data-verb=crash], [data-verb=restart]):not([aria-disabled])');
  const kinds = {
    bare: () => seenChange(bare, text, () => document.querySelector("button.bare").click()),
    step: () => seenChange(lab, step, () => stepButton.click()),
    act: () => seenChange(lab, step, () => crashOrRestart().click()),
  };
  const names = Object.keys(kinds), took = Object.fromEntries(names.map((name) => [name, []]));
  for (let round = -5; round < rounds; round += 1) {  // the first rounds warm up and do not count
    for (const place of names.keys()) {
      const name = names[(place + round + 5) % names.length];
      const ms = await kinds[name]();
      if (round >= 0) took[name].push(ms);
      await rest(restMs);
    }
  }
  return took;
}"""
RECORDED_MOVES = """async ([rounds]) => {
  const lab = document.querySelector(".raft-lab[data-step]");
  const step = (root) => root.dataset.step;
  const button = (name) => lab.querySelector(`button[aria-label="${name}"]`);
  const range = lab.querySelector("input[type=range]");
  const scrub = (to) => { range.value = String(to); range.dispatchEvent(new Event("input", { bubbles: true })); };
  const moves = {
    back: () => button("Back").click(),
    forward: () => button("Forward").click(),
    scrub: () => scrub((Number(range.value) + 97) % Number(range.max)),
  };
  const took = {};
  for (const [name, act] of Object.entries(moves)) {
    took[name] = [];
    took[`${name}, painted`] = [];
    for (let round = 0; round < rounds; round += 1) {
      if (name === "forward") { button("Back").click(); await nextFrame(); }
      const began = performance.now(), before = step(lab);
      act();
      if (step(lab) === before) throw new Error(`${name} did not change the picture at once`);
      took[name].push(performance.now() - began);
      await nextFrame();
      took[`${name}, painted`].push(performance.now() - began);
    }
  }
  return took;
}"""


def measured(page: Page, notebook: Notebook, clicks: int, rest_ms: int) -> dict[str, list[float]]:
    """Milliseconds of every click, by kind."""
    page.evaluate(f"() => {{ {MEASURE} }}")
    notebook.kernel("handled_ms.clear(); answers.clear()")
    took: dict[str, list[float]] = page.evaluate(KERNEL_CLICKS, [clicks, rest_ms])
    took["of these, in Python's handler"] = notebook.value("handled_ms")
    took["size of an answer (kB)"] = notebook.value("[len(json.dumps(answer)) / 1000 for answer in answers]")
    took |= page.evaluate(RECORDED_MOVES, [clicks])
    return took


def table(took: Mapping[str, Sequence[float]]) -> str:
    """Count, median and 95th percentile of each row."""
    lines = [f"{'':32}{'count':>7}{'median':>9}{'p95':>9}{'most':>9}"]
    for name, values in took.items():
        p95 = statistics.quantiles(values, n=20)[-1]
        lines.append(f"{name:32}{len(values):>7}{statistics.median(values):>9.2f}{p95:>9.2f}{max(values):>9.2f}")
    bare = statistics.median(took["bare"])
    ratios = {name: statistics.median(took[name]) / bare for name in ("step", "act")}
    lines += [f"{name} / bare, medians: {ratio:.2f}   (goal: at most 1.25)" for name, ratio in ratios.items()]
    return "\n".join(lines)


def main() -> None:
    """Measure once and print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--clicks", type=int, default=100, help="clicks of each kind")
    parser.add_argument("--steps", type=int, default=500, help="steps on the tape before the first click")
    parser.add_argument("--rest", type=int, default=50, help="milliseconds between two clicks")
    options = parser.parse_args()
    chromium = find_chromium()
    if chromium is None:
        raise SystemExit(HOW_TO_GET_ONE)
    with (
        tempfile.TemporaryDirectory() as home,
        running_jupyter(Path(home)) as jupyter,
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=chromium, args=ARGUMENTS) as browser,
    ):
        page = browser.new_page(viewport={"width": 1400, "height": 1600})
        page.set_default_timeout(120_000)
        path = write_notebook(jupyter.root / "latency.ipynb", LAB.replace("STEPS", str(options.steps)), BARE)
        notebook = Notebook(page, jupyter, path)
        notebook.run_all()
        notebook.lab()
        page.locator("button.bare").wait_for()
        print(table(measured(page, notebook, options.clicks, options.rest)))


if __name__ == "__main__":
    main()
