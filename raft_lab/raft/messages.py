"""What servers send to each other. Each message is a value: from whom, to whom, in which term, and its arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, get_args

from raft_lab.raft.log import Entry, Snapshot
from raft_lab.raft.values import NEVER


@dataclass(frozen=True, slots=True)
class RequestVote:
    """A candidate asks for a vote (section 5.2); it says how up-to-date its log is (section 5.4.1).

    `disrupt` marks an election that the leader itself has asked for (dissertation 4.2.3).
    """

    src: str
    dst: str
    term: int
    last_log_index: int
    last_log_term: int
    disrupt: bool = False


@dataclass(frozen=True, slots=True)
class RequestVoteReply:
    """The answer to RequestVote."""

    src: str
    dst: str
    term: int
    vote_granted: bool


@dataclass(frozen=True, slots=True)
class PreVote:
    """A server asks whether it would get a vote in `term`, which it has not begun yet (dissertation 9.6)."""

    src: str
    dst: str
    term: int
    last_log_index: int
    last_log_term: int


@dataclass(frozen=True, slots=True)
class PreVoteReply:
    """The answer to PreVote: a grant carries the term that was asked for, a refusal the voter's own."""

    src: str
    dst: str
    term: int
    vote_granted: bool


@dataclass(frozen=True, slots=True)
class AppendEntries:
    """A leader sends entries, or none as a heartbeat, to be placed after the entry at `prev_log_index` (5.3).

    `round` numbers the leader's rounds of heartbeats and `sent_at` is its local time in microseconds; both
    come back with the answer, for reads (dissertation 6.4), the time only from who is sticky.
    """

    src: str
    dst: str
    term: int
    prev_log_index: int
    prev_log_term: int
    entries: tuple[Entry, ...]
    leader_commit: int
    round: int = 0
    sent_at: int = 0

    def __post_init__(self) -> None:
        if type(self.entries) is not tuple:
            object.__setattr__(self, "entries", tuple(self.entries))


@dataclass(frozen=True, slots=True)
class AppendEntriesReply:
    """The answer to AppendEntries.

    On success the sender's log is known to match the leader's up to `match_index`. On a refusal it did not
    match at `prev_log_index`, and the leader should try from `conflict_index`, the first index of
    `conflict_term` there (0 if the log is too short; end of section 5.3).
    """

    src: str
    dst: str
    term: int
    success: bool
    match_index: int = 0
    prev_log_index: int = 0
    conflict_index: int = 0
    conflict_term: int = 0
    round: int = 0
    sent_at: int = NEVER


@dataclass(frozen=True, slots=True)
class InstallSnapshot:
    """A leader sends its snapshot to a follower that needs entries which the leader has compacted (section 7)."""

    src: str
    dst: str
    term: int
    snapshot: Snapshot
    round: int = 0
    sent_at: int = 0


@dataclass(frozen=True, slots=True)
class InstallSnapshotReply:
    """The answer to InstallSnapshot: the sender's log matches the leader's up to `match_index`."""

    src: str
    dst: str
    term: int
    match_index: int
    round: int = 0
    sent_at: int = NEVER


@dataclass(frozen=True, slots=True)
class TimeoutNow:
    """The leader asks a server to start an election at once, to hand over to it (dissertation 3.10)."""

    src: str
    dst: str
    term: int


Message: TypeAlias = (
    RequestVote
    | RequestVoteReply
    | PreVote
    | PreVoteReply
    | AppendEntries
    | AppendEntriesReply
    | InstallSnapshot
    | InstallSnapshotReply
    | TimeoutNow
)
ANSWERS = (RequestVoteReply, PreVoteReply, AppendEntriesReply, InstallSnapshotReply)
MESSAGE_TYPES: tuple[type[Message], ...] = get_args(Message)
