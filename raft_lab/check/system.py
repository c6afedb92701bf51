"""What can be searched: a system whose steps are pure and local.

It is a *vector* of local states and a *bag* of messages in flight, all of them as small numbers.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Vector: TypeAlias = tuple[int, ...]
"""The local states of all components, as numbers that the system has given them."""
Bag: TypeAlias = tuple[int, ...]
"""The messages in flight, as ascending numbers, each as often as there are copies."""
Footprint: TypeAlias = tuple[int, ...]
"""The components, by number, at which some moves look and which they may change."""
Renaming: TypeAlias = tuple[int, ...]
"""What becomes of component 0, of component 1, …"""


class Interned(dict[K, int]):
    """Small numbers for values: equal values get the same one, in order of first sight."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[K] = []

    def __missing__(self, value: K) -> int:
        number = self[value] = len(self.seen)
        self.seen.append(value)
        return number


class Remembered(dict[K, V]):
    """A function that is asked once for each argument."""

    def __init__(self, function: Callable[[K], V]) -> None:
        super().__init__()
        self.function = function

    def __missing__(self, key: K) -> V:
        value = self[key] = self.function(key)
        return value


class Move(NamedTuple):
    """One thing that can happen.

    Attributes:
        label: what it is; for whoever reads the run.
        locals: the components of its footprint after it.
        taken: the message that it takes out of the bag, if it takes one.
        sent: the messages that it adds.
        broken: whether it breaks a property, whatever the components outside of its footprint are.
        beyond: whether it leads beyond the bounds, whatever they are.
        doubt: if it may break a property, depending on them: what to ask `System.breaks` about. None if not.
    """

    label: Any
    locals: Vector
    taken: int | None = None
    sent: tuple[int, ...] = ()
    broken: bool = False
    beyond: bool = False
    doubt: Any = None


Part: TypeAlias = tuple[Footprint, Callable[[Vector], Iterable[Move]]]
"""Moves that depend on these components and on nothing else: what can happen when they are so and so."""


class System(Protocol):
    """What can be searched. All its methods are pure, and their order is fixed."""

    @property
    def renamings(self) -> Sequence[Renaming]:
        """The symmetries, the identity first: a group under which the image of a move is a move."""

    def first(self) -> tuple[Vector, Bag]:
        """Where everything begins."""

    def moves(self, message: int | None) -> Sequence[Part]:
        """What can happen to one copy of a message in flight; what can happen by itself, if `message` is None."""

    def after(self, bag: Bag, taken: int | None, sent: tuple[int, ...]) -> Bag | None:
        """The bag after a move; None if it is beyond the bounds."""

    def sound(self, vector: Vector) -> bool:
        """Whether components that stand beside each other break no property."""

    def breaks(self, doubt: Any, vector: Vector) -> bool:
        """Whether a move breaks a property by leading to this vector."""

    def image(self, local: int, renaming: Renaming) -> int:
        """A local state, wherever it speaks of components, with their new names."""

    def image_of_message(self, message: int, renaming: Renaming) -> int:
        """A message with the new names."""
