"""A cluster that people drive: one object for code cells and for the picture."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from os import PathLike
from typing import Any, ClassVar, Protocol

from raft_lab.raft.errors import RaftLabError
from raft_lab.raft.log import Command
from raft_lab.raft.messages import MESSAGE_TYPES, Message
from raft_lab.raft.rules import switched, turned
from raft_lab.raft.server import Server
from raft_lab.raft.state import State
from raft_lab.sim import actions, share, trace
from raft_lab.sim.actions import Action
from raft_lab.sim.arguments import (
    EntryLike,
    first_world,
    origin_code,
    rule_names,
    server_names,
    server_set,
    step_count,
)
from raft_lab.sim.errors import ActionRefused, TraceError, UnknownName
from raft_lab.sim.handles import Proposal, ReadHandle, Transfer
from raft_lab.sim.schedule import Schedule, Timing
from raft_lab.sim.tape import Step, Tape, Violation
from raft_lab.sim.world import World


class Driver(Protocol):
    """Whoever lets a cluster's time flow with real time, for clients from outside."""

    speed: float
    trouble: Exception | None
    """Why it cannot go on."""

    @property
    def paused(self) -> bool:
        """Whether time stands still."""

    def pause(self) -> None:
        """Let time stand still."""

    def resume(self) -> None:
        """Let time flow on."""


class Companions(Protocol):
    """Clients in a cluster's own time: what they do by themselves happens when it is due, as all else does."""

    @property
    def due_us(self) -> int | None:
        """When the first of them does something next."""

    def act(self) -> None:
        """Let it do that."""


GOES_ON = (
    "clients from outside live with this cluster, and what they were told cannot be taken back: look at the past in "
    "the lab, or stop serving first"
)


