"""The rule "batching": what comes while an answer is awaited goes in one message (dissertation 10.2.2)."""

from raft_lab import AppendEntries, Cluster


def entries_on_their_way(cluster):
    return [len(m.entries) for m in cluster.messages if isinstance(m, AppendEntries) and m.dst == "S2"]


def a_leader(**options):
    cluster = Cluster(3, seed=1, **options)
    cluster.timeout("S1")
    cluster.deliver_all()
    for number in range(4):
        cluster.propose(f"set x {number}", "S1")
    return cluster


def test_without_it_every_command_sends_all_that_is_unanswered():
    assert entries_on_their_way(a_leader()) == [1, 2, 3, 4]


def test_with_it_the_rest_goes_together_once_the_first_is_answered():
    cluster = a_leader(rules="batching")
    assert entries_on_their_way(cluster) == [1]
    cluster.deliver("S1", "S2")
    cluster.deliver("S2", "S1")
    assert entries_on_their_way(cluster) == [3]


def test_what_is_lost_goes_with_the_next_heartbeat():
    cluster = a_leader(rules="batching")
    cluster.drop("S1", "S2")
    cluster.heartbeat("S1")
    assert entries_on_their_way(cluster) == [4]
