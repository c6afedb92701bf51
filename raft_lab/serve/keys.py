"""etcd's services KV and Lease: requests become commands and reads of the cluster."""

from __future__ import annotations

import secrets
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

from raft_lab.kv import errors, leases, requests, wire
from raft_lab.kv.calls import NO_LEADER, TIMED_OUT
from raft_lab.kv.errors import EtcdError
from raft_lab.kv.server import refuse_large
from raft_lab.kv.transactions import check
from raft_lab.serve.member import NOT_FOR_LEARNERS, Service


class Keys(Service):
    """The service KV."""

    name = "KV"
    for_learners = ("Range",)

    async def Range(self, message: Any) -> Any:  # noqa: N802 - its name on the wire, here and below
        """Read a range."""
        if self.member.is_learner and not message.serializable:
            raise NOT_FOR_LEARNERS
        return await self._do(wire.to_value(message))

    async def Put(self, message: Any) -> Any:  # noqa: N802
        """Write a key."""
        return await self._do(wire.to_value(message))

    async def DeleteRange(self, message: Any) -> Any:  # noqa: N802
        """Delete a range."""
        return await self._do(wire.to_value(message))

    async def Txn(self, message: Any) -> Any:  # noqa: N802
        """Do one thing or another."""
        return await self._do(wire.to_value(message))

    async def Compact(self, message: Any) -> Any:  # noqa: N802
        """Forget the past."""
        return self._answer(await self.member.ask(wire.to_value(message)))

    async def _do(self, request: Any) -> Any:
        check(request)
        if not isinstance(request, requests.Range):
            refuse_large(request)
        return self._answer(await self.member.ask(request))

    def _answer(self, response: Any) -> Any:
        return self.member.signed(wire.to_message(response))


class Leases(Service):
    """The service Lease."""

    name = "Lease"

    async def LeaseGrant(self, message: Any) -> Any:  # noqa: N802
        """Give a lease; who names none gets one that this member draws, as in etcd."""
        request: requests.LeaseGrant = wire.to_value(message)
        if request.ttl > leases.LONGEST_TTL:
            raise errors.TTL_TOO_LARGE
        if not request.id:
            request = replace(request, id=secrets.randbits(63) or 1)
        return self._answer(await self.member.ask(request))

    async def LeaseRevoke(self, message: Any) -> Any:  # noqa: N802
        """End a lease."""
        return self._answer(await self.member.ask(wire.to_value(message)))

    async def LeaseTimeToLive(self, message: Any) -> Any:  # noqa: N802
        """Say how long a lease has left."""
        return self._answer(await self._of_leader(message))

    async def LeaseLeases(self, _: Any) -> Any:  # noqa: N802
        """List the leases that this member knows."""
        return self._answer(leases.leases(self.member.store))

    async def LeaseKeepAlive(self, messages: Any, _: Any) -> AsyncIterator[Any]:  # noqa: N802
        """Renew leases, as often as the client says so."""
        async for message in messages:
            yield self._answer(await self._of_leader(message))

    async def _of_leader(self, message: Any) -> Any:
        """What only the leader knows: without one there is no answer."""
        try:
            return await self.member.ask(wire.to_value(message))
        except EtcdError as error:
            raise (NO_LEADER if error == TIMED_OUT or error.code == "UNKNOWN" else error) from None

    def _answer(self, response: Any) -> Any:
        return self.member.signed(wire.to_message(response))
