"""Every action: when it is possible, and what it does. Equal situations are equal worlds, however they came about."""

import pytest

from raft_lab import ActionRefused, AppendEntries, Cluster, Follower, RequestVote, RequestVoteReply, Server
from raft_lab.check.mixes import MIXES
from raft_lab.check.walk import Walk
from raft_lab.raft.machine import Machine
from raft_lab.sim.actions import (
    Cut,
    Deliver,
    Drop,
    Duplicate,
    Hold,
    Partition,
    Propose,
    Timeout,
    enabled,
    every,
)


def campaigning(servers: int = 3) -> Cluster:
    """S1 has asked everyone for a vote; nothing has arrived yet."""
    cluster = Cluster(servers)
    cluster.timeout("S1")
    return cluster


def led(servers: int = 3) -> Cluster:
    """S1 leads term 1, and everyone has its no-op."""
    cluster = campaigning(servers)
    cluster.deliver_all()
    return cluster


def flights(cluster: Cluster) -> list[tuple[str, str, str]]:
    return [(type(m).__name__, m.src, m.dst) for m in cluster.messages]


# --- What each does -----------------------------------------------------------------------------------


def test_an_election_timeout_makes_a_candidate_that_asks_everyone_else():
    cluster = campaigning()
    assert (cluster["S1"].current_term, cluster["S1"].voted_for) == (1, "S1")
    assert flights(cluster) == [("RequestVote", "S1", "S2"), ("RequestVote", "S1", "S3")]


def test_a_delivered_message_is_no_longer_in_flight_and_its_answer_is():
    cluster = campaigning()
    cluster.deliver("S1", "S2")
    assert flights(cluster) == [("RequestVote", "S1", "S3"), ("RequestVoteReply", "S2", "S1")]


def test_a_lost_message_is_gone_and_no_server_knows():
    cluster = campaigning()
    servers = cluster.world.servers
    cluster.drop("S1", "S2")
    assert flights(cluster) == [("RequestVote", "S1", "S3")]
    assert cluster.world.servers is servers


def test_a_duplicate_is_one_more_equal_message():
    cluster = campaigning()
    cluster.duplicate("S1", "S2")
    request = RequestVote("S1", "S2", 1, 0, 0)
    assert cluster.world.network[request] == 2
    cluster.deliver(request)
    cluster.deliver(request)
    assert request not in cluster.world.network
    assert cluster.world.network[RequestVoteReply("S2", "S1", 1, True)] == 2


def test_a_heartbeat_is_sent_to_every_other_server():
    cluster = led()
    cluster.heartbeat("S1")
    assert flights(cluster) == [("AppendEntries", "S1", "S2"), ("AppendEntries", "S1", "S3")]


def test_a_proposal_to_a_leader_is_appended_and_sent_at_once():
    cluster = led()
    proposal = cluster.propose("set x 1")
    assert cluster["S1"].log.entry(proposal.reply.index).value.op == "set x 1"
    assert [len(m.entries) for m in cluster.messages] == [1, 1]


def test_a_proposal_to_a_follower_is_turned_away_with_the_leaders_name():
    cluster = led()
    world = cluster.world
    assert cluster.propose("set x 1", "S2").reply.leader_id == "S1"
    assert cluster.world == world


def test_a_crash_keeps_term_vote_and_log_and_forgets_the_rest():
    cluster = led()
    before = cluster["S1"]
    cluster.crash("S1")
    after = cluster["S1"]
    assert (after.current_term, after.voted_for, after.log) == (1, "S1", before.log)
    assert (after.role, after.commit_index, after.last_applied, after.machine) == (Follower(), 0, 0, Machine())
    assert cluster.world.crashed == {"S1"}


def test_messages_of_a_crashed_server_still_arrive_and_those_to_it_wait():
    cluster = campaigning()
    cluster.crash("S1")
    cluster.deliver("S1", "S2")
    with pytest.raises(ActionRefused):
        cluster.deliver("S2", "S1")
    cluster.restart("S1")
    cluster.deliver("S2", "S1")
    assert cluster["S1"].role == Follower(), "a restarted server counts no votes"


