"""The tape only grows: going back, forward and elsewhere loses nothing, and a run can be taken again from its code."""

import random

import pytest

import raft_lab
from raft_lab import ActionRefused, Cluster, Server, Timing


def mixed(seed: int, steps: int = 60, **options) -> Cluster:
    """A run of timed steps and actions by hand, with visits to the past."""
    rng = random.Random(f"mixed {seed}")
    cluster = Cluster(rng.choice((3, 4, 5)), seed=seed, timing=Timing(loss=0.1, duplication=0.1), **options)
    for _ in range(steps):
        kind = rng.random()
        if kind < 0.5:
            for _ in range(rng.randint(1, 5)):
                if cluster.schedule.next(cluster.world):
                    cluster.step()
        elif kind < 0.85:
            cluster.perform(rng.choice(cluster.enabled()))
        elif kind < 0.9 and cluster.messages:
            cluster.hold(rng.choice(cluster.messages))
        elif kind < 0.95:
            cluster.partition(set(rng.sample(cluster.servers, 1)))
        elif kind < 0.97:
            cluster.back(rng.randint(1, 6))
        else:
            cluster.run(rng.randint(1, 40))
    return cluster


# --- Back, forward, anywhere ----------------------------------------------------------------------------


def test_back_and_forward_return_to_the_very_same_step():
    cluster = Cluster(3)
    cluster.timeout("S1")
    asked = cluster.deliver("S1", "S2")
    assert cluster.back(2).id == 0
    assert cluster.forward(2) is asked


def test_back_stops_at_the_beginning_and_forward_at_the_end():
    cluster = Cluster(3)
    last = cluster.timeout("S1")
    assert cluster.back(100).id == 0
    assert cluster.forward(100) is last


def test_acting_in_the_past_adds_a_branch_and_deletes_nothing():
    cluster = Cluster(3)
    cluster.timeout("S1")
    one = cluster.deliver("S1", "S2")
    cluster.back()
    other = cluster.drop("S1", "S2")
    assert cluster.branches == [one, other]
    assert cluster.goto(one) is one
    assert cluster["S2"].voted_for == "S1"


def test_forward_takes_the_branch_that_was_visited_last():
    cluster = Cluster(3)
    cluster.timeout("S1")
    one = cluster.deliver("S1", "S2")
    cluster.back()
    other = cluster.drop("S1", "S2")
    cluster.back()
    assert cluster.forward() is other
    cluster.goto(one)
    cluster.goto(0)
    assert cluster.forward(2) is one


def test_doing_the_same_thing_again_reenters_the_step_that_is_there():
    cluster = Cluster(3)
    cluster.timeout("S1")
    first = cluster.deliver("S1", "S2")
    cluster.back()
    assert cluster.deliver("S1", "S2") is first
    assert len(cluster.tape) == 3
    assert cluster.branches == [first]


def test_time_retraced_is_the_same_steps_again():
    cluster = Cluster(3, seed=4)
    cluster.run_until(leader=True)
    there, steps = cluster.now, len(cluster.tape)
    cluster.goto(0)
    assert cluster.run_until(leader=True) is there
    assert len(cluster.tape) == steps


def test_what_the_clock_did_and_what_a_person_did_are_different_steps():
    cluster = Cluster(3, seed=4)
    timed = cluster.step()
    cluster.back()
    by_hand = cluster.perform(timed.action)
    assert by_hand is not timed
    assert by_hand.world == timed.world


@pytest.mark.parametrize("seed", range(5))
def test_a_random_traveller_finds_every_step_as_it_was_left(seed):
    rng = random.Random(seed)
    cluster = mixed(seed)
    seen = {step.id: (step.world, step.schedule) for step in cluster.tape}
    for _ in range(200):
        rng.choice(
            [
                lambda: cluster.back(rng.randint(1, 9)),
                lambda: cluster.forward(rng.randint(1, 9)),
                lambda: cluster.goto(rng.randrange(len(cluster.tape))),
                lambda: cluster.goto(rng.choice(cluster.branches)),
                lambda: cluster.perform(rng.choice(cluster.enabled())),
            ]
        )()
        if cluster.now.id in seen:
            assert (cluster.world, cluster.schedule) == seen[cluster.now.id]
        else:
            seen[cluster.now.id] = (cluster.world, cluster.schedule)
    assert [step.id for step in cluster.tape] == list(range(len(seen)))
    leaves = {step.id for step in cluster.tape} - {step.parent.id for step in cluster.tape if step.parent}
    assert {step.id for step in cluster.branches} == leaves


