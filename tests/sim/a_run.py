"""A mixed run, saved to standard output: a script for test_same_everywhere.py. Needs the standard library only."""

import random
import sys
import tempfile
from pathlib import Path

from raft_lab import Cluster, Server, Timing


class Remembering(Server):
    """Keeps sets, lists and dicts, whose order in memory changes with PYTHONHASHSEED."""

    durable = {"seen": set()}
    volatile = {"voters": [], "counts": {}}

    def on_request_vote(self, m):
        super().on_request_vote(m)
        self.seen.add(m.src)
        self.voters.append(m.src)
        self.counts[m.src] = self.counts.get(m.src, 0) + 1


def main(seed: int) -> None:
    rng = random.Random(seed)
    timing = Timing(loss=0.1, duplication=0.1)
    cluster = Cluster(
        5, seed=seed, timing=timing, server=Remembering, logs={"S2": [(1, "set y 1")], "S3": [(2, "no-op")]}
    )
    for _ in range(25):
        cluster.step(rng.randint(1, 12))
        if rng.random() < 0.6:
            cluster.perform(rng.choice(cluster.enabled()))
        if rng.random() < 0.2:
            cluster.partition(set(rng.sample(cluster.servers, 2)))
        if rng.random() < 0.2:
            cluster.goto(rng.randrange(len(cluster.tape)))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "run.json"
        cluster.save(path)
        sys.stdout.buffer.write(path.read_bytes())
    sys.stdout.buffer.write(cluster.code().encode())
    for step in cluster.history:
        sys.stdout.buffer.write(f"{step}\n".encode())


if __name__ == "__main__":
    main(int(sys.argv[1]))
