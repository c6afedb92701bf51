"""Lesson 05: a command that a client sends again happens once."""

from __future__ import annotations

from raft_lab.check.explore import Bounds
from raft_lab.course.exercises import Exercise
from raft_lab.raft.server import Server
from raft_lab.sim import stages
from raft_lab.sim.cluster import Cluster


def _asked_again(server: type[Server]) -> Cluster:
    """Alice's command is done everywhere, and she asks again; after that, she asks for more."""
    cluster = stages.with_a_session()
    cluster.swap(server)
    cluster.propose("add x 1", "S1", client="alice", seq=1)
    cluster.propose("add x 2", "S1", client="alice", seq=2)
    cluster.propose("add x 1", "S1", client="alice", seq=1)
    return cluster


def _asked_another(server: type[Server]) -> Cluster:
    """Alice's command is done everywhere; S1 has compacted its log, crashes and comes back, and she asks again."""
    cluster = stages.with_a_session()
    cluster.compact("S1")
    cluster.swap(server)
    cluster.crash("S1")
    cluster.restart("S1")
    cluster.timeout("S1")
    cluster.deliver_all()
    cluster.propose("add x 1", client="alice", seq=1)
    return cluster


APPLY_IN_SESSION = Exercise(
    ("apply_in_session", "was_applied"),
    ("AppendEntries", "AppendEntriesReply"),
    (
        (_asked_again, Bounds(term=1, crashes=1, compactions=1, log=8, states=2_000)),
        (_asked_another, Bounds(term=2, heartbeats=1, log=8, states=1_000)),
    ),
    source="section 6.3 of the dissertation",
)
