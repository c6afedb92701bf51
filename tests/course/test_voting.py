"""The verdict on an answer to an exercise: right, unsafe, unfinished, or not to be trusted."""

import random

import pytest

from raft_lab import RequestVoteReply, Server
from raft_lab.course import REQUEST_VOTE

Base = REQUEST_VOTE.base


def answering(rule):
    """A class whose handler grants by `rule(self, m)`."""

    class Mine(Base):
        def on_request_vote(self, m):
            granted = rule(self, m)
            if granted:
                self.voted_for = m.src
                self.reset_election_timer()
            self.send(RequestVoteReply(self.id, m.src, self.current_term, granted))

    return Mine


def up_to_date(self, m):
    return (m.last_log_term, m.last_log_index) >= (self.log.last_term, self.log.last_index)


def free(self, m):
    return m.term == self.current_term and self.voted_for in (None, m.src)


right = answering(lambda self, m: free(self, m) and up_to_date(self, m))


def test_the_right_answer_earns_its_points():
    verdict = REQUEST_VOTE.check(right)
    assert verdict.passed, verdict
    assert verdict.points == 5
    assert "does what Figure 2 says" in verdict.summary
    assert "small situations" in verdict.looked
    assert "states from 4 starting points" in verdict.looked
    assert "evidence, not proof" in verdict.looked


def test_the_first_draft_of_the_lesson_elects_two_leaders():
    verdict = REQUEST_VOTE.check(answering(lambda self, m: True))
    assert verdict.summary.startswith("With your handler, Election Safety is broken")
    assert verdict.difference.situation.startswith("Step ")
    assert verdict.difference.found == "yours grants it."
    assert len(verdict.counterexample.actions) == 6
    assert verdict.points == 0


def test_a_vote_for_any_log_loses_a_committed_entry():
    verdict = REQUEST_VOTE.check(answering(free))
    assert "Leader Completeness is broken" in verdict.summary
    assert "up-to-date" in verdict.difference.rule


def test_who_does_not_vote_again_for_the_same_candidate_is_safe_but_not_done():
    verdict = REQUEST_VOTE.check(
        answering(lambda self, m: m.term == self.current_term and self.voted_for is None and up_to_date(self, m))
    )
    assert not verdict.passed
    assert verdict.counterexample is None
    assert "not yet what Figure 2 asks for" in verdict.summary
    assert "the same candidate may ask again" in verdict.difference.rule


def test_who_never_votes_never_gets_a_leader():
    verdict = REQUEST_VOTE.check(answering(lambda self, m: False))
    assert "no server ever becomes leader" in verdict.summary


def test_to_forget_the_timer_is_the_last_thing_to_be_told():
    class Mine(Base):
        def on_request_vote(self, m):
            granted = free(self, m) and up_to_date(self, m)
            if granted:
                self.voted_for = m.src
            self.send(RequestVoteReply(self.id, m.src, self.current_term, granted))

    verdict = REQUEST_VOTE.check(Mine)
    assert not verdict.passed
    assert "yours forgets self.reset_election_timer()" in str(verdict)


def test_an_old_request_may_stay_unanswered():
    class Mine(right):
        def on_request_vote(self, m):
            if m.term >= self.current_term:
                super().on_request_vote(m)

    assert REQUEST_VOTE.check(Mine).passed


def draws(self, m):
    return random.random() < 0.5


def waits(self, m):
    while self.voted_for is None:
        pass


def returns(self, m):
    raise ValueError("no idea")


@pytest.mark.parametrize(
    ("rule", "said"),
    [(draws, "uses random in draws"), (waits, "runs on and on"), (returns, "ValueError: no idea")],
)
def test_a_broken_handler_gets_one_clear_verdict(rule, said):
    verdict = REQUEST_VOTE.check(answering(rule))
    assert not verdict.passed
    assert said in verdict.summary
    assert verdict.points == 0


class Remembers(Base):
    votes = {}

    def on_request_vote(self, m):
        granted = self.votes.setdefault((self.id, m.term), m.src) == m.src and up_to_date(self, m)
        self.send(RequestVoteReply(self.id, m.src, self.current_term, granted))


class Undeclared(Base):
    def on_request_vote(self, m):
        self.seen = m


class Unhashable(Base):
    volatile = {"seen": None}

    def on_request_vote(self, m):
        self.seen = bytearray(3)


class Returns(Base):
    def on_request_vote(self, m):
        return True


class SendsNonsense(Base):
    def on_request_vote(self, m):
        self.send("yes")


class WithoutBase(Server):
    pass


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        (Remembers, "changes votes (an attribute of the class Remembers), which all servers share"),
        (Undeclared, "set self.seen, which no one declared"),
        (Unhashable, "must be made of values, and a bytearray is not one"),
        (Returns, "returned True, which goes nowhere: use self.send"),
        (SendsNonsense, "sent 'yes', which is not a message"),
        (Server, "Give check() your class, as the draft begins it: class Mine(….base): with a method on_request_vote"),
        (WithoutBase, "class WithoutBase(….base): with a method on_request_vote(self, m)."),
        (Base, "has no on_request_vote yet"),
        (None, "Give check() your class"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_what_cannot_be_an_answer_is_told_why(answer, said):
    verdict = REQUEST_VOTE.check(answer)
    assert not verdict.passed
    assert said in verdict.summary
