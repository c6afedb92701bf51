"""Transactions: conditions, two branches, and what etcd refuses before it does anything."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from raft_lab.kv import errors
from raft_lab.kv.keyspace import KeySpace
from raft_lab.kv.requests import (
    Compare,
    CompareResult,
    CompareTarget,
    DeleteRange,
    DeleteRangeResponse,
    KeyValue,
    Operation,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    Txn,
    TxnResponse,
    span,
)
from raft_lab.kv.store import Store, Writing

MOST_OPERATIONS = 128
"""How many compares, or operations in one branch, a transaction may hold, with all that encloses it."""


# --- What is refused whatever is in the store ------------------------------------------------------------------------


def check(op: Operation) -> None:
    """Refuse what is malformed, and a transaction that could write a key twice.

    Raises:
        EtcdError: it is.
    """
    check_request(op)
    if isinstance(op, Txn):
        check_overlaps(op)


def check_request(op: Operation, budget: int = MOST_OPERATIONS) -> None:
    """Refuse what is malformed.

    Raises:
        EtcdError: a key is missing, flags contradict each other, an operation says nothing, or there are too many.
    """
    match op:
        case Range() | DeleteRange():
            if not op.key:
                raise errors.EMPTY_KEY
        case Put():
            if not op.key:
                raise errors.EMPTY_KEY
            if op.ignore_value and op.value:
                raise errors.VALUE_PROVIDED
            if op.ignore_lease and op.lease:
                raise errors.LEASE_PROVIDED
        case Txn():
            most = max(len(op.compare), len(op.success), len(op.failure))
            if most > budget:
                raise errors.TOO_MANY_OPS
            if not all(compare.key for compare in op.compare):
                raise errors.EMPTY_KEY
            for part in (*op.success, *op.failure):
                check_request(part, budget - most)
        case _:
            raise errors.KEY_NOT_FOUND  # etcd's answer to an operation that says nothing


def check_overlaps(op: Txn) -> None:
    """Refuse a transaction that could write a key twice, in whichever branches.

    Raises:
        EtcdError: it could.
    """
    _writes(op.success)
    _writes(op.failure)


def _writes(ops: Sequence[Operation]) -> tuple[set[bytes], list[DeleteRange]]:
    """What a branch puts and deletes, if it does not put a key twice, nor one that it deletes.

    The order of the questions is etcd's: a nested transaction is held against the deletions of this level and of
    the nested ones before it. A deletion of all keys from one on is not seen: by its
    `range_end` it is a range in which nothing is.
    """
    puts: set[bytes] = set()
    deletions = [op for op in ops if isinstance(op, DeleteRange)]
    for op in ops:
        if isinstance(op, Txn):
            (then_puts, then_deletions), (else_puts, else_deletions) = _writes(op.success), _writes(op.failure)
            refuse = any(key in puts or _deleted(key, deletions) for key in then_puts)
            puts_then_known = puts | then_puts
            refuse |= any(
                (key in puts_then_known and key not in then_puts) or _deleted(key, deletions) for key in else_puts
            )
            if refuse:
                raise errors.DUPLICATE_KEY
            puts |= then_puts | else_puts
            deletions += then_deletions + else_deletions
    for op in ops:
        if isinstance(op, Put):
            if op.key in puts or _deleted(op.key, deletions):
                raise errors.DUPLICATE_KEY
            puts.add(op.key)
    return puts, deletions


def _deleted(key: bytes, deletions: list[DeleteRange]) -> bool:
    return any(op.key <= key < (op.range_end or op.key + b"\0") for op in deletions)


# --- Doing it --------------------------------------------------------------------------------------------------------


def transact(store: Store, op: Txn) -> tuple[Store, TxnResponse]:
    """Do a transaction, whole or not at all.

    Raises:
        EtcdError: something on the way that it takes cannot be done.
    """
    branches = _choose(store.keys, op)
    _check_taken(store, op, branches)
    writing = Writing(store)
    response = _do(writing, op, iter(branches))
    return writing.done(), TxnResponse(writing.revision, response.succeeded, response.responses)


def _choose(keys: KeySpace, op: Txn) -> list[bool]:
    """Which branch is taken, here and in each transaction within it: all is asked before anything is done."""
    taken = all(holds(keys, compare) for compare in op.compare)
    choices = [taken]
    for part in op.success if taken else op.failure:
        if isinstance(part, Txn):
            choices += _choose(keys, part)
    return choices


def holds(keys: KeySpace, compare: Compare) -> bool:
    """Whether a condition holds of every key in its range.

    If there is none, it is asked of a key with nothing but zeros; a value that is not there equals nothing, and
    differs from nothing either.
    """
    kvs = keys.between(*span(compare.key, compare.range_end))
    if not kvs:
        return compare.target != CompareTarget.VALUE and _holds_of(KeyValue(compare.key), compare)
    return all(_holds_of(kv, compare) for kv in kvs)


def _holds_of(kv: KeyValue, compare: Compare) -> bool:
    number = compare.value if isinstance(compare.value, int) else 0
    left: int | bytes
    right: int | bytes
    match compare.target:
        case CompareTarget.VALUE:
            left, right = kv.value, compare.value if isinstance(compare.value, bytes) else b""
        case CompareTarget.VERSION:
            left, right = kv.version, number
        case CompareTarget.CREATE:
            left, right = kv.create_revision, number
        case CompareTarget.MOD:
            left, right = kv.mod_revision, number
        case CompareTarget.LEASE:
            left, right = kv.lease, number
        case _:
            left, right = 0, 0
    match compare.result:
        case CompareResult.EQUAL:
            return left == right
        case CompareResult.NOT_EQUAL:
            return left != right
        case CompareResult.GREATER:
            return left > right  # type: ignore[operator]
        case CompareResult.LESS:
            return left < right  # type: ignore[operator]
        case _:
            return True


def _taken(op: Txn, branches: Iterator[bool]) -> Iterator[Operation]:
    """What will be done, those within transactions included, in order."""
    for part in op.success if next(branches) else op.failure:
        if isinstance(part, Txn):
            yield from _taken(part, branches)
        else:
            yield part


def _check_taken(store: Store, op: Txn, branches: list[bool]) -> None:
    """Refuse before anything is done what will turn out not to be possible: first of all puts, then of all ranges."""
    taken = list(_taken(op, iter(branches)))
    for part in taken:
        if isinstance(part, Put):
            if (part.ignore_value or part.ignore_lease) and store.keys.get(part.key) is None:
                raise errors.KEY_NOT_FOUND
            if part.lease and part.lease not in store.leases:
                raise errors.LEASE_NOT_FOUND
    for part in taken:
        if isinstance(part, Range) and part.revision:
            if part.revision > store.revision:
                raise errors.FUTURE_REVISION
            if part.revision < store.compacted:
                raise errors.COMPACTED


def _do(writing: Writing, op: Txn, branches: Iterator[bool]) -> TxnResponse:
    succeeded = next(branches)
    responses: list[RangeResponse | PutResponse | DeleteRangeResponse | TxnResponse] = []
    for part in op.success if succeeded else op.failure:
        match part:
            case Range():
                responses.append(writing.range(part))
            case Put():
                responses.append(writing.put(part))
            case DeleteRange():
                responses.append(writing.delete_range(part))
            case Txn():
                responses.append(_do(writing, part, branches))
    return TxnResponse(0, succeeded, tuple(responses))