class Cluster:
    """Raft servers that can be stepped, rewound, branched, broken and repaired.

    Every method that does something adds a step to the tape and answers with it; a step prints as one sentence.
    What cannot be done now raises `ActionRefused` and changes nothing.

    Args:
        servers: how many (named S1, S2, …), or their names.
        seed: chooses all timeouts and latencies of timed driving.
        timing: durations and odds of timed driving.
        server: the class that says how servers react; a subclass of `Server`.
        rules: names of optional rules to turn on, such as "pre-vote"; `RULES` lists them.
        without: names of rules to turn off, such as "election restriction", to see what they are for.
        logs: what is in the servers' logs at the start, as (term, command) pairs. All servers then
            start in the highest term that appears.
    """

    faces: ClassVar[dict[str, Callable[..., Any]]] = {}
    """What rooms above this one add: "check", "lab", "tables", "timeline", "mimebundle", "operations" and so on."""

    def __init__(
        self,
        servers: int | Iterable[str] = 5,
        *,
        seed: int = 0,
        timing: Timing | None = None,
        server: type[Server] = Server,
        rules: Iterable[str] = (),
        without: Iterable[str] = (),
        logs: Mapping[str, Sequence[EntryLike]] | None = None,
    ) -> None:
        names = server_names(servers)
        if not isinstance(seed, int):
            raise ValueError(f"the seed must be a whole number, not {seed!r}")
        if not isinstance(timing, Timing | None):
            raise ValueError(f"timing must be a Timing such as Timing(loss=0.1), not {timing!r}")
        if not (isinstance(server, type) and issubclass(server, Server)):
            raise ValueError(f"server must be a subclass of Server, not {server!r}")
        server = switched(server, on=rule_names(rules), off=rule_names(without))
        world = first_world(names, server, logs or {})
        self._begin(world, seed, timing or Timing())
        self._origin = origin_code(servers, names, seed, timing, server, logs)

    @classmethod
    def at(
        cls, world: World, *, seed: int = 0, timing: Timing | None = None, origin: str = "", now_us: int = 0
    ) -> Cluster:
        """A cluster that starts in `world` when the clock shows `now_us`; `origin` is the Python that makes it."""
        cluster = cls.__new__(cls)
        cluster._begin(world, seed, timing or Timing(), now_us)
        cluster._origin = origin or "cluster = …  # a situation that was set up by hand"
        return cluster

    def _begin(self, world: World, seed: int, timing: Timing, now_us: int = 0) -> None:
        self.lock = threading.RLock()
        self.tape = Tape(world, Schedule.begin(world, seed, timing, now_us))
        self.now = self.tape.start
        self.clients: Companions | None = None
        self.driver: Driver | None = None
        """Who lets time flow with real time, if somebody does. Nobody can go back in history then."""
        self._listeners: list[Callable[[], None]] = []
        self._together = 0

    # What there is

    @property
    def world(self) -> World:
        """The world as it stands now."""
        return self.now.world

    @property
    def schedule(self) -> Schedule:
        """Clock, timers and due times as they stand now."""
        return self.now.schedule

    @property
    def origin(self) -> str:
        """The Python that made this cluster."""
        return self._origin

    @property
    def seed(self) -> int:
        """The seed of timed driving."""
        return self.schedule.seed

    @property
    def servers(self) -> tuple[str, ...]:
        """The servers' names."""
        return tuple(self.world.servers)

    def __getitem__(self, name: str) -> State:
        """One server as it stands."""
        return self.world.server(name)

    @property
    def leader(self) -> str | None:
        """The running leader of the highest term, if there is one."""
        leaders = [s for s in self.world.servers.values() if s.is_leader and s.id not in self.world.crashed]
        return max(leaders, key=lambda s: s.current_term).id if leaders else None

    @property
    def messages(self) -> list[Message]:
        """Every copy of a message in flight, in order of sending."""
        return [flight.message for flight in self.schedule.flights]

    @property
    def modified(self) -> str:
        """How this run differs from one of Raft, in words, or ''. What was modified once stays on record."""
        return self.now.modified

    @property
    def violations(self) -> list[tuple[Step, Violation]]:
        """What was broken on the way to the present step."""
        return [(step, violation) for step in self.now.path() for violation in step.violations]

    def enabled(self) -> list[Action]:
        """Every action that is possible now; `cluster.perform(action)` does one."""
        return actions.enabled(self.world)

    def every_action(self) -> list[tuple[Action, str]]:
        """Every action that one can ask for now, with the reason why it is not possible ('' if it is)."""
        return [(action, action.refusal(self.world) or "") for action in actions.every(self.world)]

    # What can be done

    def perform(self, action: Action) -> Step:
        """Let `action` happen now. The clock stands still.

        Raises:
            ActionRefused: it is not possible now.
            UnknownName: it names a server that does not exist.
            HandlerError: a handler failed.
        """
        if not isinstance(action, Action):
            raise ActionRefused(f"{action!r} is not an action; cluster.enabled() lists those that are possible now")
        if isinstance(action, actions.Wait) and action.refusal(self.world) is None:
            return self.wait(action.us / 1000)
        if isinstance(action, actions.Stall) and action.refusal(self.world) is None:
            return self._do(action, timed=False, now_us=self.schedule.now_us + action.us)
        return self._do(action, timed=False)

    def timeout(self, server: str) -> Step:
        """The server's election timer runs out."""
        return self.perform(actions.Timeout(server))

    def heartbeat(self, server: str) -> Step:
        """The leader's heartbeat interval passes."""
        return self.perform(actions.Heartbeat(server))

    def propose(self, op: Any, server: str | None = None, *, client: str = "", seq: int = 0) -> Proposal:
        """A client asks `server`, or else the leader, for an operation such as "set x 1".

        Args:
            op: the operation; a state machine of another class may take values instead of words.
            server: whom to ask.
            client: name of the client's session; with it a command that is repeated happens once.
            seq: number of the command in that session, from 1; 0 opens the session.

        Raises:
            ActionRefused: no server is named and none leads.
        """
        with self.lock:
            target = server or self._the_leader()
            return Proposal(self, self.perform(actions.Propose(target, op, client, seq)), target, op)

    def read(self, server: str | None = None, *, how: str = "read-index", name: str = "") -> ReadHandle:
        """A client reads the state machine from `server`, or else from the leader.

        Args:
            server: whom to ask.
            how: "read-index" asks a quorum whether the leader still leads; "lease" trusts the leader's clock;
                "local" takes what the server has, fresh or stale (dissertation 6.4).
            name: what to call this read; one that was not used yet, if none is given.
        """
        with self.lock:
            target = server or self._the_leader()
            name = name or f"r{len(self.now.path())}"
            return ReadHandle(self, self.perform(actions.Read(target, name, how)), target, name)

    def reconfigure(
        self,
        voters: Iterable[str] | None = None,
        *,
        add: Iterable[str] = (),
        remove: Iterable[str] = (),
        learners: Iterable[str] | None = None,
        single: bool = False,
        server: str | None = None,
    ) -> Proposal:
        """An administrator asks the leader for other members, by joint consensus or one at a time (`single`).

        Args:
            voters: who shall vote; or else who does now, with `add` and without `remove`.
            add: voters to add. They must have caught up as learners first.
            remove: members to remove.
            learners: who shall receive entries without a vote; or else who does now. Servers that do not exist yet
                are started.
            single: change one voter without joint consensus (dissertation 4.1).
            server: whom to ask instead of the leader.
        """
        with self.lock:
            target = server or self._the_leader()
            now = self[target].configuration
            gone = server_set(remove)
            wanted = ((now.voters if voters is None else server_set(voters)) | server_set(add)) - gone
            listening = (now.learners if learners is None else server_set(learners)) - wanted - gone
            if unknown := sorted((wanted | gone) - frozenset(self.servers)):
                raise UnknownName(
                    f"there is no server {unknown[0]!r}; a new one begins as a learner: "
                    f"cluster.reconfigure(learners={{{unknown[0]!r}}})"
                )
            if (wanted, listening) == (now.voters, now.learners) and not now.is_joint:
                raise ActionRefused(f"nothing would change: the configuration is {now}")
            if refusal := actions.Heartbeat(target).refusal(self.world):
                raise ActionRefused(f"only a running leader changes the configuration: {refusal}")
            for name in sorted(listening - frozenset(self.servers)):
                self.perform(actions.Boot(name))
            action = actions.Reconfigure(target, wanted, listening, single)
            return Proposal(self, self.perform(action), target, "new configuration")

    def transfer_leadership(self, to: str, server: str | None = None) -> Transfer:
        """An administrator asks the leader to hand over to another server (dissertation 3.10)."""
        with self.lock:
            target = server or self._the_leader()
            return Transfer(self, self.perform(actions.TransferLeadership(target, to)), target, to)

    def compact(self, server: str) -> Step:
        """The server puts a snapshot in place of what it has applied of its log."""
        return self.perform(actions.Compact(server))

    def boot(self, server: str) -> Step:
        """A new server starts with nothing on its disk; a leader has to add it to the configuration."""
        return self.perform(actions.Boot(server))

    def silence(self, server: str) -> Step:
        """The shortest election timeout passes since the server heard from a leader."""
        return self.perform(actions.Silence(server))

    def check_quorum(self, server: str) -> Step:
        """A whole election timeout passes for a leader."""
        return self.perform(actions.CheckQuorum(server))

    def write_disk(self, server: str) -> Step:
        """What the server has to write is on its disk."""
        return self.perform(actions.WriteDisk(server))

    def _has_quorum_up(self) -> bool:
        up = [name for name in self.servers if name not in self.world.crashed]
        return any(self[name].configuration.has_quorum(up) for name in up)

    def _the_leader(self) -> str:
        if self.leader is None:
            raise ActionRefused(
                "no server leads now, so there is no one to ask: cluster.run_until(leader=True) first, "
                "or name a server: cluster.propose(op, 'S1')"
            )
        return self.leader

    def deliver(self, message: Message | str, dst: str | None = None, kind: str | None = None) -> Step:
        """A message arrives: one of `cluster.messages`, or the one from a server to another (of one kind)."""
        return self.perform(actions.Deliver(self._find(message, dst, kind)))

    def drop(self, message: Message | str, dst: str | None = None, kind: str | None = None) -> Step:
        """The network loses a message, named as for `deliver`."""
        return self.perform(actions.Drop(self._find(message, dst, kind)))

    def duplicate(self, message: Message | str, dst: str | None = None, kind: str | None = None) -> Step:
        """The network makes a second copy of a message, named as for `deliver`."""
        return self.perform(actions.Duplicate(self._find(message, dst, kind)))

    def hold(self, message: Message | str, dst: str | None = None, kind: str | None = None) -> Step:
        """Timed driving leaves a message in flight until it is released."""
        return self.perform(actions.Hold(self._find(message, dst, kind)))

    def release(self, message: Message | str, dst: str | None = None, kind: str | None = None) -> Step:
        """A held message travels on."""
        return self.perform(actions.Release(self._find(message, dst, kind)))

    def delay(self, message: Message | str, dst: str | None = None, kind: str | None = None, *, ms: float = 20) -> Step:
        """A message, named as for `deliver`, arrives `ms` milliseconds later than it would have by itself."""
        if not (isinstance(ms, int | float) and not isinstance(ms, bool) and 0 < ms < 1e9):
            raise ActionRefused(f"delay takes a number of milliseconds above 0, not {ms!r}")
        return self.perform(actions.Delay(self._find(message, dst, kind), round(ms * 1000)))

    def deliver_all(self, limit: int = 1000) -> Step:
        """Deliver everything that can arrive, answers included, oldest first, until nothing more can.

        Raises:
            ActionRefused: after `limit` messages there are still some.
        """
        with self.as_one_change():
            for _ in range(limit):
                ready = [m for m in self.messages if self.world.blocked(m) is None]
                if not ready:
                    return self.now
                self.deliver(ready[0])
            raise ActionRefused(f"{limit} messages were delivered and there are still more; raise the limit?")

    def crash(self, server: str) -> Step:
        """The server stops and loses everything that is not durable."""
        return self.perform(actions.Crash(server))

    def restart(self, server: str) -> Step:
        """A crashed server starts again from its durable state."""
        return self.perform(actions.Restart(server))

    def cut(self, src: str, dst: str) -> Step:
        """Nothing gets through from `src` to `dst` any more."""
        return self.perform(actions.Cut(src, dst))

    def mend(self, src: str, dst: str) -> Step:
        """The link from `src` to `dst` works again."""
        return self.perform(actions.Mend(src, dst))

    def partition(self, *groups: Iterable[str]) -> Step:
        """The network falls apart into groups; servers that are not named form one more.

        For example `cluster.partition({"S1", "S2"}, {"S3", "S4", "S5"})`, or just `cluster.partition({"S1"})`.
        """
        if not all(isinstance(group, Iterable) for group in groups):
            raise ActionRefused("a partition takes groups of servers: cluster.partition({'S1', 'S2'}, {'S3'})")
        sides = tuple(frozenset([group] if isinstance(group, str) else group) for group in groups)
        rest = frozenset(self.servers).difference(*sides)
        return self.perform(actions.Partition((*sides, rest) if rest else sides))

    def heal(self) -> Step:
        """All links work again."""
        return self.perform(actions.Heal())

    def swap(self, server: type[Server] = Server, *, rules: Iterable[str] = (), without: Iterable[str] = ()) -> Step:
        """Other handlers take over in the running cluster; all state stays.

        Args:
            server: the class that says how servers react from now on, such as one that a cell has defined anew.
            rules: names of optional rules that are on from now on.
            without: names of rules that are off from now on.
        """
        if isinstance(server, type) and issubclass(server, Server):
            server = switched(server, on=rule_names(rules), off=rule_names(without))
        return self.perform(actions.Swap(server))

    def switch(self, rule: str, on: bool) -> Step:
        """Turn one rule of the running cluster on or off, and leave all others as they are."""
        if not isinstance(on, bool):
            raise ActionRefused(f"a rule is switched on=True or on=False, not {on!r}"[:200])
        return self.perform(actions.Swap(turned(self._server_class(), rule, on)))

    def _server_class(self) -> type[Server]:
        behaviour = self.world.behaviour
        if isinstance(behaviour, type) and issubclass(behaviour, Server):
            return behaviour
        raise ActionRefused(f"the rules of {behaviour!r} cannot be switched: it is no Server class")

    # Time

    def step(self, count: int = 1) -> Step:
        """Let the next thing happen that is due, and the clock move on to it, `count` times.

        Raises:
            ActionRefused: nothing is due, ever.
        """
        with self.as_one_change():
            for _ in range(step_count(count)):
                before = self.now
                while self.now is before:
                    if not self._go_on():
                        raise ActionRefused(
                            "nothing will ever happen by itself: no server runs and no message is on its way; "
                            "restart a server first"
                        )
            return self.now

    def _go_on(self, until_us: int | None = None) -> bool:
        """Let the next thing happen if it is due by then: in the cluster, or a client beside it has its turn."""
        due = self.schedule.next(self.world)
        turn_us = self.clients.due_us if self.clients is not None else None
        first_us = min((us for us in (turn_us, due and due[0]) if us is not None), default=None)
        if first_us is None or (until_us is not None and first_us > until_us):
            return False
        now_us = max(first_us, self.schedule.now_us)
        if self.clients is not None and first_us == turn_us:
            if now_us > self.schedule.now_us:
                self._do(actions.Wait(now_us - self.schedule.now_us), timed=False, now_us=now_us)
            self.clients.act()
        elif due is not None:
            self._do(due[1], timed=True, now_us=now_us)
        return True

    def foresee(self, count: int) -> list[Step]:
        """The steps that `step(count)` would add to the tape from here, as far as nothing was recorded or fails."""
        with self.lock:
            at, found = self.now, list[Step]()
            turn_us = self.clients.due_us if self.clients is not None else None
            with contextlib.suppress(RaftLabError):
                while len(found) < count and not self.tape.children(at) and (due := at.schedule.next(at.world)):
                    if turn_us is not None and turn_us <= due[0]:
                        break  # what a client does is not foreseen
                    clock = max(due[0], at.schedule.now_us)
                    at = self._after(at, due[1], True, clock, len(self.tape) + len(found))
                    found.append(at)
            return found

    def run(self, ms: float) -> Step:
        """Let everything happen that is due within the next `ms` milliseconds."""
        if not (isinstance(ms, int | float) and not isinstance(ms, bool) and 0 < ms < 1e9):
            raise ActionRefused(f"run takes a number of milliseconds above 0, not {ms!r}")
        with self.as_one_change():
            end = self.schedule.now_us + round(ms * 1000)
            while self._go_on(end):
                pass
            return self.wait((end - self.schedule.now_us) / 1000) if self.schedule.now_us < end else self.now

    def wait(self, ms: float) -> Step:
        """Let the clock move on by `ms` milliseconds in which nothing is due.

        Raises:
            ActionRefused: something is due earlier.
        """
        if not (isinstance(ms, int | float) and not isinstance(ms, bool) and 0 < ms < 1e9):
            raise ActionRefused(f"wait takes a number of milliseconds above 0, not {ms!r}")
        with self.lock:
            us = round(ms * 1000)
            due = self.schedule.next(self.world)
            if due is not None and due[0] < self.schedule.now_us + us:
                raise ActionRefused(f"something is due within {ms} ms: let it happen with cluster.run({ms})")
            return self._do(actions.Wait(us), timed=False, now_us=self.schedule.now_us + us)

    def stall(self, ms: float) -> Step:
        """Let the clock move on by `ms` milliseconds in which nothing happens: whatever is due comes late."""
        if not (isinstance(ms, int | float) and not isinstance(ms, bool) and 0 < ms < 1e9):
            raise ActionRefused(f"stall takes a number of milliseconds above 0, not {ms!r}")
        return self.perform(actions.Stall(round(ms * 1000)))

    def run_until(
        self,
        condition: Callable[[Cluster], bool] | None = None,
        *,
        leader: bool | str | None = None,
        committed: str | None = None,
        max_steps: int = 10_000,
    ) -> Step:
        """Let due things happen until something is so.

        Args:
            condition: a function of the cluster.
            leader: True for "some server leads its term and a majority knows it", False for "no server
                leads", or the name of the server that should lead.
            committed: until this command is committed.
            max_steps: give up after so many steps.

        Raises:
            ActionRefused: it did not come about; the steps taken stay on the tape.
        """
        if isinstance(leader, str):
            self.world.server(leader)
        step_count(max_steps)
        wanted = _condition(condition, leader, committed)
        with self.as_one_change():
            for _ in range(max_steps):
                if wanted(self):
                    return self.now
                if condition is None and leader is not False and not self._has_quorum_up():
                    down = ", ".join(sorted(self.world.crashed))
                    raise ActionRefused(
                        f"{down} are crashed, so no majority is up and nobody can win: restart one first"
                    )
                self.step()
            if wanted(self):
                return self.now
        raise ActionRefused(
            f"after {max_steps} steps it is still not so (the clock shows {self.schedule.now_us / 1000:.1f} ms); "
            "raise max_steps, or look at what hinders it: cluster.lab()"
        )

    # History

    def back(self, count: int = 1) -> Step:
        """Go back; nothing is deleted. At the beginning it stays there."""
        with self.lock:
            step = self.now
            for _ in range(step_count(count)):
                step = step.parent or step
            return self._enter(step)

    def forward(self, count: int = 1) -> Step:
        """Go forward again, along the branch that was visited last."""
        with self.lock:
            step = self.now
            for _ in range(step_count(count)):
                step = self.tape.onward(step) or step
            return self._enter(step)

    def goto(self, step: int | Step) -> Step:
        """Go to any step of any branch.

        Raises:
            UnknownName: there is no such step.
        """
        with self.lock:
            node = self._step(step)
            self.tape.enter(node)
            return self._enter(node)

    def _step(self, step: int | Step) -> Step:
        first, end = self.tape.first, len(self.tape)
        if isinstance(step, Step) and first <= step.id and (step.id >= end or self.tape[step.id] is not step):
            raise UnknownName(f"{step} is a step of another cluster")
        number = step.id if isinstance(step, Step) else step
        if not isinstance(number, int) or not first <= number < end:
            raise UnknownName(f"there is no step {number!r}; the tape holds steps {first} to {end - 1}")
        return self.tape[number]

    def name(self, name: str, step: int | Step | None = None) -> Step:
        """Give a step, or else the present one, a name by which its branch is known; '' takes it away."""
        if not isinstance(name, str) or len(name) > 80 or not name.isprintable():
            raise ActionRefused(f"a name is a line of at most 80 characters, not {name!r}"[:200])
        with self.lock:
            node = self._step(self.now if step is None else step)
            self.tape.name(node, name.strip())
            self.tell()
            return node

    @property
    def branches(self) -> list[Step]:
        """The last step of every branch of history."""
        return self.tape.branches()

    @property
    def history(self) -> list[Step]:
        """The steps from the beginning to the present one."""
        return self.now.path()

    def code(self) -> str:
        """The way to the present step as Python that takes it again."""
        lines = [self._origin]
        timed = 0
        for step in [*self.now.path()[1:], None]:
            if step is not None and step.timed:
                timed += 1
                continue
            if timed:
                lines.append("cluster.step()" if timed == 1 else f"cluster.step({timed})")
                timed = 0
            if step is not None:
                lines.append(step_code(step))
        return "\n".join(lines)

    def save(self, path: str | PathLike[str]) -> None:
        """Write the whole tape, all branches included, as JSON."""
        with self.lock:
            trace.save(path, self.tape, self.now, self._origin)

    @classmethod
    def load(cls, path: str | PathLike[str], *servers: type[Server]) -> Cluster:
        """Read a saved tape: every action is done again, by `Server` or by the classes given here.

        Raises:
            TraceError: the file is damaged, was edited, is of a newer version, or needs a class not given.
        """
        loaded = trace.load(path, [Server, *servers])
        cluster = cls.at(loaded.world, seed=loaded.seed, timing=loaded.timing, origin=loaded.origin)
        with trace.explained(path):
            steps = [cluster.now]
            for recorded in loaded.steps:
                cluster.now = steps[recorded.parent]
                done = cluster._do(recorded.action, timed=recorded.timed, now_us=recorded.now_us)
                if done.id != len(steps):
                    raise UnknownName(f"step {len(steps)} repeats step {done.id}")
                if recorded.now_us < steps[recorded.parent].schedule.now_us:
                    raise UnknownName(f"time goes back at step {len(steps)}")
                steps.append(done)
            for number, name in loaded.names:
                cluster.name(name, number)
            cluster.goto(loaded.cursor)
        trace.verify(path, cluster.world, loaded)
        return cluster

    def share(self) -> str:
        """The way to the present step as one short line of text, which `from_share` takes again.

        Raises:
            TraceError: the run began in a situation that was set up by hand; `save` takes it as it is.
        """
        with self.lock:
            return share.write(self.now)

    @classmethod
    def from_share(cls, text: str, *servers: type[Server]) -> Cluster:
        """The cluster that `share` has written down: every action is done again.

        Args:
            text: what `share` gave.
            servers: the classes whose handlers it needs, if they are not Raft's own.

        Raises:
            TraceError: the text is damaged, of a newer version, or needs a class not given.
        """
        start, parts, end = share.read(text, [Server, *servers])
        with share.explained(text):
            cluster = cls(**start)
            cluster._do_again(parts, end)
        return cluster

    def share_way(self) -> str:
        """The way to the present step from where this cluster began, wherever that is, as one line of text."""
        with self.lock:
            return share.write_way(self.now)

    def follow_way(self, text: str) -> None:
        """Do from here what `share_way` has written down of another cluster that stood here.

        Raises:
            TraceError: the text is damaged, of a newer version, or leads elsewhere from here.
        """
        if not isinstance(text, str):
            raise TraceError(f"a way is text such as 'raft-lab-way:1;crash:S1;step:40', not {text!r}"[:200])
        parts, end = share.read_way(text)
        with share.explained(text):
            self._do_again(parts, end)

    def _do_again(self, parts: Sequence[Any], end: str) -> None:
        for number, part in enumerate(parts, start=1):
            with share.at_part(number, part):
                if isinstance(part, int):
                    self.step(part)
                else:
                    self.perform(part(self.now))
        share.verify(self.now, end)

    # What rooms above add

    def lab(self, **options: Any) -> Any:
        """The live picture of this cluster, as a widget."""
        return self.faces["lab"](self, **options)

    @property
    def tables(self) -> Any:
        """What there is as pandas DataFrames: `.servers`, `.logs`, `.messages`, `.events`."""
        return self.faces["tables"](self)

    @property
    def operations(self) -> Any:
        """What clients asked and what they were told, up to the present step: a `History`."""
        return self.faces["operations"](self)

    def timeline(self) -> Any:
        """Who was in which role and term, and when, as a plotly figure."""
        return self.faces["timeline"](self)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if "mimebundle" in self.faces:
            bundle: dict[str, Any] = self.faces["mimebundle"](self)
            return bundle
        return {"text/plain": repr(self)}

    def __repr__(self) -> str:
        led = f"{self.leader} leads term {self[self.leader].current_term}" if self.leader else "no leader"
        return f"<Cluster of {len(self.servers)} at step {self.now.id}: {led}>"

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener()` whenever the present step changes; answers with a function that stops it."""
        self._listeners.append(listener)

        def stop() -> None:
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    # Inside

    def _do(self, action: Action, timed: bool, now_us: int | None = None) -> Step:
        with self.lock:
            refusal = action.refusal(self.world) or self._outlives_elections(action)
            if refusal:
                raise ActionRefused(refusal)
            step = self.tape.visited(self.now, action, timed)
            if step is None:
                clock = self.schedule.now_us if now_us is None else now_us
                step = self.tape.add(self._after(self.now, action, timed, clock, len(self.tape)))
            return self._enter(step)

    def _outlives_elections(self, action: Action) -> str | None:
        """Why no lease is of use with these timeouts, or None: it must end before an election may begin."""
        lease, shortest = getattr(self.world.behaviour, "lease_us", 0), self.schedule.timing.election_timeout_us[0]
        if isinstance(action, actions.Read) and action.how == "lease" and lease >= shortest:
            return (
                f"a lease of {lease / 1000:g} ms is worth nothing where an election may begin after "
                f"{shortest / 1000:g} ms: use a Server with a shorter lease_us, or longer election timeouts"
            )
        return None

    def _after(self, before: Step, action: Action, timed: bool, now_us: int, number: int) -> Step:
        """What `action` makes of the situation; the tape knows nothing of it yet."""
        done = action.perform(before.world, before.schedule.timing.local(action.actor, now_us))
        schedule = before.schedule.follow(before.world, action, done, now_us)
        check = self.faces.get("check")
        found = check(before.world, action, done) if check else ()
        return Step(number, before, action, timed, done, schedule, tuple(found))

    def _enter(self, step: Step) -> Step:
        if self.driver is not None and step is not self.now and step.parent is not self.now:
            raise ActionRefused(GOES_ON)
        if step is not self.now:
            with self.as_one_change():
                self.now = step
        return step

    @contextlib.contextmanager
    def as_one_change(self, told: bool = True) -> Iterator[None]:
        """Tell the listeners once, however many steps are taken inside; or not now (`told`), but with `tell` later."""
        with self.lock:
            before = self.now
            self._together += 1
            try:
                yield
            finally:
                self._together -= 1
                if told and self._together == 0 and self.now is not before:
                    self.tell()

    def tell(self) -> None:
        """Tell the listeners that the present step is another one."""
        for listener in list(self._listeners):
            listener()

    def let_go(self, keep: int) -> bool:
        """Let the oldest steps go, if there are more than `keep`; whether any went. Steps keep their numbers.

        A whole number of 256 steps goes, and none of which a branch begins that would have no beginning then.
        """
        with self.lock:
            start = (len(self.tape) - keep) // 256 * 256
            if start <= self.tape.first:
                return False
            ghosts = self.world.ghosts.let_go(self.world.servers.values())
            gone = self.tape.let_go(self.tape[start], ghosts, self.now)
            if gone:
                self._origin = f"cluster = …  # what was before step {start} was let go"
            return gone

    def _find(self, message: Message | str, dst: str | None, kind: str | None) -> Message:
        if isinstance(message, MESSAGE_TYPES):
            return message
        if dst is None and kind is None:
            raise ActionRefused(
                f"name a message of cluster.messages, or its two ends: cluster.deliver('S1', 'S2'), not {message!r}"
            )
        for name in (message, dst):
            self.world.server(name)  # type: ignore[arg-type]
        found = [m for m in dict.fromkeys(self.messages) if (m.src, m.dst) == (message, dst)]
        found = [m for m in found if kind in (None, type(m).__name__)]
        if len(found) == 1:
            return found[0]
        wanted = f"{kind or 'message'} from {message} to {dst}"
        if not found:
            raise ActionRefused(f"no {wanted} is in flight; cluster.messages lists those that are")
        listed = "; ".join(map(str, found))
        raise ActionRefused(f"{len(found)} different messages fit {wanted}; give one of them: {listed}")


def step_code(step: Step) -> str:
    """The call that performs `step`, with a message named by its ends where that is enough."""
    action, parent = step.action, step.parent
    if step.timed or action is None or parent is None:
        return "cluster.step()" if step.timed else ""
    if isinstance(action, actions.OnMessage):
        m = action.message
        here = [other for other in parent.world.network if (other.src, other.dst) == (m.src, m.dst)]
        alike = [other for other in here if type(other) is type(m)]
        if len(here) == 1:
            return action.call(repr(m.src), repr(m.dst))
        if len(alike) == 1:
            return action.call(repr(m.src), repr(m.dst), repr(type(m).__name__))
        flights = [flight.message for flight in parent.schedule.flights]
        return action.call(f"cluster.messages[{flights.index(m)}]")
    return str(action)


def _condition(
    condition: Callable[[Cluster], bool] | None, leader: bool | str | None, committed: str | None
) -> Callable[[Cluster], bool]:
    if sum(given is not None for given in (condition, leader, committed)) != 1:
        raise ValueError("run_until takes one thing to wait for: a function of the cluster, leader=… or committed=…")
    if condition is not None:
        if not callable(condition):
            raise ValueError(f"run_until waits for a function of the cluster to be true, not for {condition!r}"[:200])
        return condition
    if committed is not None:
        return lambda cluster: any(
            isinstance(entry.value, Command) and entry.value.op == committed
            for _, entry in cluster.world.ghosts.committed
        )
    if not isinstance(leader, bool | str):
        raise ValueError(f"leader is True, False or a server's name, not {leader!r}"[:200])
    if leader is False:
        return lambda cluster: cluster.leader is None
    return lambda cluster: _is_led(cluster, None if leader is True else leader)


def _is_led(cluster: Cluster, by: bool | str | None) -> bool:
    name = cluster.leader
    if name is None or (by is not None and name != by):
        return False
    term = cluster[name].current_term
    followers = [s.id for s in cluster.world.servers.values() if s.current_term == term and s.leader_id == name]
    return cluster[name].configuration.has_quorum(followers)
