"""One random run: what happens next is drawn from the seed, the number of the action and what the draw is for.

A walk knows worlds only; no tape and no schedule. In some runs time passes: then timers keep their time, by each
server's own clock, so that leases can be relied on.
"""

from __future__ import annotations

import functools
import hashlib
import itertools
import struct
from bisect import bisect
from collections.abc import Iterator, Sequence
from typing import Any, TypeVar

from raft_lab.check.mixes import SWARM, Mix, Weather
from raft_lab.check.stepper import Stepper
from raft_lab.raft.errors import RaftLabError
from raft_lab.raft.rules import with_rules
from raft_lab.raft.server import Server
from raft_lab.raft.state import Applied, State
from raft_lab.sim import actions as act
from raft_lab.sim import scenarios
from raft_lab.sim.actions import Action
from raft_lab.sim.arguments import first_world, server_names
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.schedule import draw
from raft_lab.sim.world import Transition, World

T = TypeVar("T")

CROWD = 40
"""With more different messages in flight than this, no one starts anything new."""
MOST_SERVERS = 8

STAGES = (
    scenarios.asymmetric_partition,
    scenarios.divergent_logs,
    scenarios.duplicate_command,
    scenarios.figure_7,
    scenarios.figure_8,
    scenarios.joint_consensus_split,
    scenarios.late_short_request,
    scenarios.leader_completeness,
    scenarios.log_conflict,
    scenarios.long_old_log_campaigns,
    scenarios.needs_snapshot,
    scenarios.old_leader_meets_new_term,
    scenarios.old_reign,
    scenarios.read_of_a_new_leader,
    scenarios.single_server_bug,
    scenarios.snapshot_over_a_stray_tail,
    scenarios.two_changes_at_once,
)
"""Scenarios in which a run may start, at any of their steps: what takes dozens of actions to come about by chance."""


class Dice:
    """The draws for one action: sixteen words of one keyed hash, and each purpose has a word of its own."""

    __slots__ = ("words",)

    def __init__(self, key: str) -> None:
        self.words: tuple[int, ...] = struct.unpack("<16I", hashlib.blake2b(key.encode()).digest())

    def share(self, word: int) -> float:
        """A number from 0 up to 1."""
        return self.words[word] / 4294967296

    def pick(self, word: int, among: Sequence[T]) -> T:
        """One of several."""
        return among[self.words[word] * len(among) >> 32]

    def some(self, word: int, among: Sequence[T]) -> list[T]:
        """Each of several, or not."""
        return [one for number, one in enumerate(among) if self.words[word] >> number & 1]


KIND, WHO, WHOM, WHICH, HOW, ELSE = range(6)
"""What each word of the dice is for."""


