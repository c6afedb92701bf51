"""How fast the real engine is explored, beside a search that remembers nothing, in the same run.

Three servers, one crash, one drop, one duplicate, one command, two terms. CPU seconds of one process.

    python tests/benchmarks/exploring.py [--states 300000] [--plain-states 15000]
"""

from __future__ import annotations

import argparse
import sys
import time
import tracemalloc
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).parents[1]))

from check import naive
from raft_lab import Bounds, Cluster
from raft_lab.check.engine import Engine
from raft_lab.check.search import Search
from raft_lab.check.symmetry import symmetries

BOUNDS: dict[str, int] = {"term": 2, "crashes": 1, "drops": 1, "duplicates": 1, "commands": 1}


def timed(run: Callable[[], Any]) -> tuple[Any, float]:
    """What `run` gives, and how long it took."""
    begun = time.process_time()
    result = run()
    return result, time.process_time() - begun


def warmed(engine: Engine, search: Search | None = None) -> Search:
    """A search that knows the engine's steps already, and what becomes of vectors and bags too if `search` knew."""
    warm = Search(engine)
    if search is not None:
        for known in ("bags", "_with", "_events", "_tables", "_least", "_sound", "_doubts", "_asked"):
            setattr(warm, known, getattr(search, known))
    return warm


def line(name: str, states: int, transitions: int, depth: int, seconds: float) -> None:
    """Print what every search has."""
    print(
        f"{name:18} {states:>9,} states {transitions:>10,} transitions  depth {depth}  {seconds:6.2f} s"
        f"  {states / seconds:>9,.0f} states/s  {transitions / seconds:>9,.0f} transitions/s"
    )


def explored(bounds: Bounds, symmetric: bool) -> tuple[float, float]:
    """Print one search, and where its time went; states and transitions a second."""
    world = Cluster(3).world
    engine = Engine(world, bounds, renamings=symmetries(world) if symmetric else ())
    search = Search(engine)
    found, cold = timed(lambda: search.run(bounds.depth, bounds.states))
    _, steps_known = timed(lambda: warmed(engine).run(bounds.depth, bounds.states))
    _, all_known = timed(lambda: warmed(engine, search).run(bounds.depth, bounds.states))
    line("with symmetry" if symmetric else "steps remembered", found.states, found.transitions, found.depth, cold)
    print(
        f"{'':18} {engine.behaviour.calls:,} handler calls, {len(engine.messages):,} messages, "
        f"{len(search.bags):,} bags; {search.memory() / found.states:,.0f} bytes a state in its tables"
    )
    print(
        f"{'':18} time: handlers and invariants {1 - steps_known / cold:4.0%}, "
        f"vectors and bags {(steps_known - all_known) / cold:4.0%}, look-ups {all_known / cold:4.0%}"
    )
    return found.states / cold, found.transitions / cold


def allocated(bounds: Bounds) -> float:
    """Bytes a state that Python has allocated for everything, the engine's own tables included."""
    tracemalloc.start()
    engine = Engine(Cluster(3).world, bounds)
    search = Search(engine)
    found = search.run(bounds.depth, bounds.states)
    held = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    return held / found.states


def main() -> None:
    """Print it all."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--states", type=int, default=300_000)
    parser.add_argument("--plain-states", type=int, default=15_000)
    options = parser.parse_args()
    bounds, small = (Bounds(**BOUNDS, depth=99, states=n) for n in (options.states, options.plain_states))
    print(f"within {bounds}")
    runs = sorted((timed(lambda: naive.search(Cluster(3), small)) for _ in range(3)), key=lambda run: run[1])
    seen, seconds = runs[1]  # the median
    line("nothing remembered", len(seen.states), seen.transitions, seen.depth, seconds)
    states, transitions = explored(bounds, symmetric=False)
    explored(bounds, symmetric=True)
    print(
        f"remembering steps: {states / len(seen.states) * seconds:.1f} times the states a second, "
        f"{transitions / seen.transitions * seconds:.1f} times the transitions"
    )
    small = Bounds(**BOUNDS, depth=99, states=options.states // 3)
    print(f"allocated, as tracemalloc has it: {allocated(small):,.0f} bytes a state at {small.states:,} states")


if __name__ == "__main__":
    main()
