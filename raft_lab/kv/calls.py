"""One client of a cluster: whom it asks, how it is sent elsewhere, when it asks again, and what it may say at the end.

A `Caller` is a small machine beside the servers: it says what it sends and when (`due_us`, `send`), and hears what they
answer (`hear`). It has no clock of its own and no thread, so thousands of them can be stepped with the cluster.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from raft_lab.kv.errors import EtcdError
from raft_lab.kv.requests import Range, RegisterClient, Request, Response, only_reads
from raft_lab.kv.server import apply
from raft_lab.raft.clients import EXPIRED
from raft_lab.raft.errors import RaftLabError
from raft_lab.raft.log import Command
from raft_lab.raft.state import Accepted, Answer, Applied, ReadDone, Rejected
from raft_lab.sim.actions import Action, Crash, Propose, Read
from raft_lab.sim.world import Transition, World


@dataclass(frozen=True, slots=True)
class Patience:
    """How long a client waits, in microseconds.

    Attributes:
        answer_us: for an answer, before it asks another server.
        pause_us: after it was turned away without being told by whom else to try.
        deadline_us: from the call to the moment at which it gives up.
    """

    answer_us: int = 300_000
    pause_us: int = 30_000
    deadline_us: int = 7_000_000


class Unknown(RaftLabError):
    """No answer came in time to a request that changes something: it may have happened, or may still.

    Attributes:
        request: what was asked for.
        waited_us: for how long an answer was waited for, in microseconds.
        why: what ended the waiting, if it was something else than time.
    """

    def __init__(self, request: Request, waited_us: int = 0, why: str = "") -> None:
        self.request = request
        self.waited_us = waited_us
        self.why = why
        super().__init__(
            f"no answer to {request} within {waited_us / 1e6:g} s{f' ({why})' if why else ''}: it may have happened, "
            "may happen later, or never. Read what is there before you ask again"
        )


NO_LEADER = EtcdError("UNAVAILABLE", "etcdserver: no leader")
TIMED_OUT = EtcdError("UNAVAILABLE", "etcdserver: request timed out")

Outcome = Response | EtcdError | Unknown
"""How a call can end."""


@dataclass(slots=True)
class Call:
    """A request under way.

    Attributes:
        request: what the client wants.
        begun_us: when it began to ask.
        seq: the command's number in the client's session; 0 for what only reads.
        asked: the servers from which an answer can still come.
        accepted: how many servers have taken it into their log: from the first on nobody can say that it will not
            happen.
        outcome: how it ended; None as long as it is under way.
    """

    request: Request
    begun_us: int
    seq: int = 0
    asked: set[str] = field(default_factory=set)
    accepted: int = 0
    outcome: Outcome | None = None


class Caller:
    """A client that asks for one thing at a time.

    It opens a session before its first command and numbers its commands (dissertation 6.3), so that what it has to
    send twice happens once.

    Args:
        name: that of its session.
        servers: whom it knows.
        patience: how long it waits.
        member: ask only this server, and go nowhere else.
    """

    def __init__(
        self,
        name: str,
        servers: Sequence[str],
        patience: Patience = Patience(),
        member: str | None = None,
    ) -> None:
        self.name = self.session = name
        self.servers = tuple(servers)
        self.patience = patience
        self.member = member
        self.target = member or self.servers[0]
        self.call: Call | None = None
        self.due_us: int | None = None
        """When it sends something; None: not as long as nothing is asked."""
        self.read = ""
        """The name of the read that it waits for."""
        self._seq = self._reads = self._sessions = 0
        self._registered = False
        self._waits = self._redirected = False

    def ask(self, request: Request, now_us: int) -> Call:
        """Begin to ask for something; what was asked before does not matter any more."""
        call = Call(request, now_us)
        if not only_reads(request):
            self._seq += 1
            call.seq = self._seq
        self.call, self.due_us, self._waits = call, now_us, False
        return call

    def send(self, world: World, now_us: int) -> Action | None:
        """What it sends at `due_us`, for the first time or again; None if nobody can be asked, or it gives up.

        A server that is down refuses the connection; then the client pauses, and tries the next one.
        """
        call = self.call
        assert call is not None
        if now_us >= call.begun_us + self.patience.deadline_us:
            self._finish(call, self._given_up(call))
            return None
        if self._waits:  # in vain: nobody has answered
            self._elsewhere()
        action = self._request(call)
        if self.target not in world.servers or action.refusal(world) is not None:
            self._elsewhere()
            self._waits, self.due_us = False, now_us + self.patience.pause_us
            return None
        call.asked.add(self.target)
        self._waits, self.due_us = True, now_us + self.patience.answer_us
        return action

    def _request(self, call: Call) -> Propose | Read:
        if not call.seq:
            self._reads += 1
            self.read = f"{self.name}#{self._reads}"
            serializable = isinstance(call.request, Range) and call.request.serializable
            return Read(self.target, self.read, "local" if serializable else "read-index")
        if not self._registered:
            return Propose(self.target, RegisterClient(), self.session, 0)
        return Propose(self.target, call.request, self.session, call.seq)

    def _elsewhere(self) -> None:
        if self.member is None:
            place = self.servers.index(self.target) if self.target in self.servers else -1
            self.target = self.servers[(place + 1) % len(self.servers)]

    def _given_up(self, call: Call) -> Outcome:
        if not call.seq:
            return TIMED_OUT
        return Unknown(call.request, self.patience.deadline_us) if call.accepted else NO_LEADER

    # What it is told

    def hear(self, action: Action, done: Transition, now_us: int) -> None:
        """What a server said in this step, as far as it concerns what is asked."""
        call = self.call
        if call is None or call.outcome is not None:
            return
        if isinstance(action, Crash):
            call.asked.discard(action.server)
        elif action.actor in call.asked:
            for answer in done.answers:
                self._told(call, action, answer, now_us)

    def _told(self, call: Call, action: Action, answer: Answer, now_us: int) -> None:
        mine = isinstance(action, Propose) and action.client == self.session
        mine |= isinstance(action, Read) and action.id == self.read
        match answer:
            case Rejected(leader) if mine:
                self._turned_away(leader, now_us)
            case Accepted() if mine and self._registered:
                call.accepted += 1
            case ReadDone(id, _, store) if id == self.read and not call.seq:
                self._finish(call, apply(store, call.request, now_us)[1])
            case Applied(_, Command(_, client, 0), _) if client == self.session and not self._registered:
                self._registered, self._waits, self.due_us = True, False, now_us
            case Applied(_, Command(_, client, seq), reply) if client == self.session and seq == call.seq != 0:
                if reply == EXPIRED:
                    self._expired(call, now_us)
                else:
                    self._finish(call, reply)

    def _turned_away(self, leader: str | None, now_us: int) -> None:
        """Go to the leader that was named; at once only the first time, since two servers may name each other."""
        self._waits = False
        if self.member is not None or leader is None or leader == self.target:
            self._elsewhere()
            leader = None
        else:
            self.target = leader
        at_once = leader is not None and not self._redirected
        self._redirected = at_once
        self.due_us = now_us if at_once else now_us + self.patience.pause_us

    def _expired(self, call: Call, now_us: int) -> None:
        """The session was forgotten. Nobody can say what became of earlier copies; alone, this one has done nothing."""
        self._registered = False
        self._sessions += 1
        self.session = f"{self.name}.{self._sessions}"  # no name twice, or a late copy could be applied again (6.3)
        if call.accepted > 1:
            self._finish(call, Unknown(call.request, now_us - call.begun_us))
        else:
            call.accepted, self._waits, self.due_us = 0, False, now_us

    def _finish(self, call: Call, outcome: Outcome) -> None:
        call.outcome, self.due_us, self._waits = outcome, None, False
