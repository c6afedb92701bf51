"""Immutable values: what a server's state is made of, so that states can be kept, compared and hashed."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Generic, NoReturn, TypeVar

from raft_lab.raft.errors import HandlerError

K = TypeVar("K")
V = TypeVar("V")
T = TypeVar("T")

NEVER = -(1 << 62)
"""A local time before all others."""


class FrozenMap(dict[K, V]):
    """A dict that cannot change: `with_item` and `without` make a new one.

    Iteration follows insertion order; equality and hash ignore it.
    """

    __slots__ = ("_hash",)
    _hash: int

    def with_item(self, key: K, value: V) -> FrozenMap[K, V]:
        """A copy in which `key` maps to `value`."""
        copy = FrozenMap(self)
        dict.__setitem__(copy, key, value)
        return copy

    def without(self, key: K) -> FrozenMap[K, V]:
        """A copy that lacks `key`.

        Raises:
            KeyError: `key` is not there.
        """
        copy = FrozenMap(self)
        dict.__delitem__(copy, key)
        return copy

    def __hash__(self) -> int:  # type: ignore[override]
        try:
            return self._hash
        except AttributeError:
            object.__setattr__(self, "_hash", hash(frozenset(self.items())))
            return self._hash

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("a FrozenMap cannot change; use with_item(key, value) or without(key) to make a new one")

    __setitem__ = __delitem__ = __ior__ = _refuse
    clear = pop = popitem = setdefault = update = _refuse

    def __reduce__(self) -> tuple[type, tuple[dict[K, V]]]:
        return FrozenMap, (dict(self),)


class Chain(Generic[T]):
    """A persistent sequence, numbered from 1, that grows and is cut at its end.

    Appending, cutting and sharing cost O(1), reading an item O(log n): each link also holds a jump to a
    link further back (E. Myers, "An applicative random-access stack", 1983). A link is the whole sequence
    up to its item, so a Raft log, its prefixes and its forks share what they have in common.
    """

    __slots__ = ("digest", "item", "jump", "length", "previous")

    def __init__(self, item: T, previous: Chain[T] | None) -> None:
        self.item = item
        self.previous = previous
        if previous is None:
            self.length, self.jump, self.digest = 1, self, hash((0, item))
            return
        self.length = previous.length + 1
        self.digest = hash((previous.digest, item))
        far = previous.jump
        if previous.length - far.length == far.length - far.jump.length:
            self.jump = far.jump
        else:
            self.jump = previous

    def prefix(self, length: int) -> Chain[T]:
        """The first `length` items, 1 <= length <= self.length."""
        link = self
        while link.length > length:
            link = link.jump if link.jump.length >= length else link.previous  # type: ignore[assignment]
        return link

    def backwards(self) -> Iterator[T]:
        """The items, last one first."""
        link: Chain[T] | None = self
        while link is not None:
            yield link.item
            link = link.previous

    def same_as(self, other: Chain[T]) -> bool:
        """Whether both hold equal items.

        Unequal digests prove a difference at once; else items are compared until the two share a link. What
        was found equal is shared from then on, link by link, so that the next comparison ends where this one began,
        also one with a third sequence.
        """
        mine: Chain[T] | None = self
        theirs: Chain[T] | None = other
        equal = []
        while mine is not theirs:
            if mine is None or theirs is None or mine.digest != theirs.digest or mine.item != theirs.item:
                return False
            equal.append((mine, theirs))
            mine, theirs = mine.previous, theirs.previous
        for mine, theirs in equal:
            if mine.previous is not None:
                theirs.previous, theirs.jump = mine.previous, mine.jump
        return True

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Chain) and self.length == other.length and self.same_as(other)

    def __hash__(self) -> int:
        return hash((self.length, self.digest))

    def __reduce__(self) -> tuple[Any, ...]:
        return extend, (None, tuple(self.backwards())[::-1])


def extend(chain: Chain[T] | None, items: Iterable[T]) -> Chain[T] | None:
    """`chain` (None is the empty one) followed by `items`."""
    for item in items:
        chain = Chain(item, chain)
    return chain


def freeze(value: Any) -> Any:
    """The immutable twin of `value`: lists become tuples, sets frozensets, dicts FrozenMaps, all the way down.

    Raises:
        HandlerError: something in it can be neither frozen nor hashed, or not be compared.
    """
    if isinstance(value, (list, tuple)):
        items = tuple(freeze(item) for item in value)
        return type(value)(*items) if hasattr(value, "_fields") else items
    if isinstance(value, (set, frozenset)):
        return frozenset(freeze(item) for item in value)
    if isinstance(value, Mapping):
        return FrozenMap({freeze(key): freeze(item) for key, item in value.items()})
    try:
        hash(value)
        bool(value == value)
    except RecursionError:
        raise
    except Exception:
        raise HandlerError(
            f"a server's state must be made of values, and a {type(value).__name__} is not one: "
            "use numbers, strings, tuples, lists, sets, dicts or frozen dataclasses"
        ) from None
    return value
