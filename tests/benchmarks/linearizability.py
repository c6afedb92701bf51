"""How long it takes to judge concurrent histories: ours beside plainer searches of the same histories, in one run.

    python tests/benchmarks/linearizability.py [--histories 100] [--operations 1000]

Histories are made by chance (see tests/check/concurrent.py): 8, 12 and 16 clients, half of the operations reads, one
in a hundred without an answer. Every tenth has a lie planted in it, which has to be found. The plain searches are
the same idea without judging keys apart, with 100,000 steps a history, and Wing and Gong's without memory besides,
with 20,000 (its steps are slow). Porcupine, which is written in Go, is not run here.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1]))

from check.concurrent_clients import concurrent_history, spoiled
from raft_lab import History, Operation, check_linearizable
from raft_lab.check.models import key_value

STORE = key_value()
TOGETHER = replace(STORE, keys=lambda operation: None)
BUDGET = 100_000


def without_memory(history: History) -> bool | None:
    """Wing and Gong's search: place what may come next, go back where nothing fits."""
    operations = sorted(history.operations, key=lambda o: (o.unknown, o.returned))
    sure = sum(not o.unknown for o in operations)
    steps = 0

    def candidates(left: tuple[Operation, ...]) -> list[int]:
        if not left or left[0].unknown:
            return []
        return [n for n, o in enumerate(left) if o.called <= left[0].returned]

    situations = [(tuple(operations), STORE.initial, sure, candidates(tuple(operations)))]
    while situations:
        left, state, missing, untried = situations[-1]
        if not missing:
            return True
        if not untried:
            situations.pop()
            continue
        if steps == BUDGET // 5:
            return None
        steps += 1
        number = untried.pop(0)
        fits, after = STORE.step(state, left[number])
        if fits:
            rest = left[:number] + left[number + 1 :]
            situations.append((rest, after, missing - (not left[number].unknown), candidates(rest)))
    return False


def timed(name: str, judge: Callable[[History], bool | None], histories: list[History], expected: list[bool]) -> None:
    begun = time.perf_counter()
    slowest = 0.0
    right = undecided = 0
    for history, wanted in zip(histories, expected, strict=True):
        started = time.perf_counter()
        found = judge(history)
        slowest = max(slowest, time.perf_counter() - started)
        right += found is wanted
        undecided += found is None
    seconds = time.perf_counter() - begun
    count = len(histories)
    operations = sum(len(history.operations) for history in histories)
    print(
        f"{name:<34} {seconds:7.2f} s for {count:3} histories ({operations / seconds:9,.0f} operations/s, slowest "
        f"{slowest:5.2f} s): {right} right, {undecided} not decided, {count - right - undecided} wrong"
    )


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--histories", type=int, default=100)
    parser.add_argument("--operations", type=int, default=1000)
    options = parser.parse_args()
    for keys in (16, 4, 1):
        histories, expected = [], []
        for seed in range(options.histories):
            history = concurrent_history(
                seed, clients=(8, 12, 16)[seed % 3], operations=options.operations, keys=keys, unanswered=0.01
            )
            expected.append(seed % 10 != 9)
            histories.append(history if expected[-1] else spoiled(history, seed)[0])
        print(f"{options.histories} histories of {options.operations} operations by 8 to 16 clients on {keys} keys")
        timed("  raft_lab", lambda h: check_linearizable(h, STORE).linearizable, histories, expected)
        some = slice(0, len(histories) // 10 or 1)
        timed(
            "  keys together, first tenth",
            lambda h: check_linearizable(h, TOGETHER, budget=BUDGET).linearizable,
            histories[some],
            expected[some],
        )
        timed("  no memory either, first tenth", without_memory, histories[some], expected[some])


if __name__ == "__main__":
    main()