def test_listeners_hear_of_every_change_until_they_stop():
    cluster = Cluster(3)
    heard = []
    stop = cluster.on_change(lambda: heard.append(cluster.now.id))
    cluster.timeout("S1")
    cluster.back()
    cluster.back()
    stop()
    cluster.forward()
    assert heard == [1, 0]


# --- Code -----------------------------------------------------------------------------------------------


def retaken(code: str, **names) -> Cluster:
    """What `code` makes in a fresh namespace after `from raft_lab import *`."""
    namespace = dict(names)
    exec("from raft_lab import *", namespace)
    exec(code, namespace)
    return namespace["cluster"]


@pytest.mark.parametrize("seed", range(25))
def test_the_code_of_a_run_takes_it_again(seed):
    cluster = mixed(seed)
    again = retaken(cluster.code())
    assert again.world == cluster.world
    assert again.schedule == cluster.schedule
    assert [str(s.sentence) for s in again.history] == [str(s.sentence) for s in cluster.history]


def test_the_code_of_a_staged_run_with_an_own_engine_takes_it_again():
    class Mine(Server):
        volatile = {"elections": 0}

        def on_election_timeout(self):
            super().on_election_timeout()
            self.elections += 1

    logs = {"S2": [(1, "set x 1"), (2, "no-op")], "S3": [(2, "set x 2")]}
    cluster = Cluster(["S1", "S2", "S3"], seed=3, server=Mine, logs=logs)
    cluster.run_until(leader=True)
    cluster.propose("set y 'quoted' \"twice\" \\ and é")
    cluster.swap(Server)
    cluster.run(100)
    again = retaken(cluster.code(), Mine=Mine)
    assert again.world == cluster.world


def test_code_reads_like_what_a_person_would_write():
    cluster = Cluster(3, seed=7)
    cluster.timeout("S1")
    cluster.deliver("S1", "S2")
    cluster.step(3)
    cluster.partition({"S1"})
    assert cluster.code().splitlines() == [
        "cluster = Cluster(3, seed=7)",
        "cluster.timeout('S1')",
        "cluster.deliver('S1', 'S2')",
        "cluster.step(3)",
        "cluster.partition({'S1'}, {'S2', 'S3'})",
    ]


def test_code_names_the_kind_of_a_message_only_where_it_must():
    cluster = Cluster(3)
    cluster.timeout("S1")
    cluster.timeout("S2")
    cluster.deliver("S1", "S2")
    cluster.deliver("S2", "S1", "RequestVoteReply")
    assert cluster.code().endswith("cluster.deliver('S2', 'S1', 'RequestVoteReply')")


# --- Proposals ------------------------------------------------------------------------------------------


@pytest.fixture
def led() -> Cluster:
    cluster = Cluster(3)
    cluster.timeout("S1")
    cluster.deliver_all()
    return cluster


def test_a_proposal_is_pending_then_committed(led):
    proposal = led.propose("set x 1")
    assert proposal.status == "pending"
    led.deliver_all()
    assert proposal.status == "committed"
    assert led["S1"].machine.data["x"] == "1"


def test_a_proposal_to_a_follower_is_rejected(led):
    assert led.propose("set x 1", "S2").status == "rejected"


def test_a_proposal_whose_leader_is_down_is_unknown(led):
    proposal = led.propose("set x 1")
    led.crash("S1")
    assert proposal.status == "unknown"


def test_a_proposal_whose_leader_has_stepped_down_is_unknown_and_may_still_be_committed(led):
    proposal = led.propose("set x 1")
    led.deliver("S1", "S2")
    led.timeout("S2")
    led.deliver("S2", "S1", "RequestVote")
    assert proposal.status == "unknown"
    led.deliver_all()
    assert led.leader == "S2"
    assert proposal.status == "committed"


def test_a_proposal_that_another_entry_has_replaced_is_lost(led):
    led.partition({"S1"})
    proposal = led.propose("set x 1")
    led.timeout("S2")
    led.deliver_all()
    assert led.leader == "S2"
    assert proposal.status == "lost"


def test_a_committed_proposal_stays_so_when_its_leader_is_gone(led):
    proposal = led.propose("set x 1")
    led.deliver_all()
    led.crash("S1")
    assert proposal.status == "committed"


def test_before_it_was_made_and_on_other_branches_a_proposal_is_unknown(led):
    proposal = led.propose("set x 1")
    led.deliver_all()
    done = led.now
    led.goto(0)
    assert proposal.status == "unknown"
    led.goto(done)
    assert proposal.status == "committed"


def test_two_equal_commands_are_two_proposals(led):
    one, two = led.propose("set x 1"), led.propose("set x 1")
    assert one.reply.index + 1 == two.reply.index


