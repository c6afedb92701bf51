"""Situations that people ask for by name. Each gives a cluster that has lived through it, with the run on its tape.

A scenario takes the class that says how servers react, so that the same run can be tried with a rule turned off:
what a modified engine does not do (a message that it does not send) is passed over.
"""

from __future__ import annotations

import contextlib

from raft_lab.raft.rules import with_rules
from raft_lab.raft.server import Server
from raft_lab.raft.values import FrozenMap
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.errors import ActionRefused
from raft_lab.sim.schedule import Timing


class Stage:
    """A cluster under direction: what cannot happen in this engine is left out."""

    def __init__(self, cluster: Cluster) -> None:
        self.cluster = cluster

    def deliver(self, src: str, dst: str, kind: str | None = None) -> Stage:
        """The oldest message from `src` to `dst` (of that kind) arrives, if there is one that can."""
        for message in self.cluster.messages:
            fits = (message.src, message.dst) == (src, dst) and kind in (None, type(message).__name__)
            if fits and self.cluster.world.blocked(message) is None:
                self.cluster.deliver(message)
                break
        return self.write()

    def write(self) -> Stage:
        """Where writes take time: they are done."""
        for name in self.cluster.servers:
            if self.cluster[name].disk is not None and name not in self.cluster.world.crashed:
                self.cluster.write_disk(name)
        return self

    def ask(self, src: str, dst: str, kind: str | None = None) -> Stage:
        """A message arrives, and its answer too."""
        return self.deliver(src, dst, kind).deliver(dst, src)

    def lose_all(self) -> Stage:
        """Every message in flight is lost."""
        for message in self.cluster.messages:
            self.cluster.drop(message)
        return self

    def lose_to(self, dst: str) -> Stage:
        """Every message on its way to `dst` is lost."""
        for message in self.cluster.messages:
            if message.dst == dst:
                self.cluster.drop(message)
        return self

    def elect(self, candidate: str, *voters: str, tries: int = 3) -> Stage:
        """`candidate` starts elections until it leads, with the help of `voters` only."""
        for _ in range(tries):
            if self.cluster[candidate].is_leader:
                break
            self.cluster.timeout(candidate)
            self.write()
            for voter in voters:
                self.ask(candidate, voter, "PreVote")
            for voter in voters:
                self.ask(candidate, voter, "RequestVote")
        return self

    def attempt(self, what: str, *args: object, **options: object) -> Stage:
        """Call a method of the cluster; if it is refused, leave it."""
        with contextlib.suppress(ActionRefused):
            getattr(self.cluster, what)(*args, **options)
        return self


# --- Elections ---------------------------------------------------------------------------------------


def voting_criteria(server: type[Server] = Server) -> Cluster:
    """S1 and S2 hold Commands 1 to 3, the last of term 2; S3 has only Command 1 of term 1. Who can win?"""
    long = [(1, "Command 1"), (1, "Command 2"), (2, "Command 3")]
    return Cluster(3, server=server, logs={"S1": long, "S2": long, "S3": long[:1]})


def split_vote(server: type[Server] = Server) -> Cluster:
    """Four servers; S1 and S2 have both just started an election for term 1, and nobody has voted for another."""
    cluster = Cluster(4, seed=1, server=server)
    cluster.timeout("S1")
    cluster.timeout("S2")
    return cluster


def two_candidates(server: type[Server] = Server) -> Cluster:
    """S1 and S3 both want to lead term 1, and both ask S2 for its vote."""
    cluster = Cluster(3, seed=1, server=server)
    Stage(cluster).elect("S1", "S2", tries=1).elect("S3", "S2", tries=1)
    return cluster


def vote_crash_vote(server: type[Server] = Server) -> Cluster:
    """S2 votes for S1, crashes, comes back, and is asked by S3 in the same term."""
    cluster = Cluster(3, seed=1, server=server)
    stage = Stage(cluster)
    cluster.timeout("S1")
    stage.write()
    cluster.deliver("S1", "S2")  # and if its disk is slow, S2 crashes before the vote is on it
    cluster.crash("S2")
    cluster.restart("S2")
    cluster.timeout("S3")
    stage.write().deliver("S3", "S2", "RequestVote")
    stage.deliver("S2", "S1", "RequestVoteReply").deliver("S2", "S3", "RequestVoteReply")
    return cluster


