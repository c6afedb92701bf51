"""Breadth-first exploration: every run within stated bounds, shortest first.

What it finds is the shortest run that breaks an invariant. What it does not find is not there within the
bounds; that is all it ever says.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable, Collection, Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from raft_lab.check.counterexample import Counterexample
from raft_lab.check.invariants import INVARIANTS, broken_by
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.log import Log
from raft_lab.raft.server import Server
from raft_lab.raft.state import Event, Follower, Outcome, State
from raft_lab.sim.actions import (
    Action,
    CheckQuorum,
    Crash,
    Deliver,
    Drop,
    Duplicate,
    Heartbeat,
    Propose,
    Restart,
    Silence,
    Timeout,
    WriteDisk,
)
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.tape import Violation
from raft_lab.sim.world import Behaviour, Transition, World, behaviour_name


@dataclass(frozen=True, slots=True)
class Bounds:
    """Up to where to look. Each number limits one thing in every run.

    Attributes:
        term: highest term that a server may start an election for.
        log: longest log to which a client's command is still proposed.
        messages: most messages in flight.
        commands: how many commands clients propose.
        heartbeats: how many heartbeat rounds leaders send.
        crashes: how many crashes there are (restarts are free).
        drops: how many messages are lost. Undelivered is as good as lost, unless `messages` is short.
        duplicates: how many messages are duplicated.
        depth: most actions in a run.
        states: most situations looked at in all.
    """

    term: int = 2
    log: int = 3
    messages: int = 8
    commands: int = 0
    heartbeats: int = 0
    crashes: int = 0
    drops: int = 0
    duplicates: int = 0
    depth: int = 30
    states: int = 50_000


@dataclass(frozen=True)
class Report:
    """What an exploration saw.

    Attributes:
        states: different situations reached.
        transitions: actions tried.
        depth: longest run looked at.
        seconds: how long it took.
        bounds: the bounds that were set.
        hit: names of the bounds that kept it from looking further.
        counterexample: the shortest run that breaks an invariant, or None.
        reached: for every question asked with `reach`, whether some run came there.
        failure: what a handler raised, in words, or ''.
    """

    states: int
    transitions: int
    depth: int
    seconds: float
    bounds: Bounds
    hit: frozenset[str]
    counterexample: Counterexample | None = None
    reached: dict[str, bool] = field(default_factory=dict)
    failure: str = ""

    def __str__(self) -> str:
        limits = ", ".join(f"{name} {getattr(self.bounds, name)}" for name in self.bounds.__dataclass_fields__)
        stopped = f" (stopped by: {', '.join(sorted(self.hit))})" if self.hit else ""
        seen = f"Explored {self.states:,} states and {self.transitions:,} actions, up to {self.depth} deep"
        if self.counterexample is not None:
            return f"{self.counterexample}\n({seen}.)"
        if self.failure:
            return f"{self.failure}\n({seen}.)"
        return f"{seen}, within the bounds {limits}{stopped}: no invariant is broken there."

    __repr__ = __str__


class _Remembering:
    """A behaviour that asks another one once for each different (state, event)."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.__name__ = behaviour_name(behaviour)
        self.behaviour = behaviour
        self.known: dict[tuple[State, Event], Outcome] = {}
        self.trusted = behaviour == Server

    def step(self, state: State, event: Event, now: int = 0) -> Outcome:
        found = self.known.get((state, event))
        if found is None:
            found = self.behaviour.step(state, event, now)
            if not self.trusted and found != self.behaviour.step(state, event, now):
                raise HandlerError(
                    f"{self.__name__} did two different things for the same state and event: a handler may use "
                    "nothing but self and the message, no randomness, clock or global"
                )
            self.known[state, event] = found
        return found

    def initial(self, id: str, log: Log, current_term: int = 0, voted_for: str | None = None) -> State:
        return self.behaviour.initial(id, log, current_term, voted_for)

    def timers(self, state: State) -> tuple[str, ...]:
        return self.behaviour.timers(state)

    def crashed(self, state: State) -> State:
        return self.behaviour.crashed(state)


@dataclass(frozen=True, slots=True)
class _Budget:
    """How much of each limited thing a run has left."""

    commands: int
    heartbeats: int
    crashes: int
    drops: int
    duplicates: int


def explore(
    cluster: Cluster,
    *,
    bounds: Bounds | None = None,
    invariants: Collection[str] | None = None,
    reach: dict[str, Callable[[World], bool]] | None = None,
    **limits: int,
) -> Report:
    """Look at every run from where `cluster` stands, shortest first, until one breaks an invariant.

    Args:
        cluster: it is not changed.
        bounds: up to where to look.
        invariants: names of the invariants to ask after every action; all of them if None.
        reach: questions about a world, by name; the report says which of them came true somewhere. A search
            that never reaches a leader proves nothing.
        **limits: single bounds by name, `explore(cluster, crashes=1)`.

    Returns:
        A report; the same on every machine.
    """
    if unknown := set(invariants or ()) - {invariant.name for invariant in INVARIANTS}:
        raise ValueError(f"there is no invariant called {min(unknown)!r}; INVARIANTS lists them")
    bounds = replace(bounds or Bounds(), **limits)
    return _Search(cluster, bounds, invariants, dict(reach or {})).run()


