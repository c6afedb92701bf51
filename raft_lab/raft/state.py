"""What one server is (its state and its role), what can happen to it, and what a step of it gives."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, TypeAlias

from raft_lab.raft.log import Log
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import Message
from raft_lab.raft.values import FrozenMap

# --- What a server is: a role, and the state of Figure 2 ---------------------------------------------


@dataclass(frozen=True, slots=True)
class Follower:
    """Answers requests; knows the leader of its term once it has heard from it."""

    leader_id: str | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """Has asked for votes in its term; `votes` holds who granted theirs, itself included."""

    votes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "votes", frozenset(self.votes))


@dataclass(frozen=True, slots=True)
class Progress:
    """What a leader knows of one follower's log: `nextIndex` and `matchIndex` of Figure 2."""

    next_index: int
    match_index: int = 0


@dataclass(frozen=True, slots=True)
class Leader:
    """Leads its term; `progress` has one record for every other member."""

    progress: FrozenMap[str, Progress] = field(default_factory=FrozenMap)

    def __post_init__(self) -> None:
        if type(self.progress) is not FrozenMap:
            object.__setattr__(self, "progress", FrozenMap(self.progress))


Role: TypeAlias = Follower | Candidate | Leader


@dataclass(frozen=True, slots=True)
class State:
    """One server as it stands. What is durable survives a crash; nothing else does."""

    id: str
    # durable
    current_term: int
    voted_for: str | None
    log: Log
    # volatile
    commit_index: int = 0
    last_applied: int = 0
    machine: FrozenMap[str, str] = field(default_factory=FrozenMap)
    role: Role = Follower()
    # fields that a subclass of Server declares, durable and volatile
    extra: FrozenMap[str, Any] = field(default_factory=FrozenMap)

    @property
    def configuration(self) -> Configuration:
        """The configuration in use: the latest in the log (dissertation 4.1)."""
        return self.log.configuration

    @property
    def is_leader(self) -> bool:
        """Whether it believes that it leads `current_term`."""
        return isinstance(self.role, Leader)

    @property
    def leader_id(self) -> str | None:
        """Whom it believes to be the leader of `current_term`."""
        match self.role:
            case Leader():
                return self.id
            case Follower(leader_id):
                return leader_id
            case _:
                return None


# --- What can happen to it, and what it does about it ------------------------------------------------


@dataclass(frozen=True, slots=True)
class Receive:
    """A message arrives."""

    message: Message


@dataclass(frozen=True, slots=True)
class ElectionTimeout:
    """The election timer runs out."""


@dataclass(frozen=True, slots=True)
class HeartbeatTimeout:
    """A leader's heartbeat interval has passed."""


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A client asks for an operation on the state machine."""

    op: str


@dataclass(frozen=True, slots=True)
class Restart:
    """The server starts again with nothing but its durable state."""


Event: TypeAlias = Receive | ElectionTimeout | HeartbeatTimeout | ClientRequest | Restart


@dataclass(frozen=True, slots=True)
class Accepted:
    """The leader appended a client's operation at `index` in `term`; these two decide what became of it."""

    index: int
    term: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """The server does not lead, so nothing was appended; `leader_id` is where to ask instead, if known."""

    leader_id: str | None


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step did: the new state, messages to send, whether the election timer starts anew."""

    state: State
    messages: tuple[Message, ...] = ()
    timer_reset: bool = False
    reply: Accepted | Rejected | None = None
