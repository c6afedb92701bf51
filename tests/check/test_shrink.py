"""A run that goes wrong is made small: every action in it is needed, and it still shows the same."""

import random

import pytest

from check.broken import VotesTwice
from raft_lab import Cluster, Counterexample, HandlerError, RequestVote, Server, fuzz, shrink, without
from raft_lab.check import fuzz as fuzzing
from raft_lab.check.shrink import replay
from raft_lab.check.stepper import NO_HANDLER_FAILS
from raft_lab.sim.actions import Crash, Deliver, Drop, Heartbeat, Propose, Restart, Timeout
from raft_lab.sim.tape import Violation


def found(server, seeds=60, **options) -> Counterexample:
    """The first run of a campaign that goes wrong, as it was."""
    report = fuzz(server, seeds, findings=1, progress=False, **options)
    plan = fuzzing.Plan(server, options.get("actions", 400), None, None)
    return fuzzing.counterexample(plan, report.findings[0].seed)


KNOWN = [
    ("one vote per term", "Votes Stay", 3),
    ("durable vote", "Votes Stay", 2),
    ("step down on a higher term", "Votes Are Real", 4),
    ("disk before answer", "Votes Are Real", 3),
]
"""Rules without which a few actions are enough, the invariant that breaks first, and how many they are."""


@pytest.mark.parametrize(("rule", "invariant", "length"), KNOWN, ids=[row[0] for row in KNOWN])
def test_a_known_mistake_comes_down_to_its_known_length(rule, invariant, length):
    small = shrink(found(without(Server, rule)))
    assert (small.violation.invariant, len(small.actions)) == (invariant, length)
    assert small.minimal


@pytest.mark.parametrize("rule", ["one vote per term", "later term before longer log", "current-term commit"])
def test_no_single_action_can_be_left_out(rule):
    whole = found(without(Server, rule), actions=300)
    small = shrink(whole)
    assert small.minimal
    assert len(small.actions) < len(whole.actions)
    for number in range(len(small.actions)):
        rest = small.actions[:number] + small.actions[number + 1 :]
        assert replay(small, small.start, rest) is None, f"action {number} is not needed"


def test_what_is_left_replays_in_the_lab_and_ends_with_what_broke():
    small = shrink(found(without(Server, "current-term commit"), actions=300))
    cluster = small.cluster()
    assert [step.action for step in cluster.history[1:]] == list(small.actions)
    assert [violation for step, violation in cluster.violations] == [small.violation]
    assert cluster.violations[0][0] is cluster.now
    assert "of which no single action can be left out" in str(small)
    assert "the shortest such run" not in str(small)


def test_the_same_run_shrinks_to_the_same():
    whole = found(without(Server, "current-term commit"), actions=300)
    assert shrink(whole).actions == shrink(whole).actions


def test_servers_that_are_not_needed_go():
    """Seven servers, of which two are enough to see that somebody votes twice."""
    cluster = Cluster(7, server=VotesTwice)
    for name in ("S6", "S7"):
        cluster.timeout(name)
    for name in ("S1", "S2", "S3"):
        cluster.timeout(name)
    cluster.deliver("S7", "S6", "RequestVote")
    actions = tuple(step.action for step in cluster.history[1:])
    small = shrink(Counterexample(cluster.tape.start.world, actions, cluster.now.violations[0], False))
    assert tuple(small.start.servers) == ("S6", "S7")
    assert [type(action) for action in small.actions] == [Timeout, Timeout, Deliver]


def test_a_message_that_has_become_another_one_is_found_again():
    """Without the crash, S1 asks for votes in another term: its request is still the one from S1 to S3."""
    cluster = Cluster(3, server=VotesTwice)
    cluster.timeout("S1")
    cluster.crash("S1")
    cluster.restart("S1")
    cluster.timeout("S1")
    cluster.timeout("S3")
    cluster.timeout("S3")
    cluster.deliver(next(m for m in cluster.messages if isinstance(m, RequestVote) and (m.src, m.term) == ("S1", 2)
                         and m.dst == "S3"))  # fmt: skip
    actions = tuple(step.action for step in cluster.history[1:])
    small = shrink(Counterexample(cluster.tape.start.world, actions, cluster.now.violations[0], False))
    assert [str(action.verb) for action in small.actions] == ["timeout", "timeout", "deliver"]
    assert small.actions[-1].message.term == 1


class CommitsTooMuch(Server):
    def on_client_request(self, request):
        super().on_client_request(request)
        self.commit_index = self.log.last_index + 1


def test_what_clients_say_becomes_plain_where_it_does_not_matter():
    cluster = Cluster(1, server=CommitsTooMuch)
    cluster.timeout("S1")
    cluster.propose("set colour green", "S1", client="alice", seq=3)
    actions = tuple(step.action for step in cluster.history[1:])
    small = shrink(Counterexample(cluster.tape.start.world, actions, cluster.violations[0][1], False))
    assert small.actions[-1] == Propose("S1", "x")


def test_a_handler_that_raises_is_shown_by_what_leads_to_it():
    class Falling(Server):
        def become_leader(self):
            raise ValueError("no crown")

    report = fuzz(Falling, 5, findings=1, progress=False)
    small = report.findings[0].counterexample
    assert small.violation.invariant == NO_HANDLER_FAILS
    assert "no crown" in small.violation.reason
    assert small.minimal
    with pytest.raises(HandlerError, match="no crown"):
        small.cluster().perform(small.actions[-1])


def test_a_budget_that_runs_out_leaves_what_was_reached():
    whole = found(without(Server, "current-term commit"), actions=300)
    some = shrink(whole, replays=5)
    assert not some.minimal
    assert len(shrink(whole).actions) < len(some.actions) <= len(whole.actions)
    assert replay(some, some.start, some.actions) is not None
    assert "This is a run, " in str(some)


def test_what_does_not_go_wrong_cannot_be_shrunk():
    cluster = Cluster(3)
    actions = (Timeout("S1"), Crash("S2"), Restart("S2"), Heartbeat("S3"), Drop(None))
    run = Counterexample(cluster.world, actions[:3], Violation("Votes Stay", "it is said"), False)
    with pytest.raises(ValueError, match="does not break Votes Stay"):
        shrink(run)
    with pytest.raises(ValueError, match="replays must be a whole number above 0"):
        shrink(run, replays=0)


def test_noise_around_a_known_mistake_is_taken_away():
    """Three actions that show the mistake, with thirty others that do nothing to the purpose between them."""
    rng = random.Random(4)
    cluster = Cluster(5, server=VotesTwice)
    cluster.timeout("S1")
    for _ in range(10):
        cluster.crash("S5")
        cluster.restart("S5")
        if rng.random() < 0.5:
            cluster.duplicate("S1", "S4")
    cluster.timeout("S2")
    cluster.partition({"S4", "S5"})
    cluster.heal()
    cluster.deliver("S2", "S1")
    actions = tuple(step.action for step in cluster.history[1:])
    small = shrink(Counterexample(cluster.tape.start.world, actions, cluster.now.violations[0], False))
    assert [str(action.verb) for action in small.actions] == ["timeout", "timeout", "deliver"]
