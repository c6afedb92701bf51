"""Exploring: every run within stated bounds, shortest first."""

import random

import pytest

from check.broken import TermNotDurable, VotesTwice
from raft_lab import Bounds, Candidate, Cluster, Follower, HandlerError, Server, explore
from raft_lab.sim.actions import Crash, Deliver, Drop, Duplicate, Heartbeat, Propose, Restart, Timeout


def led(cluster_size: int = 3) -> Cluster:
    cluster = Cluster(cluster_size)
    cluster.timeout("S1")
    cluster.deliver_all()
    return cluster


def test_within_the_bounds_raft_breaks_nothing():
    report = explore(Cluster(3), term=1)
    assert report.counterexample is None
    assert report.failure == ""
    assert report.states > 1000
    assert "no invariant is broken there" in str(report)


def test_a_search_says_whether_it_reached_anything():
    report = explore(
        Cluster(3),
        term=1,
        reach={
            "a leader": lambda w: any(s.is_leader for s in w.servers.values()),
            "a split vote": lambda w: all(isinstance(s.role, Candidate) for s in w.servers.values()),
            "two terms": lambda w: any(s.current_term == 2 for s in w.servers.values()),
        },
    )
    assert report.reached == {"a leader": True, "a split vote": True, "two terms": False}


def test_a_small_world_is_counted_exactly():
    """One server: it campaigns once, and that is all there is."""
    report = explore(Cluster(1), term=1)
    assert (report.states, report.transitions, report.depth) == (2, 1, 1)


def test_two_servers_by_hand():
    """S1 asks, S2 grants or not, S1 leads, S2 stores, S1 commits; the same the other way round; or both ask."""
    report = explore(Cluster(2), term=1)
    assert (report.states, report.transitions, report.depth) == (20, 24, 6)


def test_the_counterexample_replays_step_by_step():
    report = explore(Cluster(3, server=VotesTwice), term=1, invariants={"Election Safety"})
    found = report.counterexample
    cluster = found.cluster()
    assert [step.action for step in cluster.history[1:]] == list(found.actions)
    assert cluster.now.violations[-1].invariant == "Election Safety" or found.violation in cluster.now.violations
    assert len([s for s in cluster.world.servers.values() if s.is_leader]) == 2
    lines = str(found).splitlines()
    assert lines[0].startswith("Election Safety is broken: S")
    assert lines[1] == "This is the shortest such run, 6 actions:"
    assert len(lines) == 8


def test_no_shorter_run_breaks_it():
    shortest = len(explore(Cluster(3, server=TermNotDurable), crashes=1, term=1).counterexample.actions)
    assert explore(Cluster(3, server=TermNotDurable), crashes=1, term=1, depth=shortest - 1).counterexample is None


def test_a_staged_search_starts_where_the_cluster_stands():
    cluster = Cluster(3, server=VotesTwice)
    cluster.timeout("S1")
    cluster.timeout("S2")
    report = explore(cluster, term=1, invariants={"Election Safety"})
    assert len(report.counterexample.actions) == 4
    assert report.counterexample.start == cluster.world


def test_the_same_search_gives_the_same_report():
    def once():
        report = explore(Cluster(3, server=VotesTwice), crashes=1)
        return report.states, report.transitions, report.depth, report.hit, report.counterexample.actions

    assert once() == once()


def test_exploring_leaves_the_cluster_as_it_was():
    cluster = led()
    before = cluster.world, cluster.schedule, cluster.now, len(cluster.tape), cluster.code()
    explore(cluster, crashes=1, duplicates=1, drops=1, commands=1, heartbeats=1, states=2000)
    assert (cluster.world, cluster.schedule, cluster.now, len(cluster.tape), cluster.code()) == before


# --- Bounds ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("limits", "hit"),
    [
        ({"term": 1}, "term"),
        ({"depth": 3}, "depth"),
        ({"states": 50}, "states"),
        ({"messages": 2}, "messages"),
        ({"term": 1, "commands": 1, "log": 1}, "log"),
    ],
)
def test_a_bound_that_kept_it_from_looking_further_is_named(limits, hit):
    report = explore(Cluster(3), **limits)
    assert hit in report.hit
    assert hit in str(report)