# --- Files ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(8))
def test_a_saved_run_comes_back_with_all_its_branches(seed, tmp_path):
    cluster = mixed(seed)
    cluster.goto(len(cluster.tape) // 2)
    cluster.save(tmp_path / "run.json")
    loaded = Cluster.load(tmp_path / "run.json")
    assert loaded.now.id == cluster.now.id
    assert [(s.world, s.schedule, s.action, s.timed) for s in loaded.tape] == [
        (s.world, s.schedule, s.action, s.timed) for s in cluster.tape
    ]
    assert loaded.code() == cluster.code()
    assert [s.id for s in loaded.branches] == [s.id for s in cluster.branches]


def test_saving_what_was_loaded_writes_the_same_bytes(tmp_path):
    mixed(3).save(tmp_path / "one.json")
    Cluster.load(tmp_path / "one.json").save(tmp_path / "two.json")
    assert (tmp_path / "one.json").read_bytes() == (tmp_path / "two.json").read_bytes()


def test_a_loaded_run_goes_on_as_the_original_would(tmp_path):
    cluster = mixed(5)
    cluster.save(tmp_path / "run.json")
    loaded = Cluster.load(tmp_path / "run.json")
    assert loaded.step(30).world == cluster.step(30).world


def test_a_timing_survives_a_file(tmp_path):
    timing = Timing(latency_us=(1, 2), answer_us=(7, 9), speeds={"S1": 0.5})
    Cluster(3, timing=timing).save(tmp_path / "run.json")
    assert Cluster.load(tmp_path / "run.json").schedule.timing == timing


class Kept(Server):
    durable = {"seen": set(), "best": None}
    volatile = {"log_of_votes": [], "per_server": {}, "frozen": frozenset(), "pair": (1, "a")}

    def on_request_vote(self, m):
        super().on_request_vote(m)
        self.seen.add(m.src)
        self.best = m.src
        self.log_of_votes.append(m.term)
        self.per_server[m.src] = m.term
        self.frozen = self.frozen | {m.src}


def test_declared_fields_of_every_shape_survive_a_file(tmp_path):
    cluster = mixed(2, server=Kept)
    cluster.swap(Server)
    cluster.swap(Kept)
    cluster.step(5)
    cluster.save(tmp_path / "run.json")
    loaded = Cluster.load(tmp_path / "run.json", Kept)
    assert loaded.world == cluster.world
    assert [s.world for s in loaded.tape] == [s.world for s in cluster.tape]


def test_a_run_staged_with_declared_fields_in_it_survives_a_file(tmp_path):
    there = mixed(2, server=Kept).world
    assert any(state.extra["seen"] for state in there.servers.values())
    cluster = Cluster.at(there, seed=1)
    cluster.step(3)
    cluster.save(tmp_path / "run.json")
    loaded = Cluster.load(tmp_path / "run.json", Kept)
    assert loaded.world == cluster.world
    assert loaded.step(20).world == cluster.step(20).world


def test_saving_again_replaces_the_file_whole(tmp_path):
    path = tmp_path / "run.json"
    path.write_text("something else")
    Cluster(3).save(path)
    assert Cluster.load(path).servers == ("S1", "S2", "S3")
    assert [p.name for p in tmp_path.iterdir()] == ["run.json"]


def test_everything_that_code_needs_is_exported():
    for name in ("Cluster", "Timing", "Entry", "Noop", "Command", "Configuration", "Server"):
        assert name in raft_lab.__all__
    for kind in raft_lab.raft.messages.MESSAGE_TYPES:
        assert kind.__name__ in raft_lab.__all__


def test_branches_have_names_that_survive_a_file(tmp_path):
    cluster = Cluster(3)
    cluster.timeout("S1")
    cluster.name("S1 first")
    cluster.back()
    cluster.timeout("S2")
    cluster.name("S2 first")
    cluster.name("the beginning", 0)
    cluster.name("", 0)
    cluster.save(tmp_path / "run.json")
    assert Cluster.load(tmp_path / "run.json").tape.names == {1: "S1 first", 2: "S2 first"}


@pytest.mark.parametrize("name", [5, "two\nlines", "x" * 81])
def test_a_branch_is_called_by_one_line(name):
    with pytest.raises(ActionRefused, match="a line of at most 80 characters"):
        Cluster(3).name(name)


def test_doing_again_what_was_explored_enters_the_same_step():
    cluster = Cluster(3)
    explored = [cluster.timeout("S1"), cluster.deliver("S1", "S2")]
    cluster.goto(0)
    assert [cluster.timeout("S1"), cluster.deliver("S1", "S2")] == explored
    assert len(cluster.tape) == 3
