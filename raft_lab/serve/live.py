"""A cluster on wall-clock time: a thread lets what is due happen when real time reaches it, beside lab and cells.

    with Live(cluster) as live:
        live.run(program)                        # from any thread: a program of kv/clients.py, to its end
        live.watch(WatchCreate("x"), print)      # calls print with what is told, on the live thread

The thread runs an asyncio loop, `live.loop`, in which servers of real protocols live as well: no request changes
threads on its way to the engine. Everything happens under `cluster.lock`. Who pauses, slows or breaks the cluster in
the lab does the same to all clients.
"""

from __future__ import annotations

import asyncio
import contextlib
import threading
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import Future
from typing import Any, TypeVar
from weakref import WeakKeyDictionary

from raft_lab.kv.clients import Process, Program, clients_of
from raft_lab.kv.requests import WatchCreate, WatchResponse
from raft_lab.kv.server import KVServer
from raft_lab.kv.watching import Watch
from raft_lab.raft.errors import RaftLabError
from raft_lab.raft.rules import base
from raft_lab.raft.state import Leader
from raft_lab.serve.forwarding import Forwarded
from raft_lab.sim.actions import Compact
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.tape import Step
from raft_lab.sim.world import World

T = TypeVar("T")

MOST_AT_ONCE_US = 50_000
"""However long nobody let the thread run, time moves on by no more than this: it slows down, and nothing is missed."""
BUDGET_SECONDS = 0.008
"""How long the engine works before the loop may do something else."""
EXACT_US = 1_000
"""The clock is moved on for a request that comes later than this after the latest step."""
TELL_EVERY_SECONDS = 0.25
"""How often labs are told what has happened."""


class Stopped(RaftLabError):
    """The cluster does not live any more."""

    def __init__(self) -> None:
        super().__init__("the cluster was stopped before an answer came")


