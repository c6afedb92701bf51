"""The store: every key at every revision since the last compaction, as one value (etcd's package mvcc).

A revision is a number of the whole store: each request that changes something makes exactly one, whatever it changes.
Since the key space of a revision is a value that shares with its neighbours all that is the same, the history is
simply all of them: to read as of a revision is to read another key space.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any

from rpds import HashTrieMap, HashTrieSet

from raft_lab.kv import errors
from raft_lab.kv.keyspace import EMPTY, KeySpace, keyspace
from raft_lab.kv.requests import (
    Compaction,
    CompactionResponse,
    DeleteRange,
    DeleteRangeResponse,
    Event,
    KeyValue,
    Put,
    PutResponse,
    Range,
    RangeResponse,
    SortOrder,
    SortTarget,
    shown,
    span,
)
from raft_lab.raft.values import Chain, extend


@dataclass(frozen=True, slots=True)
class Lease:
    """A promise of time; when it is over, its keys go with it.

    Attributes:
        id: its name.
        ttl: for how long it was given, in seconds.
        deadline_us: the log time at which it is over.
        keys: the keys that are attached to it.
    """

    id: int
    ttl: int
    deadline_us: int
    keys: HashTrieSet[bytes] = field(default_factory=HashTrieSet)


@dataclass(frozen=True, slots=True)
class Change:
    """What one revision changed, in order, and the key space after it."""

    events: tuple[Event, ...]
    keys: KeySpace = field(compare=False, repr=False)

    def __hash__(self) -> int:
        return hash(tuple((event.type, event.kv.key, event.kv.value) for event in self.events))


@dataclass(frozen=True, slots=True)
class Store:
    """Every key at every revision since the last compaction.

    Attributes:
        base: the key space where history begins: at the compacted revision, or at 1, where nothing was written yet.
        base_revision: that revision.
        changes: one for each revision after it.
        compacted: the revision of the last compaction; -1 if there was none. (A compaction at 0 is none but counts.)
        leases: by name.
    """

    base: KeySpace = EMPTY
    base_revision: int = 1
    changes: Chain[Change] | None = None
    compacted: int = -1
    leases: HashTrieMap[int, Lease] = field(default_factory=HashTrieMap)

    @property
    def revision(self) -> int:
        """The latest one."""
        return self.base_revision + (self.changes.length if self.changes else 0)

    @property
    def keys(self) -> KeySpace:
        """All keys as they stand now."""
        return self.changes.item.keys if self.changes else self.base

    def at(self, revision: int) -> KeySpace:
        """All keys as of a revision that is not compacted away; 0 and less is now.

        Raises:
            EtcdError: it is compacted, or not there yet.
        """
        if revision > self.revision:
            raise errors.FUTURE_REVISION
        if revision <= 0 or revision == self.revision:
            return self.keys
        if revision < self.compacted:
            raise errors.COMPACTED
        return self._change(revision).keys if revision > self.base_revision else self.base

    def events(self, revision: int) -> tuple[Event, ...]:
        """What was changed at a revision that is not compacted away; of the compacted one, what still stands."""
        if revision > self.base_revision:
            return self._change(revision).events
        kept = [kv for kv in self.base if kv.mod_revision == revision]
        return tuple(Event("PUT", kv) for kv in sorted(kept, key=lambda kv: self.base.sub(kv.key)))

    def before(self, revision: int, key: bytes) -> KeyValue | None:
        """What stood at `key` before `revision`, if that is still known."""
        return self.at(revision - 1).get(key) if revision - 1 >= self.base_revision else None

    def _change(self, revision: int) -> Change:
        assert self.changes is not None
        return self.changes.prefix(revision - self.base_revision).item

    def __hash__(self) -> int:
        return hash((self.revision, self.compacted, self.changes and self.changes.digest, len(self.leases)))

    def __str__(self) -> str:
        leases = f", {len(self.leases)} leases" if self.leases else ""
        return f"{len(self.keys)} keys at revision {self.revision}{leases}"

    def shown(self) -> dict[str, str]:
        """Keys and values in words, in order."""
        return {shown(kv.key): shown(kv.value) for kv in self.keys}

    def contents(self) -> Contents:
        """The store in plain values: for files, and to be sent."""
        steps = () if self.changes is None else tuple(self.changes.backwards())[::-1]
        return Contents(
            tuple((kv, self.base.sub(kv.key)) for kv in self.base),
            self.base_revision,
            tuple(change.events for change in steps),
            self.compacted,
            tuple(
                (lease.id, lease.ttl, lease.deadline_us, tuple(sorted(lease.keys)))
                for lease in sorted(self.leases.values(), key=lambda lease: lease.id)
            ),
        )

    def __reduce__(self) -> tuple[Any, tuple[Contents]]:
        return store_of, (self.contents(),)


@dataclass(frozen=True, slots=True)
class Contents:
    """A `Store` in plain values."""

    base: tuple[tuple[KeyValue, int], ...]
    base_revision: int
    changes: tuple[tuple[Event, ...], ...]
    compacted: int
    leases: tuple[tuple[int, int, int, tuple[bytes, ...]], ...]


def store_of(contents: Contents) -> Store:
    """The store that has these contents."""
    base = keyspace(contents.base)
    leases = [Lease(name, ttl, until, HashTrieSet(keys)) for name, ttl, until, keys in contents.leases]
    return Store(
        base,
        contents.base_revision,
        _changes(base, contents.changes),
        contents.compacted,
        HashTrieMap({lease.id: lease for lease in leases}),
    )


def _changes(keys: KeySpace, steps: Iterable[tuple[Event, ...]]) -> Chain[Change] | None:
    made = []
    for events in steps:
        for sub, event in enumerate(events):
            keys = keys.with_item(event.kv, sub) if event.type == "PUT" else keys.without(event.kv.key)
        made.append(Change(events, keys))
    return extend(None, made)


class Writing:
    """The working copy of a store while one request changes it; all its changes become one revision.

    Requests are done in order and see what was done before them.
    """

    def __init__(self, store: Store) -> None:
        self.store = store
        self.keys = store.keys
        self.leases = store.leases
        self.events: list[Event] = []

    @property
    def revision(self) -> int:
        """What a response names: the next revision from the first change on."""
        return self.store.revision + bool(self.events)

    def done(self) -> Store:
        """The store as it is then."""
        if not self.events:
            return replace(self.store, leases=self.leases) if self.leases is not self.store.leases else self.store
        change = Change(tuple(self.events), self.keys)
        store = self.store
        return Store(store.base, store.base_revision, Chain(change, store.changes), store.compacted, self.leases)

    # Reading

    def range(self, op: Range) -> RangeResponse:
        """Read a range.

        Raises:
            EtcdError: the revision is compacted or in the future.
        """
        if op.revision > self.revision:
            raise errors.FUTURE_REVISION
        keys = self.keys if op.revision in (0, self.revision) else self.store.at(op.revision)
        begin, end = span(op.key, op.range_end)
        if op.count_only:
            return RangeResponse(self.revision, count=keys.count(begin, end))
        if not op.range_end:
            kv = keys.get(op.key)
            found = [] if kv is None else [kv]
        else:
            found = keys.between(begin, end)
        count = len(found)
        kvs = _sorted(_bounded(found, op), op)
        more = 0 < op.limit < len(kvs)
        kvs = kvs[: op.limit] if more else kvs
        if op.keys_only:
            kvs = [replace(kv, value=b"") for kv in kvs]
        return RangeResponse(self.revision, tuple(kvs), more, count)

    # Changing

    def put(self, op: Put) -> PutResponse:
        """Write a key.

        Raises:
            EtcdError: it shall keep what it does not have.
        """
        before = self.keys.get(op.key)
        if before is None and (op.ignore_value or op.ignore_lease):
            raise errors.KEY_NOT_FOUND
        value = before.value if before and op.ignore_value else op.value
        lease = before.lease if before and op.ignore_lease else op.lease
        revision = self.store.revision + 1
        if before is None:
            kv = KeyValue(op.key, value, revision, revision, 1, lease)
        else:
            kv = KeyValue(op.key, value, before.create_revision, revision, before.version + 1, lease)
            self._detach(before)
        self.keys = self.keys.with_item(kv, len(self.events))
        self.events.append(Event("PUT", kv))
        if lease:
            held = self.leases[lease]
            self.leases = self.leases.insert(lease, replace(held, keys=held.keys.insert(op.key)))
        return PutResponse(revision, before if op.prev_kv else None)

    def delete_range(self, op: DeleteRange) -> DeleteRangeResponse:
        """Delete a range."""
        gone = tuple(self.keys.between(*span(op.key, op.range_end)))
        for kv in gone:
            self.delete(kv)
        return DeleteRangeResponse(self.revision, len(gone), gone if op.prev_kv else ())

    def delete(self, kv: KeyValue) -> None:
        """Delete a key that is there."""
        self._detach(kv)
        self.keys = self.keys.without(kv.key)
        self.events.append(Event("DELETE", KeyValue(kv.key, mod_revision=self.store.revision + 1)))

    def _detach(self, kv: KeyValue) -> None:
        held = self.leases.get(kv.lease) if kv.lease else None
        if held:
            self.leases = self.leases.insert(held.id, replace(held, keys=held.keys.discard(kv.key)))


def _bounded(kvs: list[KeyValue], op: Range) -> list[KeyValue]:
    """Those within the bounds of a range on revisions; 0 bounds nothing."""
    if op.max_mod_revision:
        kvs = [kv for kv in kvs if kv.mod_revision <= op.max_mod_revision]
    if op.min_mod_revision:
        kvs = [kv for kv in kvs if kv.mod_revision >= op.min_mod_revision]
    if op.max_create_revision:
        kvs = [kv for kv in kvs if kv.create_revision <= op.max_create_revision]
    if op.min_create_revision:
        kvs = [kv for kv in kvs if kv.create_revision >= op.min_create_revision]
    return kvs


_SORT_KEYS: dict[int, Any] = {
    SortTarget.KEY: lambda kv: kv.key,
    SortTarget.VERSION: lambda kv: kv.version,
    SortTarget.CREATE: lambda kv: kv.create_revision,
    SortTarget.MOD: lambda kv: kv.mod_revision,
    SortTarget.VALUE: lambda kv: kv.value,
}


def _sorted(kvs: list[KeyValue], op: Range) -> list[KeyValue]:
    """In the order asked for. Another target than the key sorts by itself, but then only what the limit left."""
    order = op.sort_order
    if op.sort_target != SortTarget.KEY and order == SortOrder.NONE:
        order = SortOrder.ASCEND
        bounds = (op.min_mod_revision, op.max_mod_revision, op.min_create_revision, op.max_create_revision)
        if op.limit > 0 and not any(bounds):
            kvs = kvs[: op.limit + 1]  # as etcd does, for it cannot know that there is anything to sort
    if order not in (SortOrder.ASCEND, SortOrder.DESCEND) or op.sort_target not in _SORT_KEYS:
        return kvs
    return sorted(kvs, key=_SORT_KEYS[op.sort_target], reverse=order == SortOrder.DESCEND)


def compact(store: Store, op: Compaction) -> tuple[Store, CompactionResponse]:
    """Forget what was before a revision, except what still stood at it. That makes no new revision.

    A deletion at that very revision is forgotten, too: who watches from there is not told of it, as in etcd 3.4.

    Raises:
        EtcdError: it is compacted already, or in the future.
    """
    if op.revision <= store.compacted:
        raise errors.COMPACTED
    if op.revision > store.revision:
        raise errors.FUTURE_REVISION
    base_revision = max(op.revision, 1)
    later = store.revision - base_revision
    kept: list[Change] = []
    if store.changes is not None:
        for _, change in zip(range(later), store.changes.backwards(), strict=False):
            kept.append(change)
    changes = extend(None, reversed(kept))
    base = store.at(base_revision)
    return Store(base, base_revision, changes, op.revision, store.leases), CompactionResponse(store.revision)
