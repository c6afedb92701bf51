"""Random runs, one for each seed: swarm testing, as in TigerBeetle and FoundationDB.

Every run draws a random subset of faults with random rates, because a uniform mixture of all of them hides the
mistakes that need quiet. A run works on worlds alone; no tape, no clock.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace

from raft_lab import (
    AppendEntries,
    AppendEntriesReply,
    Candidate,
    Cluster,
    Leader,
    RequestVote,
    RequestVoteReply,
    Server,
)
from raft_lab.sim.actions import (
    Action,
    Crash,
    Cut,
    Deliver,
    Drop,
    Duplicate,
    Heal,
    Heartbeat,
    Mend,
    Partition,
    Propose,
    Restart,
    Timeout,
)
from raft_lab.sim.world import Transition, World

FAULTS = ("loss", "duplication", "reordering", "crashes", "cuts", "partitions", "impatience", "load")
CROWD = 40
"""With more messages in flight than this, no one starts anything new."""


class OneByOne(Server):
    """Raft that sends one entry in a message; only so does a leader ever see a majority for an older term's entry."""

    max_entries_per_message = 1


@dataclass(frozen=True)
class Weather:
    """What one run is like: how many servers, and the rate of each fault (0 if it does not occur)."""

    servers: int
    rates: dict[str, float]

    @classmethod
    def drawn(cls, rng: random.Random, sizes: tuple[int, ...] = (3, 3, 3, 4, 5, 5, 7)) -> Weather:
        rates = {fault: rng.uniform(0.02, 0.4) if rng.random() < 0.5 else 0.0 for fault in FAULTS}
        return cls(rng.choice(sizes), rates)


class Walk:
    """One random run from a world, action by action."""

    def __init__(self, seed: int | str, world: World | None = None, server: type[Server] | None = None) -> None:
        self.rng = random.Random(f"walk {seed}")
        self.weather = Weather.drawn(self.rng)
        server = server or self.rng.choice((Server, OneByOne))
        self.world = world or Cluster(self.weather.servers, server=server).world
        self.names = tuple(self.world.servers)
        self.commands = 0
        self.seen: Counter[str] = Counter()

    def steps(self, count: int) -> Iterator[tuple[World, Action, Transition]]:
        """`count` actions: each with the world before it and what it did."""
        for _ in range(count):
            action = self.choose()
            before = self.world
            done = action.perform(before)
            self.world = done.world
            yield before, action, done

    def choose(self) -> Action:
        """The next action: a fault, if the weather has one now; else someone starts something or a message arrives."""
        rng, world, rates = self.rng, self.world, self.weather.rates
        while True:
            fault = self.fault()
            if fault is not None and fault.refusal(world) is None:
                return fault
            network = world.network
            quiet = not network or (len(network) < CROWD and rng.random() < 0.12 + rates["impatience"] / 2)
            action = self.initiative() if quiet else self.arrival()
            if action is not None and action.refusal(world) is None:
                return action

    def fault(self) -> Action | None:
        rng, world, rates = self.rng, self.world, self.weather.rates
        kind = FAULTS[int(rng.random() * 6)]
        rate = rates[kind] / 2
        if rng.random() >= rate:
            return None
        network = world.network
        match kind:
            case "loss" if network:
                return Drop(rng.choice(tuple(network)))
            case "duplication" if network:
                return Duplicate(rng.choice(tuple(network)))
            case "crashes":
                if world.crashed and rng.random() < 0.6:
                    return Restart(rng.choice(sorted(world.crashed)))
                return Crash(rng.choice(self.names))
            case "cuts":
                src, dst = rng.sample(self.names, 2)
                return Mend(src, dst) if (src, dst) in world.cuts else Cut(src, dst)
            case "partitions":
                if world.cuts and rng.random() < 0.5:
                    return Heal()
                side = frozenset(rng.sample(self.names, rng.randint(1, len(self.names) - 1)))
                return Partition((side, frozenset(self.names) - side))
        return None

    def initiative(self) -> Action:
        """A client, a leader's heartbeat or an election timer."""
        rng = self.rng
        leaders = [s.id for s in self.world.servers.values() if s.is_leader]
        if leaders and rng.random() < 0.85 - self.weather.rates["impatience"]:
            name = rng.choice(leaders)
            if rng.random() < 0.25 + self.weather.rates["load"]:
                self.commands += 1
                return Propose(name, f"set x {self.commands}")
            return Heartbeat(name)
        return Timeout(rng.choice(self.names))

    def arrival(self) -> Action | None:
        """The oldest message that can arrive or, where the weather reorders, any."""
        rng, world = self.rng, self.world
        ready = [m for m in world.network if m.dst not in world.crashed and (m.src, m.dst) not in world.cuts]
        if not ready:
            return self.initiative() if len(world.network) < CROWD else Drop(next(iter(world.network)))
        if rng.random() < self.weather.rates["reordering"] * 2:
            return Deliver(rng.choice(ready))
        return Deliver(ready[0])

    def look(self, before: World, action: Action, done: Transition) -> None:
        """Count what has happened, so that a test can tell that its runs prove something."""
        seen = self.seen
        seen[type(action).__name__] += 1
        if not action.actor:
            return
        old, new = before.servers[action.actor], done.world.servers[action.actor]
        if new.is_leader and not old.is_leader:
            seen["leader elected"] += 1
        if isinstance(action, Timeout) and isinstance(old.role, Candidate):
            seen["election repeated"] += 1
        if new.commit_index > old.commit_index and new.is_leader:
            seen["committed"] += 1
            if new.log.term(old.commit_index + 1) < new.current_term:
                seen["older entry committed with a newer one"] += 1
        if not isinstance(action, Deliver):
            return
        m = action.message
        if isinstance(old.role, Leader) and not new.is_leader:
            seen["stale leader stepped down"] += 1
        if new.log is not old.log and not (
            new.log.last_index >= old.log.last_index and new.log.same_prefix(old.log, old.log.last_index)
        ):
            seen["conflict truncated"] += 1
        for sent in done.sent:
            if isinstance(sent, AppendEntriesReply) and not sent.success:
                seen["refused by log" if m.term >= old.current_term else "refused by term"] += 1
            elif isinstance(sent, RequestVoteReply) and isinstance(m, RequestVote):
                behind = (m.last_log_term, m.last_log_index) < (old.log.last_term, old.log.last_index)
                if not sent.vote_granted and m.term > old.current_term and behind:
                    seen["vote refused by log"] += 1
        if isinstance(m, AppendEntries) and isinstance(old.role, Candidate) and old.current_term == m.term:
            seen["candidate conceded"] += 1
        if new.is_leader and isinstance(m, AppendEntriesReply) and new.commit_index == old.commit_index:
            stored = new.configuration.quorum_min(
                lambda name: new.log.last_index if name == new.id else new.role.progress[name].match_index
            )
            if stored > new.commit_index:
                seen["majority of an older entry not committed"] += 1


def healed(world: World) -> World:
    """The same world with every link mended and every server up."""
    world = replace(world, cuts=frozenset())
    for name in sorted(world.crashed):
        world = Restart(name).perform(world).world
    return world
