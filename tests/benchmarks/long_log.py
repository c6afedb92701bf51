"""What a step costs when the log is long: 100 entries beside 10,000, in turn, in the same run.

python tests/benchmarks/long_log.py
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable

from raft_lab import Cluster, Command, Entry, Log
from raft_lab.raft.log import Snapshot
from raft_lab.raft.membership import Configuration

SIZES = (100, 10_000)


def a_log(size: int) -> Log:
    """A log of so many entries of term 1."""
    return Log(Snapshot(Configuration(frozenset({"S1", "S2", "S3"}))), [Entry(1, Command(str(n))) for n in range(size)])


def a_cluster(size: int) -> Cluster:
    """Three servers with so many entries each, led by S1, everything delivered and committed."""
    log = [(1, str(n)) for n in range(size)]
    cluster = Cluster(3, seed=1, logs=dict.fromkeys(("S1", "S2", "S3"), log))
    cluster.timeout("S1")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    return cluster


def append_and_fork(log: Log) -> None:
    """Append two different entries to the same log, and cut one of them off again."""
    for n in range(200):
        log.append(Entry(1, Command(f"a{n}"))).truncate(log.last_index + 1)
        log.append(Entry(1, Command(f"b{n}")))


def propose_and_deliver(cluster: Cluster) -> None:
    """A few commands through the whole machine: about fifteen steps each, with all invariants."""
    for n in range(5):
        cluster.propose(f"set x {n}", "S1")
        cluster.deliver_all()
        cluster.heartbeat("S1")
        cluster.deliver_all()


def measure(name: str, make: Callable[[int], object], run: Callable[..., None], rounds: int = 15) -> None:
    """Run it with both sizes in turn, and print the medians and their ratio."""
    subjects = {size: make(size) for size in SIZES}
    times: dict[int, list[float]] = {size: [] for size in SIZES}
    for _ in range(rounds):
        for size in SIZES:
            begun = time.perf_counter()
            run(subjects[size])
            times[size].append(time.perf_counter() - begun)
    short, long = (statistics.median(times[size]) * 1000 for size in SIZES)
    print(f"{name:<34} {short:>8.2f} ms {long:>8.2f} ms   ratio {long / short:.2f}")


def main() -> None:
    """Print the table."""
    print(f"{'':<34} {'100 entries':>11} {'10,000':>11}")
    measure("append, fork and cut, 200 times", a_log, append_and_fork)
    measure("5 commands through 3 servers", a_cluster, propose_and_deliver)


if __name__ == "__main__":
    main()
