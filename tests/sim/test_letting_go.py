"""A run that goes on for hours lets its past go; what is kept stays what it was."""

import pytest

from raft_lab import ActionRefused, Cluster, UnknownName
from raft_lab.view import frames


def long_run(steps=2000, keep=600):
    cluster = Cluster(3, seed=3)
    cluster.run_until(leader=True)
    number = 0
    while len(cluster.tape) < steps:
        number += 1
        cluster.propose(f"set x {number}")
        cluster.run_until(committed=f"set x {number}")
        if number % 20 == 0:
            for server in cluster.servers:
                if cluster[server].last_applied > cluster[server].log.snapshot.last_included_index:
                    cluster.compact(server)
            cluster.let_go(keep)
    return cluster


def test_steps_keep_their_numbers_and_those_that_went_are_not_there_any_more():
    cluster = long_run()
    first = cluster.tape.first
    assert first > 0
    assert first % 256 == 0
    assert cluster.history[0].id == first
    assert [step.id for step in cluster.tape] == list(range(first, len(cluster.tape)))
    assert cluster.goto(first + 5).id == first + 5
    with pytest.raises(UnknownName, match=f"the tape holds steps {first} to"):
        cluster.goto(first - 1)


def test_what_invariants_look_at_goes_too_and_they_still_hold():
    cluster = long_run()
    ghosts = cluster.world.ghosts
    assert ghosts.committed.snapshot.last_included_index > 0
    assert ghosts.machine(ghosts.committed.last_index) == cluster[cluster.leader].machine
    assert len(ghosts.reads) == 0
    cluster.crash(cluster.leader)
    cluster.run_until(leader=True)
    cluster.reconfigure(learners={"S4"})
    cluster.run(500)
    assert cluster["S4"].machine.data == cluster[cluster.leader].machine.data
    assert cluster.violations == []


def test_a_run_that_let_its_past_go_is_saved_and_loaded(tmp_path):
    cluster = long_run()
    cluster.save(tmp_path / "run.json")
    loaded = Cluster.load(tmp_path / "run.json")
    assert loaded.world.servers == cluster.world.servers
    assert loaded.messages == cluster.messages
    assert len(loaded.tape) == len(cluster.tape) - cluster.tape.first
    assert cluster.code().startswith(f"cluster = …  # what was before step {cluster.tape.first} was let go")


def test_nothing_goes_where_a_branch_would_lose_its_beginning():
    cluster = Cluster(3, seed=1)
    cluster.step(300)
    cluster.goto(100)
    cluster.crash("S1")
    cluster.step(150)
    assert not cluster.let_go(100)
    assert cluster.tape.first == 0


def test_the_picture_begins_where_the_tape_begins():
    cluster = Cluster(3, seed=3)
    recording = frames.Recording(cluster)
    cluster.step(700)
    recording.steps()
    cluster.let_go(300)
    steps = recording.steps()
    assert recording.first == cluster.tape.first == steps[0]["id"] == 256
    assert steps[0]["parent"] == -1
    assert "frame" in steps[0]
    assert "was let go" in steps[0]["code"]
    assert [step["id"] for step in steps] == list(range(256, 701))


def test_where_time_flows_by_itself_nobody_goes_back():
    class Somebody:
        paused, speed = False, 1.0

    cluster = Cluster(3, seed=3)
    cluster.step(10)
    cluster.driver = Somebody()
    for going in (cluster.back, lambda: cluster.goto(3)):
        with pytest.raises(ActionRefused, match="cannot be taken back"):
            going()
    cluster.step()
    cluster.driver = None
    assert cluster.goto(3).id == 3
