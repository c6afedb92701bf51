"""Timed driving chooses the next action: the same on every run, and each draw on its own."""

import itertools

import pytest

from raft_lab import ActionRefused, Cluster, Server, Timing
from raft_lab.raft.messages import ANSWERS
from raft_lab.sim.actions import Deliver, Drop, Duplicate, Heartbeat, Timeout
from raft_lab.sim.schedule import draw


def story(cluster: Cluster, steps: int = 200) -> list[tuple[int, str]]:
    cluster.step(steps)
    return [(step.schedule.now_us, str(step.action)) for step in cluster.history[1:]]


def rough(seed: int) -> Cluster:
    return Cluster(5, seed=seed, timing=Timing(loss=0.2, duplication=0.2))


# --- The same seed, the same run ------------------------------------------------------------------------


def test_the_same_seed_gives_the_same_run():
    assert story(rough(3)) == story(rough(3))


def test_another_seed_gives_another_run():
    assert story(rough(3)) != story(rough(4))


def test_it_makes_no_difference_how_a_run_is_cut_into_calls():
    one, other = rough(3), rough(3)
    one.step(60)
    for _ in range(60):
        other.step()
    assert one.world == other.world
    assert one.schedule == other.schedule


def test_time_in_slices_is_the_time_in_one_piece():
    one, other = rough(3), rough(3)
    one.run(1000)
    for _ in range(100):
        other.run(10)
    assert one.world == other.world
    assert one.schedule == other.schedule
    assert one.schedule.now_us == 1_000_000


def test_the_clock_never_goes_back():
    times = [now for now, _ in story(rough(8), 400)]
    assert times == sorted(times)


def test_a_draw_depends_on_its_key_and_on_nothing_else():
    assert draw(1, "latency S1>S2", 0) == draw(1, "latency S1>S2", 0) == 11175318544138244626
    assert len({draw(seed, f"{a}>{b}", n) for seed in range(5) for a in "ab" for b in "cd" for n in range(5)}) == 100


# --- Things take as long as the timing says ---------------------------------------------------------------


def test_answers_may_take_longer_than_what_they_answer():
    cluster = Cluster(3, seed=1, timing=Timing(latency_us=(500, 900), answer_us=(9_000, 9_500)))
    cluster.run_until(leader=True)
    for flight in [flight for step in cluster.history for flight in step.schedule.flights]:
        lasts = range(9_000, 9_501) if isinstance(flight.message, ANSWERS) else range(500, 901)
        assert flight.due_us - flight.sent_us in lasts


def test_messages_travel_as_long_as_the_timing_says():
    cluster = Cluster(3, seed=1, timing=Timing(latency_us=(3_000, 4_000)))
    cluster.step(300)
    flights = {f.serial: f for step in cluster.history for f in step.schedule.flights}
    assert len(flights) > 100
    assert all(3_000 <= f.due_us - f.sent_us <= 4_000 for f in flights.values())
    assert len({f.due_us - f.sent_us for f in flights.values()}) > 50


def test_an_election_timer_runs_as_long_as_the_timing_says_and_each_for_its_own_time():
    timers = Cluster(25, seed=1).schedule.timers
    assert all(150_000 <= timer.due_us <= 300_000 for timer in timers.values())
    assert len({timer.due_us for timer in timers.values()}) == 25


def test_a_leader_sends_heartbeats_at_even_intervals():
    cluster = Cluster(3, seed=1)
    cluster.run_until(leader=True)
    cluster.run(500)
    beats = [s.schedule.now_us for s in cluster.history if isinstance(s.action, Heartbeat)]
    assert len(beats) >= 9
    assert {later - earlier for earlier, later in itertools.pairwise(beats)} == {50_000}


def test_as_long_as_the_leader_is_heard_no_election_timer_runs_out():
    cluster = Cluster(5, seed=1)
    cluster.run_until(leader=True)
    term = cluster[cluster.leader].current_term
    cluster.run(5_000)
    assert {s.current_term for s in cluster.world.servers.values()} == {term}


def test_a_follower_cut_off_from_its_leader_starts_an_election_within_its_timeout():
    cluster = Cluster(3, seed=1)
    cluster.run_until(leader=True)
    cluster.run(100)
    follower = next(name for name in cluster.servers if name != cluster.leader)
    cluster.cut(cluster.leader, follower)
    begun = cluster.schedule.now_us
    cluster.run_until(lambda c: isinstance(c.now.action, Timeout))
    assert cluster.now.action == Timeout(follower)
    assert cluster.schedule.now_us - begun <= 300_000


