"""Situations from which the bugs show."""

from __future__ import annotations

from bugs.bank import within_steps
from raft_lab import Cluster, Server, Timing
from raft_lab.sim import scenarios
from raft_lab.sim import stages as sim_stages
from raft_lab.sim.scenarios import Stage


def three(engine: type[Server]) -> Cluster:
    """Three servers at the very beginning."""
    return Cluster(3, server=engine)


def four(engine: type[Server]) -> Cluster:
    """Four servers at the very beginning."""
    return Cluster(4, server=engine)


def with_logs(**logs):
    """Three servers with these logs."""
    return lambda engine: Cluster(3, server=engine, logs=logs)


def just_elected(engine: type[Server]) -> Cluster:
    """S1 leads by S2's vote; its no-op is on the way."""
    cluster = Cluster(3, server=engine)
    cluster.timeout("S1")
    cluster.deliver("S1", "S2")
    cluster.deliver("S2", "S1")
    return cluster


def settled(engine: type[Server]) -> Cluster:
    """S1 leads, and everyone has its no-op."""
    cluster = Cluster(3, server=engine)
    cluster.timeout("S1")
    cluster.deliver_all()
    return cluster


def one_behind(engine: type[Server]) -> Cluster:
    """S1 and S2 have committed a command that never reached S3."""
    cluster = settled(engine)
    cluster.propose("set x 1")
    cluster.drop("S1", "S3")
    cluster.deliver_all()
    return cluster


def one_long_and_old(engine: type[Server]) -> Cluster:
    """S1 has a long log of old; S2 and S3 have committed one entry of a later term."""
    logs = {"S1": [(1, "a"), (1, "b"), (1, "c")], "S2": [(2, "d")]}
    cluster = Cluster(3, server=engine, logs=logs)
    cluster.timeout("S2")
    cluster.cut("S2", "S1")
    cluster.deliver_all()
    for message in [m for m in cluster.messages if m.dst == "S1"]:
        cluster.drop(message)
    return cluster


def two_votes_on_their_way(engine: type[Server]) -> Cluster:
    """S1 and S2 are candidates of one term among five; each is about to hear of one vote."""
    cluster = Cluster(5, server=engine)
    cluster.timeout("S1")
    cluster.timeout("S2")
    cluster.deliver("S1", "S3")
    cluster.deliver("S2", "S4")
    for src, dst in [("S1", "S2"), ("S1", "S4"), ("S1", "S5"), ("S2", "S1"), ("S2", "S3"), ("S2", "S5")]:
        cluster.drop(src, dst)
    return cluster


def an_old_append_on_its_way(engine: type[Server]) -> Cluster:
    """S2 leads term 2; an append that S1 sent as leader of term 1 has not arrived at S3 yet."""
    cluster = settled(engine)
    cluster.propose("set x 1")
    cluster.drop("S1", "S2")
    cluster.timeout("S2")
    cluster.drop("S2", "S1")
    cluster.deliver("S2", "S3")
    cluster.deliver("S3", "S2")
    return cluster


def figure_8(engine: type[Server]) -> Cluster:
    """Figure 8 (b) and (c): S1 leads term 4 and is about to send S2 its entry of term 2; S3 has one of term 3."""
    logs = {"S1": [(1, "a"), (2, "b")], "S2": [(1, "a")], "S3": [(1, "a"), (3, "c")]}
    cluster = Cluster(3, server=engine, logs=logs)
    cluster.timeout("S1")
    cluster.drop("S1", "S3")
    cluster.deliver("S1", "S2")
    cluster.deliver("S2", "S1")
    cluster.drop("S1", "S3")
    cluster.deliver("S1", "S2")
    cluster.deliver("S2", "S1")
    return cluster


DIVERGED = {"S1": [(1, "a"), (2, "b"), (2, "c")], "S2": [(1, "a"), (3, "d")], "S3": [(1, "a"), (3, "d")]}


def an_old_answer_on_its_way(engine: type[Server]) -> Cluster:
    """S2's answer to S1 as leader of term 1 is on its way; S1 has lost those entries and leads term 3 by now."""
    cluster = Cluster(5, server=engine)
    stage = Stage(cluster).elect("S1", "S2", "S3", tries=1)
    for _ in range(2):
        cluster.propose("set x old", "S1")
    cluster.deliver([m for m in cluster.messages if (m.src, m.dst) == ("S1", "S2")][-1])
    answer = next(m for m in cluster.messages if (m.src, m.dst) == ("S2", "S1") and getattr(m, "success", False))
    keep(cluster, answer)
    stage.elect("S3", "S4", "S5", tries=1)
    for follower in ("S1", "S4"):
        stage.ask("S3", follower, "AppendEntries")
    keep(cluster, answer)
    stage.elect("S1", "S4", "S5", tries=1)
    for _ in range(2):
        cluster.propose("set x new", "S1")
    keep(cluster, answer)
    return cluster


def keep(cluster: Cluster, *kept) -> None:
    """Everything in flight is lost, except these."""
    for message in cluster.messages:
        if message not in kept:
            cluster.drop(message)


