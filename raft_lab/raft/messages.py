"""The four messages of Figure 2. Each is a value: who sends it to whom, in which term, and its arguments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from raft_lab.raft.log import Entry


@dataclass(frozen=True, slots=True)
class RequestVote:
    """A candidate asks for a vote (section 5.2); it says how up-to-date its log is (section 5.4.1)."""

    src: str
    dst: str
    term: int
    last_log_index: int
    last_log_term: int


@dataclass(frozen=True, slots=True)
class RequestVoteReply:
    """The answer to RequestVote."""

    src: str
    dst: str
    term: int
    vote_granted: bool


@dataclass(frozen=True, slots=True)
class AppendEntries:
    """A leader sends entries, or none as a heartbeat, to be placed after the entry at `prev_log_index` (5.3)."""

    src: str
    dst: str
    term: int
    prev_log_index: int
    prev_log_term: int
    entries: tuple[Entry, ...]
    leader_commit: int

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


Message: TypeAlias = RequestVote | RequestVoteReply | AppendEntries | AppendEntriesReply
MESSAGE_TYPES: tuple[type[Message], ...] = (RequestVote, RequestVoteReply, AppendEntries, AppendEntriesReply)
