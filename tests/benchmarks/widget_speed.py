"""How quickly the lab's browser half opens a long tape, moves along it, and plays. Prints; asserts nothing.

    python tests/benchmarks/widget_speed.py

Beside it stand, in the same run, a bare page element whose text changes, and a page that draws nothing at all.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from playwright.sync_api import Browser, sync_playwright

from browser.chromium import ARGUMENTS, find_chromium
from browser.moments import tape_of
from raft_lab import Cluster
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
PICTURES = """(ms) => new Promise((done) => { const gaps = []; let last = performance.now(); const end = last + ms;
  const next = (now) => { gaps.push(now - last); last = now;
    if (now < end) return requestAnimationFrame(next);
    gaps.shift(); gaps.sort((a, b) => a - b);
    const worst = gaps.slice(-Math.max(1, Math.ceil(gaps.length / 100)));
    done([gaps.length, gaps[Math.floor(gaps.length / 2)], worst[0], gaps.at(-1)]); };
  requestAnimationFrame(next); })"""
MADE = """() => { let made = 0; const root = document.querySelector(".raft-lab");
  const watch = new MutationObserver((all) => { for (const one of all) made += one.addedNodes.length; });
  watch.observe(root.querySelector(".rl-stage"), { childList: true, subtree: true });
  const back = root.querySelector("[aria-label=Back]");
  const whole = root.querySelectorAll(".rl-stage *").length;
  for (let n = 0; n < 100; n += 1) back.click();
  return [(made + watch.takeRecords().reduce((sum, one) => sum + one.addedNodes.length, 0)) / 100, whole]; }"""


def crowded(steps: int = 400) -> Cluster:
    """Five servers and a slow network: about forty messages are in flight all the time."""
    from raft_lab.sim.schedule import Timing

    cluster = Cluster(5, seed=3, timing=Timing(latency_us=(60_000, 120_000), heartbeat_us=20_000,
                                               election_timeout_us=(900_000, 1_200_000)))  # fmt: skip
    cluster.run_until(leader=True)
    while len(cluster.tape) < steps:
        cluster.step()
        if len(cluster.messages) < 36 and cluster.leader:
            cluster.propose(f"set x {len(cluster.tape)}")
    return cluster


def long_run(steps: int = 2000) -> Cluster:
    """Seven servers that live an ordinary life."""
    cluster = Cluster(7, seed=4)
    while len(cluster.tape) < steps:
        cluster.step(25)
        if cluster.leader:
            cluster.propose(f"set x {len(cluster.tape)}")
    return cluster


def opened(browser: Browser, tape: dict[str, Any]) -> tuple[LabPage, float]:
    """A lab that shows this tape, and how many milliseconds that took."""
    lab = LabPage(browser.new_page(viewport={"width": 1240, "height": 900}))
    return lab, lab.page.evaluate(LOAD, [*bundle(), json.dumps(tape)])


def evenness(count: int, gaps: list[float]) -> str:
    """How evenly the pictures of five seconds came."""
    median, worst, longest = gaps
    return (
        f"{count / 5:.0f} pictures a second, median gap {median:.1f} ms, worst 1 % from {worst:.1f} ms, "
        f"longest {longest:.1f} ms"
    )


def play(browser: Browser, name: str, tape: dict[str, Any], view: str, depth: int, speed: str = "1") -> None:
    """Play for five seconds from `depth` and print how evenly pictures come."""
    lab, _ = opened(browser, {**tape, "cursor": depth})
    lab.kernel_answers(type="steps", steps=[], cursor=depth, total=len(tape["steps"]))
    lab.page.get_by_role("tab", name=view).click()
    lab.page.get_by_label("Speed", exact=True).select_option(speed)
    flying = lab.page.locator("[data-message]").count()
    lab.page.get_by_role("button", name="Play", exact=True).click()
    count, *gaps = lab.page.evaluate(PICTURES, 5000)
    at = int(lab.page.get_attribute(".raft-lab", "data-step") or 0)
    print(f"{name}, {view}, {speed}x, {flying} messages at first, {at - depth} steps played: {evenness(count, gaps)}")
    lab.page.close()


def main() -> None:
    """Open, step, play; and the bare things beside them."""
    toy = sample_tapes.thousands()
    busy, long = tape_of(crowded()), tape_of(long_run())
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        for name, tape in (("toy, 5 servers", toy.tape()), ("7 servers", long)):
            times = []
            for _ in range(5):
                lab, took = opened(browser, tape)
                times.append(took)
            print(f"open a tape of {len(tape['steps'])} steps ({name}): median {sorted(times)[2]:.0f} ms of 5")
        for view in ("Logs", "Space-time", "All fields"):
            lab.page.get_by_role("tab", name=view).click()
            median, p95 = lab.page.evaluate(STEPS, "[aria-label=Back]")
            print(f"one step back, 7 servers, {view}: median {median:.1f} ms, 95th percentile {p95:.1f} ms")
            made, whole = lab.page.evaluate(MADE)
            print(f"  elements made anew by a step: {made:.1f} of {whole}")
        lab.page.evaluate(BARE)
        median, p95 = lab.page.evaluate(STEPS, "#bare")
        print(f"a bare button's text, likewise: median {median:.1f} ms, 95th percentile {p95:.1f} ms")
        play(browser, "5 servers", busy, "Logs", 150)
        play(browser, "5 servers", busy, "Logs", 150, "8")
        play(browser, "5 servers", busy, "Space-time", 150)
        play(browser, "7 servers, 2,000 steps", long, "Logs", 1000)
        play(browser, "7 servers, 2,000 steps", long, "Space-time", 1000)
        empty = browser.new_page()
        count, *gaps = empty.evaluate(PICTURES, 5000)
        print(f"an empty page: {evenness(count, gaps)}")
        browser.close()


if __name__ == "__main__":
    main()