def led_before(engine: type[Server]) -> Cluster:
    """S1 has led term 1 and stored an entry with S2 only; S3 leads term 2 without it."""
    cluster = Cluster(5, server=engine)
    stage = Stage(cluster).elect("S1", "S2", "S3", tries=1)
    cluster.propose("set x old", "S1")
    stage.deliver("S1", "S2", "RequestVote")
    newest = [m for m in cluster.messages if (m.src, m.dst) == ("S1", "S2")][-1]
    cluster.deliver(newest)
    stage.deliver("S2", "S1").lose_all()
    stage.elect("S3", "S4", "S5", tries=1).lose_all()
    cluster.heartbeat("S3")
    stage.ask("S3", "S1", "AppendEntries").ask("S3", "S2", "AppendEntries").lose_all()
    cluster.timeout("S1")
    for voter in ("S4", "S5"):
        stage.ask("S1", voter, "RequestVote")
    stage.lose_all()
    return cluster


# --- Snapshots ----------------------------------------------------------------------------------------


def snapshot_overtaken(engine: type[Server]) -> Cluster:
    """S1's three entries are on their way to S3, and so is a snapshot of the first two, which S2 has too."""
    cluster = Cluster(3, server=engine)
    stage = Stage(cluster).elect("S1", "S2", tries=1)
    stage.ask("S1", "S2", "AppendEntries").lose_all()
    cluster.propose("set x 1", "S1")
    two = next(m for m in cluster.messages if m.dst == "S2")
    cluster.propose("set x 2", "S1")
    three = [m for m in cluster.messages if m.dst == "S3"][-1]
    keep(cluster, two, three)
    stage.ask("S1", "S2", "AppendEntries")
    cluster.compact("S1")
    keep(cluster, three)
    cluster.heartbeat("S1")
    keep(cluster, three, *(m for m in cluster.messages if type(m).__name__ == "InstallSnapshot"))
    return cluster


def snapshot_twice(engine: type[Server]) -> Cluster:
    """S3 has installed a snapshot and committed more; the same snapshot is on its way again."""
    cluster = Cluster(3, server=engine)
    stage = Stage(cluster).elect("S1", "S2", tries=1)
    stage.ask("S1", "S2", "AppendEntries").lose_all()
    cluster.compact("S1")
    cluster.heartbeat("S1")
    snapshot = next(m for m in cluster.messages if m.dst == "S3")
    cluster.duplicate(snapshot)
    keep(cluster, snapshot)
    stage.ask("S1", "S3", "InstallSnapshot")
    cluster.propose("set x 1", "S1")
    stage.ask("S1", "S3", "AppendEntries").ask("S1", "S3", "AppendEntries")
    cluster.heartbeat("S1")
    stage.deliver("S1", "S3", "AppendEntries").deliver("S1", "S3", "AppendEntries")
    keep(cluster, snapshot)
    return cluster


def applied(engine: type[Server]) -> Cluster:
    """S1 leads, has applied two entries and has a third that nobody else stores."""
    cluster = settled(engine)
    cluster.propose("add x 1")
    cluster.deliver_all()
    cluster.propose("add x 2")
    Stage(cluster).lose_all()
    return cluster


def compacted_by(engine: type[Server]) -> Cluster:
    """The same, and S1 has compacted its log."""
    cluster = applied(engine)
    Stage(cluster).attempt("compact", "S1")
    return cluster


# --- Members ------------------------------------------------------------------------------------------


def a_rolled_back_change(engine: type[Server]) -> Cluster:
    """S1 has removed S4 in term 1, but only in its own log; S2 leads term 2 and has overwritten that."""
    cluster = Cluster(4, server=engine)
    stage = Stage(cluster).elect("S1", "S2", "S3", "S4", tries=1)
    cluster.deliver_all()
    stage.attempt("reconfigure", remove={"S4"}, single=True, server="S1")
    stage.lose_all()
    stage.elect("S2", "S3", "S4", tries=1)
    cluster.heartbeat("S2")
    for _ in range(3):
        stage.ask("S2", "S1", "AppendEntries")
    return stage.lose_all().cluster


def joint_under_way(engine: type[Server]) -> Cluster:
    """S1 has begun a change to S1 and S2, and crashed and come back; C_old,new is on S1 and S2, not committed."""
    cluster = settled(engine)
    cluster.heartbeat("S1")
    cluster.deliver_all()
    cluster.reconfigure(voters={"S1", "S2"}, server="S1")
    Stage(cluster).deliver("S1", "S2", "AppendEntries").lose_all()
    cluster.crash("S1")
    cluster.restart("S1")
    return cluster


def moved_and_restarted(engine: type[Server]) -> Cluster:
    """The cluster has moved from S1, S2 and S3 to S1, S4 and S5; S2 stores all of that, and has just restarted."""
    cluster = sim_stages.ready_to_grow(engine)
    cluster.reconfigure(voters={"S1", "S4", "S5"}, server="S1")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    cluster.crash("S2")
    cluster.restart("S2")
    return cluster