def test_a_cut_works_in_one_direction():
    cluster = campaigning()
    cluster.cut("S2", "S1")
    cluster.deliver("S1", "S2")
    with pytest.raises(ActionRefused):
        cluster.deliver("S2", "S1")
    cluster.mend("S2", "S1")
    assert cluster.deliver("S2", "S1")
    assert cluster.world.cuts == frozenset()


def test_a_partition_cuts_between_the_sides_in_both_directions_and_mends_within():
    cluster = Cluster(4)
    cluster.cut("S1", "S2")
    cluster.partition({"S1", "S2"})
    assert cluster.world.cuts == {(a, b) for a, b in crossing({"S1", "S2"}, {"S3", "S4"})}
    cluster.heal()
    assert cluster.world.cuts == frozenset()


def crossing(one: set[str], other: set[str]) -> set[tuple[str, str]]:
    return {(a, b) for a in one for b in other} | {(b, a) for a in one for b in other}


def test_servers_that_a_partition_does_not_name_form_one_more_side():
    cluster = Cluster(5)
    cluster.partition({"S1"}, {"S2"})
    assert ("S3", "S4") not in cluster.world.cuts
    assert {("S1", "S2"), ("S1", "S3"), ("S2", "S5")} <= cluster.world.cuts


def test_hold_and_release_change_no_server_and_no_message():
    cluster = campaigning()
    world = cluster.world
    cluster.hold("S1", "S2")
    assert cluster.world == world
    cluster.release("S1", "S2")
    assert cluster.world == world


def test_a_held_message_can_still_be_delivered_by_hand():
    cluster = campaigning()
    cluster.hold("S1", "S2")
    cluster.deliver("S1", "S2")
    assert cluster["S2"].voted_for == "S1"


def test_a_swap_changes_the_rules_and_leaves_the_state():
    class Deaf(Server):
        def on_request_vote(self, m):
            pass

    cluster = campaigning()
    servers = cluster.world.servers
    cluster.swap(Deaf)
    assert cluster.world.servers is servers
    cluster.deliver("S1", "S2")
    assert cluster["S2"].voted_for is None


# --- Guards and effects agree ---------------------------------------------------------------------------


def test_an_action_is_enabled_exactly_if_performing_it_is_allowed():
    walk = Walk("guards", mix=MIXES["plain"])
    for _ in walk.steps(150):
        world = walk.world
        possible = enabled(world)
        for action in every(world):
            cluster = Cluster.at(world)
            try:
                cluster.perform(action)
            except ActionRefused:
                assert action not in possible, action
                assert cluster.world is world
            else:
                assert action in possible, action


def test_every_action_comes_with_the_reason_why_not():
    cluster = campaigning()
    cluster.crash("S3")
    reasons = {str(action): why for action, why in cluster.every_action()}
    assert reasons["cluster.timeout('S2')"] == ""
    assert reasons["cluster.timeout('S3')"] == "S3 is crashed; restart it first: cluster.restart('S3')"
    assert [str(action) for action in cluster.enabled()] == [call for call, why in reasons.items() if not why]


@pytest.mark.parametrize("seed", range(3))
def test_an_action_prints_as_the_call_that_performs_it(seed):
    import raft_lab

    walk = Walk(f"print {seed}")
    for _ in walk.steps(80):
        for action in enabled(walk.world)[::7]:
            one, other = Cluster.at(walk.world), Cluster.at(walk.world)
            one.perform(action)
            exec(str(action), vars(raft_lab) | {"cluster": other})
            assert one.world == other.world
            assert one.now.action == other.now.action


# --- Equal worlds ---------------------------------------------------------------------------------------


def test_two_messages_sent_in_another_order_make_the_same_world():
    one, other = Cluster(4), Cluster(4)
    one.timeout("S1")
    one.timeout("S2")
    other.timeout("S2")
    other.timeout("S1")
    assert one.world == other.world
    assert hash(one.world) == hash(other.world)


