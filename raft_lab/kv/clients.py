"""Clients that run beside the servers: small programs, stepped with the cluster in its own time.

A program is a generator. It yields what it asks for and is sent what it is told:

    def program():
        response = yield Put("x", "1")           # an `EtcdError`, or `Unknown`, is raised here
        yield Pause(20_000)
        watch = yield WatchCreate("x")
        responses = yield watch                  # waits until there is something new
        return response.revision
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from raft_lab.kv.calls import Call, Caller, Patience, Unknown
from raft_lab.kv.errors import EtcdError, refusal
from raft_lab.kv.requests import Request, WatchCreate
from raft_lab.kv.watching import Watch
from raft_lab.raft.errors import RaftLabError
from raft_lab.sim.actions import Action, Crash
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.errors import ActionRefused
from raft_lab.sim.tape import Step
from raft_lab.sim.world import Transition

if TYPE_CHECKING:
    from raft_lab.check.histories import History


@dataclass(frozen=True, slots=True)
class Pause:
    """Do nothing for so many microseconds."""

    us: int


Wish: TypeAlias = Request | Pause | WatchCreate | Watch
"""What a program can yield."""
Program: TypeAlias = Generator[Any, Any, Any]


@dataclass(slots=True)
class Asked:
    """A call, and between which moments it was under way.

    Attributes:
        client: who has called.
        call: what was asked for, and what came of it.
        called: the moment at which the call began: two moments a step, an even one for answers, an odd one for calls.
        returned: that at which its client was answered; None: not yet, or nobody knows what has come of it.
    """

    client: str
    call: Call
    called: int
    returned: int | None = None


class Process:
    """A program that runs, and the client in whose name it asks."""

    def __init__(self, caller: Caller, program: Program) -> None:
        self.caller = caller
        self.program = program
        self.result: Any = None
        """What the program returned, once it is done."""
        self.error: Exception | None = None
        """What it raised instead."""
        self.done = False
        self.asked: Asked | None = None
        self.watch: Watch | None = None
        self._wakes_us: int | None = None
        self._sleeps_us = 0

    @property
    def name(self) -> str:
        """That of the client."""
        return self.caller.name

    @property
    def due_us(self) -> int | None:
        """When it does something by itself."""
        return self.caller.due_us if self.asked is not None else self._wakes_us

    def sleep(self, us: int, now_us: int) -> None:
        """Let it go on after so long."""
        self._sleeps_us, self._wakes_us = us, now_us + us

    def wakes_by(self, now_us: int) -> None:
        """Nobody sleeps longer than he wanted to, even if it is earlier now."""
        if self._wakes_us is not None:
            self._wakes_us = min(self._wakes_us, now_us + self._sleeps_us)

    def wakes(self, us: int | None) -> None:
        """Let it go on at this time."""
        self._wakes_us = us

    def __repr__(self) -> str:
        return f"<{self.name}: {'done' if self.done else self.asked.call.request if self.asked else 'waits'}>"


class Clients:
    """All clients of a cluster.

    Args:
        cluster: the cluster; its servers are `KVServer`s.
        patience: how long clients wait.
    """

    def __init__(self, cluster: Cluster, patience: Patience = Patience()) -> None:  # noqa: B008 - an immutable value
        self.cluster = cluster
        self.patience = patience
        self.processes: list[Process] = []
        self.watches: list[Watch] = []
        self.asked: list[Asked] = []
        """Every call, in order."""
        self._path: list[Step] = [cluster.now]  # what was heard
        self._past = 0  # how much of it was let go
        self._names: set[str] = set()

    # Beginning

    def start(self, program: Program, name: str = "", member: str | None = None) -> Process:
        """Let a program run, in the name of a client of its own."""
        return self.proceed(self.caller(name, member), program)

    def caller(self, name: str = "", member: str | None = None) -> Caller:
        """A client, for one program after another. No name is given twice, since its session goes by it."""
        stem, count = name or "c", 1
        name = name or "c1"
        while name in self._names:
            count += 1
            name = f"{stem}{count}"
        self._names.add(name)
        return Caller(name, self.cluster.servers, self.patience, member)

    def proceed(self, caller: Caller, program: Program) -> Process:
        """Let a program run in the name of a client."""
        self.catch_up()
        process = Process(caller, program)
        self.processes.append(process)
        self._go_on(process, None)
        return process

    def stop(self, process: Process) -> None:
        """Let a process end where it is."""
        if process in self.processes:
            self.processes.remove(process)
            process.program.close()
            process.done = True

    def watch(self, request: WatchCreate, server: str | None = None) -> Watch:
        """Begin to watch; clients spread over the members."""
        self.catch_up()
        servers = self.cluster.servers
        watch = Watch(request, servers, self.cluster.world, server or servers[len(self.watches) % len(servers)])
        self.watches.append(watch)
        return watch

    # Time

    def step(self) -> None:
        """Let the next thing happen: what is due in the cluster, or what a client does."""
        self.catch_up()
        now_us = self.cluster.schedule.now_us
        due = self.cluster.schedule.next(self.cluster.world)
        client = self._first()
        if client is None or (due is not None and due[0] < (client.due_us or 0)):
            self.cluster.step()
        elif (client.due_us or 0) > now_us:
            self.cluster.wait(((client.due_us or 0) - now_us) / 1000)
        else:
            self._act(client)
        self.catch_up()

    @property
    def due_us(self) -> int | None:
        """When the first of them does something by itself."""
        self.catch_up()
        first = self._first()
        return None if first is None else first.due_us

    def act(self) -> None:
        """Let the first of them do what it does now."""
        first = self._first()
        if first is not None:
            self._act(first)
            self.catch_up()

    def _first(self) -> Process | None:
        waiting = [process for process in self.processes if process.due_us is not None]
        return min(waiting, key=lambda process: process.due_us or 0, default=None)

    def run(self, ms: float) -> None:
        """Let clients and servers go on for `ms` milliseconds of the cluster's time."""

        def clock() -> Program:
            yield Pause(round(ms * 1000))

        timer = self.start(clock(), "clock")
        self.run_until(lambda: timer.done, max_steps=1_000_000)

    def run_until(self, condition: Callable[[], bool], max_steps: int = 100_000) -> None:
        """Let clients and servers go on until something is so.

        Raises:
            ActionRefused: it did not come about.
        """
        with self.cluster.as_one_change():
            for _ in range(max_steps):
                if condition():
                    return
                self.step()
        raise ActionRefused(f"after {max_steps} steps it is still not so; what hinders it? cluster.lab() shows it")

    # Evidence

    def history(self) -> History:
        """What all clients asked and were told, for `check_linearizable`; see histories.py."""
        from raft_lab.kv.histories import history

        if self._past:
            raise ActionRefused(
                "how this run began was let go, and what clients were told later cannot be judged without it: let the "
                "cluster live with a larger `keep`"
            )
        return history(self.asked, self._path)

    def let_go(self, start: Step) -> None:
        """Forget what was over before a step."""
        past = next((place for place, step in enumerate(self._path) if step.id >= start.id), len(self._path) - 1)
        self._path = self._path[past:]
        self._past += past
        moment = 2 * self._past
        self.asked = [asked for asked in self.asked if asked.call.outcome is None or (asked.returned or 0) >= moment]

    # Inside

    def catch_up(self) -> None:
        """Hear what has happened in the cluster since, whoever has let it happen."""
        heard = self._path[-1]
        if self.cluster.now is heard:
            return
        news = [self.cluster.now]
        while (parent := news[-1].parent) is not None and parent is not heard and parent.id > heard.id:
            news.append(parent)
        if news[-1].parent is not heard:
            self._elsewhere_in_history()
            return
        for step in reversed(news):
            self._path.append(step)
            assert step.action is not None
            self._hear(step.action, step.transition)

    def _elsewhere_in_history(self) -> None:
        """The cluster was taken back, or to another branch: what was under way is not under way there."""
        now_us = self.cluster.schedule.now_us
        before, self._path = self._path, self.cluster.now.path()
        common = self._past + sum(was is now for was, now in zip(before, self._path, strict=False))
        self.asked = [asked for asked in self.asked if asked.called < 2 * common]
        for asked in self.asked:
            if asked.returned is not None and asked.returned >= 2 * common:
                asked.returned = None
        for watch in self.watches:
            watch.rewind(self.cluster.world)
        for process in self.processes:
            if process.asked is not None:
                self._begin(process, process.asked.call.request)  # once more, since nobody has heard of it here
            else:
                process.wakes_by(now_us)

    def _hear(self, action: Action, done: Transition) -> None:
        now_us = self.cluster.schedule.now_us
        if done.answers or isinstance(action, Crash):
            for process in list(self.processes):
                if process.asked is not None:
                    process.caller.hear(action, done, now_us)
                    self._answered(process)
        for watch in self.watches:
            if watch.server is None or watch.server == action.actor:
                watch.look(done.world)
        for process in list(self.processes):
            if process.watch is not None and process.watch.responses:
                self._tell_watcher(process)

    def _act(self, process: Process) -> None:
        now_us = self.cluster.schedule.now_us
        if process.asked is None:
            process.wakes(None)
            self._go_on(process, None)
            return
        action = process.caller.send(self.cluster.world, now_us)
        if action is not None:
            self.cluster.perform(action)
        else:
            self._answered(process)

    def _answered(self, process: Process) -> None:
        asked = process.asked
        if asked is None or asked.call.outcome is None:
            return
        outcome = asked.call.outcome
        process.asked = None
        if not isinstance(outcome, Unknown):
            asked.returned = self._moment
        self._go_on(process, outcome)

    @property
    def _moment(self) -> int:
        """Answers come at even moments, questions are asked at odd ones: nobody is asked before he has answered."""
        return 2 * (self._past + len(self._path) - 1)

    def _tell_watcher(self, process: Process) -> None:
        watch = process.watch
        assert watch is not None
        seen = watch.responses[watch.taken :]
        if seen:
            process.watch = None
            watch.taken = len(watch.responses)
            self._go_on(process, tuple(seen))

    def _go_on(self, process: Process, told: Any) -> None:
        """Let the program do what it does until it waits for something."""
        try:
            if isinstance(told, EtcdError):
                told = refusal(told)  # all servers have this one
            wish = process.program.throw(told) if isinstance(told, Exception) else process.program.send(told)
        except StopIteration as end:
            process.result, process.done = end.value, True
        except RaftLabError as error:
            process.error, process.done = error, True
        else:
            self._begin(process, wish)
            return
        if process in self.processes:
            self.processes.remove(process)

    def _begin(self, process: Process, wish: Wish) -> None:
        now_us = self.cluster.schedule.now_us
        match wish:
            case Pause(us):
                process.sleep(max(us, 1), now_us)
            case WatchCreate():
                self._go_on(process, self.watch(wish))
            case Watch():
                process.watch = wish
                self._tell_watcher(process)
            case _:
                process.asked = Asked(process.name, process.caller.ask(wish, now_us), self._moment + 1)
                self.asked.append(process.asked)


def clients_of(cluster: Cluster) -> Clients:
    """The clients of a cluster, the same whoever asks; `cluster.run` and the lab let them go on, too."""
    if not isinstance(cluster.clients, Clients):
        cluster.clients = Clients(cluster)
    return cluster.clients