def stale_leader(server: type[Server] = Server) -> Cluster:
    """Five servers, led by S1 in term 1 and then cut off together with S2; the others still wait for it."""
    cluster = Cluster(5, seed=1, server=server)
    cluster.timeout("S1")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    cluster.partition({"S1", "S2"}, {"S3", "S4", "S5"})
    return cluster


def returning_server(server: type[Server] = Server) -> Cluster:
    """S5 was away for a second and a half, and counted up terms alone; what S1 committed meanwhile it lacks."""
    cluster = Cluster(5, seed=1, server=server)
    Stage(cluster).elect("S1", "S2", "S3", "S4", "S5")
    cluster.deliver_all()
    cluster.partition({"S5"}, {"S1", "S2", "S3", "S4"})
    cluster.propose("set x 1", "S1")
    cluster.run(1500)
    cluster.heal()
    return cluster


def old_leader_meets_new_term(server: type[Server] = Server) -> Cluster:
    """S1 leads term 1 and hears, late, of the election that S3 has won in term 2."""
    cluster = stale_leader(server)
    Stage(cluster).elect("S3", "S4", "S5").lose_all()
    cluster.heal()
    cluster.heartbeat("S1")
    Stage(cluster).ask("S1", "S4")
    return cluster


def committed_without_s3(server: type[Server] = Server) -> Cluster:
    """S1 leads term 1 and has committed a command with S2; S3 has heard of the leader, but not of the command."""
    cluster = Cluster(3, seed=1)
    cluster.timeout("S1")
    cluster.deliver_all()
    cluster.propose("set x 1")
    cluster.drop("S1", "S3")
    cluster.deliver_all()
    return cluster if server is Server else _handed_to(cluster, server)


def leader_completeness(server: type[Server] = Server) -> Cluster:
    """S3, which lacks a committed command, tries to become leader."""
    cluster = committed_without_s3(server)
    Stage(cluster).elect("S3", "S1", "S2")
    return cluster


def longer_but_older(server: type[Server] = Server) -> Cluster:
    """S1's log is longer, but of term 1; S2 and S3 have committed entries of later terms, with S2 leading term 3."""
    logs = {
        "S1": [(1, "a"), (1, "b"), (1, "c"), (1, "d"), (1, "e")],
        "S2": [(1, "a"), (2, "f")],
        "S3": [(1, "a"), (2, "f")],
    }
    cluster = Cluster(3, seed=1, logs=logs)
    cluster.partition({"S1"})
    cluster.timeout("S2")
    cluster.drop("S2", "S1")
    cluster.deliver_all()
    cluster.drop("S2", "S1")
    cluster.heal()
    return cluster if server is Server else _handed_to(cluster, server)


def long_old_log_campaigns(server: type[Server] = Server) -> Cluster:
    """S1, whose log is longer but older, tries to become leader."""
    cluster = longer_but_older(server)
    Stage(cluster).elect("S1", "S2", "S3")
    return cluster


def asymmetric_partition(server: type[Server] = Server) -> Cluster:
    """S1 leads; S3 hears nobody any more, but everybody hears S3, whose election timer runs out again and again."""
    cluster = Cluster(3, seed=1, server=server)
    stage = Stage(cluster).elect("S1", "S2", "S3")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    cluster.cut("S1", "S3")
    cluster.cut("S2", "S3")
    for _ in range(3):
        stage.attempt("silence", "S3")
        cluster.timeout("S3")
        stage.deliver("S3", "S1").deliver("S3", "S2")
    return cluster


def deaf_leader(server: type[Server] = Server) -> Cluster:
    """S1 leads and everybody hears it, but it hears nobody: its heartbeats keep them quiet; nothing is committed."""
    cluster = Cluster(3, seed=2, server=server)
    stage = Stage(cluster).elect("S1", "S2", "S3")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    cluster.cut("S2", "S1")
    cluster.cut("S3", "S1")
    stage.attempt("propose", "set x 1", "S1")
    cluster.run(2000)
    return cluster


