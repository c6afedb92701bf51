"""What the clients of a run asked and were told: listened to step by step, or read off a cluster's tape."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from raft_lab.check.histories import History, Mark, Operation
from raft_lab.raft.clients import ANSWERED, EXPIRED
from raft_lab.raft.log import Command
from raft_lab.raft.state import Accepted, Applied, ReadDone, Rejected
from raft_lab.sim.actions import Action, Crash, Cut, Heal, Mend, Partition, Propose, Read, Restart
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.world import Transition, World

EARLIER = "earlier"
"""The client of the commands that are in the logs where the run begins."""


def history_of(cluster: Cluster) -> History:
    """What clients asked of `cluster` and what they were told, from the beginning to the present step.

    A command returns when the server that was asked has applied it, a read when it is answered. What was refused
    did not happen; whatever else has no answer may have happened, or may still. A command sent again in a session
    is the same operation: whoever asks again had no answer before (dissertation 6.3). Clients without a session
    are named c1, c2, … so that each has one operation under way at a time.
    """
    if not isinstance(cluster, Cluster):
        raise TypeError(f"history_of reads the history of a Cluster, not of {cluster!r}"[:200])
    path = cluster.history
    listener = Listener(path[0].world)
    for step in path[1:]:
        assert step.parent is not None
        assert step.action is not None
        listener.hear(step.parent.world, step.action, step.transition)
    return replace(
        listener.history(),
        source=f"{len(cluster.servers)} servers, steps 0 to {path[-1].id}",
        times_us=tuple(step.schedule.now_us for step in path),
        steps=tuple(step.id for step in path),
    )


def command_parts(op: Any) -> tuple[str, Any, Any]:
    """Kind, key and argument of a command of the lab's state machine; what does nothing there has no key."""
    match op.split(maxsplit=2) if isinstance(op, str) else ():
        case ["set" | "add" as kind, key, value]:
            return kind, key, value
        case ["get", key]:
            return "get", key, None
        case _:
            return "command", None, op


@dataclass
class _Request:
    """An operation that is under way, or was."""

    client: str
    kind: str
    key: Any
    argument: Any
    called: int
    returned: int | None = None
    result: Any = None
    failed: bool = False
    attempts: int = 0
    answers_count: bool = True

    def answer(self, moment: int, result: Any) -> None:
        """The client is told, if it was not told before."""
        if self.returned is None and self.answers_count:
            self.returned, self.result = moment, result