class Live:
    """A cluster that lives. Use it in a `with`, or `start` and `close` it.

    Args:
        cluster: a cluster of `KVServer`s. Nobody can go back in its history while it lives.
        speed: seconds of the cluster's time for each second.
        keep: about how many steps stay on the tape. More than these, older ones are let go.
        compact_above: a server whose log holds more applied entries than this puts a snapshot in their place.

    Raises:
        TypeError, ValueError: this is no such cluster or number.
        RaftLabError: it lives already.
    """

    def __init__(self, cluster: Cluster, *, speed: float = 1.0, keep: int = 2048, compact_above: int = 1000) -> None:
        if not isinstance(cluster, Cluster) or not issubclass(base(cluster.world.behaviour), KVServer):
            raise TypeError(f"what lives is a cluster of KVServers, Cluster(3, server=KVServer), not {cluster!r}"[:200])
        self.cluster = cluster
        self.speed = speed
        self.keep = keep
        self.compact_above = compact_above
        self.clients = clients_of(cluster)
        self.trouble: Exception | None = None
        """What stopped it: a student's handler that fails, say."""
        self.before_answers: Callable[[World, int], None] | None = None
        """Called with the world and its clock before anybody is told of what has happened, to keep it on a disk."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._live, name="raft-lab-live", daemon=True)
        self._paused = False
        self._running = False
        self._clock = float(cluster.schedule.now_us)
        self._real = 0.0
        self._next: asyncio.TimerHandle | asyncio.Handle | None = None
        self._new: list[tuple[Process, Callable[[Process], None]]] = []
        self._waiting: dict[Process, Callable[[Process], None]] = {}
        self._watchings: list[Watching] = []
        self._followers: list[Callable[[World], None]] = []
        self._names = 0
        self._shown: Any = None
        self._told_at = 0.0
        self._told: Step = cluster.now

    # Beginning and end

    def start(self) -> Live:
        """Let time flow."""
        with self.cluster.lock:
            if self.cluster.driver is not None:
                raise RaftLabError("this cluster lives already; `living(cluster)` shares it")
            self.cluster.driver = self
        self._running = True
        self._stop_listening = self.cluster.on_change(self._changed)
        self._thread.start()
        return self

    def close(self) -> None:
        """Let time stand still again. Whoever still waits is told so."""
        if not self._running:
            return
        self._running = False
        self._stop_listening()
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()
        with self.cluster.lock:
            self.cluster.driver = None
            self.cluster.tell()

    def __enter__(self) -> Live:
        return self.start()

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def speed(self) -> float:
        """Seconds of the cluster's time for each second."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if not (isinstance(speed, int | float) and not isinstance(speed, bool) and 0 < speed <= 1000):
            raise ValueError(f"a speed is a number above 0 and up to 1000, not {speed!r}")
        self._speed = float(speed)

    @property
    def paused(self) -> bool:
        """Whether time stands still: only what is done by hand happens, and requests that come are sent."""
        return self._paused

    def pause(self) -> None:
        """Let time stand still. Clients wait; whoever has no more patience gives up."""
        self._paused = True

    def resume(self) -> None:
        """Let time flow on."""
        self._paused = False
        self._wake()

    # For any thread

    def run(self, program: Program, timeout: float | None = None, *, member: str | None = None) -> Any:
        """Let a program run to its end, and answer with what it returns.

        Args:
            program: see `raft_lab.kv.clients`.
            timeout: how long to wait, in seconds of real time.
            member: by way of which server it asks; or else it asks whoever leads.

        Raises:
            EtcdError, Unknown: what the program did not catch.
            TimeoutError: it is not done; what it asked for last may still happen.
            Stopped: the cluster does not live any more.
        """
        submitted = self.submit(program, member)
        try:
            return submitted.result(timeout)
        except TimeoutError:
            submitted.cancel()
            raise

    def submit(self, program: Program, member: str | None = None) -> Future[Any]:
        """Begin to run a program; `asyncio.wrap_future` awaits it, and `cancel` ends it where it is."""
        submitted: Future[Any] = Future()

        def begin() -> None:
            process = self.begin(program, member, lambda done: _settle(submitted, done.result, done.error))

            def canceled(it: Future[Any]) -> None:
                if it.cancelled():
                    self._soon_call(lambda: self.stop(process))

            submitted.add_done_callback(canceled)

        self._soon_call(begin)
        return submitted

    def watch(
        self, request: WatchCreate, tell: Callable[[tuple[WatchResponse, ...]], None], member: str | None = None
    ) -> Watching:
        """Begin to watch; when a server fails, it goes on at another one, from where it was.

        Args:
            request: what to watch, and from which revision on.
            tell: called on the live thread with what is new: changes, or that it was canceled. It returns quickly.
            member: the server to which it is connected first.
        """
        watching = Watching(self, request, tell, member)
        self._soon_call(lambda: self._begin_to_watch(watching))
        return watching

    def call(self, coroutine: Coroutine[Any, Any, T]) -> T:
        """Run a coroutine in the live loop, from another thread, and answer with what it returns."""
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    # In the live loop

    async def ask(self, program: Program, member: str | None = None) -> Any:
        """Let a program run; see `run`. Canceled, it ends where it is."""
        answered: asyncio.Future[Any] = self.loop.create_future()
        process = self.begin(program, member, lambda done: _settle(answered, done.result, done.error))
        try:
            return await answered
        finally:
            if not process.done:
                self.stop(process)

    def begin(self, program: Program, member: str | None, then: Callable[[Process], None]) -> Process:
        """Let a program run; `then` is called with its process once it is done."""
        self._names += 1
        process = Process(Forwarded(f"c{self._names}", member), program)
        self._new.append((process, then))
        self._soon()
        return process

    def stop(self, process: Process) -> None:
        """End a program where it is."""
        with self.cluster.lock:
            self._new = [new for new in self._new if new[0] is not process]
            self._waiting.pop(process, None)
            self.clients.stop(process)

    def follow(self, look: Callable[[World], None]) -> Callable[[], None]:
        """Call `look(world)` in the live loop whenever something has happened; answers with what ends it."""
        self._followers.append(look)
        self._shown = None
        self._soon()
        return lambda: self._followers.remove(look)

    # Inside: the thread

    def _live(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.set_exception_handler(_quietly)
        self._real = time.monotonic()
        self._soon()
        try:
            self.loop.run_forever()
        finally:
            self._end()
            self.loop.close()

    def _end(self) -> None:
        for process, then in [*self._new, *self._waiting.items()]:
            process.error = process.error or Stopped()
            with self.cluster.lock:
                self.clients.stop(process)
            then(process)
        rest = asyncio.all_tasks(self.loop)
        for task in rest:
            task.cancel()
        self.loop.run_until_complete(asyncio.gather(*rest, return_exceptions=True))
        self.loop.run_until_complete(self.loop.shutdown_asyncgens())

    def _soon_call(self, function: Callable[[], None]) -> None:
        if not self._running:
            raise Stopped
        self.loop.call_soon_threadsafe(function)

    def _wake(self) -> None:
        with contextlib.suppress(RuntimeError):  # it is closed already
            self.loop.call_soon_threadsafe(self._soon)

    def _changed(self) -> None:
        """Somebody has done something to the cluster."""
        if threading.current_thread() is not self._thread:
            self._wake()

    def _soon(self) -> None:
        if isinstance(self._next, asyncio.TimerHandle):
            self._next.cancel()
            self._next = None
        if self._next is None:
            self._next = self.loop.call_soon(self._tick)

    def _tick(self) -> None:
        """Let happen what is due, tell everybody, and come again when the next thing is due."""
        self._next = None
        try:
            with self.cluster.lock, self.cluster.as_one_change(told=False):
                wait = self._advance()
                self._keep_small()
            if self.before_answers is not None:
                self.before_answers(self.cluster.world, self.cluster.schedule.now_us)
            self._answer()
        except Exception as error:  # a student's handler, or a full disk: clients wait, and the lab says why
            self.trouble, self._paused, wait = error, True, TELL_EVERY_SECONDS
            self._fail(error)
        self._tell_labs()
        if self._next is None:
            self._next = self.loop.call_later(wait, self._tick) if wait > 0 else self.loop.call_soon(self._tick)

    # Inside: time

    def _advance(self) -> float:
        """Let happen what is due by now; answers with how long nothing is, in seconds (0: there is more to do)."""
        real = time.monotonic()
        until = real + BUDGET_SECONDS
        schedule = self.cluster.schedule
        if not self._paused:
            self._clock += min((real - self._real) * 1e6 * self._speed, MOST_AT_ONCE_US * max(1.0, self._speed))
        self._real = real
        self._clock = max(self._clock, schedule.now_us)
        self.clients.catch_up()
        more, due = self._let_happen(until)
        if self._new:
            ahead_us = int(self._clock) - self.cluster.schedule.now_us
            if not more and not self._paused and ahead_us >= EXACT_US:
                self.cluster.wait(ahead_us / 1000)
            self._begin_new()
            more, due = self._let_happen(max(until, time.monotonic() + BUDGET_SECONDS / 2))
        if more:
            self._clock = min(self._clock, self.cluster.schedule.now_us + MOST_AT_ONCE_US * max(1.0, self._speed))
            return 0
        if self._paused or due is None:
            return TELL_EVERY_SECONDS
        return min(max((due - self._clock) / 1e6 / self._speed, 0.0005), MOST_AT_ONCE_US / 2e6)

    def _let_happen(self, until: float) -> tuple[bool, int | None]:
        """Whether there is more to do than time for it, and if not, when something is due next."""
        cluster, clients = self.cluster, self.clients
        while True:
            now_us = cluster.schedule.now_us
            due = cluster.schedule.next(cluster.world)
            waits = [process for process in clients.processes if process.due_us is not None]
            client = min(waits, key=lambda process: process.due_us or 0, default=None)
            at_us = max(client.due_us or 0, now_us) if client else 0
            if client and (due is None or at_us <= due[0] or at_us == now_us):
                if at_us > (now_us if self._paused else self._clock):
                    return False, at_us
                if at_us > now_us:
                    cluster.wait((at_us - now_us) / 1000)
                clients._act(client)
            elif due is None or due[0] > self._clock or self._paused:
                return False, due[0] if due else None
            else:
                cluster._do(due[1], timed=True, now_us=max(due[0], now_us))
            clients.catch_up()
            if time.monotonic() > until:
                return True, None

    def _begin_new(self) -> None:
        new, self._new = self._new, []
        for process, then in new:
            self._waiting[process] = then
            self.clients.processes.append(process)
            self.clients._go_on(process, None)

    def _keep_small(self) -> None:
        """Compact long logs, and let go what is long past."""
        world = self.cluster.world
        for name, state in world.servers.items():
            if len(state.log) <= self.compact_above or name in world.crashed:
                continue
            role, index = state.role, state.last_applied
            behind = isinstance(role, Leader) and any(p.match_index < index for p in role.progress.values())
            action = Compact(name)
            if (not behind or len(state.log) > 2 * self.compact_above) and action.refusal(world) is None:
                self.cluster.perform(action)  # a leader waits a little for those who would need its snapshot
        self.clients.catch_up()
        if self.cluster.let_go(self.keep):
            self.clients.let_go(self.cluster.tape.start)

    # Inside: telling

    def _answer(self) -> None:
        for process in [process for process in self._waiting if process.done]:
            self._waiting.pop(process)(process)
        world = self.cluster.world
        shown = (world.servers, world.crashed)
        if self._shown is not None and shown[0] is self._shown[0] and shown[1] == self._shown[1]:
            return
        self._shown = shown
        for watching in list(self._watchings):
            watching._look(world)
        for look in list(self._followers):
            look(world)

    def _begin_to_watch(self, watching: Watching) -> None:
        self._watchings.append(watching)
        watching._look(self.cluster.world)

    def _tell_labs(self) -> None:
        real = time.monotonic()
        if self.cluster.now is not self._told and real - self._told_at >= TELL_EVERY_SECONDS:
            self._told, self._told_at = self.cluster.now, real
            with self.cluster.lock:
                self.cluster.tell()

    def _fail(self, error: Exception) -> None:
        waiting, self._waiting = self._waiting, {}
        for process, then in waiting.items():
            process.error = error
            self.clients.stop(process)
            then(process)

    def __repr__(self) -> str:
        state = "stopped" if not self._running else "paused" if self._paused else f"at {self._speed:g} times real time"
        return f"<Live, {state}: {self.cluster!r}>"


class Watching:
    """A watch at a live cluster."""

    def __init__(
        self, live: Live, request: WatchCreate, tell: Callable[[tuple[WatchResponse, ...]], None], member: str | None
    ) -> None:
        self._live = live
        self._request = request
        self._tell = tell
        self._member = member
        self._watch: Watch | None = None

    def cancel(self) -> None:
        """Stop watching; may be called from any thread, and more than once."""
        with contextlib.suppress(Stopped):
            self._live._soon_call(self._end)

    def _end(self) -> None:
        if self in self._live._watchings:
            self._live._watchings.remove(self)

    def _look(self, world: World) -> None:
        if self._watch is None:
            self._watch = Watch(self._request, tuple(world.servers), world, self._member)
        self._watch.servers = tuple(world.servers)
        self._watch.look(world)
        told, self._watch.responses = tuple(self._watch.responses), []
        if self._watch.ended:
            self._end()
        if told:
            self._tell(told)


def _settle(future: Any, result: Any, error: Exception | None) -> None:
    """Tell a future how it ended, unless nobody waits for it any more."""
    if future.done():
        return
    if error is not None:
        future.set_exception(error)
    else:
        future.set_result(result)


def _quietly(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """All loops of gRPC share one socket that wakes them; who comes second finds it empty, which is no trouble."""
    if not isinstance(context.get("exception"), BlockingIOError):
        loop.default_exception_handler(context)


_LIVING: WeakKeyDictionary[Cluster, tuple[Live, list[object]]] = WeakKeyDictionary()
_SHARING = threading.Lock()


@contextlib.contextmanager
def living(cluster: Cluster | Live, **options: Any) -> Iterator[Live]:
    """A cluster that lives as long as anybody needs it: several servers may serve one.

    Args:
        cluster: the cluster, or a `Live` that somebody else has started.
        options: those of `Live`, for who comes first.
    """
    if isinstance(cluster, Live):
        yield cluster
        return
    mine = object()
    with _SHARING:
        live, users = _LIVING.get(cluster, (None, []))
        if live is None:
            live = Live(cluster, **options).start()
            _LIVING[cluster] = (live, users)
        users.append(mine)
    try:
        yield live
    finally:
        with _SHARING:
            users.remove(mine)
            if not users:
                del _LIVING[cluster]
                live.close()