def test_a_refused_vote_does_not_start_the_election_timer_anew():
    cluster = Cluster(3, logs={"S1": [(1, "set x 1")]})
    due = cluster.schedule.timers["S1", "election"]
    cluster.timeout("S2")
    cluster.deliver("S2", "S1")
    assert cluster["S1"].current_term == 2, "the higher term was adopted"
    assert cluster.schedule.timers["S1", "election"] == due


def test_a_granted_vote_starts_the_election_timer_anew():
    cluster = Cluster(3, seed=2)
    cluster.run(20)
    cluster.timeout("S2")
    cluster.deliver("S2", "S1")
    assert cluster.schedule.timers["S1", "election"].from_us == 20_000


def test_a_message_of_a_former_leader_does_not_start_the_election_timer_anew():
    cluster = Cluster(3, seed=2)
    cluster.timeout("S1")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.timeout("S3")
    cluster.deliver("S3", "S2")
    due = cluster.schedule.timers["S2", "election"]
    cluster.run(0.001)
    cluster.deliver("S1", "S2")
    assert cluster.schedule.timers["S2", "election"] == due


def test_a_crashed_server_has_no_timer_and_a_restarted_one_a_fresh_one():
    cluster = Cluster(3, seed=2)
    cluster.crash("S1")
    assert "S1" not in {name for name, _ in cluster.schedule.timers}
    cluster.run(20)
    cluster.restart("S1")
    assert cluster.schedule.timers["S1", "election"].from_us == 20_000


def test_a_leader_that_steps_down_gets_an_election_timer():
    cluster = Cluster(3, seed=2)
    cluster.timeout("S1")
    cluster.deliver_all()
    assert cluster.schedule.timers["S1", "heartbeat"].due_us == 50_000
    cluster.timeout("S2")
    cluster.deliver("S2", "S1")
    assert 150_000 <= cluster.schedule.timers["S1", "election"].due_us <= 300_000


def test_handlers_that_ignore_their_timer_do_not_stop_the_clock():
    class Idle(Server):
        def on_election_timeout(self):
            pass

    cluster = Cluster(3, server=Idle)
    cluster.step(20)
    assert cluster.schedule.now_us > 1_000_000


# --- A bad network ----------------------------------------------------------------------------------------


def fates(cluster: Cluster, steps: int = 3000) -> tuple[int, int, int]:
    cluster.step(steps)
    count = {kind: sum(isinstance(s.action, kind) for s in cluster.history) for kind in (Deliver, Drop, Duplicate)}
    return count[Deliver], count[Drop], count[Duplicate]


def test_a_perfect_network_loses_and_repeats_nothing():
    assert fates(Cluster(3, seed=1))[1:] == (0, 0)


def test_loss_and_duplication_are_as_frequent_as_the_timing_says():
    delivered, dropped, doubled = fates(Cluster(3, seed=1, timing=Timing(loss=0.25)))
    assert 0.2 < dropped / (delivered + dropped) < 0.3
    assert doubled == 0
    delivered, dropped, doubled = fates(Cluster(3, seed=1, timing=Timing(duplication=0.25)))
    assert 0.2 < doubled / (delivered - doubled) < 0.3
    assert dropped == 0


def test_latencies_on_a_link_do_not_depend_on_losses():
    calm, rough = Cluster(3, seed=6), Cluster(3, seed=6, timing=Timing(loss=0.5, duplication=0.5))
    for cluster in (calm, rough):
        cluster.timeout("S1")
        cluster.timeout("S1")
    assert [f.due_us for f in calm.schedule.flights] == [f.due_us for f in rough.schedule.flights]


def test_what_happens_on_one_link_does_not_change_the_draws_on_another():
    one, other = (Cluster(3, seed=6, timing=Timing(loss=0.5, duplication=0.5)) for _ in range(2))
    for name in ("S2", "S3", "S2", "S3"):
        one.timeout(name)
    for name in ("S2", "S2"):
        other.timeout(name)

    def on_link(cluster, src, dst):
        return [
            (f.due_us, f.lost, f.twin) for f in cluster.schedule.flights if (f.message.src, f.message.dst) == (src, dst)
        ]

    assert on_link(one, "S2", "S1") == on_link(other, "S2", "S1")
    assert on_link(one, "S2", "S3") == on_link(other, "S2", "S3")
    assert on_link(other, "S3", "S1") == []


def test_another_server_in_the_cluster_leaves_the_timers_of_the_others_alone():
    three, five = Cluster(3, seed=6).schedule.timers, Cluster(5, seed=6).schedule.timers
    assert all(three[name] == five[name] for name in three)


