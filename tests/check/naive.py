"""The explorer without any of its ideas: worlds in a set, every handler run and every invariant asked each time."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from itertools import combinations
from typing import Any

from raft_lab import Bounds, Cluster
from raft_lab.check.invariants import broken_by
from raft_lab.raft.log import Command
from raft_lab.raft.state import Rejected
from raft_lab.sim import actions as act
from raft_lab.sim.world import World

BUDGETS = (
    "commands",
    "retries",
    "heartbeats",
    "crashes",
    "drops",
    "duplicates",
    "reads",
    "reconfigurations",
    "single_changes",
    "transfers",
    "compactions",
)
Left = tuple[int, ...]


@dataclass
class Seen:
    """What the search has seen; of the runs that break something all that are shortest."""

    states: set[tuple[World, Left]]
    transitions: int = 0
    depth: int = 0
    broken: list[tuple[act.Action, ...]] = field(default_factory=list)


def search(cluster: Cluster, bounds: Bounds) -> Seen:
    """Everything within `bounds`, level by level, up to the level on which something breaks."""
    start = (cluster.world, tuple(getattr(bounds, name) for name in BUDGETS))
    seen = Seen({start})
    level: list[tuple[Any, tuple[act.Action, ...]]] = [(start, ())]
    while level and seen.depth < bounds.depth and not seen.broken:
        following = []
        for (world, left), run in level:
            for action, rest in possible(world, left, bounds):
                done = action.perform(world)
                if isinstance(done.reply, Rejected) and done.world.servers is world.servers and not done.sent:
                    continue
                seen.transitions += 1
                if broken_by(world, action, done):
                    seen.broken.append((*run, action))
                in_flight = sum(done.world.network.values())
                if in_flight > bounds.messages and in_flight > sum(world.network.values()):
                    continue
                child = (done.world, rest)
                if child not in seen.states:
                    if len(seen.states) == bounds.states:
                        return seen
                    seen.states.add(child)
                    following.append((child, (*run, action)))
        level = following
        seen.depth += bool(level)
    return seen


def possible(world: World, left: Left, bounds: Bounds) -> Iterator[tuple[act.Action, Left]]:
    """What can happen, and what is left then."""
    had = dict(zip(BUDGETS, left, strict=True))

    def paid(name: str) -> Left:
        return tuple(n - (name == budget) for budget, n in had.items())

    for action, cost in wished(world, had, bounds):
        if action.refusal(world) is None and (not cost or had[cost]):
            yield action, paid(cost) if cost else left


def wished(world: World, had: dict[str, int], bounds: Bounds) -> Iterator[tuple[act.Action, str]]:
    """What might happen, with what it costs."""
    for message in world.network:
        yield act.Deliver(message), ""
        yield act.Drop(message), "drops"
        yield act.Duplicate(message), "duplicates"
    for name, state in world.servers.items():
        yield act.Restart(name), ""
        yield act.WriteDisk(name), ""
        yield act.Silence(name), ""
        yield act.Crash(name), "crashes"
        yield act.Compact(name), "compactions"
        if state.current_term < bounds.term:
            yield act.Timeout(name), ""
        if not state.is_leader:
            continue
        if "quorum" in world.behaviour.timers(state):
            yield act.CheckQuorum(name), ""
        yield act.Heartbeat(name), "heartbeats"
        yield act.Read(name, f"r{bounds.reads - had['reads'] + 1}"), "reads"
        now = state.configuration
        for other in now.voters - {name}:
            yield act.TransferLeadership(name, other), "transfers"
        if state.log.last_index >= bounds.log:
            continue
        last = {}
        for _, entry in state.log:
            if isinstance(entry.value, Command) and entry.value.client:
                last[entry.value.client] = entry.value
        for command in last.values():
            yield act.Propose(name, command.op, command.client, command.seq), "retries"
        yield act.Propose(name, f"set x {bounds.commands - had['commands'] + 1}"), "commands"
        for new in world.servers.keys() - frozenset(now.members):
            yield act.Reconfigure(name, now.voters, now.learners | {new}), "reconfigurations"
        for one in now.members:
            if voters := now.voters ^ {one}:
                yield act.Reconfigure(name, voters, now.learners - voters), "reconfigurations"
                yield act.Reconfigure(name, voters, now.learners - voters, single=True), "single_changes"
        for two in combinations(now.members, 2):
            if voters := now.voters ^ frozenset(two):
                yield act.Reconfigure(name, voters, now.learners - voters), "reconfigurations"
