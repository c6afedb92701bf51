"""Lesson 01's smaller exercises: whose log is up-to-date, and when a candidate has won."""

from __future__ import annotations

from raft_lab.check.explore import Bounds
from raft_lab.course.exercises import Exercise
from raft_lab.raft.server import Server
from raft_lab.sim import scenarios
from raft_lab.sim.cluster import Cluster

LOG_IS_UP_TO_DATE = Exercise(
    ("log_is_up_to_date",),
    ("RequestVote",),
    (
        (scenarios.committed_without_s3, Bounds(term=2, states=3_000)),
        (scenarios.longer_but_older, Bounds(term=4, states=4_000)),
    ),
    points=2.0,
    source="§5.4.1",
)


def _two_votes(server: type[Server]) -> Cluster:
    """S1 and S2 are candidates of one term among five, and each is about to hear of one vote, perhaps twice."""
    cluster = Cluster(5)
    for candidate, voter in (("S1", "S3"), ("S2", "S4")):
        cluster.timeout(candidate)
        cluster.deliver(candidate, voter)
    for message in cluster.messages:
        if type(message).__name__ == "RequestVote":
            cluster.drop(message)
    cluster.swap(server)
    return cluster


def _late_vote(server: type[Server]) -> Cluster:
    """S3's vote for S1 in term 1 is still on its way, and S1 is a candidate of term 2 by now."""
    cluster = Cluster(3)
    cluster.timeout("S1")
    cluster.deliver("S1", "S3")
    cluster.drop("S1", "S2")
    cluster.timeout("S1")
    cluster.swap(server)
    return cluster


TALLY = Exercise(
    ("on_request_vote_reply", "tally"),
    ("RequestVoteReply",),
    (
        (_late_vote, Bounds(term=2, states=2_000)),
        (_two_votes, Bounds(term=1, duplicates=2, states=2_000)),
        (lambda server: Cluster(4, server=server), Bounds(term=1, messages=12, states=4_000)),
    ),
)
