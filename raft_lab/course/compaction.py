"""Lesson 03's exercises: to take a snapshot, and what a follower does with one."""

from __future__ import annotations

from raft_lab.check.explore import Bounds
from raft_lab.course.exercises import Exercise
from raft_lab.raft.server import Server
from raft_lab.sim import stages
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.scenarios import Stage


def _late(server: type[Server]) -> Cluster:
    """S3 has got a snapshot and a newer entry, which is about to count, when the same snapshot arrives again."""
    cluster = stages.stray_tail()
    cluster.duplicate("S1", "S3", "InstallSnapshot")
    Stage(cluster).ask("S1", "S3", "InstallSnapshot")
    cluster.crash("S2")
    cluster.propose("set x 3", "S1")
    cluster.swap(server)
    return cluster


def _stray(server: type[Server]) -> Cluster:
    """A snapshot is on its way to S3, whose log is another one."""
    cluster = stages.stray_tail()
    cluster.swap(server)
    return cluster


INSTALL_SNAPSHOT = Exercise(
    ("on_install_snapshot", "keeps_tail"),
    ("InstallSnapshot",),
    (
        (_late, Bounds(term=2, messages=6, states=2_000)),
        (_stray, Bounds(term=2, commands=1, log=4, states=2_000)),
    ),
    source="Figure 13",
)


# --- Taking a snapshot -------------------------------------------------------------------------------


def _more_than_applied(server: type[Server]) -> Cluster:
    """S1 leads, has applied a command, and holds another one that nobody else stores."""
    cluster = stages.led(3)
    cluster.propose("add x 1", "S1")
    cluster.deliver_all()
    cluster.propose("add x 2", "S1")
    Stage(cluster).lose_all()
    cluster.swap(server)
    return cluster


def _in_a_session(server: type[Server]) -> Cluster:
    """Alice's command is done; she has not heard of it."""
    cluster = stages.with_a_session()
    cluster.swap(server)
    return cluster


COMPACT = Exercise(
    ("on_compact",),
    ("Compact",),
    (
        (_more_than_applied, Bounds(term=1, compactions=2, crashes=1, states=2_000)),
        (_in_a_session, Bounds(term=1, compactions=1, crashes=1, states=1_500)),
    ),
    points=3.0,
    source="§7",
)
