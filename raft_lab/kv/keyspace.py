"""All keys at one revision: a value in the order of keys that never changes; writing makes another one.

A hash trie knows no order, and no well-kept library has a persistent map in order. So keys stand sorted in blocks, what
they hold beside them, and the blocks in a hash trie of the library rpds: writing makes one block anew and shares all
others, and reading a range walks along a few blocks.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator
from typing import TypeAlias

from rpds import HashTrieMap

from raft_lab.kv.requests import KeyValue

BLOCK = 32
"""A block of more keys is split: larger ones cost more to make anew, and smaller ones are many to tell apart."""

Block: TypeAlias = tuple[tuple[bytes, ...], tuple[KeyValue, ...]]
"""Neighbouring keys, sorted, and what each of them holds."""


class KeySpace:
    """Keys with what they hold, in order. `sub` is the place of the write within its revision.

    Args:
        length: how many keys there are.
        firsts: where each block begins, in order; the first one before everything.
        blocks: the blocks, by where they begin.
        subs: the places that are not 0.
    """

    __slots__ = ("_length", "_shape")

    def __init__(
        self, length: int, firsts: tuple[bytes, ...], blocks: HashTrieMap[bytes, Block], subs: HashTrieMap[bytes, int]
    ) -> None:
        self._length = length
        self._shape = firsts, blocks, subs  # at one go: `==` gives another one, while other threads read

    def __len__(self) -> int:
        return self._length

    def __iter__(self) -> Iterator[KeyValue]:
        return iter(self.between(b"", None))

    # Reading

    def get(self, key: bytes) -> KeyValue | None:
        """What stands at `key`."""
        firsts, blocks, _ = self._shape
        keys, kvs = blocks[firsts[_number(firsts, key)]]
        place = bisect_left(keys, key)
        return kvs[place] if _stands(keys, place, key) else None

    def sub(self, key: bytes) -> int:
        """The place of the latest write of `key` within its revision."""
        return self._shape[2].get(key) or 0

    def between(self, begin: bytes, end: bytes | None) -> list[KeyValue]:
        """Those with begin <= key < end, in order; without an end, all from `begin` on."""
        found: list[KeyValue] = []
        for kvs, low, high in self._parts(begin, end):
            found += kvs[low:high]
        return found

    def count(self, begin: bytes, end: bytes | None) -> int:
        """How many there are between."""
        return sum(max(0, high - low) for _, low, high in self._parts(begin, end))

    def _parts(self, begin: bytes, end: bytes | None) -> Iterator[tuple[tuple[KeyValue, ...], int, int]]:
        """The blocks that hold what is between, and from where to where it stands in each."""
        firsts, blocks, _ = self._shape
        for number in range(_number(firsts, begin), len(firsts)):
            first = firsts[number]
            if end is not None and first >= end:
                return
            keys, kvs = blocks[first]
            yield kvs, bisect_left(keys, begin), len(keys) if end is None else bisect_left(keys, end)

    # Writing

    def with_item(self, kv: KeyValue, sub: int = 0) -> KeySpace:
        """The same with `kv` written."""
        key = kv.key
        firsts, blocks, subs = self._shape
        subs = subs.insert(key, sub) if sub else subs.discard(key)
        number = _number(firsts, key)
        first = firsts[number]
        keys, kvs = blocks[first]
        place = bisect_left(keys, key)
        held = list(kvs)
        if _stands(keys, place, key):
            held[place] = kv
            return KeySpace(self._length, firsts, blocks.insert(first, (keys, tuple(held))), subs)
        held.insert(place, kv)
        keys = (*keys[:place], key, *keys[place:])
        if len(keys) <= BLOCK:
            return KeySpace(self._length + 1, firsts, blocks.insert(first, (keys, tuple(held))), subs)
        half = len(keys) // 2
        blocks = blocks.insert(first, (keys[:half], tuple(held[:half])))
        blocks = blocks.insert(keys[half], (keys[half:], tuple(held[half:])))
        firsts = (*firsts[: number + 1], keys[half], *firsts[number + 1 :])
        return KeySpace(self._length + 1, firsts, blocks, subs)

    def without(self, key: bytes) -> KeySpace:
        """The same without `key`, which must be there."""
        firsts, blocks, subs = self._shape
        subs = subs.discard(key)
        number = _number(firsts, key)
        first = firsts[number]
        keys, kvs = blocks[first]
        place = bisect_left(keys, key)
        if len(keys) > 1 or number == 0:
            block = (*keys[:place], *keys[place + 1 :]), (*kvs[:place], *kvs[place + 1 :])
            return KeySpace(self._length - 1, firsts, blocks.insert(first, block), subs)
        firsts = (*firsts[:number], *firsts[number + 1 :])
        return KeySpace(self._length - 1, firsts, blocks.remove(first), subs)

    # As a value

    def __eq__(self, other: object) -> bool:
        """Whether both hold the same. What was found equal is shared from then on: asking again costs nothing."""
        if not isinstance(other, KeySpace):
            return NotImplemented
        if self._shape is other._shape:
            return True
        if not (
            self._shape[2] == other._shape[2] and list(self) == list(other)
        ):  # `!=` of two empty maps of rpds is true
            return False
        other._shape = self._shape
        return True

    def __hash__(self) -> int:
        return hash(len(self))

    def __repr__(self) -> str:
        return f"KeySpace({', '.join(str(kv) for kv in self)})"


def _number(firsts: tuple[bytes, ...], key: bytes) -> int:
    """Of the block where `key` is, or belongs."""
    return bisect_right(firsts, key) - 1


def _stands(keys: tuple[bytes, ...], place: int, key: bytes) -> bool:
    return place < len(keys) and keys[place] == key


EMPTY = KeySpace(0, (b"",), HashTrieMap({b"": ((), ())}), HashTrieMap())


def keyspace(kvs: Iterable[tuple[KeyValue, int]]) -> KeySpace:
    """A key space of what is given with the place of each write."""
    made = EMPTY
    for kv, sub in kvs:
        made = made.with_item(kv, sub)
    return made