def quorum_loss(server: type[Server] = Server) -> Cluster:
    """Three of five servers crash, so that nothing can be committed; then one comes back."""
    cluster = Cluster(5, seed=3, server=server)
    cluster.run_until(leader=True)
    followers = [name for name in cluster.servers if name != cluster.leader]
    for name in followers[:3]:
        cluster.crash(name)
    cluster.propose("set x 1")
    cluster.run(400)
    cluster.restart(followers[0])
    cluster.run_until(committed="set x 1")
    return cluster


# --- Logs --------------------------------------------------------------------------------------------


def _terms(*terms: int) -> list[tuple[int, str]]:
    """A log whose entries are told apart by index and term."""
    return [(term, f"{index}.{term}") for index, term in enumerate(terms, start=1)]


def figure_7(server: type[Server] = Server) -> Cluster:
    """The paper's Figure 7: L has just become leader of term 8, and six followers have other logs than it."""
    logs = {
        "L": _terms(1, 1, 1, 4, 4, 5, 5, 6, 6, 6),
        "a": _terms(1, 1, 1, 4, 4, 5, 5, 6, 6),
        "b": _terms(1, 1, 1, 4),
        "c": _terms(1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 6),
        "d": _terms(1, 1, 1, 4, 4, 5, 5, 6, 6, 6, 7, 7),
        "e": _terms(1, 1, 1, 4, 4, 4, 4),
        "f": _terms(1, 1, 1, 2, 2, 2, 3, 3, 3, 3, 3),
    }
    cluster = Cluster(list(logs), seed=8, server=server, logs=logs)
    Stage(cluster).elect("L", "a", "b", "e", "f")
    return cluster


def _figure_8_until_c(server: type[Server]) -> Stage:
    """Figure 8 (a) and (b), and how (c) begins: S1 leads term 4 with an entry of its own that nobody else has."""
    cluster = Cluster(5, seed=8, server=with_rules(server, "one entry a message"), logs={
        name: [(1, "first")] for name in ("S1", "S2", "S3", "S4", "S5")
    })  # fmt: skip
    stage = Stage(cluster)
    stage.elect("S1", "S2", "S3")  # (a) S1 leads term 2; its entry 2 reaches S2
    stage.ask("S1", "S2", "AppendEntries").ask("S1", "S2", "AppendEntries").lose_all()
    cluster.crash("S1")  # (b) S5 leads term 3 with the votes of S3 and S4, and appends another entry 2
    stage.elect("S5", "S3", "S4").lose_all()
    cluster.crash("S5")
    cluster.restart("S1")  # (c) S1 leads term 4
    return stage.elect("S1", "S2", "S3")


def _store(stage: Stage, index: int, *followers: str) -> None:
    """S1's log reaches the followers up to `index`, as far as this engine goes along."""
    cluster = stage.cluster
    for follower in followers:
        while cluster["S1"].is_leader and cluster[follower].log.last_index < index and cluster.messages:
            before = cluster.now
            stage.ask("S1", follower, "AppendEntries")
            if cluster.now is before:
                break


def figure_8(server: type[Server] = Server) -> Cluster:
    """The paper's Figure 8, (a) to (d): an entry of an old term is on a majority, and is overwritten all the same.

    The entries of the figure are the no-ops of the leaders; messages carry one entry at a time.
    """
    stage = _figure_8_until_c(server)
    cluster = stage.cluster
    _store(stage, 2, "S3", "S2")  # (c) its old entry 2 reaches S3 and so is on a majority
    stage.lose_all()
    cluster.crash("S1")  # (d) S5 leads term 5 and overwrites entry 2
    cluster.restart("S5")
    stage.elect("S5", "S2", "S3", "S4")
    for follower in ("S2", "S3"):
        for _ in range(3):
            stage.ask("S5", follower, "AppendEntries")
    return cluster


