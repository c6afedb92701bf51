"""What a server may be asked to do next within bounds, in a fixed order, and what each thing costs."""

from __future__ import annotations

import itertools
from collections.abc import Iterator

from raft_lab.check.bounds import Bounds, Left
from raft_lab.raft.log import Command
from raft_lab.raft.membership import Configuration
from raft_lab.raft.state import Follower, State
from raft_lab.sim.actions import (
    Action,
    CheckQuorum,
    Compact,
    Crash,
    Heartbeat,
    Propose,
    Read,
    Reconfigure,
    Restart,
    Silence,
    Timeout,
    TransferLeadership,
    WriteDisk,
)
from raft_lab.sim.world import Behaviour

Option = tuple[Action, str]
"""An action, and of which limited thing it takes one ('': of none)."""


def _last_of_sessions(state: State) -> list[Command]:
    """The last command of every session in the log: a client has one under way at a time (dissertation 6.3)."""
    entries = state.log.after(state.log.snapshot.last_included_index)
    commands = [entry.value for entry in entries if isinstance(entry.value, Command) and entry.value.client]
    return list({command.client: command for command in commands}.values())


class Moves:
    """The options of one server.

    Args:
        bounds: up to where to look.
        behaviour: knows which timers run.
        servers: everyone's names.
        reads: names of reads that are taken.
    """

    def __init__(self, bounds: Bounds, behaviour: Behaviour, servers: tuple[str, ...], reads: frozenset[str]) -> None:
        self.bounds = bounds
        self.behaviour = behaviour
        self.servers = servers
        self.reads = reads
        self.hit: set[str] = set()
        """Names of the bounds that have kept anything from being an option."""

    def of(self, state: State, crashed: bool, left: Left) -> Iterator[Option]:
        """What may happen to a server in this state."""
        name = state.id
        if crashed:
            yield Restart(name), ""
            return
        timers = self.behaviour.timers(state)
        if state.disk is not None:
            yield WriteDisk(name), ""
        if isinstance(state.role, Follower) and state.role.in_touch:
            yield Silence(name), ""
        if state.is_leader:
            if "quorum" in timers:
                yield CheckQuorum(name), ""
            yield from self._of_leader(state, left)
        elif "election" in timers:
            if state.current_term < self.bounds.term:
                yield Timeout(name), ""
            else:
                self.hit.add("term")
        if left.compactions and state.last_applied > state.log.snapshot.last_included_index:
            yield Compact(name), "compactions"
        if left.crashes:
            yield Crash(name), "crashes"

    def _of_leader(self, state: State, left: Left) -> Iterator[Option]:
        name, bounds = state.id, self.bounds
        if left.heartbeats:
            yield Heartbeat(name), "heartbeats"
        if left.reads:
            yield Read(name, self._read(bounds.reads - left.reads + 1)), "reads"
        if left.transfers:
            for other in sorted(state.configuration.voters - {name}):
                yield TransferLeadership(name, other), "transfers"
        appended: list[Option] = []
        if left.commands:
            appended.append((Propose(name, f"set x {bounds.commands - left.commands + 1}"), "commands"))
        if left.retries:
            appended += [(Propose(name, c.op, c.client, c.seq), "retries") for c in _last_of_sessions(state)]
        if left.reconfigurations:
            appended += [(Reconfigure(name, *wanted), "reconfigurations") for wanted in self._joint(state)]
        if left.single_changes:
            appended += [(Reconfigure(name, *wanted, single=True), "single_changes") for wanted in self._single(state)]
        if appended and state.log.last_index >= bounds.log:
            self.hit.add("log")
        else:
            yield from appended

    def _read(self, number: int) -> str:
        free = (f"r{n}" for n in itertools.count(1) if f"r{n}" not in self.reads)
        return next(itertools.islice(free, number - 1, None))

    def _joint(self, state: State) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
        """One more learner; or one or two voters more, less, or exchanged."""
        now = state.configuration
        for new in self.servers:
            if new not in now.members:
                yield now.voters, now.learners | {new}
        for size in (1, 2):
            for changed in itertools.combinations(now.members, size):
                voters = now.voters ^ frozenset(changed)
                if voters:
                    yield voters, now.learners - voters

    def _single(self, state: State) -> Iterator[tuple[frozenset[str], frozenset[str]]]:
        """One voter more, who is a learner now, or one less."""
        now: Configuration = state.configuration
        for changed in now.members:
            if voters := now.voters ^ {changed}:
                yield voters, now.learners - voters
