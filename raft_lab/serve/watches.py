"""etcd's service Watch: a stream holds any number of watchers, and tells each what its member has applied.

Nothing is kept for a watcher but how far it was told: whoever reads slowly is told later, all in one.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from typing import Any

from raft_lab.kv import wire
from raft_lab.kv.calls import NO_LEADER
from raft_lab.kv.errors import EtcdError
from raft_lab.kv.requests import WatchCreate, WatchResponse
from raft_lab.kv.store import Store
from raft_lab.kv.watch import Stream, cancel, create, notices, poll, progress
from raft_lab.serve.member import Member, Service, requires_leader
from raft_lab.sim.world import World

PROGRESS_SECONDS = 600.0
"""How often watchers that asked for it are told that they have missed nothing."""
MOST_WAITING = 64
"""So many responses wait for a reader; then it is told nothing more until it has read them."""
ELECTIONS = 3
"""So many election timeouts without a leader end a stream whose client requires one."""


class Watches(Service):
    """The service Watch."""

    name = "Watch"

    async def Watch(self, requests: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802 - its name on the wire
        """One stream of watchers."""
        member = self.member
        watchers = Watchers(member, requires_leader(context))
        listening = asyncio.ensure_future(watchers.listen(requests))
        stop = member.follow(watchers.look)
        try:
            while (told := await watchers.next()) is not None:
                for response in told:
                    message = wire.to_message(response)
                    yield member.signed(message) if response.revision or response.created else message
        finally:
            stop()
            listening.cancel()


class Watchers:
    """The watchers of one stream at one member."""

    def __init__(self, member: Member, requires_leader: bool) -> None:
        self.member = member
        self.requires_leader = requires_leader
        self._stream = Stream()
        self._store: Store | None = None
        self._told: list[WatchResponse] = []
        self._news = asyncio.Event()
        self._ended = False
        self._failure: EtcdError | None = None
        self._leaderless_since: int | None = None

    async def listen(self, requests: Any) -> None:
        """Do what the client asks for, until it closes its half of the stream: then it is told no more."""
        try:
            async for message in requests:
                self._do(message)
        except EtcdError as error:  # what came is no message
            self._failure = error
        finally:
            self._ended = True
            self._news.set()

    def _do(self, message: Any) -> None:
        store = self.member.store
        match message.WhichOneof("request_union"):
            case "create_request":
                request: WatchCreate = wire.to_value(message.create_request)
                self._stream, created = create(self._stream, store, request)
                self._told.append(created)
                self._store = None
                self._tell(store)
            case "cancel_request":
                self._stream, canceled = cancel(self._stream, store, message.cancel_request.watch_id)
                self._told += canceled
            case "progress_request":
                self._told.append(progress(store))
        self._news.set()

    def look(self, world: World) -> None:
        """Something has happened."""
        if self.member.live.lost:
            self._news.set()
        if self.requires_leader:
            self._mind_leader(world)
        self._tell(self.member.store)

    def _tell(self, store: Store) -> None:
        if store is self._store or len(self._told) >= MOST_WAITING:
            return
        self._store = store
        self._stream, told = poll(self._stream, store)
        if told:
            self._told += told
            self._news.set()

    def _mind_leader(self, world: World) -> None:
        now_us = self.member.live.cluster.schedule.now_us
        if world.servers[self.member.name].leader_id is not None:
            self._leaderless_since = None
        elif self._leaderless_since is None:
            self._leaderless_since = now_us
        elif now_us - self._leaderless_since > ELECTIONS * self._election_timeout_us:
            self._news.set()

    @property
    def _election_timeout_us(self) -> int:
        return self.member.live.cluster.schedule.timing.election_timeout_us[1]

    @property
    def _lost_leader(self) -> bool:
        since = self._leaderless_since
        now_us = self.member.live.cluster.schedule.now_us
        return since is not None and now_us - since > ELECTIONS * self._election_timeout_us

    async def next(self) -> list[WatchResponse] | None:
        """What is to be told next; None at the end.

        Raises:
            EtcdError: there is no leader, and the client requires one; or the client said what is no message; or
                nothing can be told any more.
        """
        while True:
            self.member.refuse_if_lost()
            if self._lost_leader:
                raise NO_LEADER
            if self._told:
                told, self._told = self._told, []
                self._tell(self.member.store)
                return told
            if self._failure is not None:
                raise self._failure
            if self._ended:
                return None
            self._news.clear()
            try:
                await asyncio.wait_for(self._news.wait(), PROGRESS_SECONDS)
            except TimeoutError:
                self._told += notices(self._stream, self.member.store)
