"""What one server is (its state and its role), what can happen to it, and what a step of it gives."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, TypeAlias

from raft_lab.raft.log import Command, Log
from raft_lab.raft.machine import Machine
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import Message
from raft_lab.raft.values import NEVER, FrozenMap


@dataclass(frozen=True, slots=True)
class Follower:
    """Answers requests; knows the leader of its term once it has heard from it.

    `in_touch` is kept by the rule of leader stickiness only: it has heard from a leader within the shortest
    election timeout.
    """

    leader_id: str | None = None
    in_touch: bool = False


@dataclass(frozen=True, slots=True)
class PreCandidate:
    """Asks whether it could win the next term before it starts it (dissertation 9.6)."""

    votes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "votes", frozenset(self.votes))


@dataclass(frozen=True, slots=True)
class Candidate:
    """Has asked for votes in its term; `votes` holds who granted theirs, itself included."""

    votes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        object.__setattr__(self, "votes", frozenset(self.votes))


@dataclass(frozen=True, slots=True)
class Progress:
    """What a leader knows of one other server.

    Attributes:
        next_index: the first entry to send next (Figure 2).
        match_index: up to where its log is known to match (Figure 2).
        acked_round: the latest round of heartbeats that it has answered (dissertation 6.4).
        acked_at: when the latest message that it has answered was sent, by the leader's clock.
        rounds: how often it has caught up with where the log ended when it last had (dissertation 4.2.1).
        round_end: where the log ended at that time.
    """

    next_index: int
    match_index: int = 0
    acked_round: int = 0
    acked_at: int = NEVER
    rounds: int = 0
    round_end: int = 0


@dataclass(frozen=True, slots=True)
class PendingRead:
    """A read that waits for its round of heartbeats (dissertation 6.4).

    `index` is what must have been applied; 0 as long as the leader has not committed in its own term.
    """

    id: str
    round: int
    index: int = 0


@dataclass(frozen=True, slots=True)
class Leader:
    """Leads its term.

    Attributes:
        progress: a record for every other member.
        round: number of the latest round that a read asked for; every message carries it.
        reads: those that wait.
        in_touch: who has answered since the leader last checked for a quorum (dissertation 6.2).
        transferee: whom it is handing over to, if it is (dissertation 3.10).
        asked_over: whether it has told anybody in this term to start an election: its lease is over then.
    """

    progress: FrozenMap[str, Progress] = field(default_factory=FrozenMap)
    round: int = 0
    reads: tuple[PendingRead, ...] = ()
    in_touch: frozenset[str] = frozenset()
    transferee: str | None = None
    asked_over: bool = False

    def __post_init__(self) -> None:
        if type(self.progress) is not FrozenMap:
            object.__setattr__(self, "progress", FrozenMap(self.progress))

    def with_progress(self, peer: str, progress: Progress) -> Leader:
        """The same with another record for `peer`."""
        return replace(self, progress=self.progress.with_item(peer, progress))


Role: TypeAlias = Follower | PreCandidate | Candidate | Leader


@dataclass(frozen=True, slots=True)
class Disk:
    """What is on disk while something newer still waits to be written."""

    current_term: int
    voted_for: str | None
    log: Log


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
    machine: Machine = Machine()  # noqa: RUF009 - an immutable value
    role: Role = Follower()
    # when writes take time: what is on disk (None: everything), and the messages that wait for it
    disk: Disk | None = None
    waiting: tuple[Message, ...] = ()
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

    @property
    def durable_index(self) -> int:
        """Up to where its log is on disk."""
        if self.disk is None:
            return self.log.last_index
        index = min(self.log.last_index, self.disk.log.last_index)
        while index > self.log.snapshot.last_included_index and not self.log.same_prefix(self.disk.log, index):
            index -= 1
        return index


# --- What can happen to it ---------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Receive:
    """A message arrives."""

    message: Message


@dataclass(frozen=True, slots=True)
class ElectionTimeout:
    """The election timer runs out."""


@dataclass(frozen=True, slots=True)
class Silence:
    """The shortest election timeout has passed since the server heard from a leader (stickiness)."""


@dataclass(frozen=True, slots=True)
class HeartbeatTimeout:
    """A leader's heartbeat interval has passed."""


@dataclass(frozen=True, slots=True)
class QuorumTimeout:
    """A whole election timeout has passed for a leader: is it still in touch with a quorum?"""


@dataclass(frozen=True, slots=True)
class ClientRequest:
    """A client asks for an operation on the state machine; `client` and `seq` name its session, if it has one."""

    op: Any
    client: str = ""
    seq: int = 0


@dataclass(frozen=True, slots=True)
class ReadRequest:
    """A client reads the state machine: by "read-index", by "lease", or "local" (which may be stale)."""

    id: str
    how: str = "read-index"


@dataclass(frozen=True, slots=True)
class ChangeConfiguration:
    """An administrator asks for other voters and learners; one at a time (`single`), or by joint consensus."""

    voters: frozenset[str]
    learners: frozenset[str] = frozenset()
    single: bool = False


@dataclass(frozen=True, slots=True)
class TransferLeadership:
    """An administrator asks the leader to hand over to another server."""

    to: str


@dataclass(frozen=True, slots=True)
class Compact:
    """The server replaces what it has applied of its log by a snapshot."""


@dataclass(frozen=True, slots=True)
class DiskWritten:
    """Everything that waited to be written is on disk."""


@dataclass(frozen=True, slots=True)
class Restart:
    """The server starts again with nothing but its durable state."""


Event: TypeAlias = (
    Receive
    | ElectionTimeout
    | Silence
    | HeartbeatTimeout
    | QuorumTimeout
    | ClientRequest
    | ReadRequest
    | ChangeConfiguration
    | TransferLeadership
    | Compact
    | DiskWritten
    | Restart
)

# --- What a step gives -------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Accepted:
    """The leader appended what was asked for at `index` in `term`; these two decide what became of it."""

    index: int
    term: int


@dataclass(frozen=True, slots=True)
class Rejected:
    """Nothing was appended, and why; `leader_id` is where to ask instead, if known. This is definite."""

    leader_id: str | None
    reason: str = ""


@dataclass(frozen=True, slots=True)
class Applied:
    """The leader has applied the command at `index`, and this is what the state machine answers."""

    index: int
    command: Command
    reply: Any


@dataclass(frozen=True, slots=True)
class ReadDone:
    """A read is answered with the state machine's data as of `index`."""

    id: str
    index: int
    data: Any


Answer: TypeAlias = Accepted | Rejected | Applied | ReadDone


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one step did: the new state, messages to send, whether the election timer starts anew, answers."""

    state: State
    messages: tuple[Message, ...] = ()
    timer_reset: bool = False
    answers: tuple[Answer, ...] = ()

    @property
    def reply(self) -> Accepted | Rejected | None:
        """What the server said at once to whoever asked."""
        return next((answer for answer in self.answers if isinstance(answer, Accepted | Rejected)), None)
