"""What a server has behind it: something that runs programs of the store, and tells of changes, in an asyncio loop."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Coroutine
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Protocol

from raft_lab.kv.client import KV
from raft_lab.kv.clients import Program
from raft_lab.kv.requests import WatchCreate, WatchResponse
from raft_lab.raft.errors import RaftLabError

Tell = Callable[[tuple[WatchResponse, ...]], None]


class Ends(Protocol):
    """A watch, which goes on until it is canceled."""

    @property
    def revision(self) -> int:
        """Everything up to this revision was told."""

    def cancel(self) -> None:
        """End it; may be called more than once."""


class Behind(Protocol):
    """A store as a server needs it."""

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        """From another thread: run a coroutine in the loop, and answer with what it returns."""

    async def ask(self, program: Program) -> Any:
        """In the loop: run a program to its end."""

    def watch(self, request: WatchCreate, tell: Tell) -> Ends:
        """In the loop: begin to watch; `tell` is called in the loop with what is new."""


class Client:
    """A client's `KV` behind a server: a real etcd, whose calls block, so that each has a thread while it lasts.

    Args:
        store: the client, such as `KV.connect("127.0.0.1:2379")`.
        threads: how many calls may be under way.
    """

    def __init__(self, store: KV, threads: int = 32) -> None:
        self.store = store
        self.loop = asyncio.new_event_loop()
        self._pool = ThreadPoolExecutor(threads, "raft-lab-kv")
        self._thread = threading.Thread(target=self._live, name="raft-lab-serve", daemon=True)
        self._thread.start()

    def _live(self) -> None:
        asyncio.set_event_loop(self.loop)
        self.loop.run_forever()
        self.loop.close()

    def close(self) -> None:
        """End the loop; calls under way end first."""
        self._pool.shutdown(cancel_futures=True)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self._thread.join()

    def call(self, coroutine: Coroutine[Any, Any, Any]) -> Any:
        return asyncio.run_coroutine_threadsafe(coroutine, self.loop).result()

    async def ask(self, program: Program) -> Any:
        return await self.loop.run_in_executor(self._pool, self.store.run, program)

    def watch(self, request: WatchCreate, tell: Tell) -> Ends:
        return _Watching(self, request, tell)


class _Watching:
    """A watch of a client: whatever thread is told of news, the loop takes them."""

    def __init__(self, behind: Client, request: WatchCreate, tell: Tell) -> None:
        self._behind = behind
        self._tell = tell
        self._ended = False
        self._revision = 0
        self._watch: Any = None
        self._forget: Callable[[], None] = lambda: None
        behind._pool.submit(self._begin, request)

    def _begin(self, request: WatchCreate) -> None:
        line = self._behind.store.line
        try:
            watch = line.watch(request, None)
        except RaftLabError as error:
            self._behind.loop.call_soon_threadsafe(self._lose, error)
            return
        self._forget = line.follow(watch, self._news)
        self._watch = watch
        if self._ended:
            self._stop()
        self._news()

    def _news(self) -> None:
        self._behind.loop.call_soon_threadsafe(self._take)

    def _take(self) -> None:
        if self._ended or self._watch is None:
            return
        revision = self._watch.revision  # before looking: what comes meanwhile is later
        told = tuple(self._watch.responses)
        del self._watch.responses[: len(told)]
        if told:
            self._tell(told)
        self._revision = revision

    def _lose(self, error: RaftLabError) -> None:
        """It could not begin: whoever watches is told, and asks again."""
        if not self._ended:
            self._tell((WatchResponse(canceled=True, cancel_reason=str(error)),))

    @property
    def revision(self) -> int:
        return self._revision

    def cancel(self) -> None:
        if not self._ended:
            self._ended = True
            if self._watch is not None:
                self._stop()

    def _stop(self) -> None:
        self._forget()
        self._forget = lambda: None
        self._watch.cancel()
