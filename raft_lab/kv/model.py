"""etcd as a sequential object: what histories of its clients are checked against."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from raft_lab.kv.histories import LEASES_END, REQUEST
from raft_lab.kv.requests import (
    LeaseKeepAlive,
    LeaseLeases,
    LeaseRevoke,
    LeaseTimeToLive,
    LeaseTimeToLiveResponse,
    Request,
    only_reads,
)
from raft_lab.kv.server import apply
from raft_lab.kv.store import Store

if TYPE_CHECKING:
    from raft_lab.check.histories import Operation
    from raft_lab.check.models import Model


def etcd() -> Model:
    """The store, one request after another: `etcdctl` (argument: the request) and `leases end` (their names).

    Responses name revisions, so they say a lot about the order. When a lease ends is up to the log's clock, which no
    client sees: how long one still lasts is not judged, nor whether it could be renewed any more.
    """
    from raft_lab.check.models import Model

    def step(store: Store, operation: Operation) -> tuple[bool, Store]:
        if operation.kind == LEASES_END:
            for lease in operation.argument:
                if lease not in store.leases:
                    return False, store
                store, _ = apply(store, LeaseRevoke(lease))
            return True, store
        after, reply = apply(store, operation.argument)
        return operation.unknown or same(operation.argument, reply, operation.result), after

    def reads(operation: Operation) -> bool:
        return operation.kind == REQUEST and only_reads(operation.argument)

    return Model("etcd", frozenset([REQUEST, LEASES_END]), Store(), step, lambda _: None, reads)


def same(request: Request, expected: Any, told: Any) -> bool:
    """Whether a client may have been told this, times aside."""
    match request:
        case LeaseTimeToLive() if isinstance(told, LeaseTimeToLiveResponse):
            return (expected.id, expected.granted_ttl, expected.keys) == (told.id, told.granted_ttl, told.keys)
        case LeaseLeases():
            return sorted(expected.leases) == sorted(told.leases)
        case LeaseKeepAlive():
            return bool(told.ttl in (expected.ttl, 0))
    return bool(expected == told)