def test_deliveries_to_different_servers_commute():
    one, other = campaigning(5), campaigning(5)
    for name in ("S2", "S3", "S4"):
        one.deliver("S1", name)
    for name in ("S4", "S2", "S3"):
        other.deliver("S1", name)
    assert one.world == other.world
    assert hash(one.world) == hash(other.world)


def independent(world):
    """Pairs of actions that happen to different servers."""
    here = [a for a in enabled(world) if isinstance(a, (Deliver, Timeout, Propose)) and a.actor]
    return [(a, b) for a in here for b in here if a.actor < b.actor][::5]


@pytest.mark.parametrize("seed", range(20))
def test_independent_actions_commute_wherever_a_random_run_has_led(seed):
    walk = Walk(f"commute {seed}", mix=MIXES["plain"])
    for _ in walk.steps(120):
        pass
    while not (pairs := independent(walk.world)):
        next(walk.steps(1))  # almost everyone is down: go on
    world = walk.world
    for a, b in pairs:
        ab, ba = b.perform(a.perform(world).world).world, a.perform(b.perform(world).world).world
        assert (ab.servers, ab.network) == (ba.servers, ba.network)


def test_what_differs_in_one_copy_of_a_message_is_another_world():
    one, other = campaigning(), campaigning()
    other.duplicate("S1", "S2")
    assert one.world != other.world
    other.drop("S1", "S2")
    assert one.world == other.world


def test_a_world_knows_no_time():
    one, other = campaigning(), Cluster(3, seed=99)
    other.run(10)
    other.timeout("S1")
    assert other.schedule.now_us > one.schedule.now_us
    assert one.world == other.world


def test_performing_an_action_leaves_the_world_before_it_as_it_was():
    walk = Walk("untouched")
    kept = []
    for before, action, _ in walk.steps(200):
        kept.append((before, action, hash(before), repr(before)))
    for before, action, digest, text in kept[::10]:
        action.perform(before)
        assert repr(before) == text
        assert hash(before) == digest


def test_the_same_action_on_the_same_world_does_the_same():
    walk = Walk("again")
    for before, action, done in walk.steps(200):
        assert action.perform(before) == done


@pytest.mark.parametrize("action", [Drop, Duplicate, Hold, Deliver])
def test_a_message_that_was_never_sent_can_have_nothing_happen_to_it(action):
    world = Cluster(3).world
    assert "is not in flight" in action(AppendEntries("S1", "S2", 1, 0, 0, (), 0)).refusal(world)


def test_sides_of_a_partition_print_in_a_fixed_order():
    assert str(Partition((frozenset({"S3", "S1"}), frozenset({"S2"})))) == "cluster.partition({'S1', 'S3'}, {'S2'})"
    assert str(Cut("S1", "S2")) == "cluster.cut('S1', 'S2')"


def test_a_delayed_message_arrives_later_and_others_overtake_it():
    cluster = campaigning()
    first = min(cluster.schedule.flights, key=lambda flight: flight.due_us)
    cluster.delay(first.message, ms=20)
    assert cluster.schedule.first_flight(first.message).due_us == first.due_us + 20_000
    assert cluster.step().action != Deliver(first.message)


def test_a_delay_is_told_saved_and_written_as_code(tmp_path):
    cluster = campaigning()
    step = cluster.delay("S1", "S2", ms=12.5)
    assert "is delayed by 12.5 ms" in str(step)
    assert cluster.code().splitlines()[-1] == "cluster.delay('S1', 'S2', ms=12.5)"
    cluster.save(tmp_path / "run.json")
    assert Cluster.load(tmp_path / "run.json").schedule == cluster.schedule


@pytest.mark.parametrize("ms", [0, -5, "20", True])
def test_a_message_can_only_be_made_later(ms):
    cluster = campaigning()
    with pytest.raises(ActionRefused, match="milliseconds above 0"):
        cluster.delay("S1", "S2", ms=ms)
    assert len(cluster.tape) == 2
