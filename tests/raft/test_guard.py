"""Handlers that never come back, or bring the interpreter down, are one clear error; nothing else is slowed down."""

import itertools
import sys

import pytest

from raft_lab import Cluster, HandlerError, Server
from raft_lab.raft.guard import has_loops


def count_for_ever():
    number = 0
    while number >= 0:
        number += 1


class Waits(Server):
    def on_request_vote(self, m):
        while True:
            pass


class WaitsElsewhere(Server):
    def on_request_vote(self, m):
        count_for_ever()


class Gathers(Server):
    def on_request_vote(self, m):
        self.voted_for = max(number for number in itertools.count())


class CallsItself(Server):
    def may_vote_for(self, candidate):
        return self.may_vote_for(candidate)


class Leaves(Server):
    def on_request_vote(self, m):
        sys.exit(1)


class Edits(Server):
    def on_request_vote(self, m):
        m.term = 7


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        (Waits, "Waits runs on and on: on_request_vote on S2 while handling RequestVote"),
        (WaitsElsewhere, "WaitsElsewhere runs on and on: count_for_ever on S2"),
        (Gathers, "Gathers runs on and on"),
        (CallsItself, "it calls itself without an end"),
        (Leaves, "Leaves failed on S2 while handling RequestVote: SystemExit"),
        (Edits, "messages, entries and roles are values: make another with dataclasses.replace"),
    ],
)
def test_a_handler_that_does_not_come_back_is_an_error_and_changes_nothing(engine, said):
    cluster = Cluster(3, server=engine)
    cluster.timeout("S1")
    before = cluster.now
    with pytest.raises(HandlerError, match=said):
        cluster.deliver("S1", "S2")
    assert cluster.now is before
    assert sys.gettrace() is None


def test_swapped_into_a_running_cluster_it_is_an_error_too():
    cluster = Cluster(3)
    cluster.timeout("S1")
    cluster.swap(Waits)
    with pytest.raises(HandlerError, match="runs on and on"):
        cluster.deliver("S1", "S2")
    cluster.swap(Server)
    cluster.deliver_all()
    assert cluster.leader == "S1"


def test_only_code_with_loops_is_watched():
    class Straight(Server):
        def may_vote_for(self, candidate):
            return self.voted_for in (None, candidate)

    class Round(Server):
        def may_vote_for(self, candidate):
            return all(name for name in (candidate,))

    assert not has_loops(Server)
    assert not has_loops(Straight)
    assert has_loops(Round)


def test_a_loop_that_ends_is_no_error():
    class Thorough(Server):
        def may_vote_for(self, candidate):
            return all(other in self.configuration.voters for other in sorted(self.configuration.members))

    cluster = Cluster(3, server=Thorough)
    cluster.timeout("S1")
    cluster.deliver_all()
    assert cluster.leader == "S1"
