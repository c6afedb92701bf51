"""What a client holds on to: leases, and its place in an election."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raft_lab.kv import recipes
from raft_lab.kv.requests import (
    KeyValue,
    LeaseKeepAlive,
    LeaseRevoke,
    LeaseRevokeResponse,
    LeaseTimeToLive,
    LeaseTimeToLiveResponse,
    lease_name,
)

if TYPE_CHECKING:
    from raft_lab.kv.client import KV


class Lease:
    """A lease that a client holds.

    Attributes:
        id: its name.
        ttl: for how many seconds it was given.
    """

    def __init__(self, store: KV, id: int, ttl: int) -> None:
        self._store = store
        self._keeping: Any = None
        self.id = id
        self.ttl = ttl

    def keep_alive(self) -> Lease:
        """Renew it three times in its life, whoever lets the cluster's time go on: this store, a cell or the lab."""
        if self._keeping is None:
            self._keeping = self._store.line.begin(recipes.keep_alive(self.id, self.ttl))
        return self

    def let_go(self) -> Lease:
        """Renew it no more, as if its holder had died."""
        if self._keeping is not None:
            self._store.line.stop(self._keeping)
            self._keeping = None
        return self

    def keep_alive_once(self) -> int:
        """Renew it now; answers with the seconds that it has then, 0 if it is over."""
        ttl: int = self._store.ask(LeaseKeepAlive(self.id)).ttl
        return ttl

    def time_to_live(self, *, keys: bool = False) -> LeaseTimeToLiveResponse:
        """How long it has left, and which keys hang on it."""
        response: LeaseTimeToLiveResponse = self._store.ask(LeaseTimeToLive(self.id, keys))
        return response

    def revoke(self) -> LeaseRevokeResponse:
        """End it; its keys are deleted."""
        self.let_go()
        response: LeaseRevokeResponse = self._store.ask(LeaseRevoke(self.id))
        return response

    def __int__(self) -> int:
        return self.id

    def __repr__(self) -> str:
        return f"<lease {lease_name(self.id)} of {self.ttl} s>"


class Election:
    """An election in which a client takes part (see recipes.py)."""

    def __init__(self, store: KV, name: str | bytes, lease: Lease) -> None:
        self._store = store
        self.name = name
        self.lease = lease
        self.turn: recipes.Turn | None = None

    def campaign(self, value: str | bytes) -> recipes.Turn:
        """Wait until one is elected; `value` is what the others see."""
        self.turn = self._store.run(recipes.take_turn(self.name, self.lease.id, value))
        assert self.turn is not None
        return self.turn

    def proclaim(self, value: str | bytes) -> bool:
        """Say something else; answers whether one leads still."""
        return self.turn is not None and bool(self._store.run(recipes.proclaim(self.turn, value)))

    def resign(self) -> bool:
        """Lead no more; answers whether one did."""
        turn, self.turn = self.turn, None
        return turn is not None and bool(self._store.run(recipes.give_up(turn)))

    def leader(self) -> KeyValue | None:
        """Who leads now: key and value of the first in the queue."""
        found: KeyValue | None = self._store.run(recipes.leader(self.name))
        return found
