"""What clients of etcd are told, as values with etcd's names.

Of the header of a response only the revision is here: the rest of it (cluster, member, term) is not the store's to
know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from raft_lab.kv.keys import Brief, Event, KeyValue


@dataclass(frozen=True, slots=True, repr=False)
class RangeResponse(Brief):
    """The keys found; `count` is how many are in the range whatever the limit, `more` whether the limit cut it."""

    revision: int = 0
    kvs: tuple[KeyValue, ...] = ()
    more: bool = False
    count: int = 0


@dataclass(frozen=True, slots=True, repr=False)
class PutResponse(Brief):
    """Written at `revision`; `prev_kv` is what stood there, if it was asked for and there was something."""

    revision: int = 0
    prev_kv: KeyValue | None = None


@dataclass(frozen=True, slots=True)
class DeleteRangeResponse:
    """How many keys were deleted. If none was, the revision is still the one before."""

    revision: int = 0
    deleted: int = 0
    prev_kvs: tuple[KeyValue, ...] = ()


@dataclass(frozen=True, slots=True)
class TxnResponse:
    """Whether the conditions held, and what the operations of that branch gave. A nested one has no revision (0)."""

    revision: int = 0
    succeeded: bool = False
    responses: tuple[RangeResponse | PutResponse | DeleteRangeResponse | TxnResponse, ...] = ()


@dataclass(frozen=True, slots=True)
class CompactionResponse:
    """Compacted; that makes no new revision."""

    revision: int = 0


@dataclass(frozen=True, slots=True)
class LeaseGrantResponse:
    """The lease `id` was given for `ttl` seconds, perhaps more than was asked for."""

    revision: int = 0
    id: int = 0
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class LeaseRevokeResponse:
    """The lease is over; `revision` is that at which its keys were deleted, if it had any."""

    revision: int = 0


@dataclass(frozen=True, slots=True)
class LeaseKeepAliveResponse:
    """The lease has `ttl` seconds again; 0 if there is no such lease."""

    revision: int = 0
    id: int = 0
    ttl: int = 0


@dataclass(frozen=True, slots=True)
class LeaseTimeToLiveResponse:
    """The lease has `ttl` whole seconds left of `granted_ttl`; -1 if there is no such lease."""

    revision: int = 0
    id: int = 0
    ttl: int = 0
    granted_ttl: int = 0
    keys: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class LeaseLeasesResponse:
    """The names of all leases."""

    revision: int = 0
    leases: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True)
class LeaseExpireResponse:
    """Which leases are over now."""

    revision: int = 0
    expired: tuple[int, ...] = ()


@dataclass(frozen=True, slots=True, repr=False)
class WatchResponse(Brief):
    """What a watcher is told.

    Attributes:
        revision: that of the events if they are of one revision; else the current one: everything up to it was told.
        watch_id: who is told; -1: all of the stream.
        created: the watcher begins.
        canceled: the watcher ends.
        compact_revision: it ends because what it asks for was compacted away, up to here.
        cancel_reason: why it ends, in words.
        fragment: more of the same revision follows.
        events: what happened, in order.
    """

    revision: int = 0
    watch_id: int = 0
    created: bool = False
    canceled: bool = False
    compact_revision: int = 0
    cancel_reason: str = ""
    fragment: bool = False
    events: tuple[Event, ...] = ()


Response: TypeAlias = (
    RangeResponse
    | PutResponse
    | DeleteRangeResponse
    | TxnResponse
    | CompactionResponse
    | LeaseGrantResponse
    | LeaseRevokeResponse
    | LeaseKeepAliveResponse
    | LeaseTimeToLiveResponse
    | LeaseLeasesResponse
    | LeaseExpireResponse
)