def test_in_time_a_message_to_a_crashed_server_or_over_a_cut_link_is_lost():
    cluster = Cluster(3)
    cluster.timeout("S1")
    cluster.crash("S2")
    cluster.cut("S1", "S3")
    cluster.run(20)
    assert cluster.messages == []
    assert [str(s) for s in cluster.history if isinstance(s.action, Drop)]
    assert cluster["S3"].voted_for is None


def test_a_held_message_stays_until_it_is_released():
    cluster = Cluster(3, seed=1)
    cluster.timeout("S1")
    held = cluster.messages[0]
    cluster.hold(held)
    cluster.run(100)
    assert held in cluster.messages
    cluster.release(held)
    cluster.run(1)
    assert held not in cluster.messages


def test_the_clock_can_be_moved_on_but_not_past_what_is_due():
    cluster = Cluster(3, seed=1)
    due, _ = cluster.schedule.next(cluster.world)
    cluster.wait(100)
    assert cluster.schedule.now_us == 100_000
    with pytest.raises(ActionRefused, match=r"let it happen with cluster\.run\(200\)"):
        cluster.wait(200)
    cluster.wait((due - 100_000) / 1000)
    assert cluster.schedule.now_us == due
    assert cluster.step().schedule.now_us == due


def test_of_two_equal_messages_each_can_be_held():
    cluster = Cluster(2)
    cluster.timeout("S1")
    cluster.duplicate("S1", "S2")
    cluster.hold("S1", "S2")
    assert sorted(f.held for f in cluster.schedule.flights) == [False, True]
    cluster.hold("S1", "S2")
    assert [f.held for f in cluster.schedule.flights] == [True, True]
    cluster.release("S1", "S2")
    assert sorted(f.held for f in cluster.schedule.flights) == [False, True]


@pytest.mark.parametrize("seed", range(10))
def test_the_schedule_has_exactly_the_messages_that_are_in_flight(seed):
    cluster = rough(seed)
    for _ in range(150):
        cluster.step()
        counted = {}
        for flight in cluster.schedule.flights:
            counted[flight.message] = counted.get(flight.message, 0) + 1
        assert counted == dict(cluster.world.network)
        running = [s for s in cluster.servers if s not in cluster.world.crashed]
        assert sorted({name for name, _ in cluster.schedule.timers}) == sorted(running)


def test_the_agenda_is_what_then_happens():
    cluster = Cluster(5, seed=9)
    cluster.timeout("S1")
    agenda = cluster.schedule.agenda(cluster.world)
    due, action = agenda[0]
    step = cluster.step()
    assert (step.action, step.schedule.now_us) == (action, due)
    assert [due for due, _ in agenda] == sorted(due for due, _ in agenda)


# --- Until --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [1, 2, 3, 4, 5, 7])
def test_a_leader_comes_that_a_majority_knows(size):
    cluster = Cluster(size, seed=size)
    cluster.run_until(leader=True)
    leader = cluster[cluster.leader]
    knowing = [s.id for s in cluster.world.servers.values() if s.leader_id == leader.id]
    assert leader.configuration.has_quorum(knowing)


@pytest.mark.parametrize("seed", range(20))
def test_a_command_is_committed_in_spite_of_loss_and_duplication(seed):
    cluster = Cluster(3, seed=seed, timing=Timing(loss=0.2, duplication=0.2))
    cluster.run_until(leader=True)
    proposal = cluster.propose("set x 1")
    cluster.run_until(committed="set x 1")
    assert proposal.status == "committed"


def test_a_named_server_can_be_awaited_as_leader():
    cluster = Cluster(3, seed=1)
    cluster.run_until(leader=True)
    other = next(name for name in cluster.servers if name != cluster.leader)
    cluster.crash(cluster.leader)
    third = next(name for name in cluster.servers if name not in (other, *cluster.world.crashed))
    cluster.crash(third)
    for name in sorted(cluster.world.crashed):
        cluster.restart(name)
    cluster.timeout(other)
    cluster.run_until(leader=other)
    assert cluster.leader == other


def test_no_leader_can_be_awaited():
    cluster = Cluster(3, seed=1)
    cluster.run_until(leader=True)
    cluster.timeout(next(name for name in cluster.servers if name != cluster.leader))
    cluster.run_until(leader=False)
    assert cluster.leader is None


def test_a_majority_is_needed_and_enough():
    cluster = Cluster(5, seed=1)
    cluster.crash("S4")
    cluster.crash("S5")
    cluster.run_until(leader=True)
    cluster.crash(cluster.leader)
    with pytest.raises(ActionRefused):
        cluster.run_until(leader=True, max_steps=300)


def test_run_until_waits_for_one_thing():
    with pytest.raises(ValueError, match="one thing to wait for"):
        Cluster(3).run_until(leader=True, committed="x")
