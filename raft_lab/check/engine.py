"""Raft itself as a system to search: the servers of a world, its history, and what is left of the bounds.

A component's local state is a server (up or down), or the ghosts, or what a run may still spend. What an action does
is found out once for each server state and history, by performing it in a world that holds nothing else;
so nothing here knows what an action means. The invariants are remembered with the values that they were
asked about.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass
from functools import partial

from raft_lab.check.bounds import Bounds, Left
from raft_lab.check.invariants import INVARIANTS, Change, Invariant, of_scope
from raft_lab.check.moves import Moves
from raft_lab.check.remembering import Remembering
from raft_lab.check.symmetry import renamed
from raft_lab.check.system import Bag, Interned, Move, Part, Remembered, Renaming, Vector
from raft_lab.raft.messages import Message
from raft_lab.raft.state import Rejected, State
from raft_lab.raft.values import FrozenMap
from raft_lab.sim.actions import Action, Deliver, Drop, Duplicate
from raft_lab.sim.world import Ghosts, World


@dataclass(frozen=True, slots=True)
class Local:
    """One server: its state, and whether it is down."""

    state: State
    crashed: bool


@dataclass(slots=True)
class Step:
    """What an action does to the server that it concerns and to the history, by number; and what is wrong with it.

    Attributes:
        action: what happened.
        local: the server after it.
        ghosts: the history after it.
        sent: the messages that were sent.
        broken: whether an invariant of the step, of the server or of its history is broken.
        commits: whether anything was committed that nobody had committed before; that concerns every server.
        change: the step, as invariants see it.
        whole: those invariants that must be asked about the step and the whole world after it.
    """

    action: Action
    local: int
    ghosts: int
    sent: tuple[int, ...]
    broken: bool
    commits: bool
    change: Change
    whole: tuple[Invariant, ...]


class Engine:
    """A world within bounds, as the search asks for it. The last two components are the ghosts and what is left."""

    def __init__(
        self,
        start: World,
        bounds: Bounds,
        invariants: Collection[Invariant] = tuple(INVARIANTS),
        renamings: Collection[Renaming] = (),
    ) -> None:
        self.start = start
        self.bounds = bounds
        self.names = tuple(start.servers)
        self.behaviour = Remembering(start.behaviour)
        self.options = Moves(bounds, self.behaviour, self.names, frozenset(start.ghosts.reads))
        self.hit = self.options.hit
        self.doing: Action | None = None
        """The action that is being performed."""
        n = len(self.names)
        self.renamings = tuple((*order, n, n + 1) for order in renamings) or (tuple(range(n + 2)),)
        self._names = {
            order: {name: self.names[order[i]] for i, name in enumerate(self.names)} for order in self.renamings
        }
        self.locals: Interned[Local | Ghosts | Left] = Interned()
        self.messages: Interned[Message] = Interned()
        self.invariants = tuple(invariants)
        self._of_step, self._of_server = of_scope("step", invariants), of_scope("server", invariants)
        self._of_history, self._of_pair = of_scope("history", invariants), of_scope("pair", invariants)
        self._of_whole = of_scope("whole", invariants)
        self._sound = Remembered(self._is_sound)
        self._friends: Remembered[int, set[int]] = Remembered(lambda number: {number})
        """For each server state those with which it breaks nothing."""
        self._options = Remembered(self._options_of)
        self._steps = Remembered(self._step)
        self._received = Remembered(self._receive)
        self._index = {name: i for i, name in enumerate(self.names)}

    # What the search asks

    def first(self) -> tuple[Vector, Bag]:
        """The world as it stands."""
        world = self.start
        servers = [self.locals[Local(state, name in world.crashed)] for name, state in world.servers.items()]
        left = Left.of(self.bounds)
        bag = [self.messages[message] for message, copies in world.network.items() for _ in range(copies)]
        return (*servers, self.locals[world.ghosts], self.locals[left]), tuple(sorted(bag))

    def moves(self, message: int | None) -> list[Part]:
        """What may happen on each server; or a message arrives where it can, or is lost, or is duplicated."""
        n = len(self.names)
        if message is None:
            return [((i, n, n + 1), self._actions) for i in range(n)]
        m = self.messages.seen[message]
        parts: list[Part] = []
        if m.dst in self._index and (m.src, m.dst) not in self.start.cuts:
            parts.append(((self._index[m.dst], n), partial(self._arrivals, message)))
        if self.bounds.drops or self.bounds.duplicates:
            parts.append(((n + 1,), partial(self._losses, message)))
        return parts

    def _actions(self, locals: Vector) -> Iterator[Move]:
        number, ghosts, left = locals
        for action, paid in self._options[number, left]:
            step = self._steps[number, ghosts, action]
            if step is not None:
                yield self._move(step, (step.local, step.ghosts, paid), None)

    def _arrivals(self, message: int, locals: Vector) -> Iterator[Move]:
        number, ghosts = locals
        if not self._local(number).crashed:
            step = self._received[number, ghosts, message]
            yield self._move(step, (step.local, step.ghosts), message)

    def _losses(self, message: int, locals: Vector) -> Iterator[Move]:
        left = self.locals.seen[locals[0]]
        assert isinstance(left, Left)
        if left.drops:
            yield Move(Drop(self.messages.seen[message]), (self.locals[left.less("drops")],), message)
        if left.duplicates:
            paid = self.locals[left.less("duplicates")]
            yield Move(Duplicate(self.messages.seen[message]), (paid,), None, (message,))

    def _move(self, step: Step, locals: Vector, taken: int | None) -> Move:
        doubt = step if step.commits or step.whole else None
        return Move(step.action, locals, taken, step.sent, step.broken, doubt=doubt)

    def after(self, bag: Bag, taken: int | None, sent: tuple[int, ...]) -> Bag | None:
        """The network is a bag: equal messages are counted."""
        left = list(bag)
        if taken is not None:
            left.remove(taken)
        left += sent
        if len(left) > self.bounds.messages and len(left) > len(bag):
            self.hit.add("messages")
            return None
        left.sort()
        return tuple(left)

    def image(self, local: int, renaming: Renaming) -> int:
        """A server or the history under other names."""
        value, names = self.locals.seen[local], self._names[renaming]
        match value:
            case Local(state, crashed):
                return self.locals[Local(renamed(state, names), crashed)]
            case Ghosts():
                return self.locals[renamed(value, names)]
            case _:
                return local

    def image_of_message(self, message: int, renaming: Renaming) -> int:
        """A message between the same servers under other names."""
        return self.messages[renamed(self.messages.seen[message], self._names[renaming])]

    def world(self, vector: Vector, bag: Bag = ()) -> World:
        """The world that a vector and a bag stand for."""
        seen = self.locals.seen
        servers = [seen[number] for number in vector[:-2]]
        network: dict[Message, int] = {}
        for number in bag:
            message = self.messages.seen[number]
            network[message] = network.get(message, 0) + 1
        return World(
            FrozenMap({name: local.state for name, local in zip(self.names, servers, strict=True)}),  # type: ignore[union-attr]
            seen[vector[-2]],  # type: ignore[arg-type]
            FrozenMap(network),
            frozenset(name for name, local in zip(self.names, servers, strict=True) if local.crashed),  # type: ignore[union-attr]
            self.start.cuts,
            self.start.behaviour,
        )

    # What is remembered

    def _local(self, number: int) -> Local:
        local = self.locals.seen[number]
        assert isinstance(local, Local)
        return local

    def _options_of(self, key: tuple[int, int]) -> tuple[tuple[Action, int], ...]:
        """What may happen to a server when so much is left, each with what is left then."""
        local, left = self._local(key[0]), self.locals.seen[key[1]]
        assert isinstance(left, Left)
        return tuple(
            (action, self.locals[left.less(cost)] if cost else key[1])
            for action, cost in self.options.of(local.state, local.crashed, left)
        )

    def _receive(self, key: tuple[int, int, int]) -> Step:
        number, ghosts, message = key
        m = self.messages.seen[message]
        step = self._perform(number, ghosts, Deliver(m), FrozenMap({m: 1}))
        assert step is not None
        return step

    def _step(self, key: tuple[int, int, Action]) -> Step | None:
        return self._perform(*key, FrozenMap())

    def _perform(self, number: int, ghosts: int, action: Action, network: FrozenMap[Message, int]) -> Step | None:
        """Perform `action` in a world with one server; None if it was refused, and so nothing has happened."""
        local, history = self._local(number), self.locals.seen[ghosts]
        assert isinstance(history, Ghosts)
        old = local.state
        down = frozenset({old.id}) if local.crashed else frozenset[str]()
        before = World(FrozenMap({old.id: old}), history, network, down, self.start.cuts, self.behaviour)
        self.doing = action
        done = action.perform(before)
        self.doing = None
        new, after = done.world.servers[old.id], done.world
        if isinstance(done.reply, Rejected) and new is old and not done.sent:
            return None
        change = Change(old, new, after.ghosts, action, self.start.behaviour, done.sent, done.answers)
        here, then = self.locals[Local(new, old.id in after.crashed)], self.locals[after.ghosts]
        broken = any(i.ask(change) for i in self._of_step) or (new is not old and not self._sound[here, then])
        commits = after.ghosts.committed is not history.committed
        whole = tuple(i for i in self._of_whole if i.matters(change))
        return Step(action, here, then, tuple(self.messages[m] for m in done.sent), broken, commits, change, whole)

    # Whether anything is broken

    def sound(self, vector: Vector) -> bool:
        """Whether all servers may stand beside each other."""
        servers = vector[:-2]
        return not any(self._clashes(number, servers[:i]) for i, number in enumerate(servers))

    def breaks(self, doubt: Step, vector: Vector) -> bool:
        """Whether a step that commits, or is otherwise everybody's affair, may lead here."""
        if doubt.commits and not all(self._sound[other, doubt.ghosts] for other in vector[:-2]):
            return True
        if not doubt.whole:
            return False
        world = self.world(vector)
        return any(invariant.ask(doubt.change, world) for invariant in doubt.whole)

    def _is_sound(self, key: tuple[int, int]) -> bool:
        state, ghosts = self._local(key[0]).state, self.locals.seen[key[1]]
        return not (any(i.ask(state) for i in self._of_server) or any(i.ask(state, ghosts) for i in self._of_history))

    def _clashes(self, number: int, others: Vector) -> bool:
        friends = self._friends[number]
        if friends.issuperset(others):
            return False
        state = self._local(number).state
        for other in others:
            if any(invariant.ask(state, self._local(other).state) for invariant in self._of_pair):
                return True
        friends.update(others)
        return False
