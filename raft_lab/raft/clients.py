"""What clients see: commands that happen exactly once, and strong reads (section 8; dissertation, chapter 6)."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, ClassVar

from raft_lab.raft.log import Command, Entry
from raft_lab.raft.machine import Machine, Session
from raft_lab.raft.reconfiguration import Reconfiguration
from raft_lab.raft.state import (
    Accepted,
    ClientRequest,
    Leader,
    PendingRead,
    ReadDone,
    ReadRequest,
    Rejected,
)
from raft_lab.raft.values import FrozenMap

EXPIRED = "session expired"
"""The reply to a command of a session that the machine does not know (any more)."""
ANSWERED = "answered before"
"""The reply to a command that came again although the client has had its answer, and has asked for more since."""


class Clients(Reconfiguration):
    """How commands and reads are served."""

    commands: ClassVar[tuple[type, ...]] = (str,)
    """What `apply` takes: words, or frozen values."""
    another_machine: ClassVar[bool] = False
    """Whether this very class differs from Raft in nothing but its state machine."""
    first_data: ClassVar[Any] = FrozenMap()
    """What the state machine holds before the first command."""
    session_timeout_us: ClassVar[int] = 60_000_000
    lease_us: ClassVar[int] = 135_000
    """How long a leader's lease lasts: the shortest election timeout, less a bound on how clocks may drift."""

    # Commands

    def on_client_request(self, request: ClientRequest) -> None:
        """Leaders: append the command to the log; everyone else says who leads (sections 5.3 and 8)."""
        if not isinstance(self.role, Leader):
            self.answer(Rejected(self.leader_id, f"{self.id} does not lead"))
            return
        if self.role.transferee is not None:
            self.answer(Rejected(self.role.transferee, f"{self.id} is handing over"))
            return
        command = Command(request.op, request.client, request.seq, self.now)
        self.log = self.log.append(Entry(self.current_term, command))
        self.answer(Accepted(self.log.last_index, self.current_term))
        self.replicate_new_entry()

    def apply_command(self, command: Command) -> Any:
        """Apply a command once: sent again, it gets the stored reply. A client has one under way at a time (6.3)."""
        clock = max(self.machine.clock_us, command.time_us)
        sessions = self.machine.sessions
        for client, session in sessions.items():
            if clock - session.active_us > self.session_timeout_us:  # by log time, so that all servers agree
                sessions = sessions.without(client)
        self.machine = Machine(self.machine.data, sessions, clock)
        if not command.client:
            data, reply = self.apply(self.machine.data, command.op)
            self.machine = Machine(data, sessions, clock)
            return reply
        if command.seq == 0:  # opens the session; opened again, it stays as it is
            if command.client not in sessions:
                self.machine = self.remember(self.machine, command, None)
            return None
        known = sessions.get(command.client)
        return EXPIRED if known is None else self.apply_in_session(known, command)

    def apply_in_session(self, known: Session, command: Command) -> Any:
        """Apply what is new to the session; what is not gets the stored reply (6.3)."""
        if self.was_applied(known, command):
            return known.reply if command.seq == known.seq else ANSWERED
        data, reply = self.apply(self.machine.data, command.op)
        self.machine = self.remember(replace(self.machine, data=data), command, reply)
        return reply

    def was_applied(self, session: Session, command: Command) -> bool:
        """Whether the session has seen this command: a client retries until it has an answer (6.3)."""
        return command.seq <= session.seq

    def remember(self, machine: Machine, command: Command, reply: Any) -> Machine:
        """Store the reply in the client's session."""
        session = Session(command.seq, reply, machine.clock_us)
        return replace(machine, sessions=machine.sessions.with_item(command.client, session))

    def apply(self, data: Any, op: Any) -> tuple[Any, Any]:
        """The state machine itself: what becomes of `data`, and the reply to the client.

        `set KEY VALUE` sets a key, `add KEY VALUE` appends to it, `get KEY` reads it; nothing else does anything.
        """
        match op.split(maxsplit=2):
            case ["set", key, value]:
                return data.with_item(key, value), value
            case ["add", key, value]:
                return data.with_item(key, data.get(key, "") + value), data.get(key, "") + value
            case ["get", key]:
                return data, data.get(key)
            case _:
                return data, None

    # Reads (dissertation 6.4)

    def on_read_request(self, read: ReadRequest) -> None:
        """Answer a read from the state machine once it is sure to be fresh, or at once if it need not be."""
        if read.how == "local":
            self.answer(ReadDone(read.id, self.last_applied, self.machine.data))
        elif not isinstance(self.role, Leader):
            self.answer(Rejected(self.leader_id, f"{self.id} does not lead"))
        elif read.how == "lease" and self.may_use_lease():
            self.answer(ReadDone(read.id, self.last_applied, self.machine.data))
        else:
            next_round = self.role.round + 1  # what is sent from now on belongs to it
            pending = PendingRead(read.id, next_round)
            self.role = replace(self.role, round=next_round, reads=(*self.role.reads, pending))
            self.replicate()
            self.answer_reads()

    def answer_reads(self) -> None:
        """A read waits for a commit in this term, for its round of heartbeats, and for what it reads to be applied."""
        if not isinstance(self.role, Leader) or not self.role.reads:
            return
        if self.may_take_read_index():
            noted = tuple(replace(read, index=read.index or self.commit_index) for read in self.role.reads)
            self.role = replace(self.role, reads=noted)
        confirmed = self.quorum_min(self.acked_round)
        left = []
        for read in self.role.reads:
            if read.index and self.is_confirmed(read, confirmed) and self.last_applied >= read.index:
                self.answer(ReadDone(read.id, self.last_applied, self.machine.data))
            else:
                left.append(read)
        self.role = replace(self.role, reads=tuple(left))

    def may_take_read_index(self) -> bool:
        """Only after a commit in its own term does a leader know what is committed (6.4)."""
        return self.has_committed_in_its_term()

    def is_confirmed(self, read: PendingRead, confirmed: int) -> bool:
        """A quorum has answered a round of heartbeats that began after the read arrived (6.4)."""
        return confirmed >= read.round

    def acked_round(self, server: str) -> int:
        """The latest round that `server` has answered; the leader has answered all of its own."""
        if not isinstance(self.role, Leader):
            return 0
        return self.role.round if server == self.id else self.role.progress[server].acked_round

    def may_use_lease(self) -> bool:
        """A lease holds only where voters hold on to their leader, and once it has committed in its term (6.4.1)."""
        return self.is_sticky() and self.has_committed_in_its_term() and self.has_lease()

    def has_lease(self) -> bool:
        """A quorum has heard from this leader so lately that it cannot have elected another one (6.4.1)."""
        if not isinstance(self.role, Leader) or self.role.asked_over:
            return False
        progress = self.role.progress
        since = self.quorum_min(lambda s: self.now if s == self.id else progress[s].acked_at)
        return self.now < since + self.lease_us
