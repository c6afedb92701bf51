"""What clients hold on to after they have asked for something."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raft_lab.raft.state import Accepted, Leader, ReadDone, Rejected
from raft_lab.sim.tape import Step

if TYPE_CHECKING:
    from raft_lab.sim.cluster import Cluster


class Proposal:
    """What a client knows of an operation that it asked for.

    `status` is one of: `rejected` (the server does not lead, nothing was appended), `pending` (in the leader's
    log), `committed`, `lost` (another entry was committed in its place), `unknown` (the client has lost
    contact: the leader is down or leads no longer, and the entry may still be committed or lost).
    """

    def __init__(self, cluster: Cluster, step: Step, server: str, op: Any) -> None:
        self._cluster = cluster
        self._step = step
        self.server = server
        self.op = op

    @property
    def reply(self) -> Accepted | Rejected | None:
        """What the server answered at once."""
        return self._step.transition.reply

    @property
    def status(self) -> str:
        """How it stands in the situation that the cluster is in now."""
        reply = self.reply
        if not isinstance(reply, Accepted):
            return "rejected"
        if self._step not in self._cluster.now.path():
            return "unknown"
        world = self._cluster.world
        if reply.index <= world.ghosts.committed.last_index:
            return "committed" if world.ghosts.committed.term(reply.index) == reply.term else "lost"
        state = world.servers[self.server]
        leads = state.is_leader and state.current_term == reply.term and self.server not in world.crashed
        return "pending" if leads else "unknown"

    def __repr__(self) -> str:
        where = f", entry {self.reply.index} of term {self.reply.term}" if isinstance(self.reply, Accepted) else ""
        return f"<{self.op!r} at {self.server}: {self.status}{where}>"


class Transfer:
    """What an administrator knows of a handing over.

    `status` is one of: `rejected`, `pending`, `done` (the next leader is the one asked for), `given up` (the leader
    leads on, without it), `overtaken` (a later term is led by somebody else), `unknown` (no later term is led yet).
    """

    def __init__(self, cluster: Cluster, step: Step, server: str, to: str) -> None:
        self._cluster = cluster
        self._step = step
        self.server = server
        self.to = to

    @property
    def reply(self) -> Accepted | Rejected | None:
        """What the server answered at once."""
        return self._step.transition.reply

    @property
    def status(self) -> str:
        """How it stands in the situation that the cluster is in now."""
        reply, world = self.reply, self._cluster.world
        if not isinstance(reply, Accepted):
            return "rejected"
        if self._step not in self._cluster.now.path():
            return "unknown"
        later = [term for term in world.ghosts.leader_of if term > reply.term]
        if later:
            return "done" if world.ghosts.leader_of[min(later)] == self.to else "overtaken"
        state = world.servers[self.server]
        if not isinstance(state.role, Leader) or state.current_term != reply.term or self.server in world.crashed:
            return "unknown"
        return "pending" if state.role.transferee == self.to else "given up"

    def __repr__(self) -> str:
        return f"<hand over from {self.server} to {self.to}: {self.status}>"


class ReadHandle:
    """What a client knows of a read: `status` is pending, done, rejected or unknown; `data` is what it got."""

    def __init__(self, cluster: Cluster, step: Step, server: str, id: str) -> None:
        self._cluster = cluster
        self._step = step
        self.server = server
        self.id = id

    def _done(self) -> ReadDone | None:
        path = self._cluster.now.path()
        if self._step not in path:
            return None
        for step in path[path.index(self._step) :]:
            for answer in step.transition.answers:
                if isinstance(answer, ReadDone) and answer.id == self.id:
                    return answer
        return None

    @property
    def status(self) -> str:
        """How it stands in the situation that the cluster is in now."""
        if isinstance(self._step.transition.reply, Rejected):
            return "rejected"
        if self._done() is not None:
            return "done"
        state = self._cluster.world.servers[self.server]
        waits = isinstance(state.role, Leader) and any(read.id == self.id for read in state.role.reads)
        return "pending" if waits else "unknown"

    @property
    def data(self) -> Any:
        """The state machine's data that the read returned, or None."""
        done = self._done()
        return None if done is None else done.data

    def __repr__(self) -> str:
        return f"<read at {self.server}: {self.status}{f', {dict(self.data)}' if self.data is not None else ''}>"
