"""Small situations: a server as it may stand, and one thing that may happen to it, the smallest first.

Only what can come about in a run of Raft is here, since a handler may rely on that: a candidate's term is newer than
its log, a leader's log ends with an entry of its own term, two logs that have an entry in common agree before it, and
what is committed is on every leader of a later term. Entries are named by their index and term.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Callable, Iterator
from dataclasses import replace

from raft_lab.check.election_situations import ELECTION
from raft_lab.check.replication_situations import REPLICATION, SESSION
from raft_lab.check.standing import (
    THREE,
    VOTERS,
    Crash,
    Makers,
    Situation,
    entries,
    kind_of,
    leading,
    logs,
    size,
    standing,
)
from raft_lab.raft.log import Entry, Log, Snapshot
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import (
    AppendEntriesReply,
    RequestVote,
    RequestVoteReply,
    TimeoutNow,
)
from raft_lab.raft.server import Server
from raft_lab.raft.state import (
    Candidate,
    ChangeConfiguration,
    ClientRequest,
    Compact,
    Disk,
    DiskWritten,
    ElectionTimeout,
    Event,
    Follower,
    HeartbeatTimeout,
    Leader,
    PreCandidate,
    QuorumTimeout,
    ReadRequest,
    Receive,
    Restart,
    Silence,
    State,
    TransferLeadership,
)


def _anyone() -> Iterator[State]:
    """Servers in every role, with small logs."""
    for terms in VOTERS:
        last = max(terms, default=0)
        for current in (last, last + 1):
            for commit in range(len(terms) + 1):
                yield standing(current, terms, commit=commit)
                yield standing(current, terms, commit=commit, role=Follower("S2") if current else Follower())
            if current:
                yield standing(current, terms, voted_for="S3")
            yield standing(current, terms, role=PreCandidate(frozenset({"S1"})))
            if current > last:
                yield standing(current, terms, voted_for="S1", role=Candidate(frozenset({"S1"})))
        if terms:
            for commit, match in itertools.product(range(len(terms) + 1), repeat=2):
                if match <= commit:
                    yield leading(last, terms, {"S2": commit, "S3": match}, commit=commit)
                    if commit:
                        yield leading(last, terms, {"S2": commit, "S3": match}, commit=commit, snapshot=commit)
    alone = Configuration(frozenset({"S1"}))
    yield standing(0, configuration=alone)
    yield leading(1, (1,), {}, commit=1, configuration=alone)
    yield standing(1, (1,), configuration=Configuration(frozenset({"S2", "S3"}), learners=frozenset({"S1"})))
    yield leading(1, (1, 1), {"S2": 1, "S3": 1}, commit=1, more=Leader(transferee="S2"))


def _timeout_now() -> Iterator[Situation]:
    for state in _anyone():
        for term in (state.current_term - 1, state.current_term, state.current_term + 1):
            if term > 0 and not (state.is_leader and term == state.current_term):
                yield Situation(state, Receive(TimeoutNow("S2", "S1", term)))


def _happening(*events: Event | Crash) -> Callable[[], Iterator[Situation]]:
    return lambda: (Situation(state, event) for state in _anyone() for event in events)


def _heartbeats() -> Iterator[Situation]:
    return (Situation(state, HeartbeatTimeout()) for state in _anyone() if state.is_leader)


def _silences() -> Iterator[Situation]:
    """Who holds on to a leader hears nothing more from it."""
    for leader, terms in itertools.product((None, "S2"), VOTERS):
        state = standing(max(terms, default=1), terms, role=Follower(leader, in_touch=True))
        yield Situation(state, Silence())


def _quorum_timeouts() -> Iterator[Situation]:
    """A leader has heard from some of the others, or hands over."""
    for state in _anyone():
        if isinstance(state.role, Leader):
            for others in ((), ("S2",), ("S2", "S3")):
                heard = replace(state, role=replace(state.role, in_touch=frozenset(others)))
                yield Situation(heard, QuorumTimeout())


def _restarts() -> Iterator[Situation]:
    return (Situation(Server.crashed(state), Restart()) for state in _anyone())


def _writes() -> Iterator[Situation]:
    """A term, a vote, or entries reach the disk; a leader counts itself then, and what waited is sent."""
    nothing, one = Log(Snapshot(THREE)), Log(Snapshot(THREE), entries((1,)))
    vote = (RequestVoteReply("S1", "S2", 1, True),)
    asks = tuple(RequestVote("S1", peer, 1, 0, 0) for peer in ("S2", "S3"))
    votes = [
        replace(standing(1, voted_for="S2"), waiting=vote),
        replace(standing(1, voted_for="S1", role=Candidate()), waiting=asks),
        standing(1, voted_for="S1", role=Candidate(frozenset({"S2"}))),
    ]
    yield from (Situation(replace(state, disk=Disk(0, None, nothing)), DiskWritten()) for state in votes)
    stored = (AppendEntriesReply("S1", "S2", 1, True, 1),)
    follower = replace(standing(1, (1,), role=Follower("S2")), waiting=stored)
    yield Situation(replace(follower, disk=Disk(1, None, nothing)), DiskWritten())
    for match in (0, 1, 2):
        leader = leading(1, (1, 1), {"S2": match, "S3": 0}, commit=min(match, 1))
        yield Situation(replace(leader, disk=Disk(1, "S1", one)), DiskWritten())


def _compact() -> Iterator[Situation]:
    for terms in logs(3, 2)[1:]:
        for commit in range(len(terms) + 1):
            for snapshot in range(commit + 1):
                yield Situation(standing(2, terms, commit=commit, snapshot=snapshot), Compact())
    log = Log(Snapshot(THREE), [*entries((1,)), Entry(1, Configuration(frozenset({"S1", "S2"}))), *entries((1,), 3)])
    for commit in range(1, 4):
        yield Situation(standing(1, log=log, commit=commit), Compact())
    yield Situation(standing(1, log=SESSION, commit=2), Compact())


def _changes() -> Iterator[Situation]:
    """A leader, or somebody else, is asked for other members, at times too early or for too much."""
    s1, s2, s3 = "S1", "S2", "S3"
    wanted = [
        ChangeConfiguration(frozenset({s1, s2}), single=True),
        ChangeConfiguration(frozenset({s1}), single=True),
        ChangeConfiguration(frozenset({s1, s2})),
        ChangeConfiguration(frozenset({s1, s2, s3}), learners=frozenset({"S4"})),
        ChangeConfiguration(frozenset({s1, s2, s3, "S4"})),
        ChangeConfiguration(frozenset()),
    ]
    joint = Log(Snapshot(THREE), [*entries((1,)), Entry(1, Configuration(frozenset({s1, s2}), THREE.voters))])
    one_less = Log(Snapshot(THREE), [*entries((1,)), Entry(1, Configuration(frozenset({s1, s2})))])
    leaders = [
        standing(1, (1,), role=Follower(s2)),
        leading(1, (1,), {s2: 0, s3: 0}),
        leading(1, (1,), {s2: 1, s3: 0}, commit=1),
        leading(2, (1, 2), {s2: 0, s3: 0}, commit=1),
        leading(1, (), {s2: 1, s3: 0}, commit=1, log=joint),
        leading(1, (), {s2: 1}, commit=1, log=one_less),
    ]
    for state in leaders:
        for event in wanted:
            yield Situation(state, event)


_MAKERS: Makers = {
    **ELECTION,
    **REPLICATION,
    "TimeoutNow": (_timeout_now,),
    "ElectionTimeout": (_happening(ElectionTimeout()),),
    "HeartbeatTimeout": (_heartbeats,),
    "ClientRequest": (_happening(ClientRequest("add x 1"), ClientRequest("add x 1", "alice", 1)),),
    "ReadRequest": (_happening(ReadRequest("r"), ReadRequest("r", "lease"), ReadRequest("r", "local")),),
    "ChangeConfiguration": (_changes,),
    "TransferLeadership": (_happening(TransferLeadership("S2"), TransferLeadership("S1")),),
    "Compact": (_compact,),
    "Silence": (_silences,),
    "QuorumTimeout": (_quorum_timeouts,),
    "DiskWritten": (_writes,),
    "Restart": (_restarts,),
    "Crash": (_happening(Crash()),),
}
KINDS: tuple[str, ...] = tuple(_MAKERS)
"""What can happen to a server, by name."""


@functools.cache
def small(kind: str) -> tuple[Situation, ...]:
    """Every small situation of that kind, the smallest first.

    Args:
        kind: one of `KINDS`.
    """
    made = (situation for make in _MAKERS[kind] for situation in make())
    found = {situation: size(situation) for situation in made if kind_of(situation) == kind}
    return tuple(sorted(found, key=found.__getitem__))