def figure_8_committed(server: type[Server] = Server) -> Cluster:
    """The paper's Figure 8 (e): S1 has an entry of its own term on a majority first, and S5 cannot win any more."""
    stage = _figure_8_until_c(server)
    cluster = stage.cluster
    _store(stage, 3, "S2", "S3")
    cluster.restart("S5")
    stage.elect("S5", "S2", "S3", "S4")
    return cluster


def log_conflict(server: type[Server] = Server) -> Cluster:
    """The talk's figure: a follower holds Commands 2 and 3 of term 2, where the leader of term 3 has Command 2X."""
    logs = {
        "S1": [(1, "Command 1")],
        "S2": [(1, "Command 1"), (2, "Command 2"), (2, "Command 3")],
        "S3": [(1, "Command 1")],
    }
    cluster = Cluster(3, seed=1, server=server, logs=logs)
    stage = Stage(cluster).elect("S1", "S3")
    cluster.propose("Command 2X", "S1")
    for _ in range(4):
        stage.ask("S1", "S2", "AppendEntries")
    return cluster


def divergent_logs(server: type[Server] = Server) -> Cluster:
    """S1 leads term 4 after terms in which S2 and S3 went different ways, and sends them its entries."""
    logs = {"S1": [(1, "a"), (3, "c")], "S2": [(1, "a"), (2, "b")], "S3": [(1, "a"), (3, "c")]}
    cluster = Cluster(3, seed=1, server=server, logs=logs)
    stage = Stage(cluster).elect("S1", "S2", "S3")
    for follower in ("S2", "S3"):
        for _ in range(3):
            stage.ask("S1", follower, "AppendEntries")
    cluster.heartbeat("S1")
    stage.deliver("S1", "S2")
    return cluster


def late_short_request(server: type[Server] = Server) -> Cluster:
    """S2 has acknowledged two entries, which are committed, when an old request with only the first arrives again."""
    cluster = Cluster(3, seed=1, server=server)
    stage = Stage(cluster).elect("S1", "S2")
    first = next(m for m in cluster.messages if (m.src, m.dst) == ("S1", "S2"))
    cluster.duplicate(first)
    stage.ask("S1", "S2")
    cluster.propose("set x 1", "S1")
    newest = [m for m in cluster.messages if (m.src, m.dst) == ("S1", "S2") and m != first]
    if newest:
        cluster.deliver(newest[-1])
        stage.deliver("S2", "S1")
    if first in cluster.world.network:
        cluster.deliver(first)
    return cluster


# --- Snapshots ---------------------------------------------------------------------------------------


def needs_snapshot(server: type[Server] = Server) -> Cluster:
    """S3 was down while the others went on and compacted their logs; it comes back and gets a snapshot."""
    cluster = Cluster(3, seed=1, server=server)
    Stage(cluster).elect("S1", "S2", "S3")
    cluster.deliver_all()
    cluster.crash("S3")
    for number in (1, 2, 3):
        cluster.propose(f"set x {number}", "S1")
        Stage(cluster).lose_to("S3")
        cluster.deliver_all()
    cluster.compact("S1")
    cluster.restart("S3")
    cluster.heartbeat("S1")
    cluster.deliver_all()
    return cluster


def snapshot_of_the_talk(server: type[Server] = Server) -> Cluster:
    """The talk's figure: Commands 1 to 3 become "Snapshot 3, term 2"."""
    log = [(1, "set x 1"), (1, "set y 2"), (2, "set x 3")]
    cluster = Cluster(3, seed=1, server=server, logs=dict.fromkeys(("S1", "S2", "S3"), log))
    Stage(cluster).elect("S1", "S2", "S3")
    cluster.deliver_all()
    cluster.compact("S1")
    return cluster


def snapshot_over_a_stray_tail(server: type[Server] = Server) -> Cluster:
    """S3 holds entries of a leader that lost, beyond where the snapshot ends that it now gets."""
    cluster = stray_tail(server)
    cluster.deliver_all()
    return cluster


