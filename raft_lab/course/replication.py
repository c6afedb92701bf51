"""Lesson 02's exercise: what a follower does with an AppendEntries."""

from __future__ import annotations

from raft_lab.check.explore import Bounds
from raft_lab.course.exercises import Exercise
from raft_lab.raft.server import Server
from raft_lab.sim import stages
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.scenarios import Stage


def _conflict(server: type[Server]) -> Cluster:
    """S2 holds entries of term 2 that the leader of term 4 does not."""
    cluster = stages.log_conflict()
    cluster.swap(server)
    return cluster


def _repeated(server: type[Server]) -> Cluster:
    """A request with one entry is on its way twice, when the leader has a second entry to send."""
    cluster = Cluster(3, seed=1)
    Stage(cluster).elect("S1", "S2")
    cluster.drop("S1", "S3", "RequestVote")
    cluster.drop("S1", "S3")
    first = cluster.messages[0]
    cluster.duplicate(first)
    Stage(cluster).ask("S1", "S2")
    cluster.propose("set x 1", "S1")
    cluster.drop("S1", "S3")
    cluster.swap(server)
    return cluster


APPEND_ENTRIES = Exercise(
    ("on_append_entries", "store_entries", "log_matches", "conflicts", "known_match"),
    ("AppendEntries",),
    (
        (_conflict, Bounds(term=4, states=3_000)),
        (lambda server: Cluster(3, server=server), Bounds(term=1, commands=1, messages=4, states=3_000)),
        (_repeated, Bounds(term=1, states=3_000)),
    ),
)
