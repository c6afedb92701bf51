"""Locks and elections, as etcd's clients make them of transactions, leases and watches (client/v3/concurrency).

The server knows of none of this: whoever wants the lock writes a key of its own under the lock's name, and waits until
all keys that were created before it are gone. The key hangs on a lease, so a client that dies gives way.

Each recipe is a program (see clients.py): it yields requests and is sent the responses.
"""

from __future__ import annotations

import contextlib
from dataclasses import dataclass

from raft_lab.kv.calls import Unknown
from raft_lab.kv.clients import Pause, Program
from raft_lab.kv.errors import EtcdError
from raft_lab.kv.requests import (
    Compare,
    CompareTarget,
    DeleteRange,
    LeaseKeepAlive,
    Put,
    Range,
    SortOrder,
    SortTarget,
    Txn,
    WatchCreate,
    as_bytes,
    lease_name,
    prefix_end,
)
from raft_lab.raft.errors import RaftLabError


class SessionExpired(RaftLabError):
    """The lease was over before the turn came."""


@dataclass(frozen=True, slots=True)
class Turn:
    """A place in the queue, held.

    Attributes:
        key: the key that holds it.
        revision: at which it was created. It grows from holder to holder: what is locked can refuse older ones, which
            is the only protection against a holder that does not know yet that it has lost the lock (fencing).
    """

    key: bytes
    revision: int


def take_turn(name: str | bytes, lease: int, value: str | bytes = b"") -> Program:
    """Stand in line under `name` and wait until it is one's turn; returns the `Turn`.

    Args:
        name: of the lock or the election.
        lease: ends the turn when it is over.
        value: what the key holds: for an election, what the leader proclaims.

    Raises:
        SessionExpired: the lease was over before.
    """
    queue = as_bytes(name) + b"/"
    key = queue + lease_name(lease).encode()
    first = Range(queue, prefix_end(queue), 1, sort_order=SortOrder.ASCEND, sort_target=SortTarget.CREATE)
    is_new = Compare(key, CompareTarget.CREATE, value=0)
    response = yield Txn((is_new,), (Put(key, as_bytes(value), lease), first), (Range(key), first))
    mine = response.revision if response.succeeded else response.responses[0].kvs[0].create_revision
    if not response.succeeded and value:
        yield Put(key, as_bytes(value), lease)
    if response.responses[1].kvs and response.responses[1].kvs[0].create_revision != mine:
        yield from wait_for_those_before(queue, mine)
        held = yield Range(key)
        if not held.kvs or held.kvs[0].create_revision != mine:
            raise SessionExpired(f"lease {lease_name(lease)} was over before it was the turn of {key.decode()}")
    return Turn(key, mine)


def wait_for_those_before(queue: bytes, revision: int) -> Program:
    """Wait until all keys of the queue are gone that were created before `revision`: one watch, on the last of them."""
    while True:
        response = yield Range(
            queue, prefix_end(queue), 1, sort_order=SortOrder.DESCEND, sort_target=SortTarget.CREATE,
            max_create_revision=revision - 1,
        )  # fmt: skip
        if not response.kvs:
            return
        watch = yield WatchCreate(response.kvs[0].key, start_revision=response.revision + 1)
        gone = False
        while not gone:
            told = yield watch
            gone = any(part.canceled or any(event.type == "DELETE" for event in part.events) for part in told)
        watch.cancel()


def give_up(turn: Turn) -> Program:
    """Leave the queue: unlock, or resign. A turn that somebody else has by now stays as it is."""
    still_mine = Compare(turn.key, CompareTarget.CREATE, value=turn.revision)
    response = yield Txn((still_mine,), (DeleteRange(turn.key),))
    return response.succeeded


def proclaim(turn: Turn, value: str | bytes) -> Program:
    """Leaders: say something else; returns whether one leads still."""
    still_mine = Compare(turn.key, CompareTarget.CREATE, value=turn.revision)
    response = yield Txn((still_mine,), (Put(turn.key, as_bytes(value), ignore_lease=True),))
    return response.succeeded


def leader(name: str | bytes) -> Program:
    """Who leads: the key that was created first, or None."""
    queue = as_bytes(name) + b"/"
    response = yield Range(queue, prefix_end(queue), 1, sort_order=SortOrder.ASCEND, sort_target=SortTarget.CREATE)
    return response.kvs[0] if response.kvs else None


def keep_alive(lease: int, ttl: int) -> Program:
    """Renew a lease three times in its life, until it is over nevertheless. Where nobody answers, try again."""
    while True:
        yield Pause(ttl * 1_000_000 // 3)
        with contextlib.suppress(EtcdError, Unknown):
            response = yield LeaseKeepAlive(lease)
            if response.ttl == 0:
                return
