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
from raft_lab.raft.errors import RaftLabError
from raft_lab.raft.rules import base
from raft_lab.raft.state import Leader
from raft_lab.serve.forwarding import Forwarded
from raft_lab.serve.pace import Pace
from raft_lab.serve.watching import Watching
from raft_lab.sim.actions import Compact
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.tape import Step
from raft_lab.sim.world import World

T = TypeVar("T")

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
        self.keep = keep
        self.compact_above = compact_above
        self.clients = clients_of(cluster)
        self.pace = Pace(cluster, self.clients, speed)
        self.world = cluster.world
        """The world as far as anybody outside may know it: what `before_answers` has kept."""
        self.before_answers: Callable[[World, int], None] | None = None
        """Called with the world and its clock before anybody is told of what has happened, to keep it on a disk."""
        self.trouble: Exception | None = None
        """What stopped it: a student's handler that fails, say."""
        self.lost = False
        """Whether it is stopped for good, since something that happened could not be kept."""
        self.loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._live, name="raft-lab-live", daemon=True)
        self._running = False
        self._ticking = False
        self._next: asyncio.TimerHandle | asyncio.Handle | None = None
        self._new: list[tuple[Process, Callable[[Process], None]]] = []
        self._waiting: dict[Process, Callable[[Process], None]] = {}
        self._watchings: list[Watching] = []
        self._followers: list[Callable[[World], None]] = []
        self._names = 0
        self._shown: Any = None
        self._told_at = 0.0
        self._told: tuple[Step, Exception | None] = (cluster.now, None)

    # Beginning and end

    def start(self) -> Live:
        """Let time flow."""
        with self.cluster.lock:
            if self.cluster.driver is not None:
                raise RaftLabError("this cluster lives already; `living(cluster)` shares it")
            self.cluster.driver = self
            self.world = self.cluster.world
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
        return self.pace.speed

    @speed.setter
    def speed(self, speed: float) -> None:
        self.pace.speed = speed

    @property
    def paused(self) -> bool:
        """Whether time stands still: only what is done by hand happens, and requests that come are sent."""
        return self.pace.paused

    def pause(self) -> None:
        """Let time stand still. Clients wait; whoever has no more patience gives up."""
        self.pace.paused = True

    def resume(self) -> None:
        """Let time flow on.

        Raises:
            RaftLabError: something that happened could not be kept on the disk.
        """
        if self.lost:
            raise RaftLabError(f"this cluster cannot go on: {self.trouble}. Mend that, and start it again")
        self.trouble = None
        self.pace.paused = False
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
        watching = Watching(request, tell, member, self._forget)
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
        """Let a program run; `then` is called with its process once it is done, or cannot be."""
        self._names += 1
        process = Process(Forwarded(f"c{self._names}", member), program)
        if self.trouble is not None:
            self._refuse(process, then, self.trouble)
        else:
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
        self.pace.begin()
        self._soon()
        try:
            self.loop.run_forever()
        finally:
            self._end()
            self.loop.close()

    def _end(self) -> None:
        for process, then in [*self._new, *self._waiting.items()]:
            self._refuse(process, then, process.error or Stopped())
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
        elif not self._ticking:
            self._soon()

    def _soon(self) -> None:
        if isinstance(self._next, asyncio.TimerHandle):
            self._next.cancel()
            self._next = None
        if self._next is None:
            self._next = self.loop.call_soon(self._tick)

    def _tick(self) -> None:
        """Let happen what is due, keep it, tell everybody, and come again when the next thing is due."""
        self._next, self._ticking, wait = None, True, TELL_EVERY_SECONDS
        try:
            if not self.lost:
                wait = self._go_on()
        except Exception as error:  # a student's handler, or a full disk: clients are told, and the lab says why
            self._halt(error)
        self._ticking = False
        self._tell_labs()
        if self._next is None:
            self._next = self.loop.call_later(wait, self._tick) if wait > 0 else self.loop.call_soon(self._tick)

    def _go_on(self) -> float:
        with self.cluster.lock, self.cluster.as_one_change(told=False):
            wait = self.pace.advance(self._begin_new if self._new else None)
            self._keep_small()
            world, now_us = self.cluster.world, self.cluster.schedule.now_us
            done = [process for process in self._waiting if process.done]
        if self.before_answers is not None:  # what others do meanwhile is told, and kept, the next time
            try:
                self.before_answers(world, now_us)
            except Exception:
                self.lost = True
                raise
        self.world = world
        self._answer(done)
        return wait

    # Inside: what happens

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

    def _answer(self, done: list[Process]) -> None:
        for process in done:
            if process in self._waiting:
                self._waiting.pop(process)(process)
        world = self.world
        shown = (world.servers, world.crashed)
        if self._shown is not None and shown[0] is self._shown[0] and shown[1] == self._shown[1]:
            return
        self._shown = shown
        for watching in list(self._watchings):
            watching.look(world)
        self._watchings = [watching for watching in self._watchings if not watching.ended]
        for look in list(self._followers):
            look(world)

    def _begin_to_watch(self, watching: Watching) -> None:
        if self.lost and self.trouble is not None:
            watching.lose(self.trouble)
            return
        watching.look(self.world)
        if not watching.ended:
            self._watchings.append(watching)

    def _forget(self, watching: Watching) -> None:
        def forget() -> None:
            self._watchings = [other for other in self._watchings if other is not watching]

        with contextlib.suppress(Stopped):
            self._soon_call(forget)

    def _tell_labs(self) -> None:
        real = time.monotonic()
        is_new = self.cluster.now is not self._told[0] or self.trouble is not self._told[1]
        if is_new and real - self._told_at >= TELL_EVERY_SECONDS:
            self._told, self._told_at = (self.cluster.now, self.trouble), real
            with self.cluster.lock:
                self.cluster.tell()

    def _halt(self, error: Exception) -> None:
        """Let time stand still, and say why to all who wait; if it is for good, to all who watch, too."""
        self.trouble, self.pace.paused, self._told_at = error, True, 0.0
        waiting, self._waiting, self._new = [*self._new, *self._waiting.items()], {}, []
        for process, then in waiting:
            self._refuse(process, then, error)
        if self.lost:
            watchings, self._watchings = self._watchings, []
            for watching in watchings:
                watching.lose(error)
            for look in list(self._followers):
                look(self.world)

    def _refuse(self, process: Process, then: Callable[[Process], None], error: Exception) -> None:
        with self.cluster.lock:
            self.clients.stop(process)
        process.error, process.done = error, True
        then(process)

    def __repr__(self) -> str:
        state = "stopped" if not self._running else "paused" if self.paused else f"at {self.speed:g} times real time"
        return f"<Live, {state}: {self.cluster!r}>"


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
