"""Lesson 04's exercise: what a quorum is, also while the members change."""

from __future__ import annotations

from raft_lab.check.explore import Bounds
from raft_lab.course.exercises import Exercise
from raft_lab.raft.server import Server
from raft_lab.sim import stages
from raft_lab.sim.cluster import Cluster


def _two_elections(server: type[Server]) -> Cluster:
    """In the middle of a change, on either side of a wall, S2 and S4 want to lead term 2."""
    cluster = stages.half_joint(server)
    cluster.timeout("S2")
    cluster.timeout("S4")
    return cluster


HAS_QUORUM = Exercise(
    ("has_quorum",),
    ("RequestVoteReply",),
    ((_two_elections, Bounds(term=2, messages=14, states=3_000)),),
    source="§6",
)
