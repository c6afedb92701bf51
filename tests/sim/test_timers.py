"""Timers of every kind, and clocks that run at their own speed."""

import itertools

import pytest

from raft_lab import Cluster, Follower, Timing
from raft_lab.sim.actions import CheckQuorum, Heartbeat, Silence, WriteDisk

ALL = ["pre-vote", "leader stickiness", "check-quorum", "slow disk"]


def times(cluster: Cluster, kind: type, server: str) -> list[int]:
    return [s.schedule.now_us for s in cluster.history if isinstance(s.action, kind) and s.action.server == server]


def kinds(cluster: Cluster, server: str) -> set[str]:
    return {kind for name, kind in cluster.schedule.timers if name == server}


def led(**options) -> Cluster:
    cluster = Cluster(3, seed=1, **options)
    cluster.run_until(leader=True)
    cluster.run(100)
    return cluster


def follower_of(cluster: Cluster) -> str:
    return next(name for name in cluster.servers if name != cluster.leader)


# --- Which timers run --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("rules", "of_leader", "of_follower"),
    [
        ([], {"heartbeat"}, {"election"}),
        (["check-quorum"], {"heartbeat", "quorum"}, {"election"}),
        (["leader stickiness"], {"heartbeat"}, {"election", "silence"}),
        (["pre-vote"], {"heartbeat"}, {"election"}),
    ],
    ids=["plain", "check-quorum", "stickiness", "pre-vote"],
)
def test_each_role_has_the_timers_that_its_rules_need(rules, of_leader, of_follower):
    cluster = led(rules=rules)
    assert kinds(cluster, cluster.leader) == of_leader
    assert kinds(cluster, follower_of(cluster)) == of_follower


def test_a_learner_has_no_election_timer_and_a_voter_to_be_has():
    cluster = led()
    cluster.reconfigure(learners={"S4"})
    cluster.run(300)
    assert kinds(cluster, "S4") == set()
    cluster.reconfigure(add={"S4"})
    cluster.run(300)
    assert kinds(cluster, "S4") == {"election"}


def test_who_was_removed_has_no_timer_once_it_knows_that_this_is_committed():
    cluster = led()
    gone = cluster.leader
    cluster.reconfigure(remove={gone})
    cluster.run(2_000)
    assert cluster.leader not in (None, gone)
    assert kinds(cluster, gone) == set()
    assert cluster.violations == []


def test_the_disk_has_a_timer_while_it_writes():
    cluster = Cluster(3, seed=1, rules=["slow disk"], timing=Timing(disk_us=(2_000, 3_000)))
    cluster.timeout("S1")
    assert kinds(cluster, "S1") == {"election", "disk"}
    timer = cluster.schedule.timers["S1", "disk"]
    assert 2_000 <= timer.due_us <= 3_000
    cluster.run(4)
    assert kinds(cluster, "S1") == {"election"}
    assert times(cluster, WriteDisk, "S1") == [timer.due_us]


def test_a_crashed_server_has_none_of_them():
    cluster = led(rules=ALL)
    for name in cluster.servers:
        cluster.crash(name)
    assert cluster.schedule.timers == {}


# --- When they run out -------------------------------------------------------------------------------------------


def test_silence_is_the_shortest_election_timeout_after_the_last_word():
    cluster = led(rules=["leader stickiness"])
    follower = follower_of(cluster)
    heard = cluster.schedule.timers[follower, "silence"].from_us
    cluster.partition({follower})
    cluster.run_until(lambda c: isinstance(c.now.action, Silence))
    assert cluster.schedule.now_us == heard + 150_000
    assert cluster[follower].role == Follower(cluster[follower].leader_id, in_touch=False)
    assert "silence" not in kinds(cluster, follower)


def test_as_long_as_the_leader_is_heard_there_is_no_silence():
    cluster = led(rules=["leader stickiness"])
    cluster.run(3_000)
    begun = times(cluster, Heartbeat, cluster.leader)[0]
    silences = [now for name in cluster.servers for now in times(cluster, Silence, name)]
    assert [now for now in silences if now > begun + 200_000] == []


