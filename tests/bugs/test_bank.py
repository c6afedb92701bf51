"""Every bug of the catalogue is found, by the shortest run that shows what it breaks; and Raft is held for no bug."""

from __future__ import annotations

import inspect

import pytest

from bugs.catalogue import CATALOGUE, FILES, OUT_OF_REACH
from bugs.finding import difference, find, healed
from bugs.stages import keep
from raft_lab import INVARIANTS, Cluster, Command, Server, explore
from raft_lab.sim.scenarios import Stage


def of(*layers):
    """The bugs that these layers find, one test for each."""
    bugs = [bug for bug in CATALOGUE if bug.layer in layers]
    return pytest.mark.parametrize("bug", bugs, ids=repr)


@of("explore")
def test_exploring_finds_the_shortest_run_that_breaks_the_property(bug):
    found = find(bug).counterexample
    assert found is not None, bug
    assert found.violation.invariant == bug.breaks
    assert found.shortest
    assert len(found.actions) == bug.length


@of("explore")
def test_raft_breaks_nothing_from_the_same_stage(bug):
    report = explore(bug.stage(bug.control), depth=bug.length + 1, states=3000, **bug.bounds)
    assert report.counterexample is None, report
    assert not report.failure


@of("shrink")
def test_a_played_run_shrinks_until_no_action_can_be_left_out(bug):
    found = find(bug).counterexample
    assert found.violation.invariant == bug.breaks
    assert found.minimal
    assert len(found.actions) == bug.length
    assert bug.stage(bug.control).violations == []


@of("stuck")
def test_a_healed_cluster_with_the_bug_never_goes_on_and_raft_does(bug):
    assert not find(bug).goes_on
    assert bug.goes_on(healed(bug.stage(bug.control)))


@pytest.mark.parametrize("bug", [bug for bug in CATALOGUE if bug.differs], ids=repr)
def test_comparing_handlers_finds_it_in_one_step(bug):
    found = difference(bug)
    assert found is not None
    assert found.about != "error" or bug.number in (32, 46)
    assert found.situation.endswith(".")


@pytest.mark.parametrize("bug", [bug for bug in CATALOGUE if not bug.differs], ids=repr)
def test_what_comparing_handlers_cannot_see_is_found_by_a_search(bug):
    own_fields = bool(bug.server.durable or bug.server.volatile)
    assert bug.layer in ("explore", "stuck")
    assert own_fields or not vars(bug.server).keys() & vars(Server).keys() - {"__doc__", "__module__", *OPTIONS}


OPTIONS = {"rules_on", "rules_off", "switched_from", "durable", "volatile"}


def test_the_catalogue_is_complete():
    assert sorted({bug.number for bug in CATALOGUE} | OUT_OF_REACH.keys()) == list(range(1, 57))
    assert all(OUT_OF_REACH.values())
    assert all(bug.why for bug in CATALOGUE if bug.layer == "difference")


def test_every_bug_names_an_invariant_that_there_is():
    names = {invariant.name for invariant in INVARIANTS} | {"liveness", "latency"}
    assert {bug.breaks for bug in CATALOGUE} <= names


def test_every_class_with_a_mistake_is_in_the_catalogue():
    classes = {
        cls
        for file in FILES
        for cls in vars(file).values()
        if inspect.isclass(cls) and issubclass(cls, Server) and cls.__module__ == file.__name__
    }
    assert classes - {bug.server for bug in CATALOGUE} == {
        cls for cls in classes if cls.__doc__.startswith("No mistake:")
    }
    assert all(cls.__doc__ for cls in classes)


def test_a_client_that_knows_its_entry_by_the_index_alone_is_told_of_anothers():
    """55: S1 accepts x at index 2, is replaced, and index 2 is committed with y."""
    cluster = Cluster(3)
    cluster.timeout("S1")
    cluster.deliver_all()
    asked = cluster.propose("set x 1", "S1")
    keep(cluster)
    cluster.timeout("S2")
    Stage(cluster).ask("S2", "S3", "RequestVote")
    keep(cluster)
    cluster.propose("set y 2", "S2")
    cluster.deliver_all()
    index = 2
    committed = cluster.world.ghosts.committed.entry(index).value
    assert cluster["S2"].commit_index > index
    assert not isinstance(committed, Command) or committed.op != "set x 1"
    assert asked.status == "lost"
