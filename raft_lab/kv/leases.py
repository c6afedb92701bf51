"""Leases: promises of time, kept by the log's own clock (etcd's package lease)."""

from __future__ import annotations

from dataclasses import replace

from raft_lab.kv import errors
from raft_lab.kv.requests import (
    LeaseExpireResponse,
    LeaseGrant,
    LeaseGrantResponse,
    LeaseKeepAlive,
    LeaseKeepAliveResponse,
    LeaseLeasesResponse,
    LeaseRevoke,
    LeaseRevokeResponse,
    LeaseTimeToLive,
    LeaseTimeToLiveResponse,
)
from raft_lab.kv.store import Lease, Store, Writing

SHORTEST_TTL = 2
"""Seconds; shorter ones are made this long, as etcd does with its usual election timeout (1.5 of them, rounded up)."""
LONGEST_TTL = 9_000_000_000
"""Seconds."""


def grant(store: Store, op: LeaseGrant, clock_us: int) -> tuple[Store, LeaseGrantResponse]:
    """Give a lease.

    Raises:
        EtcdError: it would last too long, or there is one of that name.
    """
    if op.ttl > LONGEST_TTL:
        raise errors.TTL_TOO_LARGE
    if op.id and op.id in store.leases:
        raise errors.LEASE_EXISTS
    ttl = max(op.ttl, SHORTEST_TTL)
    lease = Lease(op.id or _unused(store), ttl, clock_us + ttl * 1_000_000)
    response = LeaseGrantResponse(store.revision, lease.id, ttl)
    return replace(store, leases=store.leases.insert(lease.id, lease)), response


def _unused(store: Store) -> int:
    """A name for a lease: etcd draws one at random; here it follows from what is there, on every server alike."""
    name = store.revision
    while name in store.leases:
        name += 1
    return name


def revoke(store: Store, op: LeaseRevoke) -> tuple[Store, LeaseRevokeResponse]:
    """End a lease, and delete its keys at one revision.

    Raises:
        EtcdError: there is no such lease.
    """
    if op.id not in store.leases:
        raise errors.LEASE_NOT_FOUND
    store = _end(store, store.leases[op.id])
    return store, LeaseRevokeResponse(store.revision)


def _end(store: Store, lease: Lease) -> Store:
    writing = Writing(store)
    for key in sorted(lease.keys):
        kv = writing.keys.get(key)
        assert kv is not None
        writing.delete(kv)
    writing.leases = writing.leases.remove(lease.id)
    return writing.done()


def expire(store: Store, clock_us: int) -> tuple[Store, LeaseExpireResponse]:
    """End every lease whose time is over, each at a revision of its own if it has keys."""
    over = due(store, clock_us)
    for lease in over:
        store = _end(store, store.leases[lease.id])
    return store, LeaseExpireResponse(store.revision, tuple(lease.id for lease in over))


def due(store: Store, clock_us: int) -> list[Lease]:
    """The leases whose time is over, longest over first."""
    return [lease for lease in _soonest_first(store) if lease.deadline_us <= clock_us]


def keep_alive(store: Store, op: LeaseKeepAlive, clock_us: int) -> tuple[Store, LeaseKeepAliveResponse]:
    """Let a lease begin anew. One whose time is over is over, even if its keys are still there."""
    lease = store.leases.get(op.id)
    if lease is None or lease.deadline_us <= clock_us:
        return store, LeaseKeepAliveResponse(store.revision, op.id, 0)
    lease = replace(lease, deadline_us=clock_us + lease.ttl * 1_000_000)
    response = LeaseKeepAliveResponse(store.revision, op.id, lease.ttl)
    return replace(store, leases=store.leases.insert(op.id, lease)), response


def time_to_live(store: Store, op: LeaseTimeToLive, clock_us: int) -> LeaseTimeToLiveResponse:
    """How long a lease has left, in whole seconds."""
    lease = store.leases.get(op.id)
    if lease is None:
        return LeaseTimeToLiveResponse(store.revision, op.id, -1)
    left = max(lease.deadline_us - clock_us, 0) // 1_000_000
    keys = tuple(sorted(lease.keys)) if op.keys else ()
    return LeaseTimeToLiveResponse(store.revision, op.id, left, lease.ttl, keys)


def leases(store: Store) -> LeaseLeasesResponse:
    """All leases, soonest over first."""
    return LeaseLeasesResponse(store.revision, tuple(lease.id for lease in _soonest_first(store)))


def _soonest_first(store: Store) -> list[Lease]:
    return sorted(store.leases.values(), key=lambda lease: (lease.deadline_us, lease.id))
