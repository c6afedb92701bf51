"""What an answer to a prediction can show on the learner's own cluster: the run to which it leads.

Each goes to where its question was asked and acts from there. What the learner did before stays, as a branch.
"""

from __future__ import annotations

from collections.abc import Callable

from raft_lab.raft.rules import switched, without
from raft_lab.raft.server import Server
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.scenarios import Stage

# --- Lesson 02 ---------------------------------------------------------------------------------------


def _lost_with_the_leader(cluster: Cluster) -> None:
    """The command is in S1's log only when S1 crashes."""
    cluster.goto(0)
    cluster.propose("set x 1", "S1")
    Stage(cluster).lose_all()
    cluster.crash("S1")
    cluster.run_until(leader=True)


def _no_consistency_check(cluster: Cluster) -> None:
    """S2 takes what it gets, whatever stands before it."""
    cluster.goto(0)
    cluster.swap(without(Server, "log consistency check"))
    cluster.deliver("S1", "S2")


def _old_term_is_counted(cluster: Cluster) -> None:
    """S1 commits its old entry by counting, and S5 overwrites it."""
    cluster.goto(0)
    cluster.swap(switched(Server, off=["current-term commit"], on=["one entry a message"]))
    stage = Stage(cluster).ask("S1", "S2").ask("S1", "S3").ask("S1", "S3")
    cluster.crash("S1")
    cluster.restart("S5")
    stage.elect("S5", "S3", "S4")
    stage.ask("S5", "S3", "AppendEntries").deliver("S5", "S3", "AppendEntries")


SHOWS: dict[str, Callable[[Cluster], object]] = {
    "lost with the leader": _lost_with_the_leader,
    "no consistency check": _no_consistency_check,
    "an old term is counted": _old_term_is_counted,
}
"""By the name that stands in `predictions/`."""
