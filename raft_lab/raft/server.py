"""One server of Raft: Figure 2 of the paper, as `state, event -> state', messages`.

A `State` is a value. `Server.step` copies one into a working copy, lets one handler change it, and freezes
it again; a handler therefore reads like the paper (`self.current_term = m.term`), and yet nothing is ever
changed in place. There is no clock, no randomness and no I/O here: when a timer runs out or a message
arrives is for the environment to say.

To replace a rule, subclass `Server` and override its method.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import fields, replace
from typing import Any, ClassVar

from raft_lab.raft.errors import HandlerError
from raft_lab.raft.log import Command, Entry, Log, Noop
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import (
    MESSAGE_TYPES,
    AppendEntries,
    AppendEntriesReply,
    Message,
    RequestVote,
    RequestVoteReply,
)
from raft_lab.raft.state import (
    Accepted,
    Candidate,
    ClientRequest,
    ElectionTimeout,
    Event,
    Follower,
    HeartbeatTimeout,
    Leader,
    Outcome,
    Progress,
    Receive,
    Rejected,
    Restart,
    Role,
    State,
)
from raft_lab.raft.values import FrozenMap, freeze


class Server:
    """The working copy of one server while it handles one event.

    Attributes are those of `State`. Besides, a handler may call `send(message)`, `reset_election_timer()`
    and, for a client, `reply(...)`. `now` is the server's local clock in microseconds.

    A subclass that needs more state declares it with initial values, and says what survives a crash:

        class Counting(Server):
            volatile = {"elections": 0}
    """

    durable: ClassVar[Mapping[str, Any]] = {}
    volatile: ClassVar[Mapping[str, Any]] = {}
    max_entries_per_message: ClassVar[int] = 100

    id: str
    current_term: int
    voted_for: str | None
    log: Log
    commit_index: int
    last_applied: int
    machine: FrozenMap[str, str]
    role: Role
    now: int
    _outbox: list[Message]
    _timer_reset: bool
    _answer: Accepted | Rejected | None

    # Elections (sections 5.2 and 5.4.1)

    def observe_term(self, m: Message) -> None:
        """Rules for all servers: a higher term in any message makes this server a follower of that term (5.1)."""
        if m.term > self.current_term:
            self.current_term = m.term
            self.voted_for = None
            self.role = Follower()

    def on_election_timeout(self) -> None:
        """Followers and candidates: if the election timeout passes, start an election (section 5.2)."""
        if isinstance(self.role, Leader) or not self.configuration.is_voter(self.id):
            return
        self.current_term += 1
        self.voted_for = self.id
        self.role = Candidate(frozenset({self.id}))
        self.reset_election_timer()
        for peer in self.peers:
            if self.configuration.is_voter(peer):
                self.send(RequestVote(self.id, peer, self.current_term, self.log.last_index, self.log.last_term))
        self.tally()

    def on_request_vote(self, m: RequestVote) -> None:
        """Grant at most one vote a term, first come first served, and only to an up-to-date log (5.2, 5.4)."""
        granted = (
            m.term == self.current_term
            and self.may_vote_for(m.src)
            and self.log_is_up_to_date(m.last_log_index, m.last_log_term)
        )
        if granted:
            self.voted_for = m.src
            self.reset_election_timer()
        self.send(RequestVoteReply(self.id, m.src, self.current_term, granted))

    def may_vote_for(self, candidate: str) -> bool:
        """One vote a term: not yet given, or given to this very candidate, whose request came again (5.2)."""
        return self.voted_for is None or self.voted_for == candidate

    def log_is_up_to_date(self, last_log_index: int, last_log_term: int) -> bool:
        """Election restriction: the later last term wins; with equal terms, the longer log (section 5.4.1)."""
        return (last_log_term, last_log_index) >= (self.log.last_term, self.log.last_index)

    def on_request_vote_reply(self, m: RequestVoteReply) -> None:
        """Candidates: count the votes of this term (section 5.2)."""
        if isinstance(self.role, Candidate) and m.term == self.current_term and m.vote_granted:
            self.role = Candidate(self.role.votes | {m.src})
            self.tally()

    def tally(self) -> None:
        """Votes from a quorum make a candidate leader (section 5.2)."""
        if isinstance(self.role, Candidate) and self.configuration.has_quorum(self.role.votes):
            self.become_leader()

    def become_leader(self) -> None:
        """Assume nothing of the followers' logs, and append a no-op so as to commit (5.3; dissertation 6.4)."""
        next_index = self.log.last_index + 1
        self.role = Leader(FrozenMap({peer: Progress(next_index) for peer in self.peers}))
        self.log = self.log.append(Entry(self.current_term, Noop()))
        self.replicate()

    # Log replication (section 5.3)

    def on_heartbeat_timeout(self) -> None:
        """Leaders: say so to everyone, and send again what may have been lost (5.2)."""
        if isinstance(self.role, Leader):
            self.replicate()

    def on_client_request(self, op: str) -> None:
        """Leaders: append the command to the log; everyone else says who leads (sections 5.3 and 8)."""
        if not isinstance(self.role, Leader):
            self.reply(Rejected(self.role.leader_id if isinstance(self.role, Follower) else None))
            return
        self.log = self.log.append(Entry(self.current_term, Command(op)))
        self.reply(Accepted(self.log.last_index, self.current_term))
        self.replicate()

    def replicate(self) -> None:
        """Send every follower the entries that it lacks, as far as the leader knows."""
        for peer in self.peers:
            self.send_append_entries(peer)
        self.advance_commit_index()

    def send_append_entries(self, peer: str) -> None:
        """Entries from `next_index` on, with the index and term of the entry before them (section 5.3)."""
        assert isinstance(self.role, Leader)
        prev = self.role.progress[peer].next_index - 1
        entries = self.log.after(prev, self.max_entries_per_message)
        self.send(
            AppendEntries(self.id, peer, self.current_term, prev, self.log.term(prev), entries, self.commit_index)
        )

    def on_append_entries(self, m: AppendEntries) -> None:
        """Follow the term's leader; accept its entries if the log matches right before them (section 5.3)."""
        if m.term < self.current_term:
            self.send(AppendEntriesReply(self.id, m.src, self.current_term, False, prev_log_index=m.prev_log_index))
            return
        self.role = Follower(m.src)
        self.reset_election_timer()
        if not self.log_matches(m.prev_log_index, m.prev_log_term):
            self.refuse_entries(m)
            return
        self.store_entries(m)
        # Known to match the leader only up to here: what may follow in this log is not the leader's.
        match_index = m.prev_log_index + len(m.entries)
        self.commit_index = max(self.commit_index, min(m.leader_commit, match_index))
        self.apply_committed()
        self.send(
            AppendEntriesReply(self.id, m.src, self.current_term, True, match_index, prev_log_index=m.prev_log_index)
        )

    def log_matches(self, prev_log_index: int, prev_log_term: int) -> bool:
        """Consistency check: the log has the preceding entry, with the same term (section 5.3)."""
        return self.log.matches(prev_log_index, prev_log_term)

    def store_entries(self, m: AppendEntries) -> None:
        """Drop entries only from the first real conflict on, then append what is new (5.3)."""
        for offset, entry in enumerate(m.entries):
            index = m.prev_log_index + 1 + offset
            if index < self.log.first_index:
                continue
            if index <= self.log.last_index:
                if self.log.term(index) == entry.term:
                    continue
                self.log = self.log.truncate(index)
            self.log = self.log.append(*m.entries[offset:])
            return

    def refuse_entries(self, m: AppendEntries) -> None:
        """Say where the leader should try instead, so that it skips a whole term at once (end of 5.3)."""
        if m.prev_log_index > self.log.last_index:
            conflict_term, conflict_index = 0, self.log.last_index + 1
        else:
            conflict_term = self.log.term(m.prev_log_index)
            conflict_index = self.log.last_index_of_term(conflict_term - 1) + 1
        self.send(
            AppendEntriesReply(
                self.id, m.src, self.current_term, False, 0, m.prev_log_index, conflict_index, conflict_term
            )
        )

    def on_append_entries_reply(self, m: AppendEntriesReply) -> None:
        """Leaders: note how far the follower's log matches; after a refusal go back and try again (5.3)."""
        if not isinstance(self.role, Leader) or m.term != self.current_term or m.src not in self.role.progress:
            return
        known = self.role.progress[m.src]
        if m.success:
            match_index = max(known.match_index, m.match_index)
            self.note_progress(m.src, Progress(max(known.next_index, match_index + 1), match_index))
            self.advance_commit_index()
            if match_index > known.match_index and match_index < self.log.last_index:
                self.send_append_entries(m.src)
        elif m.prev_log_index == known.next_index - 1:  # else the refusal is an old one
            next_index = max(known.match_index + 1, min(self.retry_from(m), known.next_index - 1))
            self.note_progress(m.src, Progress(next_index, known.match_index))
            self.send_append_entries(m.src)

    def retry_from(self, m: AppendEntriesReply) -> int:
        """Right after the last entry of the conflicting term, if the leader has that term (end of 5.3)."""
        if m.conflict_term:
            index = self.log.last_index_of_term(m.conflict_term)
            if self.log.term(index) == m.conflict_term:
                return index + 1
        return m.conflict_index

    def advance_commit_index(self) -> None:
        """Commit what a quorum stores, if it is of the leader's own term (sections 5.3 and 5.4.2)."""
        n = self.configuration.quorum_min(self.match_index)
        if n > self.commit_index and self.may_commit(n):
            self.commit_index = n
            self.apply_committed()

    def may_commit(self, index: int) -> bool:
        """Only entries of the current term are committed by counting; older ones with them (section 5.4.2)."""
        return self.log.term(index) == self.current_term

    def apply_committed(self) -> None:
        """All servers: apply committed entries to the state machine, in log order (section 5.3)."""
        while self.last_applied < self.commit_index:
            self.last_applied += 1
            value = self.log.entry(self.last_applied).value
            if isinstance(value, Command):
                self.machine = self.apply(self.machine, value.op)

    def apply(self, machine: FrozenMap[str, str], op: str) -> FrozenMap[str, str]:
        """The state machine: `set KEY VALUE` sets a key; any other command leaves the keys as they are."""
        match op.split(maxsplit=2):
            case ["set", key, value]:
                return machine.with_item(key, value)
            case _:
                return machine

    def on_restart(self) -> None:
        """Nothing is left to do: volatile state has begun anew (Figure 2)."""

    # What handlers can ask and do

    @property
    def configuration(self) -> Configuration:
        """The latest configuration in the log, committed or not (dissertation 4.1)."""
        return self.log.configuration

    @property
    def peers(self) -> tuple[str, ...]:
        """All other members, in a fixed order."""
        return tuple(member for member in self.configuration.members if member != self.id)

    def match_index(self, server: str) -> int:
        """How far `server`'s log is known to match this leader's; its own counts to its end."""
        if server == self.id:
            return self.log.last_index
        return self.role.progress[server].match_index if isinstance(self.role, Leader) else 0

    def note_progress(self, peer: str, progress: Progress) -> None:
        """Remember what is known of a follower."""
        assert isinstance(self.role, Leader)
        self.role = Leader(self.role.progress.with_item(peer, progress))

    def send(self, message: Message) -> None:
        """Hand a message to the network, which may lose, delay, reorder or repeat it."""
        self._outbox.append(message)

    def reset_election_timer(self) -> None:
        """Start the election timer anew: on hearing the current leader, granting a vote, starting an election."""
        self._timer_reset = True

    def reply(self, answer: Accepted | Rejected) -> None:
        """Answer the client."""
        self._answer = answer

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
        self._outbox = []
        self._timer_reset = False
        self._answer = None
        for name, initial in (*self.durable.items(), *self.volatile.items()):
            kept = state.extra[name] if name in state.extra else freeze(initial)
            for mutable in (list, set, dict):
                if isinstance(initial, mutable):
                    kept = mutable(kept)
            self.__dict__[name] = kept

    def __init_subclass__(cls) -> None:
        """Add what base classes declare, and refuse declarations that would hide something.

        Raises:
            HandlerError: a declared name is taken, or its first value is not a value.
        """
        super().__init_subclass__()
        for kind in ("durable", "volatile"):
            declared = cls.__dict__.get(kind, {})
            for name, initial in declared.items():
                if name in _FIELDS or hasattr(Server, name):
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
        """What a crash leaves: the durable state, with everything volatile at its beginning."""
        extra = {name: state.extra.get(name, freeze(value)) for name, value in cls.durable.items()}
        extra |= {name: freeze(value) for name, value in cls.volatile.items()}
        base = state.log.snapshot
        return State(
            state.id,
            state.current_term,
            state.voted_for,
            state.log,
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
        try:
            server = cls(state, now)
            server._handle(event)
        except HandlerError:
            raise
        except Exception as error:
            what = type(event.message).__name__ if isinstance(event, Receive) else type(event).__name__
            raise HandlerError(
                f"{cls.__name__} failed on {state.id} while handling {what}: {type(error).__name__}: {error}"
            ) from error
        after = server._frozen(state)
        return Outcome(after, tuple(server._outbox), server._timer_reset, server._answer)

    def _handle(self, event: Event) -> None:
        match event:
            case Receive(message):
                self.observe_term(message)
                match message:
                    case RequestVote():
                        self.on_request_vote(message)
                    case RequestVoteReply():
                        self.on_request_vote_reply(message)
                    case AppendEntries():
                        self.on_append_entries(message)
                    case AppendEntriesReply():
                        self.on_append_entries_reply(message)
            case ElectionTimeout():
                self.on_election_timeout()
            case HeartbeatTimeout():
                self.on_heartbeat_timeout()
            case ClientRequest(op):
                self.on_client_request(op)
            case Restart():
                self.on_restart()

    def _frozen(self, before: State) -> State:
        if type(self) is not Server:
            self._check_values()
        names = (*self.durable, *self.volatile)
        after = replace(
            before,
            current_term=self.current_term,
            voted_for=self.voted_for,
            log=self.log,
            commit_index=self.commit_index,
            last_applied=self.last_applied,
            machine=self.machine,
            role=self.role,
            extra=FrozenMap({name: freeze(self.__dict__[name]) for name in names}) if names else before.extra,
        )
        return before if after == before else after

    def _check_values(self) -> None:
        """Tell whoever wrote a handler what is wrong with what it left behind."""
        name = type(self).__name__
        unknown = self.__dict__.keys() - _FIELDS - self.durable.keys() - self.volatile.keys()
        if unknown:
            one = min(unknown)
            raise HandlerError(
                f"{name} set self.{one}, which no one declared: give {name} a line "
                f"volatile = {{'{one}': …}} (lost in a crash) or durable = {{'{one}': …}} (kept), with its first value"
            )
        for field_name, types in _FIELD_TYPES.items():
            value = getattr(self, field_name)
            if not isinstance(value, types) or isinstance(value, bool):
                expected = " or ".join("None" if t is type(None) else t.__name__ for t in types)
                raise HandlerError(f"{name} set self.{field_name} to {value!r}; it must be {expected}")
        for message in self._outbox:
            if not isinstance(message, MESSAGE_TYPES):
                raise HandlerError(f"{name} sent {message!r}, which is not a message such as RequestVoteReply(…)")
            if message.src != self.id or message.dst not in self.configuration.members:
                raise HandlerError(
                    f"{name} on {self.id} sent a message from {message.src!r} to {message.dst!r}; "
                    "a server sends from itself (self.id) to another member"
                )
            for part in fields(message):
                value = getattr(message, part.name)
                kind = _PART_TYPES.get(str(part.type), tuple)
                if type(value) is not kind:
                    what = f"{type(message).__name__} with {part.name}={value!r}"
                    raise HandlerError(f"{name} sent a {what}; it must be {part.type}")
            freeze(message)
        freeze(self.role)


_PART_TYPES: dict[str, type] = {"str": str, "int": int, "bool": bool}
_FIELD_TYPES: dict[str, tuple[type, ...]] = {
    "current_term": (int,),
    "voted_for": (str, type(None)),
    "log": (Log,),
    "commit_index": (int,),
    "last_applied": (int,),
    "machine": (FrozenMap,),
    "role": (Follower, Candidate, Leader),
}
_FIELDS = frozenset({*_FIELD_TYPES, "id", "now", "_outbox", "_timer_reset", "_answer"})
