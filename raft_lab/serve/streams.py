"""Watches over HTTP: one event a line, until the client goes, or its time is over."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import time
from typing import TYPE_CHECKING

from aiohttp import web

from raft_lab.kube.errors import ApiError
from raft_lab.kube.requests import Object, Watch
from raft_lab.kube.watching import Begun, bookmark, events, failed
from raft_lab.kv.requests import WatchResponse
from raft_lab.serve import bodies
from raft_lab.serve.behind import Ends
from raft_lab.serve.shapes import Shape

if TYPE_CHECKING:
    from raft_lab.serve.rest import Rest

LONGEST_SECONDS = (1800, 3600)
"""Between these a watch ends by itself, so that not all clients come back at once."""
REQUEST_SECONDS = 60.0
"""How long a request may take if it does not say; and how long a watch may take to begin."""
BOOKMARK_SECONDS = 60.0
SLACK_SECONDS = 1.0
"""So long after its time a client that does not read is cut off."""
LAST_BOOKMARK_SECONDS = 1.5
"""So long before its end a watcher is told once more how far it has come."""
MOST_WAITING = 10_000
"""A client that is so many responses behind is let go; it can come back and read what it has missed."""


def now_us() -> int:
    """The server's clock: microseconds since 1970."""
    return time.time_ns() // 1000


async def stream(rest: Rest, http: web.Request, request: Watch, shape: Shape) -> web.StreamResponse:
    """Answer with all that a watcher is told."""
    seconds = bodies.number(http.query, "timeoutSeconds") or random.uniform(*LONGEST_SECONDS)  # noqa: S311
    begun: Begun = (await rest.within(rest.ask(request), REQUEST_SECONDS)).body
    response = web.StreamResponse(headers={"Content-Type": "application/json", "Cache-Control": "no-cache, private"})
    deadline = asyncio.timeout(seconds + SLACK_SECONDS)
    inbox = Inbox(deadline)
    watching = rest.behind.watch(begun.create, inbox.put)
    rest.watchers += 1
    try:
        async with deadline:
            await response.prepare(http)
            await Watcher(request, shape, response, begun).run(inbox, watching, seconds)
        return response
    except ConnectionError:  # the client is gone
        return response
    except TimeoutError:  # it does not read
        if http.transport is not None:
            http.transport.abort()
        return response
    finally:
        rest.watchers -= 1
        watching.cancel()


class Inbox:
    """What a watcher is yet to be told.

    Args:
        deadline: comes at once for who is too far behind.
    """

    def __init__(self, deadline: asyncio.Timeout) -> None:
        self._waiting: list[WatchResponse] = []
        self._came = asyncio.Event()
        self._deadline = deadline

    @property
    def is_empty(self) -> bool:
        """Whether there is nothing."""
        return not self._waiting

    def put(self, responses: tuple[WatchResponse, ...]) -> None:
        """Something new."""
        if len(self._waiting) + len(responses) > MOST_WAITING:
            with contextlib.suppress(RuntimeError):  # it has come already
                self._deadline.reschedule(asyncio.get_running_loop().time())
        else:
            self._waiting += responses
        self._came.set()

    async def take(self, seconds: float) -> list[WatchResponse]:
        """All that is new; nothing if nothing comes for so long."""
        try:
            await asyncio.wait_for(self._came.wait(), max(seconds, 0))
        except TimeoutError:
            return []
        self._came.clear()
        taken, self._waiting = self._waiting, []
        return taken


class Watcher:
    """One client that watches."""

    def __init__(self, request: Watch, shape: Shape, response: web.StreamResponse, begun: Begun) -> None:
        self.request = request
        self.shape = shape
        self.response = response
        self.begun = begun
        self.revision = begun.create.start_revision - 1

    async def run(self, inbox: Inbox, watching: Ends, seconds: float) -> None:
        """Tell it everything, until its time is over."""
        clock = asyncio.get_running_loop().time
        ends = clock() + seconds
        last_bookmark = ends - LAST_BOOKMARK_SECONDS
        next_bookmark = min(clock() + BOOKMARK_SECONDS, last_bookmark)
        await self.tell(list(self.begun.told))
        while (now := clock()) < ends:
            next_moment = min(ends, next_bookmark) if self.request.bookmarks else ends
            responses = await inbox.take(next_moment - now)
            for response in responses:
                if not await self._told(response):
                    return
            if inbox.is_empty:  # it has missed nothing, though much may have happened that does not concern it
                self.revision = max(self.revision, watching.revision)
            if self.request.bookmarks and clock() >= next_bookmark:
                await self.tell([bookmark(self.request, self.revision)])
                next_bookmark = ends + 1 if clock() >= last_bookmark else min(clock() + BOOKMARK_SECONDS, last_bookmark)

    async def _told(self, response: WatchResponse) -> bool:
        """Hand on what the store tells; answers whether the watch goes on."""
        try:
            changes = events(self.request, response)
        except ApiError as error:
            changes = (failed(error),)
        if response.events:
            self.revision = response.events[-1].kv.mod_revision
        await self.tell(list(changes))
        return not any(change["type"] == "ERROR" for change in changes)

    async def tell(self, changes: list[Object]) -> None:
        """Write events."""
        lines = [
            json.dumps(self.shape.event(change, now_us()), separators=(",", ":"), ensure_ascii=False).encode() + b"\n"
            for change in changes
        ]
        if lines:
            await self.response.write(b"".join(lines))
