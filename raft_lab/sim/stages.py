"""Stages of the lessons: everything is set, and the next move is the learner's.

A scenario has lived through its story; a stage is where one begins, at step 0.
"""

from __future__ import annotations

from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import RequestVote
from raft_lab.raft.rules import with_rules
from raft_lab.raft.server import Server
from raft_lab.sim import scenarios
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.scenarios import Stage


def _here(cluster: Cluster, call: str, server: type[Server]) -> Cluster:
    """The same situation at the beginning of a tape: what led to it is not the learner's business."""
    origin = f"cluster = stages.{call}" + ("" if server is Server else f"  # with {server.__name__}")
    return Cluster.at(cluster.world, seed=cluster.seed, timing=cluster.schedule.timing, origin=origin)


def led(servers: int = 5, server: type[Server] = Server) -> Cluster:
    """S1 leads term 1, everyone knows it, and its first entry, a no-op, is committed everywhere."""
    cluster = Cluster(servers, seed=1, server=server)
    cluster.timeout("S1")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    return _here(cluster, f"led({servers})", server)


# --- Log replication ---------------------------------------------------------------------------------


def log_conflict(server: type[Server] = Server) -> Cluster:
    """The talk's figure: S2 holds Commands 2 and 3 of term 2, where S1, just elected, has Command 2X of term 3.

    Messages carry one entry at a time, as in the figure.
    """
    logs = {
        "S1": [(1, "Command 1"), (3, "Command 2X")],
        "S2": [(1, "Command 1"), (2, "Command 2"), (2, "Command 3")],
        "S3": [(1, "Command 1")],
    }
    cluster = Cluster(3, seed=1, server=with_rules(server, "one entry a message"), logs=logs)
    Stage(cluster).elect("S1", "S3")
    cluster.drop("S1", "S2", "RequestVote")
    return _here(cluster, "log_conflict()", server)


def figure_7(server: type[Server] = Server) -> Cluster:
    """The paper's Figure 7: L has just become leader of term 8, and six followers have other logs than it."""
    cluster = scenarios.figure_7(server)
    Stage(cluster).lose_all()
    cluster.heartbeat("L")
    return _here(cluster, "figure_7()", server)


def figure_8(server: type[Server] = Server) -> Cluster:
    """The paper's Figure 8, just after (b): S2 has S1's entry 2 of term 2, and S5 has its own entry 2 of term 3.

    S5 is down, S1 has just been elected again, for term 4. Entries are the leaders' no-ops; messages carry one each.
    """
    cluster = Cluster(5, seed=8, server=with_rules(server, "one entry a message"), logs={
        name: [(1, "first")] for name in ("S1", "S2", "S3", "S4", "S5")
    })  # fmt: skip
    stage = Stage(cluster)
    stage.elect("S1", "S2", "S3")
    stage.ask("S1", "S2", "AppendEntries").ask("S1", "S2", "AppendEntries").lose_all()
    cluster.crash("S1")
    stage.elect("S5", "S3", "S4").lose_all()
    cluster.crash("S5")
    cluster.restart("S1")
    stage.elect("S1", "S2", "S3")
    for message in cluster.messages:
        if isinstance(message, RequestVote) or message.dst == "S5":
            cluster.drop(message)
    return _here(cluster, "figure_8()", server)


def figure_8_of_three(server: type[Server] = Server) -> Cluster:
    """Figure 8 among three servers: S1 leads term 4 with an entry of term 2, which S2 is about to get; S3 has one of 3.

    It is small enough to be searched.
    """
    logs = {"S1": [(1, "first"), (2, "old")], "S2": [(1, "first")], "S3": [(1, "first"), (3, "other")]}
    cluster = Cluster(3, seed=8, server=with_rules(server, "one entry a message"), logs=logs)
    stage = Stage(cluster).elect("S1", "S2", tries=1)
    stage.lose_to("S3").ask("S1", "S2", "AppendEntries")
    return _here(cluster, "figure_8_of_three()", server)


def two_commands_on_their_way(server: type[Server] = Server) -> Cluster:
    """S1 leads five servers; its two commands are on their way to S2, and the first of them to S3."""
    cluster = Cluster(5, server=server)
    cluster.timeout("S1")
    cluster.deliver_all()
    cluster.propose("set x 1", "S1")
    first = next(m for m in cluster.messages if m.dst == "S3")
    cluster.propose("set x 2", "S1")
    both = [m for m in cluster.messages if m.dst == "S2"][-1]
    for message in cluster.messages:
        if message not in (first, both):
            cluster.drop(message)
    return _here(cluster, "two_commands_on_their_way()", server)


# --- Log compaction ----------------------------------------------------------------------------------


def snapshot_of_the_talk(server: type[Server] = Server) -> Cluster:
    """S3 has applied three commands, the last of term 2; S1 leads term 3, and its no-op is on its way to S3."""
    log = [(1, "set x 1"), (1, "set y 2"), (2, "set x 3")]
    logs = {"S1": log, "S2": log, "S3": log[:2]}
    cluster = Cluster(3, seed=1, server=with_rules(server, "one entry a message"), logs=logs)
    stage = Stage(cluster).elect("S1", "S2")
    stage.ask("S1", "S2", "AppendEntries")
    cluster.drop("S1", "S3", "RequestVote")
    stage.ask("S1", "S3").ask("S1", "S3")
    return _here(cluster, "snapshot_of_the_talk()", server)


def stray_tail(server: type[Server] = Server) -> Cluster:
    """S3 comes back with five entries of a term 1 that lost, and a snapshot of three entries is on its way to it."""
    cluster = scenarios.stray_tail(server)
    cluster.deliver("S1", "S2")
    cluster.deliver("S2", "S1")
    return _here(cluster, "stray_tail()", server)