def joint_split(engine: type[Server]) -> Cluster:
    """C_old,new is on S1, S4 and S5 only when the network falls apart."""
    cluster = sim_stages.ready_to_grow(engine)
    stage = Stage(cluster)
    cluster.reconfigure(voters={"S1", "S4", "S5"}, server="S1")
    for follower in ("S4", "S5"):
        stage.deliver("S1", follower, "AppendEntries")
    stage.lose_all()
    stage.elect("S2", "S3", tries=1)
    stage.lose_all()
    return cluster


def without_its_leader(engine: type[Server]) -> Cluster:
    """Everybody has voted in term 1, and its leader crashes for good."""
    cluster = settled(engine)
    cluster.heartbeat("S1")
    cluster.deliver_all()
    cluster.crash("S1")
    return cluster


def a_sticky_outsider(engine: type[Server]) -> Cluster:
    """S3 was cut off and has gone through some terms; it is back, but S2, which the leader needs, is down for good."""
    cluster = settled(engine)
    cluster.heartbeat("S1")
    cluster.deliver_all()
    cluster.partition({"S3"})
    Stage(cluster).attempt("silence", "S3")
    for _ in range(3):
        cluster.timeout("S3")
    Stage(cluster).lose_all()
    cluster.heal()
    cluster.crash("S2")
    return cluster


def weak_but_hasty(engine: type[Server]) -> Cluster:
    """S1 lacks what S2 and S3 have, and its clock runs five times as fast; S4 and S5 are down for good."""
    logs = {"S2": [(1, "a")], "S3": [(1, "a")]}
    timing = Timing(speeds={"S1": 5.0})
    return Cluster(3, server=engine, logs=logs, timing=timing, seed=1)


def split(engine: type[Server]) -> Cluster:
    """Four candidates of one term."""
    cluster = Cluster(4, server=engine, seed=1)
    for name in cluster.servers:
        cluster.timeout(name)
    return cluster


def without_spread(engine: type[Server]) -> Cluster:
    """Five servers whose election timeouts are all the same; for Raft, as the paper has them."""
    if engine is Server:
        return Cluster(5, seed=1)
    return Cluster(5, server=engine, seed=1, timing=Timing(election_timeout_us=(150_000, 150_000)))


def rival_of_the_same_term(engine: type[Server]) -> Cluster:
    """S1 leads term 1 by the vote of S3, which is down for good now; S2 is a candidate of the same term."""
    cluster = Cluster(3, server=engine, seed=1)
    cluster.timeout("S1")
    cluster.timeout("S2")
    stage = Stage(cluster).ask("S1", "S3", "RequestVote")
    stage.lose_all()
    cluster.crash("S3")
    return cluster


def diverged_and_led(engine: type[Server]) -> Cluster:
    """S1 leads a new term with S3's vote; S2's log is another one; S3 is down for good."""
    logs = {
        "S1": [(1, "a"), (3, "b"), (3, "c"), (3, "d")],
        "S2": [(1, "a"), (2, "x"), (2, "y"), (2, "z")],
        "S3": [(1, "a")],
    }
    cluster = Cluster(3, server=engine, logs=logs, seed=1)
    Stage(cluster).elect("S1", "S3").lose_all()
    cluster.crash("S3")
    return cluster


def leaves_the_joint_configuration(cluster: Cluster) -> bool:
    """Whether a leader comes to a simple configuration."""
    return within_steps(
        cluster, lambda: bool(cluster.leader) and not cluster[cluster.leader].configuration.is_joint, steps=800
    )


def a_removed_server(engine: type[Server]) -> Cluster:
    """S4 was removed and does not know it; its clock runs five times as fast as those of the others."""
    cluster = Cluster(4, seed=1, server=engine, timing=Timing(speeds={"S4": 5.0}))
    stage = Stage(cluster).elect("S1", "S2", "S3", "S4")
    cluster.deliver_all()
    cluster.cut("S1", "S4")
    cluster.reconfigure(remove={"S4"}, server="S1")
    stage.lose_to("S4")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    return cluster


def same_leader_for_long(cluster: Cluster) -> bool:
    """Whether somebody leads the same term over two seconds."""
    cluster.run(500)
    first = cluster.leader and cluster[cluster.leader].current_term
    cluster.run(2000)
    return bool(first) and bool(cluster.leader) and cluster[cluster.leader].current_term == first


def two_changes_meet(engine: type[Server]) -> Cluster:
    """S1 has added S5, which only S5 knows; S2 has led the next term and removed S1; now S1 is a candidate again."""
    cluster = scenarios.two_changes_meet(engine)
    cluster.timeout("S1")
    return Stage(cluster).lose_all().cluster


duplicate_command = scenarios.duplicate_command
new_leader = scenarios.new_leader
old_reign = scenarios.old_reign
stray_tail = scenarios.stray_tail
two_commands_on_their_way = sim_stages.two_commands_on_their_way
