"""A request by way of one member, which hands on to the leader what only a leader can do, as etcd's members do.

There is no session: a request is sent once. What was taken into a log is only waited for; if no answer comes, it is in
doubt.
"""

from __future__ import annotations

from raft_lab.kv.calls import Call, Caller, Patience
from raft_lab.kv.requests import Range, Request, Txn, only_reads
from raft_lab.kv.server import apply
from raft_lab.raft.messages import AppendEntries
from raft_lab.raft.state import Accepted, Applied, Leader, ReadDone, Rejected
from raft_lab.sim.actions import Action, Heartbeat, Propose, Read
from raft_lab.sim.world import Transition, World

PATIENCE = Patience(pause_us=10_000)
"""As long as etcd's members wait: five seconds and two of its usual election timeouts."""


class Forwarded(Caller):
    """A client of `member`, or, with none, of whoever leads.

    Args:
        name: what its reads are called by.
        member: the server to which it is connected; it is told what that server has applied.
        patience: how long it waits.
    """

    def __init__(self, name: str, member: str | None = None, patience: Patience = PATIENCE) -> None:
        super().__init__(name, (member or "",), patience, member)
        self.asked: Action | None = None
        """The latest thing that it has sent."""
        self.place: tuple[int, int] | None = None
        """Index and term of the entry that waits to be applied."""

    def ask(self, request: Request, now_us: int) -> Call:
        self.asked = self.place = None
        self._reply, self.read = None, ""
        return super().ask(request, now_us)

    def send(self, world: World, now_us: int) -> Action | None:
        call = self.call
        assert call is not None
        gives_up = call.begun_us + self.patience.deadline_us
        if now_us >= gives_up:
            self._finish(call, self._given_up(call))
            return None
        if self.place is not None:
            return self._await(call, world, now_us)
        action = self._next(call, world)
        if action is None or action.refusal(world) is not None:
            self.due_us = min(now_us + self.patience.pause_us, gives_up)
            return None
        self.asked, self.due_us = action, min(now_us + self.patience.answer_us, gives_up)
        return action

    def _next(self, call: Call, world: World) -> Propose | Read | None:
        """What it asks, and whom; None if its member cannot reach whoever can do it."""
        how = how_to_read(call.request)
        if how == "local":
            target = self.member or next((name for name in world.servers if name not in world.crashed), None)
        else:
            target = leader_for(world, self.member)
        if target is None:
            return None
        if call.seq:
            return Propose(target, call.request)
        if _waits(world, target, self.read):
            return None
        self._reads += 1
        self.read = f"{self.name}#{self._reads}"
        return Read(target, self.read, how)

    def _await(self, call: Call, world: World, now_us: int) -> Action | None:
        """The entry is applied where it was committed first: wait for the member, and have it told at once."""
        assert self.place is not None
        gives_up = call.begun_us + self.patience.deadline_us
        member = world.servers.get(self.member or "")
        if call.outcome is None and self._reply is not None:
            if member is None or member.last_applied >= self.place[0]:
                self._finish(call, self._reply)
                return None
            self.due_us = min(now_us + 1000, gives_up)
            leader = leader_for(world, self.member)
            if leader is not None and leader != self.member and not _is_told(world, member.id, self.place[0]):
                return Heartbeat(leader)
            return None
        self.due_us = gives_up
        return None

    def hear(self, action: Action, done: Transition, now_us: int) -> None:
        call = self.call
        if call is None or call.outcome is not None or self.asked is None:
            return
        for answer in done.answers:
            match answer:
                case Rejected() if action is self.asked:
                    self.due_us = now_us + self.patience.pause_us
                case Accepted(index, term) if action is self.asked:
                    call.accepted, self.place = 1, (index, term)
                    self.due_us = call.begun_us + self.patience.deadline_us
                case Applied(index, _, reply) if self.place and index == self.place[0] and self._is_mine(done.world):
                    self._reply, self.due_us = reply, now_us
                    self._await(call, done.world, now_us)
                case ReadDone(id, _, store) if id == self.read and not call.seq:
                    if leads_back(done.world, action.actor, self.member):
                        self._finish(call, apply(store, call.request, now_us)[1])

    def _is_mine(self, world: World) -> bool:
        """Whether what was committed at its place is what it has asked for, and not what another leader put there."""
        assert self.place is not None
        index, term = self.place
        return world.ghosts.committed.term(index) == term


def how_to_read(request: Request) -> str:
    """What may be stale is read where one is; so is a transaction that neither reads nor writes, as in etcd."""
    match request:
        case Range(serializable=True):
            return "local"
        case Txn() if only_reads(request):
            operations = (*request.success, *request.failure)
            return "local" if all(isinstance(op, Range) and op.serializable for op in operations) else "read-index"
    return "read-index"


def leader_for(world: World, member: str | None) -> str | None:
    """The leader that a member knows of and can reach, if there is one; with no member, whoever leads."""
    if member is None:
        leading = [s for s in world.servers.values() if s.is_leader and s.id not in world.crashed]
        return max(leading, key=lambda s: s.current_term).id if leading else None
    state = world.servers.get(member)
    if state is None or member in world.crashed or state.leader_id is None:
        return None
    leader = state.leader_id
    cut = (member, leader) in world.cuts or (leader, member) in world.cuts
    return None if cut or leader in world.crashed or leader not in world.servers else leader


def leads_back(world: World, server: str, member: str | None) -> bool:
    """Whether what a server says reaches a member."""
    return member is None or server == member or ((server, member) not in world.cuts and member not in world.crashed)


def _waits(world: World, leader: str, read: str) -> bool:
    """Whether a read waits at the leader for its round of heartbeats, so that it need not be asked again."""
    role = world.servers[leader].role
    return isinstance(role, Leader) and any(pending.id == read for pending in role.reads)


def _is_told(world: World, member: str, index: int) -> bool:
    """Whether the member is being told that this entry is committed."""
    messages = (m for m in world.network if m.dst == member and isinstance(m, AppendEntries))
    return any(m.leader_commit >= index for m in messages)
