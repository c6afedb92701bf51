"""Exploring: every run within stated bounds, shortest first."""

import html
import os
import random
import subprocess
import sys
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import Any

import pytest

from check import naive
from check.broken import AnyLogMayLead, TermNotDurable, VotesTwice
from raft_lab import Bounds, Candidate, Cluster, Follower, HandlerError, Server, explore
from raft_lab.check.engine import Engine
from raft_lab.check.explore import Report
from raft_lab.check.search import Search
from raft_lab.check.symmetry import renamed, symmetries
from raft_lab.raft.rules import RULES
from raft_lab.sim import scenarios
from raft_lab.sim.actions import (
    Compact,
    Crash,
    Deliver,
    Drop,
    Duplicate,
    Heartbeat,
    Propose,
    Read,
    Reconfigure,
    Restart,
    Timeout,
    TransferLeadership,
)


def led(cluster_size: int = 3) -> Cluster:
    cluster = Cluster(cluster_size)
    cluster.timeout("S1")
    cluster.deliver_all()
    return cluster


def test_within_the_bounds_raft_breaks_nothing():
    report = explore(Cluster(3), term=1)
    assert report.counterexample is None
    assert report.failure == ""
    assert report.states > 400
    assert "no invariant is broken there" in str(report)


def test_in_a_notebook_a_report_is_broken_between_words():
    found = explore(Cluster(3), term=1, until=lambda w: any(s.is_leader for s in w.servers.values()))
    for told in (found, found.found):
        shown = told._repr_html_()
        assert "word-break: normal" in shown
        assert html.escape(str(told)) in shown


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
    report = explore(Cluster(2), term=1, symmetry=False)
    assert (report.states, report.transitions, report.depth) == (20, 24, 6)


# --- The same as a search without any ideas ---------------------------------------------------------------------


def led_with_a_learner() -> Cluster:
    cluster = Cluster(3, logs={"S3": []})
    cluster.timeout("S1")
    cluster.deliver_all()
    cluster.reconfigure(remove={"S3"}, server="S1")
    cluster.deliver_all()
    cluster.reconfigure(learners={"S3"}, server="S1")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    return cluster


def asked_for(*clients: str, server: type[Server] = Server) -> Cluster:
    """S1 leads two servers; each client has a session, and has asked for something in it."""
    cluster = Cluster(2, server=server)
    cluster.timeout("S1")
    cluster.deliver_all()
    for client in clients:
        cluster.propose("hello", "S1", client=client, seq=0)
        cluster.propose("add x 1", "S1", client=client, seq=1)
    return cluster


UNDISTURBED = ("pre-vote", "leader stickiness", "check-quorum")
MODELS = {
    "three servers": (lambda: Cluster(3), {"term": 1, "crashes": 1, "depth": 5}),
    "faults": (lambda: Cluster(2), {"term": 2, "drops": 1, "duplicates": 1, "commands": 1, "depth": 6}),
    "few messages": (lambda: Cluster(3), {"term": 1, "messages": 4, "depth": 9}),
    "pre-vote and all that": (lambda: Cluster(2, rules=UNDISTURBED), {"term": 1, "commands": 1, "depth": 7}),
    "slow disk": (lambda: Cluster(2, rules=["slow disk"]), {"term": 2, "crashes": 1, "depth": 7}),
    "a slow disk on each of three": (lambda: Cluster(3, rules=["slow disk"]), {"term": 1, "messages": 3, "depth": 6}),
    "reads": (lambda: led(2), {"term": 2, "reads": 2, "commands": 1, "depth": 7}),
    "snapshots": (lambda: led(2), {"term": 1, "compactions": 2, "commands": 2, "crashes": 1, "depth": 8}),
    "sessions": (lambda: asked_for("alice", "bob"), {"term": 2, "log": 9, "retries": 2, "crashes": 1, "depth": 5}),
    "transfers": (lambda: led(3), {"term": 2, "transfers": 1, "depth": 6}),
    "joint consensus": (lambda: led(3), {"term": 2, "log": 4, "reconfigurations": 1, "depth": 5}),
    "single-server changes": (led_with_a_learner, {"term": 2, "log": 9, "single_changes": 2, "depth": 6}),
    "a stage": (scenarios.log_conflict, {"term": 4, "log": 4, "heartbeats": 1, "depth": 5}),
    "a broken link": (scenarios.asymmetric_partition, {"term": 6, "messages": 20, "heartbeats": 1, "depth": 4}),
}


