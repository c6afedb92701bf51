"""Small situations around elections: votes that are asked for, and their answers. See `situations.py`."""

from __future__ import annotations

from collections.abc import Iterator

from raft_lab.check.standing import (
    FIVE,
    FOUR,
    JOINT,
    LISTENED_TO,
    THREE,
    VOTERS,
    Makers,
    Situation,
    agree,
    leading,
    standing,
    terms_of,
)
from raft_lab.raft.messages import (
    PreVote,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
)
from raft_lab.raft.state import (
    Candidate,
    Follower,
    PreCandidate,
    Receive,
    Role,
    State,
)
from raft_lab.sim.schedule import draw


def _voters() -> Iterator[State]:
    for terms in VOTERS:
        last = max(terms, default=0)
        for current in range(last, 4):
            for voted_for in (None, "S3", "S2", "S1") if current else (None,):
                yield standing(current, terms, voted_for=voted_for)
            if current > last:
                yield standing(current, terms, voted_for="S1", role=Candidate(frozenset({"S1"})))
            yield standing(current, terms, role=PreCandidate(frozenset({"S1"})))
            if current:
                yield standing(current, terms, role=Follower("S3"))
        if terms:
            yield leading(last, terms, {"S2": 0, "S3": 0})


def _request_vote() -> Iterator[Situation]:
    for state in _voters():
        for term in range(1, 4):
            for theirs in VOTERS:
                if term > max(theirs, default=0) and agree(terms_of(state), theirs):
                    yield Situation(state, Receive(RequestVote("S2", "S1", term, len(theirs), max(theirs, default=0))))


def _pre_vote() -> Iterator[Situation]:
    for state in _voters():
        for term in range(1, 5):
            for theirs in VOTERS:
                if term > max(theirs, default=0):
                    yield Situation(state, Receive(PreVote("S2", "S1", term, len(theirs), max(theirs, default=0))))


def _larger_votes() -> Iterator[Situation]:
    """Some larger situations, always the same ones: five servers, terms and logs of ten and more."""

    def number(below: int, *key: object) -> int:
        return draw("larger votes", *key) % below

    for case in range(300):
        mine = sorted(1 + number(12, case, "mine", n) for n in range(number(14, case, "length")))
        theirs = sorted(1 + number(12, case, "theirs", n) for n in range(number(14, case, "their length")))
        current = max([*mine, 1]) + number(3, case, "term")
        voted_for = (None, None, "S1", "S2", "S3", "S4", "S5")[number(7, case, "vote")]
        state = standing(current, tuple(mine), voted_for=voted_for, configuration=FIVE)
        term = max(max([*theirs, current]) + number(3, case, "their term") - 1, 1 + max([*theirs, 0]))
        candidate = f"S{2 + number(4, case, 'candidate')}"
        yield Situation(state, Receive(RequestVote(candidate, "S1", term, len(theirs), theirs[-1] if theirs else 0)))


def _vote_replies() -> Iterator[Situation]:
    """A vote arrives, or a refusal, of this term, an older or a newer one; here and there it makes a majority."""
    askable = {JOINT: ("S2", "S4"), LISTENED_TO: ("S4",)}
    sizes = ((THREE, ()), (FIVE, ()), (FIVE, ("S3",)), (FOUR, ()), (LISTENED_TO, ()), (JOINT, ()), (JOINT, ("S2",)))
    for configuration, votes in sizes:
        for terms in ((), (1,)):
            for current in (1, 2):
                if current <= max(terms, default=0):
                    continue
                role = Candidate(frozenset({"S1", *votes}))
                states = [standing(current, terms, voted_for="S1", role=role, configuration=configuration)]
                if configuration is THREE:
                    states.append(standing(current, terms, voted_for="S1"))
                    won = leading(current, (*terms, current), {"S2": 0, "S3": 0})
                    states.append(won)
                for state in states:
                    for src in askable.get(configuration, ("S2",)):
                        for term in (current - 1, current, current + 1):
                            for granted in (True, False):
                                if term > 0 and not (granted and term > current):
                                    yield Situation(state, Receive(RequestVoteReply(src, "S1", term, granted)))


def _pre_vote_replies() -> Iterator[Situation]:
    for configuration, votes in ((THREE, ()), (FIVE, ()), (FIVE, ("S3",))):
        for terms in ((), (1,)):
            current = 1
            roles: tuple[Role, ...] = (PreCandidate(frozenset({"S1", *votes})), Follower())
            for role in roles:
                state = standing(current, terms, role=role, configuration=configuration)
                for term, granted in ((2, True), (1, True), (1, False), (3, False)):
                    yield Situation(state, Receive(PreVoteReply("S2", "S1", term, granted)))


ELECTION: Makers = {
    "RequestVote": (_request_vote, _larger_votes),
    "RequestVoteReply": (_vote_replies,),
    "PreVote": (_pre_vote,),
    "PreVoteReply": (_pre_vote_replies,),
}
