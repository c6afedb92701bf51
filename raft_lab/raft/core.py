"""The working copy of a server: how a step begins and ends, and what handlers can ask and do.

A `State` is a value. `step` copies one into a working copy, lets one handler change it, and freezes it again;
a handler therefore reads like the paper (`self.current_term = m.term`), and yet nothing is ever changed in
place. There is no clock, no randomness and no I/O here: when a timer runs out or a message arrives is for
the environment to say.
"""

from __future__ import annotations

import difflib
import re
import traceback
from collections.abc import Callable, Collection, Mapping
from dataclasses import FrozenInstanceError, fields
from typing import Any, ClassVar

from raft_lab.raft.errors import HandlerError
from raft_lab.raft.guard import bounded
from raft_lab.raft.log import Log
from raft_lab.raft.machine import Machine
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import (
    MESSAGE_TYPES,
    AppendEntriesReply,
    InstallSnapshotReply,
    Message,
    RequestVote,
    RequestVoteReply,
)
from raft_lab.raft.state import (
    Answer,
    Candidate,
    Disk,
    Event,
    Follower,
    Leader,
    Outcome,
    PreCandidate,
    Receive,
    Role,
    State,
)
from raft_lab.raft.values import FrozenMap, freeze


class Core:
    """What all parts of a server share. Its attributes are those of `State`; `now` is the local clock in µs."""

    durable: ClassVar[Mapping[str, Any]] = {}
    volatile: ClassVar[Mapping[str, Any]] = {}

    id: str
    current_term: int
    voted_for: str | None
    log: Log
    commit_index: int
    last_applied: int
    machine: Machine
    role: Role
    now: int
    _on_disk: Disk
    _waiting: tuple[Message, ...]
    _released: tuple[Message, ...]
    _outbox: list[Message]
    _timer_reset: bool
    _answers: list[Answer]

    # What handlers can ask and do

    @property
    def configuration(self) -> Configuration:
        """The latest configuration in the log, committed or not (dissertation 4.1)."""
        return self.log.configuration

    @property
    def peers(self) -> tuple[str, ...]:
        """All other members, in a fixed order."""
        return tuple(member for member in self.configuration.members if member != self.id)

    @property
    def leader_id(self) -> str | None:
        """Where to send a client."""
        return self.role.leader_id if isinstance(self.role, Follower) else None

    def has_quorum(self, servers: Collection[str]) -> bool:
        """Whether `servers` are a quorum: a majority, and of each half of a joint configuration (section 6)."""
        return self.configuration.has_quorum(servers)

    def quorum_min(self, value: Callable[[str], int]) -> int:
        """The largest number that a quorum has reached; commit index, read round and lease are all this."""
        return self.configuration.quorum_min(value)

    def send(self, message: Message) -> None:
        """Hand a message to the network, which may lose, delay, reorder or repeat it."""
        self._outbox.append(message)

    def reset_election_timer(self) -> None:
        """Start the election timer anew: on hearing the current leader, granting a vote, starting an election."""
        self._timer_reset = True

    def answer(self, answer: Answer) -> None:
        """Tell the client or administrator."""
        self._answers.append(answer)

    # What the parts offer to one another

    def replicate(self) -> None:
        """See replication.py."""

    def replicate_new_entry(self) -> None:
        """See replication.py."""

    def advance_commit_index(self) -> None:
        """See replication.py."""

    def adopt_configuration(self) -> None:
        """See reconfiguration.py."""

    def after_commit(self) -> None:
        """See reconfiguration.py."""

    def answer_reads(self) -> None:
        """See clients.py."""

    def hand_over_when_ready(self) -> None:
        """See election.py."""

    def on_restart(self) -> None:
        """Nothing is left to do: volatile state has begun anew (Figure 2)."""

    def on_disk_written(self) -> None:
        """What waited may be sent now, and a leader counts itself up to here (dissertation 10.2.1)."""
        self._on_disk = Disk(self.current_term, self.voted_for, self.log)
        self._released, self._waiting = self._waiting, ()
        self.advance_commit_index()

    # Rules about the disk

    def writes_at_once(self) -> bool:
        """Whether a step ends with its writes on disk; else they wait for DiskWritten."""
        return True

    def waits_for_disk(self, message: Message) -> bool:
        """A vote, a campaign and an acknowledgement must not outlive what they rest on (Figure 2; 3.8)."""
        return isinstance(message, RequestVote | RequestVoteReply | AppendEntriesReply | InstallSnapshotReply)

    # One step: thaw, handle, freeze

    def __init__(self, state: State, now: int = 0) -> None:
        self.id = state.id
        self.current_term = state.current_term
        self.voted_for = state.voted_for
        self.log = state.log
        self.commit_index = state.commit_index
        self.last_applied = state.last_applied
        self.machine = state.machine
        self.role = state.role
        self.now = now
        self._on_disk = state.disk or Disk(state.current_term, state.voted_for, state.log)
        self._waiting, self._released = state.waiting, ()
        self._outbox = []
        self._timer_reset = False
        self._answers = []
        for name, initial in (*self.durable.items(), *self.volatile.items()):
            kept = state.extra[name] if name in state.extra else freeze(initial)
            for mutable in (list, set, dict):
                if isinstance(initial, mutable):
                    kept = mutable(kept)
            self.__dict__[name] = kept

    def __init_subclass__(cls) -> None:
        """Add what base classes declare, and refuse declarations that would hide something.

        Raises:
            HandlerError: a declared name is taken, or its first value is not a value; or there is an `__init__`, or
                what is no handler is defined.
        """
        super().__init_subclass__()
        for name in ("step", "initial"):
            if name in cls.__dict__:
                raise HandlerError(
                    f"{cls.__name__} defines {name}, which is no handler: it is what makes a server and calls its "
                    "handlers. Define these anew, such as on_request_vote"
                )
        if "__init__" in cls.__dict__ and not cls.__module__.startswith(_OURS):
            raise HandlerError(
                f"{cls.__name__} has an __init__, which keeps nothing: a server is made anew for every step. What it "
                "must remember it declares, volatile = {'seen': 0} (lost in a crash) or durable = {'seen': 0} (kept), "
                "and uses as self.seen"
            )
        for kind in ("durable", "volatile"):
            declared = cls.__dict__.get(kind, {})
            for name, initial in declared.items():
                if name in FIELDS or any(name in base.__dict__ for base in cls.__mro__):
                    raise HandlerError(
                        f"{cls.__name__} declares {name!r}, but every server has a {name}: choose another name"
                    )
                freeze(initial)
            inherited: dict[str, Any] = {}
            for base in reversed(cls.__mro__[1:]):
                inherited |= base.__dict__.get(kind, {})
            setattr(cls, kind, {**inherited, **declared})

    @classmethod
    def initial(cls, id: str, log: Log, current_term: int = 0, voted_for: str | None = None) -> State:
        """A server that has just started with this durable state."""
        extra = {name: freeze(value) for name, value in (*cls.durable.items(), *cls.volatile.items())}
        return cls.crashed(State(id, current_term, voted_for, log, extra=FrozenMap(extra)))

    @classmethod
    def crashed(cls, state: State) -> State:
        """What a crash leaves: what is on disk, with everything volatile at its beginning."""
        extra = {name: state.extra.get(name, freeze(value)) for name, value in cls.durable.items()}
        extra |= {name: freeze(value) for name, value in cls.volatile.items()}
        kept = state.disk or Disk(state.current_term, state.voted_for, state.log)
        base = kept.log.snapshot
        return State(
            state.id,
            kept.current_term,
            kept.voted_for,
            kept.log,
            commit_index=base.last_included_index,
            last_applied=base.last_included_index,
            machine=base.machine,
            extra=FrozenMap(extra),
        )

    @classmethod
    def step(cls, state: State, event: Event, now: int = 0) -> Outcome:
        """Let one event happen to one server. Pure: the same arguments give the same outcome.

        Args:
            state: the server as it stands; it is not changed.
            event: what happens to it.
            now: its local clock, in microseconds.

        Raises:
            HandlerError: a handler raised, or left something behind that is not a value.
        """
        what = type(event.message).__name__ if isinstance(event, Receive) else type(event).__name__
        try:
            server = cls(state, now)
            if cls.__module__.startswith(_OURS):
                server._handle(event)
            else:
                bounded(cls, f"{state.id} while handling {what}", server._handle, event)
        except HandlerError:
            raise
        except (Exception, SystemExit, GeneratorExit) as error:
            why = where_it_failed(error)
            raise HandlerError(f"{cls.__name__} failed on {state.id} while handling {what}: {why}") from error
        try:
            return server._outcome(state)
        except (AttributeError, RecursionError) as error:
            why = "something nested without an end" if isinstance(error, RecursionError) else str(error)
            raise HandlerError(
                f"{cls.__name__} on {state.id} left no whole state while handling {what}: {why}"
            ) from error

    def _handle(self, event: Event) -> None:
        """Find the handler by the event's type; see server.py."""

    def _outcome(self, before: State) -> Outcome:
        if not type(self).__module__.startswith(_OURS):
            self._check_values()
        if self.id != before.id:
            raise HandlerError(f"{type(self).__name__} set self.id on {before.id}; a server keeps its name")
        names = (*self.durable, *self.volatile)
        extra = FrozenMap({name: freeze(self.__dict__[name]) for name in names}) if names else before.extra
        sent, waiting, disk = tuple(self._outbox), self._waiting, None
        if not self.writes_at_once() and self._on_disk != Disk(self.current_term, self.voted_for, self.log):
            disk = self._on_disk
            waiting += tuple(m for m in sent if self.waits_for_disk(m))
            sent = tuple(m for m in sent if not self.waits_for_disk(m))
        else:
            sent, waiting = waiting + sent, ()
        sent = self._released + sent
        after = State(
            self.id,
            self.current_term,
            self.voted_for,
            self.log,
            self.commit_index,
            self.last_applied,
            self.machine,
            self.role,
            disk,
            waiting,
            extra,
        )
        return Outcome(before if after == before else after, sent, self._timer_reset, tuple(self._answers))

    def _check_values(self) -> None:
        """Tell whoever wrote a handler what is wrong with what it left behind."""
        name = type(self).__name__
        unknown = self.__dict__.keys() - FIELDS - self.durable.keys() - self.volatile.keys()
        if unknown:
            one = min(unknown)
            meant = difflib.get_close_matches(_snake(one), [*FIELD_TYPES, "send"], n=1, cutoff=0.8)
            if meant:
                raise HandlerError(
                    f"{name} set self.{one}, which is not a field of a server: do you mean self.{meant[0]}?"
                )
            raise HandlerError(
                f"{name} set self.{one}, which no one declared: give {name} a line "
                f"volatile = {{'{one}': …}} (lost in a crash) or durable = {{'{one}': …}} (kept), with its first value"
            )
        for field_name, types in FIELD_TYPES.items():
            value = getattr(self, field_name)
            if not isinstance(value, types) or isinstance(value, bool):
                expected = " or ".join("None" if t is type(None) else t.__name__ for t in types)
                raise HandlerError(f"{name} set self.{field_name} to {value!r}; it must be {expected}")
            if isinstance(value, int) and abs(value) >= 2**63:
                raise HandlerError(f"{name} set self.{field_name} to a number that does not fit into 64 bits")
        for message in self._outbox:
            if not isinstance(message, MESSAGE_TYPES):
                raise HandlerError(f"{name} sent {message!r}, which is not a message such as RequestVoteReply(…)")
            if message.src != self.id or message.dst == self.id:
                raise HandlerError(
                    f"{name} on {self.id} sent a message from {message.src!r} to {message.dst!r}; "
                    "a server sends from itself (self.id) to another member"
                )
            for part in fields(message):
                value = getattr(message, part.name)
                if isinstance(value, int) and abs(value) >= 2**63:
                    raise HandlerError(f"{name} sent a {part.name} that does not fit into 64 bits")
                kind = _PART_TYPES.get(str(part.type), object)
                if type(value) is not kind and kind is not object:
                    what = f"{type(message).__name__} with {part.name}={value!r}"
                    raise HandlerError(f"{name} sent a {what}; it must be {part.type}")
            freeze(message)
        freeze(self.role)


