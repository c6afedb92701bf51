"""How fast the fuzzer is: random actions a second, with and without asking, and with one worker and with two.

python tests/benchmarks/fuzzing.py                          # the speeds, all in one run
python tests/benchmarks/fuzzing.py campaign --minutes 3     # as many runs of the reference as fit, on two workers
"""

from __future__ import annotations

import argparse
import itertools
import statistics
import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor

from raft_lab import Server, fuzz
from raft_lab.check.loading import prepare_worker
from raft_lab.check.mixes import MIXES
from raft_lab.check.walk import Walk

ACTIONS = 400
RUNS = 25
GOAL = 100_000_000
ROUNDS = 3


def bare(first: int) -> int:
    """Walks alone: what is drawn, and what it does."""
    return sum(sum(1 for _ in Walk(seed, Server, MIXES["swarm"]).steps(ACTIONS)) for seed in range(first, first + RUNS))


def whole(first: int, executor: ProcessPoolExecutor | None = None, runs: int = RUNS) -> int:
    """Runs as the fuzzer makes them: every invariant after every action, healing, progress."""
    report = fuzz(Server, range(first, first + runs), ACTIONS, mix="swarm", executor=executor, progress=False)
    assert not report.findings, report
    return report.actions


def rate(work: Callable[[], int]) -> float:
    """Actions a second."""
    begun = time.perf_counter()
    return work() / (time.perf_counter() - begun)


def speeds() -> None:
    """Each way of running in turn, several times; medians."""
    measured: dict[str, list[float]] = {}
    with ProcessPoolExecutor(1) as one, ProcessPoolExecutor(2) as two:
        whole(0, one), whole(0, two)  # workers have started and know the scenarios
        for number in range(1, ROUNDS + 1):
            first = number * 1000
            for name, work in {
                "walking alone": lambda first=first: bare(first),
                "with all invariants, healing and progress": lambda first=first: whole(first),
                "the same, one worker": lambda first=first: whole(first, one, 2 * RUNS),
                "the same, two workers": lambda first=first: whole(first, two, 2 * RUNS),
            }.items():
                measured.setdefault(name, []).append(rate(work))
    for name, rates in measured.items():
        print(f"{name:45} {statistics.median(rates):9,.0f} actions/s   ({min(rates):,.0f} to {max(rates):,.0f})")
    best = statistics.median(measured["the same, two workers"])
    print(f"{GOAL:,} actions would take {GOAL / best / 3600:.1f} hours at the last of these rates")


def campaign(minutes: float, first: int) -> None:
    """Runs of the reference, in every mix, until the time is over."""
    begun, runs, actions, seen = time.perf_counter(), 0, 0, Counter()
    with ProcessPoolExecutor(2, initializer=prepare_worker, initargs=((),)) as executor:
        for number in itertools.count():
            seeds = range(first + number * 100, first + (number + 1) * 100)
            report = fuzz(Server, seeds, ACTIONS, executor=executor, progress=False)
            runs, actions = runs + report.runs, actions + report.actions
            seen.update(report.seen)
            if report.findings:
                print(report)
            if report.findings or report.interrupted or time.perf_counter() - begun > minutes * 60:
                break
    seconds = time.perf_counter() - begun
    print(
        f"{runs:,} runs, {actions:,} actions in {seconds:.0f} s: {actions / seconds:,.0f} actions/s; next: {seeds.stop}"
    )
    print(", ".join(f"{what} {count:,}" for what, count in sorted(seen.items())))


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("what", nargs="?", choices=("speeds", "campaign"), default="speeds")
    parser.add_argument("--minutes", type=float, default=3)
    parser.add_argument("--first", type=int, default=1_000_000, help="the first seed of a campaign")
    options = parser.parse_args()
    speeds() if options.what == "speeds" else campaign(options.minutes, options.first)
