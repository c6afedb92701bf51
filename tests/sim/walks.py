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
    RULES,
    AppendEntries,
    AppendEntriesReply,
    Candidate,
    Cluster,
    Leader,
    RequestVote,
    RequestVoteReply,
    Server,
    with_rules,
)
from raft_lab.raft.messages import InstallSnapshot, TimeoutNow
from raft_lab.raft.state import PreCandidate, ReadDone
from raft_lab.sim.actions import (
    Action,
    Boot,
    CheckQuorum,
    Compact,
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
    Read,
    Reconfigure,
    Restart,
    Silence,
    Timeout,
    TransferLeadership,
    WriteDisk,
)
from raft_lab.sim.world import Transition, World

FAULTS = ("loss", "duplication", "crashes", "cuts", "partitions", "administration", "reordering", "impatience", "load")
OPTIONAL = tuple(rule.name for rule in RULES if rule.optional)
CROWD = 40
"""With more messages in flight than this, no one starts anything new."""


@dataclass(frozen=True)
class Weather:
    """What one run is like: how many servers, the rate of each fault (0 if it does not occur), optional rules."""

    servers: int
    rates: dict[str, float]
    rules: tuple[str, ...]

    @classmethod
    def drawn(cls, rng: random.Random, sizes: tuple[int, ...] = (3, 3, 3, 4, 5, 5, 7)) -> Weather:
        rates = {fault: rng.uniform(0.02, 0.4) if rng.random() < 0.5 else 0.0 for fault in FAULTS}
        return cls(rng.choice(sizes), rates, tuple(rule for rule in OPTIONAL if rng.random() < 0.3))


class Walk:
    """One random run from a world, action by action."""

    def __init__(self, seed: int | str, world: World | None = None, server: type[Server] | None = None) -> None:
        self.rng = random.Random(f"walk {seed}")
        self.weather = Weather.drawn(self.rng)
        server = server or with_rules(Server, *self.weather.rules)
        self.world = world or Cluster(self.weather.servers, server=server).world
        self.commands = 0
        self.seen: Counter[str] = Counter()

    @property
    def names(self) -> tuple[str, ...]:
        return tuple(self.world.servers)

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
            case "administration":
                return self.administration()
        return None

    def administration(self) -> Action:
        """An administrator compacts a log, hands over, boots a server, or asks for other members."""
        rng = self.rng
        leaders = [s for s in self.world.servers.values() if s.is_leader] or list(self.world.servers.values())
        leader = rng.choice(leaders)
        match rng.randrange(12):
            case 0 | 1 | 2 | 3 | 4 | 5:
                return Compact(rng.choice([s.id for s in leaders] if rng.random() < 0.6 else self.names))
            case 6:
                return TransferLeadership(leader.id, rng.choice(self.names))
            case 7 if len(self.names) < 8:
                return Boot(f"S{len(self.names) + 1}")
        now = leader.configuration
        strangers = sorted(frozenset(self.names) - now.voters - now.learners)
        if strangers and rng.random() < 0.5:
            return Reconfigure(leader.id, now.voters, now.learners | {rng.choice(strangers)})
        if rng.random() < 0.5:
            changed = now.voters ^ {rng.choice(sorted(now.voters | now.learners))}
            return Reconfigure(leader.id, changed or now.voters, now.learners, single=True)
        pool = sorted(now.voters | now.learners)
        voters = frozenset(rng.sample(pool, rng.randint(1, len(pool))))
        return Reconfigure(leader.id, voters, (now.learners | now.voters) - voters)

    def initiative(self) -> Action:
        """A client, a disk, a leader's heartbeat or a timer."""
        rng = self.rng
        leaders = [s.id for s in self.world.servers.values() if s.is_leader]
        writing = [s.id for s in self.world.servers.values() if s.disk is not None]
        if writing and rng.random() < 0.6:
            return WriteDisk(rng.choice(writing))
        if leaders and rng.random() < 0.85 - self.weather.rates["impatience"]:
            name = rng.choice(leaders)
            if rng.random() < 0.25 + self.weather.rates["load"]:
                self.commands += 1
                if rng.random() < 0.3:
                    return Read(name, f"r{self.commands}")
                if rng.random() < 0.3:
                    return Propose(name, f"add y {self.commands % 3}", client="c", seq=self.commands // 2)
                return Propose(name, f"set x {self.commands}")
            return CheckQuorum(name) if rng.random() < 0.1 else Heartbeat(name)
        name = rng.choice(self.names)
        return Silence(name) if rng.random() < 0.3 else Timeout(name)

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
        if not action.actor or action.actor not in before.servers:
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
        for answer in done.answers:
            if isinstance(answer, ReadDone):
                seen["read answered"] += 1
        if new.is_leader and old.is_leader and new.log.configuration_index > old.log.configuration_index:
            seen["joint configuration" if new.configuration.is_joint else "simple configuration"] += 1
        if new.configuration != old.configuration and new.log.last_index < old.log.last_index:
            seen["configuration rolled back"] += 1
        if not isinstance(action, Deliver):
            return
        m = action.message
        if isinstance(m, InstallSnapshot) and new.log.snapshot is not old.log.snapshot:
            seen["snapshot installed"] += 1
        if isinstance(old.role, PreCandidate) and isinstance(new.role, Candidate):
            seen["pre-vote won"] += 1
        if isinstance(m, TimeoutNow) and isinstance(new.role, Candidate):
            seen["handed over"] += 1
        if isinstance(m, RequestVote) and new is old and not done.sent:
            seen["candidate ignored"] += 1
        if isinstance(old.role, Leader) and not new.is_leader:
            seen["stale leader stepped down"] += 1
        if (
            new.log is not old.log
            and new.log.snapshot is old.log.snapshot
            and not (new.log.last_index >= old.log.last_index and new.log.same_prefix(old.log, old.log.last_index))
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
                lambda name: new.durable_index if name == new.id else new.role.progress[name].match_index
            )
            if stored > new.commit_index:
                seen["majority of an older entry not committed"] += 1


def healed(world: World) -> World:
    """The same world with every link mended and every server up."""
    world = replace(world, cuts=frozenset())
    for name in sorted(world.crashed):
        world = Restart(name).perform(world).world
    return world
