"""One server of Raft, put together: `state, event -> state', messages`. To replace a rule, override its method."""

from __future__ import annotations

from collections.abc import Coroutine, Generator
from typing import ClassVar

from raft_lab.raft import state as events
from raft_lab.raft.clients import Clients
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    InstallSnapshot,
    InstallSnapshotReply,
    Message,
    PreVote,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
    TimeoutNow,
)
from raft_lab.raft.state import Event, Follower, Leader, Receive, State


class Server(Clients):
    """The working copy of one server while it handles one event.

    Attributes are those of `State`. Besides, a handler may call `send(message)`, `reset_election_timer()` and,
    for a client, `answer(…)`. `now` is the server's local clock in microseconds.

    A subclass that needs more state declares it with initial values, and says what survives a crash:

        class Counting(Server):
            volatile = {"elections": 0}
    """

    rules_off: ClassVar[tuple[str, ...]] = ()
    rules_on: ClassVar[tuple[str, ...]] = ()
    switched_from: ClassVar[type[Server] | None] = None
    """What rules.py has made of this class, and of which class."""

    @classmethod
    def timers(cls, state: State) -> tuple[str, ...]:
        """Which timers run on a server in `state`, by what they are for."""
        server, role, wanted = cls(state), state.role, []
        if isinstance(role, Leader):
            wanted.append("heartbeat")
            if server.checks_quorum() or role.transferee is not None:
                wanted.append("quorum")
        elif server.may_campaign():
            wanted.append("election")
        if isinstance(role, Follower) and role.in_touch:
            wanted.append("silence")
        if state.disk is not None:
            wanted.append("disk")
        return tuple(wanted)

    def _handle(self, event: Event) -> None:
        match event:
            case Receive(message):
                if not self.ignores(message):
                    self.observe_term(message)
                    self._receive(message)
            case events.ElectionTimeout():
                self.on_election_timeout()
            case events.Silence():
                self.on_silence()
            case events.HeartbeatTimeout():
                self.on_heartbeat_timeout()
            case events.QuorumTimeout():
                self.on_quorum_timeout()
            case events.ClientRequest():
                self.on_client_request(event)
            case events.ReadRequest():
                self.on_read_request(event)
            case events.ChangeConfiguration():
                self.on_change_configuration(event)
            case events.TransferLeadership():
                self.on_transfer_leadership(event)
            case events.Compact():
                self.on_compact()
            case events.DiskWritten():
                self.on_disk_written()
            case events.Restart():
                self.on_restart()

    def _receive(self, m: Message) -> None:
        name = _HANDLERS[type(m)]
        returned = getattr(self, name)(m)
        if returned is not None:
            raise HandlerError(f"{type(self).__name__}.{name} {_gave(returned)}, which goes nowhere: use self.send(…)")


def _gave(returned: object) -> str:
    """What a handler gave back, in words that are the same each time."""
    if isinstance(returned, Coroutine):
        returned.close()  # else Python warns that nobody waited for it
        return "is written with async"
    if isinstance(returned, Generator):
        return "is written with yield"
    return f"returned {returned!r:.100}"


_HANDLERS: dict[type, str] = {
    RequestVote: "on_request_vote",
    RequestVoteReply: "on_request_vote_reply",
    PreVote: "on_pre_vote",
    PreVoteReply: "on_pre_vote_reply",
    AppendEntries: "on_append_entries",
    AppendEntriesReply: "on_append_entries_reply",
    InstallSnapshot: "on_install_snapshot",
    InstallSnapshotReply: "on_install_snapshot_reply",
    TimeoutNow: "on_timeout_now",
}
