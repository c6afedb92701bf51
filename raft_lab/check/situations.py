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

from raft_lab.check.standing import (
    FIVE,
    FOUR,
    JOINT,
    LISTENED_TO,
    THREE,
    Crash,
    Situation,
    Terms,
    entries,
    kind_of,
    leading,
    logs,
    size,
    standing,
)
from raft_lab.raft.log import Command, Entry, Log, Snapshot
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    InstallSnapshot,
    InstallSnapshotReply,
    PreVote,
    PreVoteReply,
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
    PendingRead,
    PreCandidate,
    Progress,
    QuorumTimeout,
    ReadRequest,
    Receive,
    Restart,
    Role,
    Silence,
    State,
    TransferLeadership,
)
from raft_lab.raft.values import FrozenMap
from raft_lab.sim.schedule import draw


def _agree(mine: Terms, theirs: Terms) -> bool:
    """Log Matching: where two logs have an entry of the same index and term, they are equal up to there."""
    same = [index for index, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] == pair[1]]
    return not same or mine[: same[-1]] == theirs[: same[-1]]


# --- Votes ------------------------------------------------------------------------------------------

_VOTERS: tuple[Terms, ...] = ((), (1,), (1, 1), (2,), (1, 2))


def _voters() -> Iterator[State]:
    for terms in _VOTERS:
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
            for theirs in _VOTERS:
                if term > max(theirs, default=0) and _agree(_terms(state), theirs):
                    yield Situation(state, Receive(RequestVote("S2", "S1", term, len(theirs), max(theirs, default=0))))


def _pre_vote() -> Iterator[Situation]:
    for state in _voters():
        for term in range(1, 5):
            for theirs in _VOTERS:
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


# --- Entries ----------------------------------------------------------------------------------------


def _followers() -> Iterator[tuple[State, Terms, int]]:
    """Servers that may hear from a leader, with their log and how much of it is committed."""
    for terms in logs(3, 2):
        last = max(terms, default=0)
        for current in range(max(last, 1), max(last, 1) + 2):
            for commit in range(len(terms) + 1):
                yield standing(current, terms, commit=commit), terms, commit
                if commit and len(terms) < 3:
                    yield standing(current, terms, commit=commit, snapshot=commit), terms, commit
            if len(terms) < 2:
                yield standing(current, terms, voted_for="S3"), terms, 0
                yield standing(current, terms, role=PreCandidate(frozenset({"S1"}))), terms, 0
                if current > last:
                    role = Candidate(frozenset({"S1"}))
                    yield standing(current, terms, voted_for="S1", role=role), terms, 0
            if 0 < len(terms) < 3 and last == current:
                yield leading(current, terms, {"S2": 0, "S3": 0}), terms, 0


def _possible(state: State, mine: Terms, commit: int, theirs: Terms, term: int) -> bool:
    """Whether a leader of `term` with this log may be, as far as `state` goes."""
    if not _agree(mine, theirs) or (state.is_leader and term == state.current_term):
        return False
    if any(t == term for t in mine) and term not in theirs and len(theirs) >= mine.index(term) + 1:
        return False  # an entry of its term comes from its log
    shared = min(commit, len(theirs))
    return term < state.current_term or mine[:shared] == theirs[:shared]


def _append_entries() -> Iterator[Situation]:
    leaders = [theirs for theirs in logs(3, 3) if theirs]
    for state, mine, commit in _followers():
        for term in range(max(state.current_term - 1, 1), state.current_term + 2):
            for theirs in leaders:
                if max(theirs) > term or len(theirs) > len(mine) + 1:
                    continue
                if not _possible(state, mine, commit, theirs, term):
                    continue
                for prev, count, leader_commit in _shapes(state, commit, theirs, term):
                    if _may_be_committed(mine, commit, theirs, leader_commit):
                        sent = entries(theirs[prev : prev + count], prev + 1)
                        prev_term = theirs[prev - 1] if prev else 0
                        m = AppendEntries("S2", "S1", term, prev, prev_term, sent, leader_commit, 1, 7)
                        yield Situation(state, Receive(m))


def _shapes(state: State, commit: int, theirs: Terms, term: int) -> Iterator[tuple[int, int, int]]:
    """prevLogIndex, how many entries, and leaderCommit."""
    if term < state.current_term:
        yield from ((0, 0, 0), (0, 1, 1), (len(theirs), 0, len(theirs)))
        return
    for prev in range(len(theirs) + 1):
        for count in sorted({0, len(theirs) - prev}):
            for leader_commit in sorted({commit, prev + count, len(theirs)}):
                if leader_commit <= len(theirs) and (leader_commit >= commit or term == state.current_term):
                    yield prev, count, leader_commit


def _may_be_committed(mine: Terms, commit: int, theirs: Terms, leader_commit: int) -> bool:
    """What both know to be committed agrees."""
    both = min(commit, leader_commit)
    return mine[:both] == theirs[:both]