def stray_tail(server: type[Server] = Server) -> Cluster:
    """S3 holds entries of a leader that lost, beyond where the snapshot ends that is on its way to it."""
    cluster = Cluster(3, seed=1, server=server)
    stage = Stage(cluster).elect("S3", "S2")
    stage.lose_all()
    for number in range(4):
        cluster.propose(f"set stray {number}", "S3")
    stage.lose_all()
    cluster.crash("S3")
    stage.elect("S1", "S2")
    for number in (1, 2):
        cluster.propose(f"set x {number}", "S1")
    stage.lose_to("S3")
    cluster.deliver_all()
    cluster.compact("S1")
    cluster.restart("S3")
    cluster.heartbeat("S1")
    return cluster


# --- Membership --------------------------------------------------------------------------------------


def two_datacentres(server: type[Server] = Server) -> Cluster:
    """S1 to S3 hand over to S4 to S6 by joint consensus, without ever being down."""
    cluster = Cluster(3, seed=5, server=server)
    cluster.run_until(leader=True)
    cluster.propose("set x 1")
    cluster.reconfigure(learners={"S4", "S5", "S6"})
    cluster.run(300)
    cluster.reconfigure(voters={"S4", "S5", "S6"})
    cluster.run_until(lambda c: c.leader in ("S4", "S5", "S6"))
    cluster.propose("set x 2")
    cluster.run_until(committed="set x 2")
    return cluster


def joint_consensus_split(server: type[Server] = Server) -> Cluster:
    """C_old,new is on S1, S4 and S5 only when the network falls apart, and both sides try to elect a leader."""
    cluster = Cluster(3, seed=1, server=server)
    stage = Stage(cluster).elect("S1", "S2", "S3")
    cluster.deliver_all()
    cluster.reconfigure(learners={"S4", "S5"}, server="S1")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    cluster.reconfigure(voters={"S1", "S4", "S5"}, server="S1")
    for follower in ("S4", "S5"):
        stage.deliver("S1", follower, "AppendEntries")
    stage.lose_all()
    cluster.partition({"S1", "S4", "S5"}, {"S2", "S3"})
    stage.elect("S2", "S3", tries=1)
    stage.lose_all()
    stage.attempt("crash", "S1").attempt("restart", "S1").elect("S4", "S1", "S5", tries=1)
    return cluster


def two_changes_at_once(server: type[Server] = Server) -> Cluster:
    """A second change is asked for while the first is not committed."""
    cluster = Cluster(3, seed=1, server=server)
    Stage(cluster).elect("S1", "S2", "S3")
    cluster.deliver_all()
    cluster.reconfigure(learners={"S4"}, server="S1")
    Stage(cluster).lose_all().attempt("reconfigure", learners={"S4", "S5"}, server="S1")
    return cluster


def single_server_bug(server: type[Server] = Server) -> Cluster:
    """The bug of the single-server change, as published in July 2015: two leaders, two changes, one lost commit."""
    cluster = two_changes_meet(server)
    # S1 leads again, by the five servers that it knows of, and the committed change is overwritten
    stage = Stage(cluster).elect("S1", "S4", "S5", tries=4)
    for follower in ("S4", "S5", "S3"):
        for _ in range(4):
            stage.ask("S1", follower, "AppendEntries")
    return cluster


def two_changes_meet(server: type[Server] = Server) -> Cluster:
    """S1 has added S5, which only S5 knows; S2 has led the next term and removed S1; now S1 has restarted."""
    cluster = Cluster(4, seed=1, server=server)
    stage = Stage(cluster).elect("S1", "S2", "S3", "S4")
    cluster.deliver_all()
    cluster.reconfigure(learners={"S5"}, server="S1")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    stage.lose_all()
    # S1 adds S5, and only S5 hears of it
    stage.attempt("reconfigure", add={"S5"}, single=True, server="S1")
    stage.deliver("S1", "S5", "AppendEntries").lose_all()
    # S2 leads the next term, knows nothing of that, and removes S1 with the help of S3
    stage.elect("S2", "S3", "S4").lose_all()
    stage.attempt("reconfigure", remove={"S1"}, single=True, server="S2")
    for _ in range(4):
        stage.ask("S2", "S3", "AppendEntries")
    return stage.lose_all().attempt("crash", "S1").attempt("restart", "S1").cluster