def _snake(name: str) -> str:
    """`votedFor` and `voted_for` are the same word."""
    return re.sub("([A-Z])", lambda capital: "_" + capital.group().lower(), name).strip("_")


def where_it_failed(error: BaseException) -> str:
    """The error, and the line of code in which it arose: the last one that this package did not write."""
    words = " ".join(str(error).split())[:300]
    said = f"{type(error).__name__}: {words}" if words else type(error).__name__
    if isinstance(error, RecursionError):
        said = "it calls itself without an end"
    elif isinstance(error, FrozenInstanceError):
        said += "; messages, entries and roles are values: make another with dataclasses.replace(…)"
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.filename != "<string>"]
    if not frames:
        return said
    theirs = [f for f in frames if not f.filename.startswith(_PACKAGE)]
    last = (theirs or frames)[-1]
    line = f": {last.line}" if last.line else ""
    return f"{said} (line {last.lineno} of {last.name}{line})"


_PACKAGE = __file__.rpartition("raft")[0]
"""The folder of this package."""
_OURS = ("raft_lab.raft.", "raft_lab.kv.")
"""Where classes stand whose code needs no watching."""
_PART_TYPES: dict[str, type] = {"str": str, "int": int, "bool": bool, "tuple[Entry, ...]": tuple}
FIELD_TYPES: dict[str, tuple[type, ...]] = {
    "current_term": (int,),
    "voted_for": (str, type(None)),
    "log": (Log,),
    "commit_index": (int,),
    "last_applied": (int,),
    "machine": (Machine,),
    "role": (Follower, PreCandidate, Candidate, Leader),
}
"""What a server holds, and of which types."""
FIELDS = frozenset(
    {*FIELD_TYPES, "id", "now", "_on_disk", "_waiting", "_released", "_outbox", "_timer_reset", "_answers"}
)
"""What stands in a server while it handles something."""
