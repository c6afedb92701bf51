"""All keys at one revision: a map in the order of keys that never changes; writing makes another one.

The map itself is a hash trie of the library rpds, and nothing is copied but the path to what changes. A hash trie
knows no order, and no well-kept library has an ordered one: so the keys are also kept sorted, in blocks, and when a key
appears or disappears its block is made anew.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right, insort
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rpds import HashTrieMap

from raft_lab.kv.requests import KeyValue

BLOCK = 64
"""A block of more keys is split."""


class Order(NamedTuple):
    """All keys, sorted, in blocks. `firsts` says where each begins, the first one before everything."""

    firsts: tuple[bytes, ...]
    blocks: HashTrieMap[bytes, tuple[bytes, ...]]

    def block_of(self, key: bytes) -> int:
        """The number of the block where `key` is, or belongs."""
        return bisect_right(self.firsts, key) - 1

    def with_key(self, key: bytes) -> Order:
        """The same with one key more."""
        first = self.firsts[place := self.block_of(key)]
        keys = list(self.blocks[first])
        insort(keys, key)
        if len(keys) <= BLOCK:
            return Order(self.firsts, self.blocks.insert(first, tuple(keys)))
        half = BLOCK // 2
        firsts = (*self.firsts[: place + 1], keys[half], *self.firsts[place + 1 :])
        blocks = self.blocks.insert(first, tuple(keys[:half])).insert(keys[half], tuple(keys[half:]))
        return Order(firsts, blocks)

    def without_key(self, key: bytes) -> Order:
        """The same with one key less."""
        first = self.firsts[place := self.block_of(key)]
        keys = tuple(other for other in self.blocks[first] if other != key)
        if keys or not place:
            return Order(self.firsts, self.blocks.insert(first, keys))
        return Order((*self.firsts[:place], *self.firsts[place + 1 :]), self.blocks.remove(first))

    def parts(self, begin: bytes, end: bytes | None) -> Iterator[tuple[bytes, ...]]:
        """The keys with begin <= key < end, some at a time."""
        for place in range(self.block_of(begin), len(self.firsts)):
            first = self.firsts[place]
            if end is not None and first >= end:
                return
            keys = self.blocks[first]
            low = bisect_left(keys, begin)
            high = len(keys) if end is None else bisect_left(keys, end)
            if low < high:
                yield keys[low:high]


class KeySpace:
    """Keys with what they hold, in order. `sub` is the place of the write within its revision."""

    __slots__ = ("_kvs", "_order", "_subs")

    def __init__(
        self,
        kvs: HashTrieMap[bytes, KeyValue],
        subs: HashTrieMap[bytes, int],
        order: Order,
    ) -> None:
        self._kvs = kvs
        self._subs = subs  # those that are not 0
        self._order = order

    def __len__(self) -> int:
        return len(self._kvs)

    def __iter__(self) -> Iterator[KeyValue]:
        return self.between(b"", None)

    def get(self, key: bytes) -> KeyValue | None:
        """What stands at `key`."""
        return self._kvs.get(key)

    def sub(self, key: bytes) -> int:
        """The place of the latest write of `key` within its revision."""
        return self._subs.get(key) or 0

    def between(self, begin: bytes, end: bytes | None) -> Iterator[KeyValue]:
        """Those with begin <= key < end, in order; without an end, all from `begin` on."""
        for keys in self._order.parts(begin, end):
            for key in keys:
                yield self._kvs[key]

    def count(self, begin: bytes, end: bytes | None) -> int:
        """How many there are between."""
        return sum(len(keys) for keys in self._order.parts(begin, end))

    def with_item(self, kv: KeyValue, sub: int = 0) -> KeySpace:
        """The same with `kv` written."""
        key = kv.key
        subs = self._subs.insert(key, sub) if sub else self._subs.discard(key)
        kvs = self._kvs.insert(key, kv)
        if len(kvs) == len(self._kvs):
            return KeySpace(kvs, subs, self._order)
        return KeySpace(kvs, subs, self._order.with_key(key))

    def without(self, key: bytes) -> KeySpace:
        """The same without `key`, which must be there."""
        return KeySpace(self._kvs.remove(key), self._subs.discard(key), self._order.without_key(key))

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same. What was found equal is shared from then on: asking again costs nothing."""
        if not isinstance(other, KeySpace):
            return NotImplemented
        if self._kvs is other._kvs and self._subs is other._subs:
            return True
        if not (self._kvs == other._kvs and self._subs == other._subs):  # `!=` of two empty maps of rpds is true
            return False
        other._kvs, other._subs, other._order = self._kvs, self._subs, self._order
        return True

    def __hash__(self) -> int:
        return hash(len(self))

    def __repr__(self) -> str:
        return f"KeySpace({', '.join(str(kv) for kv in self)})"


EMPTY = KeySpace(HashTrieMap(), HashTrieMap(), Order((b"",), HashTrieMap({b"": ()})))


def keyspace(kvs: Iterable[tuple[KeyValue, int]]) -> KeySpace:
    """A key space of what is given with the place of each write."""
    made = EMPTY
    for kv, sub in kvs:
        made = made.with_item(kv, sub)
    return made