@pytest.mark.parametrize("model", MODELS)
def test_it_sees_what_a_search_without_any_ideas_sees(model):
    make, limits = MODELS[model]
    cluster, bounds = make(), Bounds(**limits)
    seen = naive.search(cluster, bounds)
    engine = Engine(cluster.world, bounds)
    search = Search(engine)
    found = search.run(bounds.depth)
    assert (found.states, found.transitions, found.depth) == (len(seen.states), seen.transitions, seen.depth)
    assert {situation(engine, search, state) for state in search.within()} == seen.states
    assert len(seen.states) > 100


def anywhere(rng: random.Random) -> tuple[Cluster, Bounds]:
    """A cluster somewhere in its life, under some of the optional rules, and bounds that allow some of everything."""
    rules = [rule.name for rule in RULES if rule.optional and rng.random() < 0.3]
    cluster = Cluster(rng.choice((2, 3, 4)), rules=rules)
    for _ in range(rng.choice((0, 10, 30))):
        if cluster.leader and rng.random() < 0.2:
            session = rng.choice(({}, {"client": "alice", "seq": rng.randrange(2)}))
            cluster.propose("set y 1", **session) if rng.random() < 0.7 else cluster.read()
        elif not cluster.world.cuts and rng.random() < 0.05:
            cluster.cut(*rng.sample(list(cluster.servers), 2))
        else:
            cluster.step()
    states = cluster.world.servers.values()
    limits = {name: rng.choice((1, 2)) for name in naive.BUDGETS if rng.random() < 0.4}
    limits["term"] = max(state.current_term for state in states) + rng.choice((1, 2))
    limits["log"] = max(state.log.last_index for state in states) + rng.choice((0, 2))
    limits["messages"] = rng.choice((2, 5, 20))
    depth = 5
    while "states" in explore(cluster, depth=depth, states=600, symmetry=False, **limits).hit:
        depth -= 1
    return cluster, Bounds(depth=depth, **limits)


@pytest.mark.parametrize("seed", range(10))
def test_wherever_it_starts_it_sees_what_a_search_without_any_ideas_sees(seed):
    cluster, bounds = anywhere(random.Random(f"in a life {seed}"))
    seen, report = naive.search(cluster, bounds), explore(cluster, bounds=bounds, symmetry=False)
    assert (report.states, report.transitions, report.depth) == (len(seen.states), seen.transitions, seen.depth)
    assert report.counterexample is None
    assert not seen.broken
    assert report.states > 10


SYMMETRIC = (
    "three servers", "faults", "few messages", "pre-vote and all that", "slow disk", "a slow disk on each of three",
)  # fmt: skip


@pytest.mark.parametrize("model", SYMMETRIC)
def test_with_symmetry_one_situation_of_each_orbit_is_left(model):
    make, limits = MODELS[model]
    cluster, bounds = make(), Bounds(**limits)
    names = list(cluster.servers)
    orders = [dict(zip(names, (names[i] for i in order), strict=True)) for order in symmetries(cluster.world)]
    orbits = {
        frozenset((renamed(world, order), left) for order in orders)
        for world, left in naive.search(cluster, bounds).states
    }
    report = explore(cluster, bounds=bounds)
    assert sum(map(len, orbits)) == len(frozenset[Any]().union(*orbits)), "no situation is in two orbits"
    assert report.states == len(orbits)
    assert report.symmetry == len(orders) > 1
    assert "names of servers aside" in str(report)


def situation(engine, search, state):
    vector, bag = search.parts(state)
    return engine.world(vector, bag), tuple(engine.locals.seen[vector[-1]])


@pytest.mark.parametrize(
    ("server", "start", "limits"),
    [
        (VotesTwice, Cluster(3, server=VotesTwice), {"term": 1}),
        (TermNotDurable, Cluster(3, server=TermNotDurable), {"term": 1, "crashes": 1}),
        (AnyLogMayLead, scenarios.committed_without_s3(AnyLogMayLead), {"term": 2}),
        (Server, Cluster(2), {"term": 1, "commands": 1}),
    ],
)
def test_the_counterexample_is_one_of_the_shortest_there_are(server, start, limits):
    bounds = Bounds(**limits)
    shortest = naive.search(start, bounds).broken
    found = explore(start, bounds=bounds).counterexample
    assert found.actions in shortest if shortest else found is None
    assert found is None or found.shortest


# --- What is asked of it ------------------------------------------------------------------------------------------


def test_it_finds_the_nearest_world_of_which_something_is_true():
    report = explore(Cluster(3), until=lambda w: any(s.commit_index for s in w.servers.values()))
    assert len(report.found.actions) == 5  # time out, ask, vote, append, acknowledge
    assert any(s.commit_index for s in report.found.cluster().world.servers.values())
    assert str(report).startswith("A run of 5 actions:")


def test_what_is_true_already_needs_no_actions():
    assert explore(led(), until=lambda w: w.servers["S1"].is_leader).found.actions == ()