class Listener:
    """Follows a run, action by action, and knows which client waits for what.

    Args:
        start: the world in which the run begins; this is moment 0, and each action makes another.
    """

    def __init__(self, start: World) -> None:
        self.moment = 0
        self.marks: list[Mark] = []
        self.requests: list[_Request] = []
        self.in_sessions: dict[tuple[str, int, Any], _Request] = {}
        self.latest: dict[str, int] = {}
        self.commands: dict[tuple[str, int, int], _Request] = {}  # by server, index and term
        self.reads: dict[tuple[str, str], _Request] = {}  # by server and name
        committed = start.ghosts.committed.last_index
        machine = start.ghosts.machine(committed)
        self.start = machine.data
        self.latest |= {client: session.seq for client, session in machine.sessions.items()}
        found = {
            (index, entry.term): entry.value
            for state in start.servers.values()
            for index, entry in state.log
            if index > committed and isinstance(entry.value, Command)
        }
        for _, command in sorted(found.items(), key=lambda item: item[0]):
            if not command.client or command.seq:
                self.command(0, command.op, command.client, command.seq).attempts = 1

    def hear(self, before: World, action: Action, done: Transition) -> None:
        """What was asked and answered when `action` took `before` to `done.world`."""
        self.moment += 1
        moment = self.moment
        match action:
            case Propose(server, op, client, seq) if not client or seq:
                request = self.command(moment, op, client, seq)
                if not self.is_over(request, client, seq):
                    self.propose(moment, server, request, done.reply)
            case Read(server, id, how):
                kind = "read all" if how == "read-index" else f"read all ({how})"
                request = _Request("", kind, None, None, moment)
                self.requests.append(request)
                self.reads[server, id] = request
                if isinstance(done.reply, Rejected):
                    request.failed, request.returned = True, moment
            case Crash(server):
                self.commands = {key: request for key, request in self.commands.items() if key[0] != server}
                self.reads = {key: request for key, request in self.reads.items() if key[0] != server}
        for answer in done.answers:
            self.told(moment, answer, action.actor, (done.world, before))
        self.marks += [Mark(moment, kind, text) for kind, text in _marks(before, action, done.world)]

    def history(self) -> History:
        """Everything up to now."""
        return History(self.operations(), tuple(self.marks), start=self.start)

    def command(self, moment: int, op: Any, client: str, seq: int) -> _Request:
        """The operation that this command belongs to."""
        request = self.in_sessions.get((client, seq, op)) if client else None
        if request is None:
            request = _Request(client or ("" if moment else EARLIER), *command_parts(op), moment)
            self.requests.append(request)
            if client:
                # A session is for one command at a time: an older number is answered with the latest one's reply.
                request.answers_count = seq > self.latest.get(client, 0)
                self.latest[client] = max(seq, self.latest.get(client, 0))
                self.in_sessions[client, seq, op] = request
        return request

    def is_over(self, request: _Request, client: str, seq: int) -> bool:
        """Whether a client that has its answer, and has asked for the next thing, is repeated late by the network."""
        return seq < self.latest.get(client, 0) and request.returned is not None and not request.failed

    def propose(self, moment: int, server: str, request: _Request, reply: Accepted | Rejected | None) -> None:
        """The operation is sent, for the first time or again."""
        if isinstance(reply, Rejected) and not request.attempts:
            request.failed, request.returned = True, moment
            return
        if not request.attempts:
            request.called = moment
        request.attempts += not isinstance(reply, Rejected)
        request.failed, request.returned, request.result = False, None, None
        if isinstance(reply, Accepted):
            self.commands[server, reply.index, reply.term] = request

    def told(self, moment: int, answer: Any, server: str, worlds: tuple[World, World]) -> None:
        """A server answers; the worlds are those after and before it does."""
        match answer:
            case Applied(index, _, reply):
                request = self.commands.pop((server, index, _term(worlds, server, index)), None)
                if request is not None and reply == EXPIRED and request.client:
                    if request.attempts == 1:
                        request.failed, request.returned = True, moment
                elif request is not None and not (reply == ANSWERED and request.client):
                    request.answer(moment, reply)
            case ReadDone(id, _, found):
                if (request := self.reads.pop((server, id), None)) is not None:
                    request.answer(moment, found)

    def operations(self) -> tuple[Operation, ...]:
        """Everything that was asked, each under a client's name."""
        free: list[float] = []  # when each of the nameless clients has its answer
        operations = []
        for request in sorted(self.requests, key=lambda r: r.called):
            if not request.client:
                number = next((n for n, until in enumerate(free) if until < request.called), len(free))
                until = float("inf") if request.returned is None else request.returned
                free[number : number + 1] = [until]
                request.client = f"c{number + 1}"
            operations.append(
                Operation(request.client, request.kind, request.key, request.argument, request.called,
                          request.returned, request.result, request.failed)
            )  # fmt: skip
        return tuple(operations)


def _term(worlds: tuple[World, World], server: str, index: int) -> int:
    """The term of the entry that the server has just applied."""
    for world in worlds:
        log = world.servers[server].log
        if log.snapshot.last_included_index <= index <= log.last_index:
            return log.term(index)
    return 0


def _marks(before: World, action: Action, after: World) -> Iterator[tuple[str, str]]:
    """What happened to servers and links: kind and words."""
    match action:
        case Crash(server):
            yield "crash", f"{server} crashes"
        case Restart(server):
            yield "restart", f"{server} restarts"
        case Partition(groups):
            yield "cut", " | ".join(" ".join(sorted(group)) for group in groups)
        case Cut(src, dst):
            yield "cut", f"{src} → {dst} is cut"
        case Mend(src, dst):
            yield "heal", f"{src} → {dst} works again"
        case Heal():
            yield "heal", "links are healed"
    old, new = before.servers.get(action.actor), after.servers.get(action.actor)
    led = old is not None and new is not None and old.is_leader and old.current_term == new.current_term
    if new is not None and new.is_leader and not led:
        yield "leader", f"{new.id} leads term {new.current_term}"
