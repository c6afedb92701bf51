"""The bug bank as a table: `python tests/bugs/table.py`. What each bug breaks, which layer finds it, and how soon.

States are those that the layer looked at (steps of a stuck run); length is that of the run it shows; seconds are of
the layer and, apart, of comparing handlers. The bar: a median under 2 seconds.
"""

from __future__ import annotations

import statistics
import sys
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from bugs.bank import Bug
from bugs.catalogue import CATALOGUE, OUT_OF_REACH
from bugs.finding import difference, find
from raft_lab import Server
from raft_lab.check.differences import differences

FORMAT = "{:>3}  {:<27} {:<22} {:<10} {:>7} {:>6} {:>7}  {:<34} {:>7}"


def main() -> None:
    differences(Server)  # what Raft does is worked out once, and not counted
    print(FORMAT.format("", "bug", "breaks", "layer", "states", "length", "seconds", "handler difference", "seconds"))
    taken = []
    for bug in CATALOGUE:
        found = find(bug)
        by_step, seconds = "", 0.0
        if bug.differs:
            by_step, seconds = timed_difference(bug)
        length = str(len(found.counterexample.actions)) if found.counterexample else "-"
        best = found.seconds if bug.layer != "difference" else seconds
        taken.append(best)
        print(
            FORMAT.format(
                bug.number,
                bug.name,
                bug.breaks,
                bug.layer,
                found.states or "-",
                length,
                f"{best:.2f}",
                by_step or "(none)",
                f"{seconds:.2f}" if bug.differs else "-",
            ),
            flush=True,
        )
    for number, why in sorted(OUT_OF_REACH.items()):
        print(f"{number:>3}  out of reach: {why}")
    print(f"{len(CATALOGUE)} bugs, median {statistics.median(taken):.3f} s, slowest {max(taken):.2f} s")


def timed_difference(bug: Bug) -> tuple[str, float]:
    """What comparing handlers finds, and in how many seconds."""
    begun = time.perf_counter()
    found = difference(bug)
    return f"{found.kind}: {found.about}", time.perf_counter() - begun


if __name__ == "__main__":
    main()
