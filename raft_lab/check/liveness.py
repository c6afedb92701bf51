"""Does it go on? After the faults a majority is healed, what is outside stays broken, and there must be progress.

The manner is TigerBeetle's: to heal everything would hide a cluster that needs everybody.
"""

from __future__ import annotations

from collections.abc import Iterator

from raft_lab.check.stepper import Stepper
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import AppendEntries, InstallSnapshot
from raft_lab.raft.state import Accepted, Candidate, Leader, State
from raft_lab.sim.actions import Action, Crash, Heal, Partition, Propose, Restart, Stall
from raft_lab.sim.schedule import Schedule, Timing, draw
from raft_lab.sim.tape import Violation
from raft_lab.sim.world import World

PROGRESS = "Progress"
"""What is broken when servers that could go on do not elect a leader, or commit nothing new."""

STEPS = 4000
"""So many things that are due are enough to elect a leader and to commit."""


# --- Who could go on ---------------------------------------------------------------------------------


def can_go_on(world: World, up: frozenset[str]) -> bool:
    """Whether one of `up` would be elected by others of them, going by their logs, and nobody stands in its way.

    Without check-quorum, who leads and cannot commit for lack of a quorum goes on to lead for ever. And a configuration
    that is still on its way counts from its arrival (dissertation 4.1): it must not need anybody else.
    """
    servers = [world.servers[name] for name in sorted(up)]
    heading = [s for s in servers if isinstance(s.role, Leader | Candidate)]
    needed = [*(s.configuration for s in heading), *_configurations_on_their_way(world, up)]
    return all(one.has_quorum(up) for one in needed) and any(_would_win(world, s, servers) for s in servers)


def _configurations_on_their_way(world: World, up: frozenset[str]) -> Iterator[Configuration]:
    for m in world.network:
        if m.dst in up and isinstance(m, InstallSnapshot):
            yield m.snapshot.configuration
        elif m.dst in up and isinstance(m, AppendEntries):
            yield from (entry.value for entry in m.entries if isinstance(entry.value, Configuration))


def _would_win(world: World, candidate: State, voters: list[State]) -> bool:
    if not candidate.is_leader and "election" not in world.behaviour.timers(candidate):
        return False
    mine = (candidate.log.last_term, candidate.log.last_index)
    granting = [s.id for s in voters if (s.log.last_term, s.log.last_index) <= mine]
    return candidate.configuration.has_quorum(granting)


def able(world: World) -> frozenset[str]:
    """Servers that are up, linked with each other and with nobody else, and could go on; none if there are none."""
    up = [name for name in world.servers if name not in world.crashed]
    for name in up:
        group = frozenset(o for o in up if o == name or not {(name, o), (o, name)} <= world.cuts)
        whole = not any((a, b) in world.cuts for a in group for b in group)
        alone = all((a, b) in world.cuts and (b, a) in world.cuts for a in group for b in up if b not in group)
        if whole and alone and can_go_on(world, group):
            return group
    return frozenset()


# --- Healing -----------------------------------------------------------------------------------------


def healing(world: World, *key: object) -> Iterator[Action]:
    """The actions that heal just enough servers, drawn by `key`; the others are down, or cut off."""
    names = sorted(world.servers, key=lambda name: draw(*key, "core", name))
    groups = (frozenset(names[:count]) for count in range(1, len(names)))
    healed = next((group for group in groups if can_go_on(world, group)), frozenset(names))
    outside = frozenset(names) - healed
    for name in sorted(outside - world.crashed):
        if draw(*key, "down", name) % 2:
            yield Crash(name)
    if outside:
        yield Partition((healed, outside))
    elif world.cuts:
        yield Heal()
    for name in sorted(healed & world.crashed):
        yield Restart(name)


# --- Progress ----------------------------------------------------------------------------------------


class Recovery:
    """Time goes on without new faults, and a client asks for something, until there is progress.

    Attributes:
        actions: what happened.
        violation: what broke: progress itself, or an invariant on the way; None if all is well.
    """

    def __init__(self, run: Stepper) -> None:
        self.run = run
        self.able = able(run.world)
        self.actions: list[Action] = []
        self.asked: tuple[str, int] | None = None
        self.entry: Accepted | None = None
        self.schedule = Schedule.begin(run.world, 0, run.timing or Timing(), run.now_us)
        self.violation = self._go_on() if self.able else None

    def _go_on(self) -> Violation | None:
        for number in range(STEPS):
            due = self.schedule.next(self.run.world)
            if due is None:
                break
            if broken := self._perform(due[1], max(due[0], self.schedule.now_us)) or self._ask(number):
                return broken
            if self.entry is not None and self._is_everywhere(self.entry):
                return None
        up = ", ".join(sorted(self.able))
        led = f"{self.asked[0]} leads, but commits nothing new" if self.asked else "no leader is elected"
        self.actions.clear()  # that nothing happens needs no list
        return Violation(PROGRESS, f"{up} hold all that it takes and reach each other, but {led}.")

    def _perform(self, action: Action, now_us: int) -> Violation | None:
        """Let `action` happen; answers with what it breaks."""
        passed = now_us - self.schedule.now_us
        if passed > 0 and self.run.timing is not None:
            self.actions.append(Stall(passed))
            self.run.perform(Stall(passed))
        before = self.run.world
        self.actions.append(action)
        done, broken = self.run.ask(action)
        if done is None or broken:
            return broken[0]
        self.schedule = self.schedule.follow(before, action, done, now_us)
        if isinstance(action, Propose) and isinstance(done.reply, Accepted):
            self.entry = done.reply
        return None

    def _ask(self, number: int) -> Violation | None:
        """A client asks each new leader for something; and again, now and then, if it was refused."""
        leaders = [s for s in self.run.world.servers.values() if s.is_leader and s.id in self.able]
        if not leaders:
            return None
        leader = max(leaders, key=lambda s: s.current_term)
        if self.asked == (leader.id, leader.current_term) and (self.entry or number % 50):
            return None
        self.asked, self.entry = (leader.id, leader.current_term), None
        return self._perform(Propose(leader.id, f"set healed {number}"), self.schedule.now_us)

    def _is_everywhere(self, entry: Accepted) -> bool:
        """Whether the entry is committed, and every member that could go on has applied it."""
        world = self.run.world
        committed = world.ghosts.committed
        if committed.last_index < entry.index or committed.term(entry.index) != entry.term:
            return False
        members = self.able.intersection(committed.configuration.members)
        return all(world.servers[name].last_applied >= entry.index for name in members)
