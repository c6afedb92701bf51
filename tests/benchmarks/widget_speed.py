"""How quickly the lab's browser half opens a long tape and moves along it. Prints; asserts nothing.

    python tests/benchmarks/widget_speed.py

Beside it stands a bare page element whose text changes, in the same run.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import sync_playwright

from browser.chromium import ARGUMENTS, find_chromium
from view import sample_tapes
from view.lab_page import LabPage, bundle

LOAD = """async ([code, css, tape]) => { const before = performance.now(); await start(code, css, tape, 1200);
  document.body.offsetWidth; return performance.now() - before; }"""
STEPS = """(selector) => { const button = document.querySelector(selector), times = [];
  for (let n = 0; n < 200; n += 1) {
    const before = performance.now();
    button.click();
    document.body.offsetWidth;
    times.push(performance.now() - before); }
  times.sort((a, b) => a - b);
  return [times[100], times[190]]; }"""
BARE = """() => { const bare = document.createElement("button");
  bare.id = "bare"; bare.onclick = () => { bare.textContent = String(Math.random()); };
  document.body.append(bare); }"""


def main() -> None:
    """Open 2,000 steps five times; go back 200 times; click a bare button as often."""
    toy = sample_tapes.thousands()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        opened = []
        for _ in range(5):
            lab = LabPage(browser.new_page(viewport={"width": 1240, "height": 900}))
            opened.append(lab.page.evaluate(LOAD, [*bundle(), json.dumps(toy.tape())]))
        median, p95 = lab.page.evaluate(STEPS, "[aria-label=Back]")
        lab.page.evaluate(BARE)
        bare_median, bare_p95 = lab.page.evaluate(STEPS, "#bare")
        browser.close()
    print(f"open a tape of {len(toy.tape()['steps'])} steps: median {sorted(opened)[2]:.0f} ms of 5")
    print(f"one step back, layout included: median {median:.1f} ms, 95th percentile {p95:.1f} ms")
    print(f"a bare button's text, likewise:  median {bare_median:.1f} ms, 95th percentile {bare_p95:.1f} ms")


if __name__ == "__main__":
    main()