class Walk:
    """One random run, action by action; the same arguments give the same run.

    Args:
        seed: names the run.
        server: how servers react; some mixes turn optional rules on besides.
        mix: the family of runs that it belongs to.
    """

    def __init__(self, seed: int | str, server: type[Server] = Server, mix: Mix = SWARM) -> None:
        self.key = f"{mix.name}/{seed}"
        self.weather = weather = Weather.drawn(mix, self.key)
        self.server = with_rules(server, *(rule for rule in weather.rules if rule not in server.rules_on))
        self.start, self.prefix, self.stage = self._beginning(mix)
        self.run = Stepper(self.start, weather.timing)
        self.number = 0
        self.asked = dict.fromkeys(("alice", "bob", "carol"), 0)
        self.kinds = tuple(kind for kind, weight in weather.weights.items() if weight)
        self.sums = tuple(itertools.accumulate(weather.weights[kind] for kind in self.kinds))

    def _beginning(self, mix: Mix) -> tuple[World, tuple[Action, ...], str]:
        """Where the run starts, what happens first, and in which scenario that is."""
        if draw(self.key, "staged") % 100 < mix.staged and "slow disk" not in self.server.rules_on:
            name = STAGES[draw(self.key, "stage") % len(STAGES)].__name__
            server: Any = self.server
            if staged := _staged(name, server):
                start, actions = staged
                return start, actions[: draw(self.key, "depth") % (len(actions) + 1)], name
        return first_world(server_names(self.weather.servers), self.server, {}), (), ""

    @property
    def world(self) -> World:
        """Where it stands."""
        return self.run.world

    @property
    def names(self) -> tuple[str, ...]:
        """The servers' names."""
        return tuple(self.run.world.servers)

    def steps(self, count: int) -> Iterator[tuple[World, Action, Transition]]:
        """The next `count` actions: each with the world before it and what it did.

        Raises:
            HandlerError: a handler failed.
        """
        for _ in range(count):
            before, action = self.run.world, self.next_action()
            done = self.run.perform(action)
            self.heed(done)
            yield before, action, done

    def next_action(self) -> Action:
        """What happens next: while the scenario lasts in which it started, the scenario says so."""
        return self.prefix[self.number] if self.number < len(self.prefix) else self.choose()

    def heed(self, done: Transition) -> None:
        """Take note of what happened: a client that has its answer asks for something else."""
        self.number += 1
        for answer in done.answers:
            if isinstance(answer, Applied) and answer.command.client in self.asked:
                client, seq = answer.command.client, answer.command.seq
                self.asked[client] = max(self.asked[client], seq + 1)

    def choose(self) -> Action:
        """What happens next: the dice are thrown until they show something that is possible now."""
        for attempt in itertools.count():
            dice = Dice(f"{self.key}/{self.number}/{attempt}")
            kind = self.kinds[bisect(self.sums, dice.share(KIND) * self.sums[-1])]
            action: Action | None = getattr(self, f"_{kind}")(dice)
            if action is not None and self.run.refusal(action) is None:
                return action
            if attempt > 200:  # everybody is down or cut off: start anew
                crashed = sorted(self.world.crashed)
                return act.Restart(crashed[0]) if crashed else act.Stall(1000)
        raise AssertionError

    # The network

    def _deliver(self, dice: Dice) -> Action | None:
        """The oldest message that can arrive; or, in a network that reorders, sometimes any."""
        world = self.world
        if not world.network:
            return None
        messages = tuple(world.network)
        if dice.share(HOW) < self.weather.reordering:
            first = dice.words[WHICH] * len(messages) >> 32
            messages = messages[first:] + messages[:first]
        for message in messages:
            if world.blocked(message) is None:
                return act.Deliver(message)
        return act.Drop(messages[0]) if len(messages) >= CROWD else None

    def _drop(self, dice: Dice) -> Action | None:
        return act.Drop(dice.pick(WHICH, tuple(self.world.network))) if self.world.network else None

    def _duplicate(self, dice: Dice) -> Action | None:
        network = self.world.network
        return act.Duplicate(dice.pick(WHICH, tuple(network))) if network and len(network) < CROWD else None

    def _cut(self, dice: Dice) -> Action | None:
        src, dst = dice.pick(WHO, self.names), dice.pick(WHOM, self.names)
        if src == dst:
            return None
        return act.Mend(src, dst) if (src, dst) in self.world.cuts else act.Cut(src, dst)

    def _partition(self, dice: Dice) -> Action | None:
        side = frozenset(dice.some(WHICH, self.names))
        rest = frozenset(self.names) - side
        return act.Partition((side, rest)) if side and rest else None

    def _heal(self, _: Dice) -> Action:
        return act.Heal()

    # Servers and their timers

    def _timeout(self, dice: Dice) -> Action | None:
        return self._when_due(act.Timeout(dice.pick(WHO, self.names)), dice)

    def _silence(self, dice: Dice) -> Action | None:
        return self._when_due(act.Silence(dice.pick(WHO, self.names)), dice)

    def _when_due(self, action: act.Timeout | act.Silence, dice: Dice) -> Action | None:
        """A timer runs out if its time has come; else, now and then, all is still until then."""
        early = self.run.early_us(action.server)
        if early <= 0 or action.refusal(self.world) is not None:
            return action
        return act.Stall(early) if dice.share(ELSE) < 0.3 else None

    def _stall(self, dice: Dice) -> Action:
        return act.Stall(100 + (dice.words[WHICH] >> 18) * (8 if dice.share(HOW) < 0.1 else 1) // 2)

    def _heartbeat(self, dice: Dice) -> Action | None:
        return act.Heartbeat(self._leader(dice)) if len(self.world.network) < CROWD else None

    def _check(self, dice: Dice) -> Action:
        return act.CheckQuorum(self._leader(dice))

    def _write(self, dice: Dice) -> Action | None:
        writing = [s.id for s in self.world.servers.values() if s.disk is not None]
        return act.WriteDisk(dice.pick(WHO, writing)) if writing else None

    def _crash(self, dice: Dice) -> Action:
        return act.Crash(dice.pick(WHO, self.names))

    def _restart(self, dice: Dice) -> Action | None:
        crashed = sorted(self.world.crashed)
        return act.Restart(dice.pick(WHO, crashed)) if crashed else None

    # Clients

    def _propose(self, dice: Dice) -> Action | None:
        if len(self.world.network) >= CROWD:
            return None
        return act.Propose(self._leader(dice), f"{dice.pick(HOW, ('set', 'add'))} x {self.number % 10}")

    def _session(self, dice: Dice) -> Action | None:
        """A client asks until it has an answer, each time whom it likes; now and then an old request comes late.

        Carol forgets to open her session.
        """
        if len(self.world.network) >= CROWD:
            return None
        client = dice.pick(HOW, tuple(self.asked))
        seq = self.asked[client] + (client == "carol")
        if seq > 1 and dice.share(ELSE) < 0.2:
            seq -= 1
        return act.Propose(self._leader(dice), f"add {client} {seq}" if seq else "hello", client, seq)

    def _read(self, dice: Dice) -> Action | None:
        return self._ask(dice, "read-index" if dice.share(HOW) < 0.8 else "local")

    def _lease(self, dice: Dice) -> Action | None:
        return self._ask(dice, "lease")

    def _ask(self, dice: Dice, how: str) -> Action | None:
        if len(self.world.network) >= CROWD:
            return None
        where = self._leader(dice) if dice.share(ELSE) < 0.8 else dice.pick(WHO, self.names)
        return act.Read(where, f"r{self.number}", how)

    # Administrators

    def _compact(self, dice: Dice) -> Action:
        return act.Compact(self._leader(dice) if dice.share(ELSE) < 0.6 else dice.pick(WHO, self.names))

    def _transfer(self, dice: Dice) -> Action:
        return act.TransferLeadership(self._leader(dice), dice.pick(WHOM, self.names))

    def _boot(self, _: Dice) -> Action | None:
        if len(self.names) >= MOST_SERVERS or self.weather.timing is not None:
            return None
        return act.Boot(next(name for n in itertools.count(1) if (name := f"S{n}") not in self.world.servers))

    def _learner(self, dice: Dice) -> Action | None:
        leader = self._leader_state(dice)
        now = leader.configuration
        strangers = sorted(frozenset(self.names) - now.voters - now.old - now.learners)
        if not strangers:
            return None
        return act.Reconfigure(leader.id, now.voters, now.learners | {dice.pick(WHOM, strangers)})

    def _joint(self, dice: Dice) -> Action | None:
        leader = self._leader_state(dice)
        now = leader.configuration
        voters = frozenset(dice.some(WHICH, sorted(now.voters | now.learners)))
        return act.Reconfigure(leader.id, voters, (now.learners | now.voters) - voters) if voters else None

    def _single(self, dice: Dice) -> Action | None:
        leader = self._leader_state(dice)
        now = leader.configuration
        voters = now.voters ^ {dice.pick(WHOM, self.names)}
        return act.Reconfigure(leader.id, voters, now.learners - voters, single=True) if voters else None

    def _leader(self, dice: Dice) -> str:
        return self._leader_state(dice).id

    def _leader_state(self, dice: Dice) -> State:
        """One of those who believe that they lead; if nobody does, anyone."""
        world = self.world
        leaders = [s for s in world.servers.values() if s.is_leader and s.id not in world.crashed]
        return dice.pick(WHO, leaders or tuple(world.servers.values()))


@functools.lru_cache(maxsize=256)
def _staged(name: str, server: type[Server]) -> tuple[World, tuple[Action, ...]] | None:
    """Where the scenario of that name starts and what happens in it; None if `server` cannot play it."""
    try:
        cluster: Cluster = getattr(scenarios, name)(server)
    except RaftLabError:
        return None
    path = cluster.history
    return path[0].world, tuple(step.action for step in path[1:] if step.action is not None)