def test_what_is_not_there_is_not_found():
    report = explore(Cluster(3), term=1, until=lambda w: any(s.current_term > 1 for s in w.servers.values()))
    assert report.found is None
    assert report.states > 2000


def test_questions_are_asked_of_every_server():
    """With questions no situation stands for another: only S2 leads in what is asked for."""
    report = explore(Cluster(3), term=1, reach={"S2 leads": lambda w: w.servers["S2"].is_leader})
    assert report.reached == {"S2 leads": True}


def test_what_was_never_reached_is_said():
    report = explore(Cluster(1), term=1, reach={"term 9": lambda w: w.servers["S1"].current_term == 9})
    assert "Never reached: term 9." in str(report)


def test_stopped_by_hand_it_says_what_it_has_seen():
    asked = []

    def impatient(world):
        asked.append(world)
        if len(asked) == 100:
            raise KeyboardInterrupt
        return False

    report = explore(Cluster(3), until=impatient)
    assert report.interrupted
    assert report.states == 100
    assert "interrupted; no invariant is broken there" in str(report)


def test_handlers_run_far_less_often_than_they_are_asked():
    report = explore(Cluster(3), term=1, crashes=1, drops=1, symmetry=False)
    assert report.transitions > 100 * report.handler_calls > 0


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


def test_what_is_broken_before_anything_happens_is_said():
    cluster = Cluster(3, server=VotesTwice)
    cluster.timeout("S1")
    cluster.timeout("S2")
    cluster.deliver_all()
    report = explore(cluster, term=1, invariants={"One Vote"})
    assert report.counterexample.actions == ()
    assert str(report).splitlines()[1] == "It is so before anything happens."
    assert explore(cluster, term=1, invariants={"Log Matching"}).counterexample is None


def test_the_same_search_gives_the_same_report():
    def once():
        report = explore(Cluster(3, server=VotesTwice), crashes=1)
        return report.states, report.transitions, report.depth, report.hit, report.counterexample.actions

    assert once() == once()


def searched(start) -> Report:
    return explore(start(AnyLogMayLead), term=2, states=3_000)


def test_several_searches_may_each_have_a_process_of_its_own():
    starts = [scenarios.committed_without_s3, scenarios.voting_criteria]
    with ProcessPoolExecutor(2, get_context("spawn")) as processes:
        reports = list(processes.map(searched, starts))
    assert [report.states for report in reports] == [searched(start).states for start in starts]
    assert reports[0].counterexample.violation == searched(starts[0]).counterexample.violation


SEARCH = """
from check.broken import VotesTwice
from raft_lab import Cluster, explore
report = explore(Cluster(3, server=VotesTwice), crashes=1, invariants={"Election Safety"})
print(report.states, report.transitions, report.depth, sorted(report.hit), report.handler_calls, report.counterexample)
print(explore(Cluster(3, rules=["pre-vote"]), term=1, drops=1, states=3000))
"""


def test_the_same_search_gives_the_same_report_whatever_python_hashes():
    def printed(seed: str) -> str:
        environment = {**os.environ, "PYTHONHASHSEED": seed, "PYTHONPATH": str(Path(__file__).parents[1])}
        done = subprocess.run(
            [sys.executable, "-c", SEARCH], env=environment, capture_output=True, text=True, check=True
        )
        return done.stdout

    assert printed("1") == printed("2")
    assert "Election Safety is broken" in printed("3")


def test_a_search_that_is_cut_short_says_how_far_it_came():
    assert explore(Cluster(3), term=1, states=4, symmetry=False).depth == 1
    assert explore(Cluster(3), term=1, states=5, symmetry=False).depth == 2


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
    "retries": Propose,
    "heartbeats": Heartbeat,
    "reads": Read,
    "reconfigurations": Reconfigure,
    "single_changes": Reconfigure,
    "transfers": TransferLeadership,
    "compactions": Compact,
}


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_budget_limits_how_often_it_happens_in_a_run(budget):
    kind = BUDGETS[budget]
    start = asked_for("alice") if budget == "retries" else led()
    runs = every_run(start, depth=4, log=9, **{budget: 1})
    counts = {sum(isinstance(action, kind) for action in run) for run in runs}
    assert counts == {0, 1}
    assert {sum(isinstance(a, kind) for a in run) for run in every_run(start, depth=4, log=9, **{budget: 0})} == {0}


