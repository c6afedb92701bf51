"""Small situations around replication: entries and snapshots on their way, and their answers. See `situations.py`."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from raft_lab.check.standing import (
    FIVE,
    JOINT,
    LISTENED_TO,
    THREE,
    Makers,
    Situation,
    Terms,
    agree,
    entries,
    leading,
    logs,
    standing,
)
from raft_lab.raft.log import Command, Entry, Log, Snapshot
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    InstallSnapshot,
    InstallSnapshotReply,
)
from raft_lab.raft.state import (
    Candidate,
    Leader,
    PendingRead,
    PreCandidate,
    Progress,
    Receive,
    State,
)
from raft_lab.raft.values import FrozenMap


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
    if not agree(mine, theirs) or (state.is_leader and term == state.current_term):
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

SESSION = Log(Snapshot(THREE), [Entry(1, Command("", "alice", 0)), Entry(1, Command("add x 1", "alice", 1))])


def _install_snapshot() -> Iterator[Situation]:
    leaders = [theirs for theirs in logs(3, 2) if theirs]
    for state, mine, commit in _followers():
        for term in range(max(state.current_term - 1, 1), state.current_term + 2):
            for theirs in leaders:
                if max(theirs) > term or not _possible(state, mine, commit, theirs, term):
                    continue
                taken = standing(term, theirs, commit=len(theirs), snapshot=len(theirs)).log.snapshot
                yield Situation(state, Receive(InstallSnapshot("S2", "S1", term, taken, 1, 7)))
    taken = standing(1, log=SESSION, commit=2, snapshot=2).log.snapshot
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


REPLICATION: Makers = {
    "AppendEntries": (_append_entries, _repeated_commands),
    "AppendEntries over a snapshot": (_append_entries,),
    "AppendEntriesReply": (_append_entries_replies,),
    "InstallSnapshot": (_install_snapshot,),
    "InstallSnapshotReply": (_install_snapshot_replies,),
}
