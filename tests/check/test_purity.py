"""A handler that decides by anything but its own state and the message is found out, and told why."""

import random
import time
from collections import deque

import pytest

from check.broken import BareHeartbeats, CountsVotesByNumber, FromTheBeginning, VotesTwice
from raft_lab import Cluster, HandlerError, RequestVoteReply, Server, explore, fuzz, with_rules, without
from raft_lab.check.differences import differences
from raft_lab.check.purity import refuse_impure

heard = []
dice = random.Random(1)


class Dices(Server):
    def may_vote_for(self, candidate):
        return random.random() < 0.5


class DicesOfItsOwn(Server):
    def may_vote_for(self, candidate):
        from random import choice

        return choice([True, False])


class OwnDice(Server):
    def may_vote_for(self, candidate):
        return dice.random() < 0.5


class Clocks(Server):
    def may_vote_for(self, candidate):
        return time.time_ns() // 1000 % 2 == 0  # so that a search sees both


class Addresses(Server):
    def may_vote_for(self, candidate):
        return id(self) % 32 == 0


class Hashes(Server):
    def may_vote_for(self, candidate):
        return hash(candidate) % 2 == 0


class SharesOnTheClass(Server):
    voted = set()

    def on_request_vote(self, m):
        self.voted.add(m.term)
        super().on_request_vote(m)


class SharesAGlobal(Server):
    def on_request_vote(self, m):
        heard.append(m.src)
        super().on_request_vote(m)


class SharesADefault(Server):
    def may_vote_for(self, candidate, seen={}):  # noqa: B006
        return seen.setdefault(self.current_term, candidate) == candidate


class SharesAQueue(Server):
    queue = deque()

    def on_request_vote(self, m):
        self.queue.append(m.src)
        super().on_request_vote(m)


class SetsTheClass(Server):
    last = ""

    def on_request_vote(self, m):
        type(self).last = m.src
        super().on_request_vote(m)


class TakesAny(Server):
    def on_election_timeout(self):
        super().on_election_timeout()
        self.voted_for = next(iter(self.configuration.voters))


class EditsTheMessage(Server):
    def on_request_vote(self, m):
        object.__setattr__(m, "last_log_index", 99)
        super().on_request_vote(m)


class NeverEnds(Server):
    def on_request_vote(self, m):
        while self.voted_for is None:
            continue


@pytest.mark.parametrize(
    ("engine", "said"),
    [
        (Dices, "Dices uses random in may_vote_for"),
        (DicesOfItsOwn, "DicesOfItsOwn uses random in may_vote_for"),
        (OwnDice, "OwnDice did two different things"),
        (Clocks, "Clocks uses time in may_vote_for"),
        (Addresses, r"Addresses uses id\(\) in may_vote_for"),
        (Hashes, r"Hashes uses hash\(\) in may_vote_for"),
        (SharesOnTheClass, r"changes voted \(an attribute of the class SharesOnTheClass\), which all servers share"),
        (SharesAGlobal, r"changes heard \(a variable outside the class\)"),
        (SharesADefault, "changes a default value of may_vote_for"),
        (SharesAQueue, "changes queue"),
        (SetsTheClass, r"changes last \(an attribute of the class SetsTheClass\)"),
        (TakesAny, "does something else when the servers have other names: it depends on the order of a set"),
        (EditsTheMessage, "changed the message that it had received"),
        (NeverEnds, "runs on and on"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_is_not_pure_is_named(engine, said):
    with pytest.raises(HandlerError, match=said):
        refuse_impure(engine)


@pytest.mark.parametrize(
    "engine", [Clocks, Addresses, SharesOnTheClass, SharesAGlobal, SetsTheClass, Hashes], ids=lambda e: e.__name__
)
def test_a_search_with_such_a_handler_says_so_instead_of_what_it_saw(engine):
    report = explore(Cluster(3, server=engine), term=1, states=2000)
    with pytest.raises(HandlerError) as refused:
        refuse_impure(engine)
    assert report.failure == str(refused.value)
    assert report.counterexample is None


IMPURE = [Clocks, Addresses, OwnDice, SharesOnTheClass, SharesAGlobal, SetsTheClass, TakesAny, EditsTheMessage]


@pytest.mark.parametrize("engine", IMPURE, ids=lambda e: e.__name__)
def test_fuzzing_and_comparing_say_so_too(engine):
    with pytest.raises(HandlerError) as refused:
        refuse_impure(engine)
    assert str(differences(engine)) == f"{refused.value}."
    report = fuzz(engine, 3, progress=False)
    assert (str(report), report.runs, report.findings) == (f"{refused.value}.", 0, ())


def test_a_handler_without_an_end_is_shown_in_the_situation_that_it_never_leaves():
    assert "runs on and on" in differences(NeverEnds).found
    assert differences(NeverEnds).kind == "RequestVote"


class EditsOneMessage(Server):
    """So rarely that no sample shows it."""

    def on_request_vote(self, m):
        if (m.term, m.last_log_term, self.log.last_term, self.voted_for) == (3, 2, 1, "S3"):
            object.__setattr__(m, "term", 1)
        super().on_request_vote(m)


def test_a_message_that_somebody_has_changed_is_put_to_nobody_else():
    refuse_impure(EditsOneMessage)
    assert str(differences(EditsOneMessage)).startswith("EditsOneMessage changed the message that it had received")
    assert differences(Server) is None


class AsksEveryone(Server):
    """Sends in the order of a set, which the network does not keep anyway, and reads constants."""

    wanted = frozenset({1, 2})

    def on_request_vote(self, m):
        granted = self.may_vote_for(m.src) and m.term >= self.current_term and len(self.wanted) == 2
        granted = granted and self.log_is_up_to_date(m.last_log_index, m.last_log_term)
        if granted:
            self.voted_for = m.src
        self.send(RequestVoteReply(self.id, m.src, self.current_term, granted))


@pytest.mark.parametrize(
    "engine",
    [
        Server,
        without(Server, "durable vote"),
        with_rules(Server, "pre-vote", "check-quorum"),
        BareHeartbeats,
        FromTheBeginning,
        CountsVotesByNumber,
        VotesTwice,
        AsksEveryone,
    ],
    ids=lambda engine: engine.__name__,
)
def test_what_is_pure_passes_right_or_wrong(engine):
    refuse_impure(engine)