def with_a_session(server: type[Server] = Server) -> Cluster:
    """S1 leads three servers; alice's first command, "add x 1", is done everywhere."""
    cluster = led(3, server)
    cluster.propose("hello", "S1", client="alice", seq=0)
    cluster.propose("add x 1", "S1", client="alice", seq=1)
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    return _here(cluster, "with_a_session()", server)


# --- Membership changes ------------------------------------------------------------------------------


class SwitchesAtOnce(Server):
    """What seems natural: the new configuration simply takes the place of the old one."""

    def append_configuration(self, configuration: Configuration) -> None:
        super().append_configuration(Configuration(configuration.voters, learners=configuration.learners))


def half_switched(server: type[Server] = SwitchesAtOnce) -> Cluster:
    """From three servers to five in one step, which has reached S1, S4 and S5 only when the network falls apart."""
    cluster = _growing(server)
    cluster.reconfigure(voters={"S1", "S2", "S3", "S4", "S5"}, server="S1")
    for follower in ("S4", "S5"):
        cluster.deliver("S1", follower, "AppendEntries")
    Stage(cluster).lose_all()
    cluster.partition({"S1", "S4", "S5"}, {"S2", "S3"})
    cluster.crash("S1")
    cluster.restart("S1")
    return _here(cluster, "half_switched()", Server)


def _growing(server: type[Server]) -> Cluster:
    """S1 leads S2 and S3; S4 and S5 are learners that have caught up."""
    cluster = led(3, server)
    cluster.reconfigure(learners={"S4", "S5"})
    cluster.deliver_all()
    for _ in range(2):
        cluster.heartbeat("S1")
        cluster.deliver_all()
    return cluster


def ready_to_grow(server: type[Server] = Server) -> Cluster:
    """S1 leads S2 and S3; S4 and S5 are learners that have caught up."""
    return _here(_growing(server), "ready_to_grow()", server)


def half_joint(server: type[Server] = Server) -> Cluster:
    """C_old,new, from S1, S2, S3 to S1, S4, S5, has reached the new half only when the network falls apart."""
    cluster = _growing(Server)
    cluster.reconfigure(voters={"S1", "S4", "S5"}, server="S1")
    for follower in ("S4", "S5"):
        cluster.deliver("S1", follower, "AppendEntries")
    Stage(cluster).lose_all()
    cluster.partition({"S1", "S4", "S5"}, {"S2", "S3"})
    cluster.crash("S1")
    cluster.restart("S1")
    if server is not Server:
        cluster.swap(server)
    return _here(cluster, "half_joint()", server)


def two_single_changes(server: type[Server] = Server) -> Cluster:
    """S1 has added S5 by a single-server change that only S5 has heard of; S2 has been elected by S3 and S4 since."""
    cluster = led(4, server)
    cluster.reconfigure(learners={"S5"}, server="S1")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    cluster.reconfigure(add={"S5"}, single=True, server="S1")
    stage = Stage(cluster).deliver("S1", "S5", "AppendEntries").lose_all()
    stage.elect("S2", "S3", "S4").lose_all()
    return _here(cluster, "two_single_changes()", server)


def before_the_move(server: type[Server] = Server) -> Cluster:
    """S1 leads S2 and S3, and x is 1 on all of them."""
    cluster = led(3, server)
    cluster.propose("set x 1", "S1")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    return _here(cluster, "before_the_move()", server)


# --- Clients -----------------------------------------------------------------------------------------


def x_is_old(server: type[Server] = Server) -> Cluster:
    """S1 leads five servers, and x is old on all of them."""
    cluster = led(5, server)
    cluster.propose("set x old", "S1")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    return _here(cluster, "x_is_old()", server)


def deposed(server: type[Server] = Server) -> Cluster:
    """S1 has led, and believes that it does, cut off with S2; S3 leads term 2, and has made x new."""
    cluster = x_is_old(server)
    cluster.partition({"S1", "S2"}, {"S3", "S4", "S5"})
    stage = Stage(cluster).elect("S3", "S4", "S5")
    cluster.deliver_all()
    cluster.propose("set x new", "S3")
    cluster.deliver_all()
    stage.lose_all()
    cluster.heartbeat("S3")
    cluster.deliver_all()
    return _here(cluster, "deposed()", server)


def just_elected(server: type[Server] = Server) -> Cluster:
    """S2 has just been elected by S3; it stores "set x 1", which S1 had committed, but S2 cannot know that yet."""
    cluster = led(3, server)
    cluster.propose("set x 1", "S1")
    stage = Stage(cluster).ask("S1", "S2", "AppendEntries").lose_all()
    cluster.crash("S1")
    stage.elect("S2", "S3").lose_all()
    return _here(cluster, "just_elected()", server)


def answer_lost(server: type[Server] = Server) -> Cluster:
    """Alice's "add x 1" is committed, but S1 crashes before she hears of it; S2 leads now."""
    cluster = led(3, server)
    cluster.propose("hello", "S1", client="alice", seq=0)
    cluster.deliver_all()
    cluster.propose("add x 1", "S1", client="alice", seq=1)
    cluster.deliver_all()
    cluster.crash("S1")
    Stage(cluster).elect("S2", "S3")
    cluster.deliver_all()
    cluster.heartbeat("S2")
    cluster.deliver_all()
    return _here(cluster, "answer_lost()", server)


def accepted_and_gone(server: type[Server] = Server) -> Cluster:
    """S1 leads five servers and is cut off from all of them; nobody has noticed yet."""
    cluster = x_is_old(server)
    cluster.partition({"S1"})
    return _here(cluster, "accepted_and_gone()", server)
