"""A cluster under full load and every kind of fault, without a tape: for many runs in little time."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from dataclasses import replace

from raft_lab.kv.calls import Patience, Unknown
from raft_lab.kv.clients import Clients, Pause, Program
from raft_lab.kv.conditions import mod_revision
from raft_lab.kv.errors import EtcdError
from raft_lab.kv.requests import (
    Compaction,
    DeleteRange,
    Event,
    KeyValue,
    LeaseGrant,
    LeaseKeepAlive,
    Put,
    Range,
    Txn,
    WatchCreate,
    prefix_end,
)
from raft_lab.kv.server import KVServer
from raft_lab.kv.store import Store
from raft_lab.kv.watching import Watch
from raft_lab.raft.rules import switched
from raft_lab.sim import actions as act
from raft_lab.sim.actions import Action
from raft_lab.sim.arguments import first_world
from raft_lab.sim.schedule import Schedule, Timing, draw
from raft_lab.sim.tape import Step
from raft_lab.sim.world import Transition, World

KEYS = ("a/1", "a/2", "b/1", "b/2")
SERVERS = ("S1", "S2", "S3", "S4")


class Run:
    """What `Clients` needs of a cluster, and no more."""

    servers = SERVERS  # S4 is started later

    def __init__(self, seed: int, without: tuple[str, ...] = ()) -> None:
        world = first_world(SERVERS[:3], switched(KVServer, on=["pre-vote"], off=without), {})
        timing = Timing(loss=0.02, duplication=0.02)
        self.seed = seed
        self.now = Step(0, None, None, False, Transition(world), Schedule.begin(world, seed, timing))

    @property
    def world(self) -> World:
        return self.now.world

    @property
    def schedule(self) -> Schedule:
        return self.now.schedule

    def do(self, action: Action, now_us: int) -> None:
        done = action.perform(self.world, now_us)
        schedule = self.schedule.follow(self.world, action, done, now_us)
        self.now = Step(self.now.id + 1, self.now, action, True, done, schedule)

    def perform(self, action: Action) -> None:
        self.do(action, self.schedule.now_us + (action.us if isinstance(action, act.Stall) else 0))

    def step(self) -> None:
        due = self.schedule.next(self.world)
        assert due is not None
        self.do(due[1], max(due[0], self.schedule.now_us))

    def wait(self, ms: float) -> None:
        self.do(act.Wait(round(ms * 1000)), self.schedule.now_us + round(ms * 1000))

    @contextlib.contextmanager
    def as_one_change(self) -> Iterator[None]:
        yield


class Load:
    """One run: clients, watchers and faults, all drawn from the seed."""

    def __init__(
        self, seed: int, without: tuple[str, ...] = (), *, clients: int = 6, faults: int = 12, requests: int = 22
    ) -> None:
        self.seed = seed
        self.run = Run(seed, without)
        self.clients = Clients(self.run, Patience(150_000, 20_000, 1_200_000))  # type: ignore[arg-type]
        self.watches = [
            self.clients.watch(WatchCreate("a/", prefix_end("a/"), 1, prev_kv=True)),
            self.clients.watch(WatchCreate("b/1", start_revision=1)),
            self.clients.watch(WatchCreate(b"\0", b"\0", 1), "S3"),
        ]
        self.faults_left = faults
        self.removed: set[str] = set()
        self.seen: dict[str, int] = {}
        self.programs = [self.clients.start(self.client(number, requests)) for number in range(clients)]
        self.programs.append(self.clients.start(self.compactor()))

    def draw(self, purpose: str, choices: int) -> int:
        count = self.seen[purpose] = self.seen.get(purpose, -1) + 1
        return draw("load", self.seed, purpose, count) % choices

    # Clients

    def client(self, number: int, requests: int) -> Program:
        """Asks for one thing after another, and takes what comes."""
        lease = 0
        who = f"client {number}"
        for count in range(requests):
            key = KEYS[self.draw(who, len(KEYS))]
            text = f"{number}.{count}"
            match self.draw(who, 10):
                case 0 | 1 | 2:
                    request = Put(key, text)
                case 3:
                    request = Put(key, text, lease)
                case 4 | 5:
                    request = Range(key)
                case 6:
                    request = Range("a/", prefix_end("a/"))
                case 7:
                    request = DeleteRange(key, prev_kv=True)
                case 8 if lease:
                    request = LeaseKeepAlive(lease)
                case 8:
                    request = LeaseGrant(2, 1000 * self.seed + 10 * number + count + 1)
                case _:
                    request = Txn((mod_revision(key) == 0,), (Put(key, text),), (Range(key), Put("b/2", text)))
            with contextlib.suppress(EtcdError, Unknown):
                response = yield request
                lease = request.id if isinstance(request, LeaseGrant) and response.ttl else lease
            yield Pause(1 + self.draw(who, 12_000))

    def compactor(self) -> Program:
        """Forgets what every watcher has been told."""
        for _ in range(4):
            yield Pause(200_000)
            told = min(watch.next_revision for watch in self.watches) - 1
            with contextlib.suppress(EtcdError, Unknown):
                yield Compaction(told)

    # Faults

    def fault(self) -> list[Action]:
        """What goes wrong next."""
        world = self.run.world
        up = [name for name in world.servers if name not in world.crashed]
        leader = next((name for name in up if world.servers[name].is_leader), up[0])
        one = up[self.draw("whom", len(up))]
        configuration = world.servers[leader].configuration
        match self.draw("fault", 9):
            case 0:
                return [act.Crash(leader)] if len(up) > 2 else self.mend()
            case 1:
                return [act.Crash(one)] if len(up) > 2 else self.mend()
            case 2:
                others = frozenset(world.servers) - {leader}
                return [act.Partition((frozenset({leader}), others))]
            case 3:
                return [act.Partition((frozenset({one}), frozenset(world.servers) - {one}))]
            case 4:
                return self.mend()
            case 5:
                return [act.Compact(name) for name in up]
            case 6 if "S4" not in world.servers:
                return [act.Boot("S4"), act.Reconfigure(leader, configuration.voters, frozenset({"S4"}))]
            case 6 if "S4" in configuration.learners:
                gone = sorted(configuration.voters)[self.draw("gone", 3)]
                return [act.Reconfigure(leader, configuration.voters - {gone} | {"S4"}, frozenset())]
            case 7:
                return [act.Stall(2_100_000)]
            case _:
                return [act.TransferLeadership(leader, one)]

    def mend(self) -> list[Action]:
        """Everything works again: links, and whoever is a member."""
        down = sorted(self.run.world.crashed - self.removed)
        return [act.Heal(), *(act.Restart(name) for name in down)]

    def perform(self, actions: list[Action]) -> None:
        for action in actions:
            if action.refusal(self.run.world) is None:
                self.run.perform(action)
        self.clients.catch_up()

    def switch_off(self, spared: str = "") -> None:
        """Whoever is no member (any more) is switched off, as an administrator does."""
        world = self.run.world
        configuration = world.ghosts.committed.configuration
        members = {*configuration.members, spared}
        gone = set() if configuration.is_joint else set(world.servers) - members
        for name in sorted(gone - self.removed):
            self.removed.add(name)
            self.perform([act.Crash(name)])

    # The run

    def go(self, max_steps: int = 40_000) -> Load:
        """Let it all happen, mend everything, and wait until every client is done and every watcher was told."""
        next_fault_us = 250_000
        while self.faults_left or not all(program.done for program in self.programs):
            if self.run.schedule.now_us >= next_fault_us:
                self.faults_left -= self.faults_left > 0
                self.perform(self.fault() if self.faults_left else self.mend())
                next_fault_us = self.run.schedule.now_us + 60_000 + self.draw("when", 120_000)
            self.switch_off(spared="S4")  # it may be about to become one
            self.clients.step()
            assert self.run.now.id < max_steps, "it does not come to an end"
        self.perform(self.mend())
        for _ in range(max_steps):
            self.switch_off()
            if self.settled():
                return self
            self.clients.step()
        raise AssertionError("it does not settle")

    def settled(self) -> bool:
        """Whether every member has applied everything that is committed, and every watcher is at its end."""
        servers, ghosts = self.run.world.servers, self.run.world.ghosts
        leader = max(servers.values(), key=lambda state: (state.is_leader, state.current_term))
        last = ghosts.committed.last_index
        members = set(leader.configuration.members)
        return (
            leader.is_leader
            and leader.log.last_index == last
            and all(servers[name].last_applied == last for name in members)
            and all(w.server in members for w in self.watches)
        )

    # What must be so

    @property
    def stores(self) -> Iterator[Store]:
        """The store after each committed entry."""
        ghosts = self.run.world.ghosts
        for index in range(1, ghosts.committed.last_index + 1):
            yield ghosts.machine(index).data

    def history(self) -> dict[int, tuple[Event, ...]]:
        """What each revision changed, by what was committed."""
        changed: dict[int, tuple[Event, ...]] = {}
        before = 1
        for store in self.stores:
            changed |= {revision: store.events(revision) for revision in range(before + 1, store.revision + 1)}
            before = store.revision
        return changed

    def told(self, watch: Watch) -> tuple[list[Event], list[Event]]:
        """What a watcher was told, and what it should have been told."""
        begin, end = watch.request.key, watch.request.range_end
        standing: dict[bytes, KeyValue] = {}
        concerns = []
        for _, events in sorted(self.history().items()):
            before = dict(standing) if watch.request.prev_kv else {}
            for event in events:
                key = event.kv.key
                if key == begin if not end else end == b"\0" or begin <= key < end:
                    concerns.append(replace(event, prev_kv=before.get(key)))
                if event.type == "PUT":
                    standing[key] = event.kv
                else:
                    del standing[key]
        return list(watch.events), concerns
