"""etcd's services Lock and Election: the recipes of its clients, run at the server (etcd's v3lock and v3election).

The etcdctl commands `lock` and `elect` do not call them: they run the same recipes themselves.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

from raft_lab.kv import recipes, wire
from raft_lab.kv.calls import NO_LEADER
from raft_lab.kv.clients import Program
from raft_lab.kv.errors import EtcdError
from raft_lab.kv.recipes import Turn
from raft_lab.kv.requests import (
    DeleteRange,
    KeyValue,
    LeaseGrant,
    LeaseTimeToLive,
    WatchCreate,
    lease_name,
    prefix_end,
)
from raft_lab.serve.member import Service

SESSION_SECONDS = 60
"""How long a turn lasts for whom no lease is named: nobody renews it."""


def _unknown(text: str) -> EtcdError:
    """Errors of these two services have no code of their own."""
    return EtcdError("UNKNOWN", text)


NO_FIELD = _unknown('"leader" field must be provided')
NOBODY = _unknown("election: no leader")
NOT_LEADER = _unknown("election: not leader")
EXPIRED = _unknown("session expired")


class _Queue(Service):
    """What locks and elections share: a turn in a queue."""

    async def _run(self, program: Program) -> Any:
        try:
            return await self.member.run(program)
        except recipes.SessionExpired:
            raise EXPIRED from None
        except EtcdError as error:
            raise (error if error == NO_LEADER else _unknown(error.text)) from None

    async def _turn(self, name: bytes, lease: int, value: bytes = b"") -> tuple[Turn, int]:
        """Wait for a turn; who does not wait any longer leaves the queue."""
        lease = lease or (await self._run(_grant())).id
        try:
            return await self._run(recipes.take_turn(name, lease, value)), lease
        except asyncio.CancelledError:
            self._leave(name + b"/" + lease_name(lease).encode())
            raise

    def _leave(self, key: bytes) -> None:
        def leave() -> Program:
            return (yield DeleteRange(key))

        self.member.live.begin(leave(), self.member.name, lambda _: None)


def _grant() -> Program:
    return (yield LeaseGrant(SESSION_SECONDS, secrets.randbits(63) or 1))


class Locks(_Queue):
    """The service Lock."""

    name = "Lock"

    async def Lock(self, message: Any) -> Any:  # noqa: N802 - its name on the wire, here and below
        """Wait until the lock is held; with the same lease again, it is held at once."""
        if message.lease:
            await self._known(message.lease)
        turn, _ = await self._turn(message.name, message.lease)
        header = self.member.header(self.member.store.revision)
        return wire.message_class("LockResponse")(header=header, key=turn.key)

    async def Unlock(self, message: Any) -> Any:  # noqa: N802
        """Give it to the next one."""

        def unlock() -> Program:
            return (yield DeleteRange(message.key))

        response = await self._run(unlock())
        return wire.message_class("UnlockResponse")(header=self.member.header(response.revision))

    async def _known(self, lease: int) -> None:
        def look() -> Program:
            return (yield LeaseTimeToLive(lease))

        if (await self._run(look())).ttl < 0:
            raise _unknown("etcdserver: requested lease not found")


class Elections(_Queue):
    """The service Election."""

    name = "Election"

    async def Campaign(self, message: Any) -> Any:  # noqa: N802
        """Wait until one leads."""
        turn, lease = await self._turn(message.name, message.lease, message.value)
        key = wire.message_class("LeaderKey")(name=message.name, key=turn.key, rev=turn.revision, lease=lease)
        header = self.member.header(self.member.store.revision)
        return wire.message_class("CampaignResponse")(header=header, leader=key)

    async def Proclaim(self, message: Any) -> Any:  # noqa: N802
        """Leaders: say something else."""
        if not await self._run(recipes.proclaim(_turn_of(message), message.value)):
            raise NOT_LEADER
        return wire.message_class("ProclaimResponse")(header=self.member.header(self.member.store.revision))

    async def Leader(self, message: Any) -> Any:  # noqa: N802
        """Who leads, and what they say."""
        kv = await self._run(recipes.leader(message.name))
        if kv is None:
            raise NOBODY
        return self._leader(kv, self.member.store.revision)

    async def Observe(self, message: Any, _: Any) -> AsyncIterator[Any]:  # noqa: N802
        """Tell whenever somebody else leads, or the leader says something else."""
        news = asyncio.Event()
        queue = bytes(message.name) + b"/"
        request = WatchCreate(queue, prefix_end(queue))
        watching = self.member.live.watch(request, lambda _: news.set(), self.member.name)
        said: KeyValue | None = None
        try:
            while True:
                news.clear()
                kv = await self._run(recipes.leader(bytes(message.name)))
                if kv is not None and kv != said:
                    said = kv
                    yield self._leader(kv, kv.mod_revision)
                await news.wait()
        finally:
            watching.cancel()

    async def Resign(self, message: Any) -> Any:  # noqa: N802
        """Lead no more."""
        await self._run(recipes.give_up(_turn_of(message)))
        return wire.message_class("ResignResponse")(header=self.member.header(self.member.store.revision))

    def _leader(self, kv: KeyValue, revision: int) -> Any:
        header = self.member.header(revision)
        return wire.message_class("LeaderResponse")(header=header, kv=wire.to_message(kv))


def _turn_of(message: Any) -> Turn:
    if not message.HasField("leader"):
        raise NO_FIELD
    return Turn(message.leader.key, message.leader.rev)