class _Search:
    def __init__(
        self,
        cluster: Cluster,
        bounds: Bounds,
        invariants: Collection[str] | None,
        reach: dict[str, Callable[[World], bool]],
    ) -> None:
        self.cluster = cluster
        self.bounds = bounds
        self.invariants = invariants
        self.reach = reach
        self.hit: set[str] = set()
        self.transitions = 0
        self.start = replace(cluster.world, behaviour=_Remembering(cluster.world.behaviour))

    def run(self) -> Report:
        begun = time.perf_counter()
        bounds = self.bounds
        budget = _Budget(bounds.commands, bounds.heartbeats, bounds.crashes, bounds.drops, bounds.duplicates)
        first = (self.start, budget)
        parents: dict[tuple[World, _Budget], tuple[tuple[World, _Budget], Action] | None] = {first: None}
        queue: deque[tuple[tuple[World, _Budget], int]] = deque([(first, 0)])
        reached = {name: asks(self.start) for name, asks in self.reach.items()}
        deepest = 0

        def report(counterexample: Counterexample | None = None, failure: str = "") -> Report:
            seconds = time.perf_counter() - begun
            return Report(
                len(parents),
                self.transitions,
                deepest,
                seconds,
                bounds,
                frozenset(self.hit),
                counterexample,
                reached,
                failure,
            )

        while queue:
            node, depth = queue.popleft()
            if depth >= bounds.depth:
                self.hit.add("depth")
                continue
            world = node[0]
            for action, left in self.moves(*node):
                self.transitions += 1
                try:
                    done = action.perform(world)
                except HandlerError as error:
                    return report(failure=str(error))
                deepest = max(deepest, depth + 1)
                broken = self.broken(world, action, done)
                if broken:
                    path = [*self.path(parents, node), action]
                    origin = f"{self.cluster.code()}"
                    return report(Counterexample(self.cluster.world, tuple(path), broken[0], True, origin))
                child = (done.world, left)
                if child in parents:
                    continue
                if len(parents) >= bounds.states:
                    self.hit.add("states")
                    return report()
                parents[child] = (node, action)
                queue.append((child, depth + 1))
                for name, asks in self.reach.items():
                    reached[name] = reached[name] or asks(done.world)
        return report()

    def broken(self, world: World, action: Action, done: Transition) -> list[Violation]:
        """What `action` has broken of what was asked for."""
        found = broken_by(world, action, done)
        return found if self.invariants is None else [v for v in found if v.invariant in self.invariants]

    def moves(self, world: World, left: _Budget) -> Iterator[tuple[Action, _Budget]]:
        """What may happen next within the bounds, in a fixed order, and what is left afterwards."""
        bounds = self.bounds
        crowded = sum(world.network.values()) >= bounds.messages
        for message in world.network:
            if world.blocked(message) is None:
                yield Deliver(message), left
            if left.drops:
                yield Drop(message), replace(left, drops=left.drops - 1)
            if left.duplicates and not crowded:
                yield Duplicate(message), replace(left, duplicates=left.duplicates - 1)
        for name, state in world.servers.items():
            if name in world.crashed:
                yield Restart(name), left
                continue
            if state.disk is not None:
                yield WriteDisk(name), left
            if isinstance(state.role, Follower) and state.role.in_touch:
                yield Silence(name), left
            if state.is_leader and "quorum" in world.behaviour.timers(state):
                yield CheckQuorum(name), left
            if crowded:
                self.hit.add("messages")
            elif not state.is_leader and "election" in world.behaviour.timers(state):
                if state.current_term < bounds.term:
                    yield Timeout(name), left
                else:
                    self.hit.add("term")
            elif state.is_leader:
                if left.heartbeats:
                    yield Heartbeat(name), replace(left, heartbeats=left.heartbeats - 1)
                if left.commands:
                    if state.log.last_index < bounds.log:
                        op = f"set x {bounds.commands - left.commands + 1}"
                        yield Propose(name, op), replace(left, commands=left.commands - 1)
                    else:
                        self.hit.add("log")
            if left.crashes:
                yield Crash(name), replace(left, crashes=left.crashes - 1)

    @staticmethod
    def path(parents: dict[Any, Any], node: Any) -> list[Action]:
        """The actions from the start to `node`."""
        actions = []
        while (link := parents[node]) is not None:
            node, action = link
            actions.append(action)
        return actions[::-1]
