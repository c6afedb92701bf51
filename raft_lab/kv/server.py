"""etcd's store as the replicated state machine of a cluster: `Cluster(3, server=KVServer)`."""

from __future__ import annotations

import functools
from dataclasses import is_dataclass
from typing import Any, ClassVar

from raft_lab.kv import errors, leases, requests
from raft_lab.kv.encoding import request_size
from raft_lab.kv.errors import EtcdError
from raft_lab.kv.requests import (
    Compaction,
    DeleteRange,
    LeaseExpire,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseLeases,
    LeaseRevoke,
    LeaseTimeToLive,
    Put,
    Range,
    RegisterClient,
    Request,
    Response,
    Txn,
    only_reads,
)
from raft_lab.kv.store import Contents, Store, Writing, compact, store_of
from raft_lab.kv.transactions import check, transact
from raft_lab.kv.words import request_of
from raft_lab.raft.log import Command, Entry
from raft_lab.raft.server import Server
from raft_lab.raft.state import Leader
from raft_lab.sim import trace

LARGEST_REQUEST = 3 * 2**19
"""Bytes; larger requests are refused."""


def apply(store: Store, op: Request, clock_us: int = 0) -> tuple[Store, Response | EtcdError]:
    """The state machine: what becomes of `store`, and the answer. Whatever is refused changes nothing.

    Args:
        store: the store as it stands; it is not changed.
        op: what is asked for.
        clock_us: the log's time, in microseconds; only leases look at it.
    """
    try:
        return _apply(store, op, clock_us)
    except EtcdError as error:
        return store, errors.refusal(error)


_apply_once = functools.lru_cache(maxsize=512)(apply)
"""Every server applies the same commands to the same stores: what is worked out for one serves the others, too."""


def _apply(store: Store, op: Request, clock_us: int) -> tuple[Store, Response]:
    match op:
        case Put() | Range() | DeleteRange() | Txn():
            check(op)
            refuse_large(op)
            return transact(store, op) if isinstance(op, Txn) else _do_alone(store, op)
        case Compaction():
            return compact(store, op)
        case LeaseGrant():
            return leases.grant(store, op, clock_us)
        case LeaseRevoke():
            return leases.revoke(store, op)
        case LeaseKeepAlive():
            return leases.keep_alive(store, op, clock_us)
        case LeaseExpire():
            return leases.expire(store, clock_us)
        case LeaseTimeToLive():
            return store, leases.time_to_live(store, op, clock_us)
        case LeaseLeases():
            return store, leases.leases(store)
    raise TypeError(f"a request is one of {', '.join(kind.__name__ for kind in REQUESTS)}, not {op!r}")


def _do_alone(store: Store, op: Put | Range | DeleteRange) -> tuple[Store, Response]:
    writing = Writing(store)
    response: Response
    match op:
        case Put():
            if op.lease and op.lease not in store.leases:
                raise errors.LEASE_NOT_FOUND
            response = writing.put(op)
        case Range():
            response = writing.range(op)
        case _:
            response = writing.delete_range(op)
    return writing.done(), response


def refuse_large(op: Request) -> None:
    """Refuse what is too large for the log; what only reads does not come into etcd's.

    Raises:
        EtcdError: it is.
    """
    if isinstance(op, Put) and len(op.key) + len(op.value) < LARGEST_REQUEST // 2:
        return  # as almost all are
    if isinstance(op, Put | DeleteRange | Txn) and not only_reads(op) and request_size(op) > LARGEST_REQUEST:
        raise errors.TOO_LARGE


REQUESTS: tuple[type, ...] = (
    RegisterClient, Range, Put, DeleteRange, Txn, Compaction, LeaseGrant, LeaseRevoke, LeaseKeepAlive, LeaseExpire,
    LeaseTimeToLive, LeaseLeases,
)  # fmt: skip
"""What a cluster of `KVServer` can be asked for."""


class KVServer(Server):
    """A server whose state machine is etcd's store. Commands are requests such as `Put("k", "v")`, or "put k v"."""

    commands: ClassVar[tuple[type, ...]] = (str, *REQUESTS)
    another_machine: ClassVar[bool] = True
    first_data: ClassVar[Any] = Store()

    def apply(self, data: Any, op: Any) -> tuple[Any, Any]:
        """See `apply` of this module; the time is the log's. Servers that do the same share what comes of it."""
        if isinstance(op, str):
            try:
                op = request_of(op)
            except ValueError as error:
                return data, EtcdError("INVALID_ARGUMENT", str(error))
        return _apply_once(data, op, self.machine.clock_us)

    def on_heartbeat_timeout(self) -> None:
        """Leaders also look whether a lease is over, and say so in the log: no server ends one by its own clock."""
        if isinstance(self.role, Leader) and self.role.transferee is None and self.has_leases_due():
            self.log = self.log.append(Entry(self.current_term, Command(LeaseExpire(), time_us=self.now)))
        super().on_heartbeat_timeout()

    def has_leases_due(self) -> bool:
        """Whether a lease is over, as far as applied, and no entry says so yet."""
        store = self.machine.data
        if not leases.due(store, self.now):
            return False
        waiting = self.log.after(self.last_applied)
        return not any(isinstance(entry.value, Command) and entry.value.op == LeaseExpire() for entry in waiting)


def _values() -> list[type]:
    return [kind for kind in vars(requests).values() if isinstance(kind, type) and is_dataclass(kind)]


trace.register(EtcdError, Contents, *_values())
trace.register_as(Store, Contents, Store.contents, store_of)