def _repeated_commands() -> Iterator[Situation]:
    """A client's command is in the log twice, because its answer was lost; and a session is opened twice."""
    log = [
        Entry(1, Command("", "alice", 0)),
        Entry(1, Command("add x 1", "alice", 1)),
        Entry(1, Command("add x 1", "alice", 1)),
        Entry(1, Command("add x 2", "alice", 2)),
        Entry(1, Command("", "alice", 0)),
        Entry(1, Command("add x 3", "bob", 1)),
        Entry(1, Command("get y", "alice", 3)),
        Entry(1, Command("set y 1")),
        Entry(1, Command("get y", "alice", 3)),
    ]
    for commit in range(len(log)):
        state = standing(1, log=Log(Snapshot(THREE), log), commit=commit)
        for leader_commit in range(commit + 1, len(log) + 1):
            m = AppendEntries("S2", "S1", 1, len(log), 1, (), leader_commit)
            yield Situation(state, Receive(m))


def _append_entries_replies() -> Iterator[Situation]:
    yield from _answers_to_a_small_leader()
    yield from _answers_to_a_larger_leader()
    for state in (standing(1), standing(1, voted_for="S1", role=Candidate(frozenset({"S1"}))), standing(2, (1, 2))):
        for term in (state.current_term - 1, state.current_term, state.current_term + 1):
            if term:
                yield Situation(state, Receive(AppendEntriesReply("S2", "S1", term, True, 1, 0)))
                yield Situation(state, Receive(AppendEntriesReply("S2", "S1", term, False, 0, 1, 1)))


def _answers_to_a_small_leader() -> Iterator[Situation]:
    for terms in ((1,), (1, 1), (2,), (1, 2), (1, 1, 2), (1, 2, 2), (2, 2, 2)):
        current, last = terms[-1], len(terms)
        for match, other in itertools.product(range(last + 1), repeat=2):
            third = sorted((last, match, other))[1]
            commit = third if third and terms[third - 1] == current else 0
            for next_index in {match + 1, last + 1}:
                role = Leader(FrozenMap({"S2": Progress(next_index, match), "S3": Progress(other + 1, other)}))
                state = standing(current, terms, voted_for="S1", role=role, commit=commit)
                for stored in range(last + 1):
                    yield Situation(state, Receive(AppendEntriesReply("S2", "S1", current, True, stored, 0)))
                for refused in sorted({next_index - 1, last}):
                    if refused <= match:
                        continue
                    for hint, hint_term in ((0, 0), (1, 0), (refused, 0), (refused, 1), (1, 1), (1, 2)):
                        m = AppendEntriesReply("S2", "S1", current, False, 0, refused, hint, hint_term)
                        yield Situation(state, Receive(m))
            if match == other == 0:
                state = leading(current, terms, {"S2": 0, "S3": 0})
                yield Situation(state, Receive(AppendEntriesReply("S2", "S1", current + 1, False)))
                if current > 1:
                    yield Situation(state, Receive(AppendEntriesReply("S2", "S1", 1, True, last, 0)))
                    yield Situation(state, Receive(AppendEntriesReply("S2", "S1", 1, False, 0, last, 1)))


def _answers_to_a_larger_leader() -> Iterator[Situation]:
    """Five servers, a joint configuration, a leader that is removed, one that hands over, a read that waits."""
    for matches in itertools.combinations_with_replacement(range(4), 4):
        known = dict(zip(("S2", "S3", "S4", "S5"), matches, strict=True))
        commit = sorted((3, *matches))[2]
        state = leading(1, (1, 1, 1), known, commit=commit, configuration=FIVE)
        for stored in range(matches[0] + 1, 4):
            yield Situation(state, Receive(AppendEntriesReply("S2", "S1", 1, True, stored, 0)))
    half_listened_to = Configuration(frozenset({"S1", "S2"}), frozenset({"S1", "S2", "S3"}), frozenset({"S4"}))
    for change in (JOINT, LISTENED_TO, half_listened_to, Configuration(frozenset({"S2", "S3"}))):
        log = Log(Snapshot(THREE), [*entries((1,)), Entry(1, change)])
        peers = tuple(name for name in change.members if name != "S1")
        for src, acked in itertools.product(peers, itertools.product((0, 2), repeat=len(peers))):
            known = dict(zip(peers, acked, strict=True)) | {src: 1}
            if not change.has_quorum([name for name, match in known.items() if match == 2] + ["S1"]):
                state = leading(1, (), known, commit=1, log=log)
                yield Situation(state, Receive(AppendEntriesReply(src, "S1", 1, True, 2, 1)))
    for change in (JOINT, Configuration(frozenset({"S2", "S3"}))):  # what is committed now stands before the change
        log = Log(Snapshot(THREE), [*entries((1, 1)), Entry(1, change)])
        for src in change.members:
            if src != "S1":
                known = {name: 2 for name in change.members if name != "S1"} | {src: 1}
                if not change.has_quorum({"S1", *known} - {src}):
                    state = leading(1, (), known, commit=1, log=log)
                    yield Situation(state, Receive(AppendEntriesReply(src, "S1", 1, True, 2, 1)))
    for stored in (1, 2):
        handing_over = leading(1, (1, 1), {"S2": 1, "S3": 0}, commit=1, more=Leader(transferee="S2"))
        yield Situation(handing_over, Receive(AppendEntriesReply("S2", "S1", 1, True, stored, 1)))
    for number in (0, 1):
        for commit in (0, 1):
            reading = Leader(round=1, reads=(PendingRead("r", 1, commit),))
            state = leading(1, (1,), {"S2": commit, "S3": 0}, commit=commit, more=reading)
            yield Situation(state, Receive(AppendEntriesReply("S2", "S1", 1, True, 1, 0, round=number, sent_at=5)))
            yield Situation(state, Receive(AppendEntriesReply("S3", "S1", 1, False, 0, 0, 0, round=number)))
    yield Situation(state, Receive(AppendEntriesReply("S2", "S1", 2, False)))
    new = {"S2": 0, "S3": 0, "S4": 0, "S5": 0}  # what a new leader knows of: less than its snapshot holds
    state = leading(2, (1, 2), new, commit=1, snapshot=1, configuration=FIVE)
    yield Situation(state, Receive(AppendEntriesReply("S2", "S1", 2, True, 2, 1)))
    for last in (1, 2):  # who refuses needs what the leader has compacted
        role = Leader(FrozenMap({"S2": Progress(last + 1, last), "S3": Progress(last + 1)}))
        state = standing(1, (1,) * last, voted_for="S1", role=role, commit=last, snapshot=1)
        yield Situation(state, Receive(AppendEntriesReply("S3", "S1", 1, False, 0, last, 1)))