def disruptive_server(server: type[Server] = Server) -> Cluster:
    """S4 was removed and does not know it: hearing nothing, it starts elections in ever higher terms."""
    cluster = Cluster(4, seed=1, server=server)
    stage = Stage(cluster).elect("S1", "S2", "S3", "S4")
    cluster.deliver_all()
    cluster.cut("S1", "S4")
    cluster.reconfigure(remove={"S4"}, server="S1")
    stage.lose_to("S4")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    for _ in range(2):
        stage.attempt("silence", "S4")
        cluster.timeout("S4")
        for other in ("S1", "S2", "S3"):
            stage.deliver("S4", other)
    return cluster


# --- Clients -----------------------------------------------------------------------------------------


def stale_read(server: type[Server] = Server) -> Cluster:
    """S1 was replaced without knowing it, and a client reads from it what S3 has changed meanwhile."""
    cluster = old_reign(server)
    cluster.read("S1")
    Stage(cluster).ask("S1", "S2")
    return cluster


def old_reign(server: type[Server] = Server) -> Cluster:
    """S1 leads term 1, cut off with S2; S3 leads term 2 and has committed a newer value of x."""
    cluster = Cluster(5, seed=1, server=server)
    stage = Stage(cluster).elect("S1", "S2", "S3", "S4", "S5")
    cluster.deliver_all()
    cluster.propose("set x old", "S1")
    cluster.deliver_all()
    cluster.partition({"S1", "S2"}, {"S3", "S4", "S5"})
    stage.elect("S3", "S4", "S5")
    cluster.propose("set x new", "S3")
    for follower in ("S4", "S5", "S4", "S5"):
        stage.ask("S3", follower, "AppendEntries")
    return cluster


def read_of_a_new_leader(server: type[Server] = Server) -> Cluster:
    """S2 has just won an election, and is asked for what it stores, committed, without knowing that it is."""
    cluster = new_leader(server)
    cluster.read("S2")
    Stage(cluster).ask("S2", "S3")
    return cluster


def new_leader(server: type[Server] = Server) -> Cluster:
    """S2 has just won an election; it stores a committed command, but does not know yet that it is committed."""
    cluster = Cluster(3, seed=1, server=server)
    stage = Stage(cluster).elect("S1", "S2", "S3")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    cluster.propose("set x 1", "S1")
    stage.ask("S1", "S2", "AppendEntries").lose_all()
    return stage.elect("S2", "S3").lose_all().cluster


def duplicate_command(server: type[Server] = Server) -> Cluster:
    """A client has no answer to "add x 1" and sends it again; the first one was applied all the same."""
    cluster = Cluster(3, seed=1, server=server)
    Stage(cluster).elect("S1", "S2", "S3")
    cluster.deliver_all()
    cluster.propose("hello", "S1", client="alice", seq=0)
    cluster.propose("add x 1", "S1", client="alice", seq=1)
    cluster.deliver_all()
    cluster.propose("add x 1", "S1", client="alice", seq=1)
    cluster.deliver_all()
    return cluster


def stale_lease_read(server: type[Server] = Server, speed: float = 0.4) -> Cluster:
    """S1's clock runs slow, so that it trusts its lease when the others have long elected another leader."""
    timing = Timing(speeds=FrozenMap({"S1": speed}))
    cluster = Cluster(3, seed=2, timing=timing, server=with_rules(server, "leader stickiness"))
    stage = Stage(cluster).elect("S1", "S2", "S3")
    cluster.deliver_all()
    cluster.propose("set x old", "S1")
    cluster.deliver_all()
    cluster.run(100)
    cluster.partition({"S1"})
    cluster.run_until(lambda c: any(c[name].is_leader for name in ("S2", "S3")))
    cluster.propose("set x new", cluster.leader)
    cluster.run_until(committed="set x new")
    stage.attempt("read", "S1", how="lease")
    return cluster


def unsynced_vote(server: type[Server] = Server) -> Cluster:
    """Writes take time, and S2 crashes between its vote and the end of the write."""
    return vote_crash_vote(with_rules(server, "slow disk"))


def _handed_to(cluster: Cluster, server: type[Server]) -> Cluster:
    cluster.swap(server)
    return cluster
