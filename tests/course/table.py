"""The bank of answers as a table for instructors: `python tests/course/table.py [EXERCISE …]`.

For each wrong answer: which layer of the check catches it, after how many situations, states or actions, and what is
said. Right answers that look different are below; none of them may fail.
"""

from __future__ import annotations

import sys
import time
from collections import Counter
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from right import RIGHT
from wrong import WRONG
from wrong_second import WRONG_TOO

import lessons
from raft_lab.course.graded import GRADED

FORMAT = "{:<17} {:<55} {:<17} {:>7} {:>5.1f}  {}"


def main() -> None:
    names = sys.argv[1:] or list(GRADED)
    layers: Counter[str] = Counter()
    print(f"{'exercise':<17} {'wrong answer':<55} {'layer':<17} {'states':>7} {'s':>5}  what is said")
    for name in names:
        for title, written in [*WRONG.get(name, {}).items(), *WRONG_TOO.get(name, {}).items()]:
            verdict, seconds = judged(name, written)
            layer = verdict.layer or ("MISSED" if verdict.passed else "refused")
            layers[layer] += 1
            print(FORMAT.format(name, title, layer, verdict.states or "-", seconds, verdict.summary[:90]), flush=True)
    print("\n" + ", ".join(f"{layer}: {count}" for layer, count in layers.most_common()) + "\n")
    for name in names:
        for title, written in RIGHT.get(name, {}).items():
            verdict, seconds = judged(name, written)
            said = "passes" if verdict.passed else f"FAILED: {verdict}"
            print(f"{name:<17} {title:<70} {seconds:>5.1f}  {said}", flush=True)


def judged(name, written):
    """The verdict, and how many seconds it took."""
    begun = time.perf_counter()
    try:
        verdict = GRADED[name].exercise.check(lessons.handed_in(GRADED[name], written))
    except Exception as error:
        print(f"{name}: {type(error).__name__}: {error}")
        raise
    return verdict, time.perf_counter() - begun


if __name__ == "__main__":
    main()