def test_bounds_may_be_given_as_one_value():
    assert explore(Cluster(3), bounds=Bounds(term=1)).states == explore(Cluster(3), term=1).states
    assert explore(Cluster(3), bounds=Bounds(term=1), depth=2).bounds == Bounds(term=1, depth=2)


def test_states_are_bounded():
    assert explore(Cluster(3), states=77).states == 77


BUDGETS = {
    "crashes": Crash,
    "drops": Drop,
    "duplicates": Duplicate,
    "commands": Propose,
    "heartbeats": Heartbeat,
}


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_budget_limits_how_often_it_happens_in_a_run(budget):
    kind = BUDGETS[budget]
    runs = every_run(led(), depth=4, **{budget: 1})
    counts = {sum(isinstance(action, kind) for action in run) for run in runs}
    assert counts == {0, 1}
    assert {sum(isinstance(a, kind) for a in run) for run in every_run(led(), depth=4, **{budget: 0})} == {0}


def every_run(cluster: Cluster, depth: int, **limits: int) -> list[list]:
    """All runs of at most `depth` actions, read off the search's own list of moves."""
    from raft_lab.check.explore import _Budget, _Search

    bounds = Bounds(depth=depth, **limits)
    search = _Search(cluster, bounds, None, {})
    full = _Budget(bounds.commands, bounds.heartbeats, bounds.crashes, bounds.drops, bounds.duplicates)
    runs, frontier = [[]], [([], cluster.world, full)]
    for _ in range(depth):
        grown = []
        for run, world, left in frontier:
            for action, rest in search.moves(world, left):
                assert action.refusal(world) is None, action
                grown.append(([*run, action], action.perform(world).world, rest))
        runs += [run for run, _, _ in grown]
        frontier = random.Random(1).sample(grown, min(len(grown), 60))
    return runs


def test_every_move_is_possible_and_all_kinds_occur():
    runs = every_run(led(), depth=6, crashes=1, drops=1, duplicates=1, commands=1, heartbeats=1)
    kinds = {type(action) for run in runs for action in run}
    assert kinds == {Deliver, Drop, Duplicate, Timeout, Heartbeat, Propose, Crash, Restart}


def test_commands_are_different_from_each_other():
    runs = every_run(led(), depth=3, commands=2)
    assert {a.op for run in runs for a in run if isinstance(a, Propose)} == {"set x 1", "set x 2"}


def test_an_unknown_bound_or_invariant_is_refused():
    with pytest.raises(TypeError, match="speed"):
        explore(Cluster(3), speed=9)
    with pytest.raises(ValueError, match="no invariant called 'Luck'"):
        explore(Cluster(3), invariants={"Luck"})


def test_only_the_invariants_asked_for_count():
    assert (
        explore(Cluster(3, server=VotesTwice), term=1, invariants={"Log Matching"}, states=3000).counterexample is None
    )


# --- Handlers that spoil a search ---------------------------------------------------------------------------------


def test_a_handler_that_does_two_things_for_the_same_event_is_found_out():
    dice = random.Random(1)

    class Fickle(Server):
        def may_vote_for(self, candidate):
            return dice.random() < 0.5

    report = explore(Cluster(3, server=Fickle), term=1)
    assert "Fickle did two different things for the same state and event" in report.failure
    assert report.failure in str(report)
    assert report.counterexample is None


def test_a_handler_that_counts_its_calls_outside_is_found_out():
    calls = []

    class Counting(Server):
        volatile = {"calls": 0}

        def on_request_vote(self, m):
            calls.append(m)
            self.calls = len(calls)
            super().on_request_vote(m)

    assert "two different things" in explore(Cluster(3, server=Counting), term=1).failure


def test_a_handler_that_raises_ends_the_search_with_its_error():
    class Falling(Server):
        def become_leader(self):
            raise ValueError("no crown")

    report = explore(Cluster(3, server=Falling), term=1)
    assert "Falling failed on S" in report.failure
    assert "ValueError: no crown" in str(report)


def test_outside_a_search_too_a_handler_that_raises_is_an_error():
    class Falling(Server):
        def become_leader(self):
            raise ValueError("no crown")

    cluster = Cluster(1, server=Falling)
    with pytest.raises(HandlerError, match="no crown"):
        cluster.timeout("S1")
    assert cluster["S1"].role == Follower()