def test_a_leader_looks_for_its_quorum_every_longest_election_timeout():
    cluster = led(rules=["check-quorum"])
    cluster.run(3_000)
    looks = times(cluster, CheckQuorum, cluster.leader)
    assert len(looks) >= 9
    assert {later - earlier for earlier, later in itertools.pairwise(looks)} == {300_000}


def test_a_leader_without_a_quorum_is_gone_within_two_election_timeouts():
    cluster = led(rules=["check-quorum"])
    leader, since = cluster.leader, cluster.schedule.now_us
    cluster.partition({leader})
    cluster.run_until(lambda c: not c[leader].is_leader)
    assert cluster.schedule.now_us - since <= 600_000


@pytest.mark.parametrize("rules", [(), ("check-quorum",)], ids=["plain", "its timer runs already"])
def test_a_transfer_has_a_whole_election_timeout(rules):
    cluster = led(rules=rules)
    cluster.run(100)
    to = follower_of(cluster)
    cluster.crash(to)
    transfer = cluster.transfer_leadership(to)
    since = cluster.schedule.now_us
    assert "quorum" in kinds(cluster, cluster.leader)
    cluster.run_until(lambda _: transfer.status != "pending")
    assert (transfer.status, cluster.schedule.now_us - since) == ("given up", 300_000)
    assert cluster.propose("set x 1").status == "pending"


# --- Clocks at their own speed -----------------------------------------------------------------------------------


def test_a_slow_clock_makes_everything_last_longer():
    right, slow = (
        Cluster(3, seed=1, timing=Timing(speeds=speeds)).schedule.timers for speeds in ({}, {"S1": 0.5, "S2": 2})
    )
    assert slow["S1", "election"].due_us == 2 * right["S1", "election"].due_us
    assert slow["S2", "election"].due_us == right["S2", "election"].due_us // 2
    assert slow["S3", "election"] == right["S3", "election"]


def test_a_leader_with_a_slow_clock_beats_slowly():
    cluster = Cluster(3, seed=1, timing=Timing(speeds={"S1": 0.5}))
    cluster.timeout("S1")
    cluster.run(900)
    assert cluster.leader == "S1"
    beats = times(cluster, Heartbeat, "S1")
    assert {later - earlier for earlier, later in itertools.pairwise(beats)} == {100_000}


def test_a_server_reads_its_own_clock():
    cluster = Cluster(3, seed=1, timing=Timing(speeds={"S1": 0.5}))
    cluster.timeout("S1")
    cluster.run(100)
    cluster.propose("set x 1", "S1")
    assert cluster["S1"].log.entry(2).value.time_us == cluster.schedule.now_us // 2
    assert {m.sent_at for m in cluster.messages if m.src == "S1" and hasattr(m, "sent_at")} == {50_000}


def test_messages_and_disks_take_the_time_that_they_take_whatever_the_clocks_show():
    speeds = {"S1": 0.25, "S2": 4, "S3": 0.5}
    one, other = (Cluster(3, seed=4, rules=["slow disk"], timing=Timing(speeds=s)) for s in ({}, speeds))
    for cluster in (one, other):
        cluster.timeout("S1")
        cluster.write_disk("S1")
    assert [f.due_us for f in one.schedule.flights] == [f.due_us for f in other.schedule.flights]


@pytest.mark.parametrize("seed", range(10))
def test_with_clocks_that_differ_by_half_a_leader_still_comes_and_commits(seed):
    timing = Timing(speeds={"S1": 0.7, "S2": 1.4}, loss=0.05)
    cluster = Cluster(5, seed=seed, timing=timing, rules=ALL)
    cluster.run_until(leader=True)
    cluster.propose("set x 1")
    cluster.run_until(committed="set x 1")
    assert cluster.violations == []