# --- Snapshots --------------------------------------------------------------------------------------


_SESSION = Log(Snapshot(THREE), [Entry(1, Command("", "alice", 0)), Entry(1, Command("add x 1", "alice", 1))])


def _install_snapshot() -> Iterator[Situation]:
    leaders = [theirs for theirs in logs(3, 2) if theirs]
    for state, mine, commit in _followers():
        for term in range(max(state.current_term - 1, 1), state.current_term + 2):
            for theirs in leaders:
                if max(theirs) > term or not _possible(state, mine, commit, theirs, term):
                    continue
                taken = standing(term, theirs, commit=len(theirs), snapshot=len(theirs)).log.snapshot
                yield Situation(state, Receive(InstallSnapshot("S2", "S1", term, taken, 1, 7)))
    taken = standing(1, log=_SESSION, commit=2, snapshot=2).log.snapshot
    yield Situation(standing(1), Receive(InstallSnapshot("S2", "S1", 1, taken)))


def _install_snapshot_replies() -> Iterator[Situation]:
    for terms in ((1, 1), (1, 1, 1), (1, 2, 2)):
        for match, other in itertools.product((0, 1, 2), repeat=2):
            current, last = terms[-1], len(terms)
            commit = max(1, sorted((last, match, other))[1])
            if terms[commit - 1] == current:
                state = leading(current, terms, {"S2": match, "S3": other}, commit=commit, snapshot=1)
                for stored in range(last + 1):
                    yield Situation(state, Receive(InstallSnapshotReply("S2", "S1", current, stored, 0, 5)))
                yield Situation(state, Receive(InstallSnapshotReply("S2", "S1", current + 1, 0)))
    yield Situation(standing(1), Receive(InstallSnapshotReply("S2", "S1", 1, 1)))


def _compact() -> Iterator[Situation]:
    for terms in logs(3, 2)[1:]:
        for commit in range(len(terms) + 1):
            for snapshot in range(commit + 1):
                yield Situation(standing(2, terms, commit=commit, snapshot=snapshot), Compact())
    log = Log(Snapshot(THREE), [*entries((1,)), Entry(1, Configuration(frozenset({"S1", "S2"}))), *entries((1,), 3)])
    for commit in range(1, 4):
        yield Situation(standing(1, log=log, commit=commit), Compact())
    yield Situation(standing(1, log=_SESSION, commit=2), Compact())


# --- Timers, disks, clients, administrators ----------------------------------------------------------


def _anyone() -> Iterator[State]:
    """Servers in every role, with small logs."""
    for terms in _VOTERS:
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
    for leader, terms in itertools.product((None, "S2"), _VOTERS):
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


_MAKERS: dict[str, tuple[Callable[[], Iterator[Situation]], ...]] = {
    "RequestVote": (_request_vote, _larger_votes),
    "RequestVoteReply": (_vote_replies,),
    "PreVote": (_pre_vote,),
    "PreVoteReply": (_pre_vote_replies,),
    "AppendEntries": (_append_entries, _repeated_commands),
    "AppendEntries over a snapshot": (_append_entries,),
    "AppendEntriesReply": (_append_entries_replies,),
    "InstallSnapshot": (_install_snapshot,),
    "InstallSnapshotReply": (_install_snapshot_replies,),
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


def _terms(state: State) -> Terms:
    return tuple(entry.term for _, entry in state.log)
