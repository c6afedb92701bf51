"""Bugs 1 to 18: elections."""

from __future__ import annotations

from dataclasses import replace

from bugs.bank import liveness, safety, slip
from bugs.stages import (
    a_sticky_outsider,
    four,
    one_behind,
    one_long_and_old,
    rival_of_the_same_term,
    split,
    three,
    two_votes_on_their_way,
    weak_but_hasty,
    with_logs,
    without_its_leader,
    without_spread,
)
from raft_lab import AppendEntries, Candidate, Follower, RequestVote, RequestVoteReply, Server, with_rules


@safety(1, "Election Safety", three, length=6, term=1)
class VotesTwice(Server):
    """votedFor is not looked at."""

    def may_vote_for(self, candidate):
        return True


@safety(2, "Election Safety", with_logs(S1=[(1, "a")]), length=7, term=2)
class ForgetsVoteWhenLed(Server):
    """votedFor is cleared on becoming a follower in the same term."""

    def on_append_entries(self, m):
        if m.term >= self.current_term:
            self.voted_for = None
        super().on_append_entries(m)


@safety(3, "Election Safety", three, length=8, term=1, crashes=1)
@safety(3, "One Vote", three, length=5, term=1, crashes=1)
class VoteNotDurable(Server):
    """votedFor is not on disk."""

    @classmethod
    def crashed(cls, state):
        return replace(super().crashed(state), voted_for=None)


@safety(3, "Election Safety", three, length=8, term=1, crashes=1)
class TermNotDurable(Server):
    """currentTerm is not on disk."""

    @classmethod
    def crashed(cls, state):
        return replace(super().crashed(state), current_term=0, voted_for=None)


@safety(4, "Election Safety", three, length=7, term=2)
class CountsOldVotes(Server):
    """The term of a vote is not looked at."""

    def on_request_vote_reply(self, m):
        if isinstance(self.role, Candidate) and m.vote_granted:
            self.role = Candidate(self.role.votes | {m.src})
            self.tally()


@safety(5, "Election Safety", two_votes_on_their_way, length=6, term=1, duplicates=2)
class CountsVotesByNumber(Server):
    """Votes are a number, not a set; a repeated vote counts again. Three servers would never show it."""

    volatile = {"count": 0}

    def on_election_timeout(self):
        self.count = 1
        super().on_election_timeout()

    def on_request_vote_reply(self, m):
        if isinstance(self.role, Candidate) and m.term == self.current_term and m.vote_granted:
            self.count += 1
            self.tally()

    def tally(self):
        if self.count > len(self.configuration.voters) // 2:
            self.become_leader()


@safety(6, "Election Safety", four, length=6, term=1, messages=12)
class HalfIsEnough(Server):
    """A quorum is n // 2."""

    def tally(self):
        if isinstance(self.role, Candidate) and len(self.role.votes) >= len(self.configuration.voters) // 2:
            self.become_leader()


@safety(7, "Leader Completeness", one_behind, length=3, term=2)
class AnyLogMayLead(Server):
    """The election restriction is missing."""

    def log_is_up_to_date(self, last_log_index, last_log_term):
        return True


@safety(8, "Leader Completeness", one_long_and_old, length=4, term=4)
class LongerLogMayLead(Server):
    """Up-to-date is taken to mean longer."""

    def log_is_up_to_date(self, last_log_index, last_log_term):
        return last_log_index >= self.log.last_index


@safety(8, "Leader Completeness", one_behind, length=3, term=2)
class LaterTermMayLead(Server):
    """Only the last terms are compared."""

    def log_is_up_to_date(self, last_log_index, last_log_term):
        return last_log_term >= self.log.last_term


@liveness(9, three)
class ShorterLogMayLead(Server):
    """The comparison is the wrong way round."""

    def log_is_up_to_date(self, last_log_index, last_log_term):
        return (last_log_term, last_log_index) < (self.log.last_term, self.log.last_index)


@liveness(10, without_its_leader)
class RefusesBeforeItLearns(Server):
    """A request is refused for the vote of the term before, and its own term is never adopted."""

    def observe_term(self, m):
        if not isinstance(m, RequestVote | RequestVoteReply) or self.voted_for in (None, m.src):
            super().observe_term(m)


@liveness(11, a_sticky_outsider, control=with_rules(Server, "leader stickiness"))
class IgnoresHigherTermsInReplies(with_rules(Server, "leader stickiness")):
    """A stale leader or candidate that hears of a higher term stays what it is."""

    def observe_term(self, m):
        if isinstance(m, RequestVote | AppendEntries):
            super().observe_term(m)


@safety(12, "Election Safety", three, length=7, term=2)
class TermGoesBack(Server):
    """A server takes over whatever term a message has."""

    def observe_term(self, m):
        if m.term != self.current_term:
            self.current_term = m.term
            self.voted_for = None
            self.role = Follower()


@liveness(13, weak_but_hasty)
class TimerForAnyone(Server):
    """Any request starts the election timer anew, also one that is refused."""

    def on_request_vote(self, m):
        super().on_request_vote(m)
        self.reset_election_timer()


@liveness(14, split)
class NeverTriesAgain(Server):
    """A candidate whose election came to nothing does not start another."""

    def on_election_timeout(self):
        if not isinstance(self.role, Candidate):
            super().on_election_timeout()


@liveness(15, without_spread, differs=False)
class NoSpread(Server):
    """Not a handler's mistake: all election timeouts are equally long."""


@slip(16, "liveness", "candidates ask once a term here; a new term, with votes to give, ends what a lost answer began")
class VotesButOnce(Server):
    """The same candidate, whose answer was lost, is refused."""

    def may_vote_for(self, candidate):
        return self.voted_for is None


@liveness(17, rival_of_the_same_term)
class ConcedesToNobody(Server):
    """A candidate does not listen to the leader of its own term, whose heartbeats keep its timer from running out."""

    def on_append_entries(self, m):
        if isinstance(self.role, Candidate) and m.term == self.current_term:
            self.reset_election_timer()
            return
        super().on_append_entries(m)


@liveness(18, three)
class AnswersInTheOldTerm(Server):
    """An answer is of the term before the request was read."""

    volatile = {"before": 0}

    def observe_term(self, m):
        self.before = self.current_term
        super().observe_term(m)

    def on_request_vote(self, m):
        super().on_request_vote(m)
        self._outbox[-1] = RequestVoteReply(self.id, m.src, self.before, self._outbox[-1].vote_granted)