def every_run(cluster: Cluster, depth: int, **limits: int) -> list[list]:
    """Runs of at most `depth` actions, read off the search's own list of moves."""
    engine = Engine(cluster.world, Bounds(depth=depth, messages=99, **limits))
    search = Search(engine)
    runs, frontier = [[]], [([], *engine.first())]
    for _ in range(depth):
        grown = []
        for run, vector, bag in frontier:
            world = engine.world(vector, bag)
            for move, servers, after in search.moves(vector, bag):
                assert move.label.refusal(world) is None, move.label
                assert engine.world(servers, after) == move.label.perform(world).world
                grown.append(([*run, move.label], servers, after))
        runs += [run for run, *_ in grown]
        frontier = random.Random(1).sample(grown, min(len(grown), 60))
    return runs


def test_every_move_is_possible_and_all_kinds_occur():
    runs = every_run(led(), depth=6, crashes=1, drops=1, duplicates=1, commands=1, heartbeats=1, reads=1, transfers=1)
    kinds = {type(action) for run in runs for action in run}
    usual = {Deliver, Drop, Duplicate, Timeout, Heartbeat, Propose, Crash, Restart, Read, TransferLeadership}
    assert usual <= kinds


def test_a_command_that_comes_again_is_applied_again_by_whoever_forgets_what_was_applied():
    class AppliesTwice(Server):
        def was_applied(self, session, command):
            return False

    limits = {"term": 1, "log": 9, "retries": 1}
    found = explore(asked_for("alice", server=AppliesTwice), **limits).counterexample
    assert found.violation.invariant == "Stored Reply"
    assert Propose("S1", "add x 1", "alice", 1) in found.actions
    assert explore(asked_for("alice"), **limits).counterexample is None
    assert explore(asked_for("alice", server=AppliesTwice), **{**limits, "retries": 0}).counterexample is None


def test_who_waits_to_be_added_may_be_there_from_the_beginning():
    """So booting need not be tried: S3 does nothing until somebody adds it, and then everything."""
    start = led(2)
    start.boot("S3")
    joined = {"S3 knows of a commit": lambda w: w.servers["S3"].commit_index > 0}
    limits = {"term": 1, "commands": 1, "messages": 3, "reach": joined}
    assert explore(start, **limits).reached == {"S3 knows of a commit": False}
    assert explore(start, reconfigurations=1, **limits).reached == {"S3 knows of a commit": True}


def test_commands_are_different_from_each_other():
    runs = every_run(led(), depth=3, commands=2)
    assert {a.op for run in runs for a in run if isinstance(a, Propose)} == {"set x 1", "set x 2"}


def test_an_unknown_bound_or_invariant_is_refused():
    with pytest.raises(ValueError, match="speed"):
        explore(Cluster(3), speed=9)
    with pytest.raises(ValueError, match="the bound crashes must be a whole number from 0 on, not -1"):
        explore(Cluster(3), crashes=-1)
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

    assert "Counting changes calls" in explore(Cluster(3, server=Counting), term=1).failure


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


# --- Handlers that keep something where it does not belong ------------------------------------------------------------


def test_a_handler_that_keeps_something_on_its_class_is_found_out():
    class Gossiping(Server):
        leaders = {}

        def become_leader(self):
            super().become_leader()
            Gossiping.leaders[self.current_term] = self.id

        def may_vote_for(self, candidate):
            return self.current_term not in Gossiping.leaders and super().may_vote_for(candidate)

    report = explore(Cluster(3, server=Gossiping), term=1)
    assert "Gossiping changes leaders (an attribute of the class Gossiping), which all servers share" in report.failure


def test_the_run_that_leads_to_a_failing_handler_is_given():
    class Falling(Server):
        def become_leader(self):
            raise ValueError("no crown")

    failing = explore(Cluster(3, server=Falling), term=1).failing
    assert [type(action) for action in failing.actions] == [Timeout, Deliver, Deliver]
    assert str(failing).splitlines()[-1].endswith("fails.")


@pytest.mark.parametrize("method", ["crashed", "timers"])
def test_what_is_asked_of_the_class_may_fail_too(method):
    broken = type("Broken", (Server,), {method: classmethod(lambda cls, state: [][1])})
    start = Cluster(3)
    start.swap(broken)
    report = explore(start, term=1, crashes=1)
    assert f"Broken.{method} failed on S1: IndexError" in report.failure


def test_a_handler_that_never_ends_is_a_failure():
    class Spinning(Server):
        def on_request_vote(self, m):
            while True:
                pass

    assert "runs on and on" in explore(Cluster(3, server=Spinning), term=1).failure


def test_code_of_somebody_else_is_not_taken_to_treat_all_servers_alike():
    class Mine(Server):
        pass

    assert explore(Cluster(3, server=Mine), term=1).symmetry == 1
    assert explore(Cluster(3, server=Mine), term=1, symmetry=True).symmetry == 6
    assert explore(Cluster(3, server=Mine), term=1).states == explore(Cluster(3), term=1, symmetry=False).states
