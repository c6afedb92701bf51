"""What an answer to a prediction can show on the learner's own cluster: the run to which it leads.

Each goes to where its question was asked and acts from there. What the learner did before stays, as a branch.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from raft_lab.raft.rules import switched, without
from raft_lab.raft.server import Server
from raft_lab.raft.values import FrozenMap
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


# --- Lesson 03 ---------------------------------------------------------------------------------------


def _unfitting_tail(cluster: Cluster) -> None:
    """S3 keeps what it has behind the snapshot, whatever that is."""
    cluster.goto(0)
    cluster.swap(without(Server, "a tail must fit the snapshot"))
    cluster.deliver("S1", "S3", "InstallSnapshot")


class ForgetsSessions(Server):
    """Leaves the clients' sessions out of its snapshots."""

    def on_compact(self) -> None:
        super().on_compact()
        kept = self.log.snapshot
        self.log = self.log.compact(replace(kept, machine=replace(kept.machine, sessions=FrozenMap())))


def _snapshot_without_sessions(cluster: Cluster) -> None:
    """S1 starts again from such a snapshot, and does not know alice any more."""
    cluster.goto(0)
    cluster.swap(ForgetsSessions)
    cluster.compact("S1")
    cluster.crash("S1")
    cluster.restart("S1")


# --- Lesson 04 ---------------------------------------------------------------------------------------


def _two_majorities(cluster: Cluster) -> None:
    """Each side elects a leader of term 2."""
    cluster.goto(0)
    Stage(cluster).elect("S2", "S3", tries=1).elect("S4", "S1", "S5", tries=1)


def _majority_of_the_union(cluster: Cluster) -> None:
    """One majority of all five is counted, in place of one of each half."""
    cluster.goto(0)
    cluster.swap(without(Server, "separate majorities"))
    Stage(cluster).elect("S2", "S3", tries=1).elect("S4", "S1", "S5", tries=1)


def _change_without_own_commit(cluster: Cluster) -> None:
    """S2 removes S1 with the help of S3; then S1 leads again, by S4 and S5, and overwrites what was committed."""
    cluster.goto(0)
    cluster.swap(without(Server, "own-term commit before a single-server change"))
    cluster.reconfigure(remove={"S1"}, single=True, server="S2")
    stage = Stage(cluster)
    for _ in range(4):
        stage.ask("S2", "S3", "AppendEntries")
    cluster.crash("S1")
    cluster.restart("S1")
    stage.elect("S1", "S4", "S5")
    for follower in ("S4", "S5", "S4"):
        stage.ask("S1", follower, "AppendEntries")


# --- Lesson 05 ---------------------------------------------------------------------------------------


def _answers_from_memory(cluster: Cluster) -> None:
    """S1 answers at once with what it has."""
    cluster.goto(0)
    cluster.read("S1", how="local")


def _no_round(cluster: Cluster) -> None:
    """S1 answers as soon as anybody has answered it."""
    cluster.goto(0)
    cluster.swap(without(Server, "read-index round"))
    cluster.read("S1")


def _commands_twice(cluster: Cluster) -> None:
    """What alice sends again is done again."""
    cluster.goto(0)
    cluster.swap(without(Server, "session de-duplication"))
    cluster.propose("add x 1", "S2", client="alice", seq=1)
    cluster.deliver_all()


SHOWS: dict[str, Callable[[Cluster], object]] = {
    "lost with the leader": _lost_with_the_leader,
    "no consistency check": _no_consistency_check,
    "an old term is counted": _old_term_is_counted,
    "a tail that does not fit": _unfitting_tail,
    "a snapshot without sessions": _snapshot_without_sessions,
    "two majorities": _two_majorities,
    "a majority of the union": _majority_of_the_union,
    "a change without a commit": _change_without_own_commit,
    "answers from memory": _answers_from_memory,
    "no round of heartbeats": _no_round,
    "commands twice": _commands_twice,
}
"""By the name that stands in `predictions/`."""
