"""Breadth-first search of a system whose steps are pure and local: every distinct step is worked out once.

A system is a *vector* of local states and a *bag* of messages in flight. Few of either are distinct, however many
states the two make together, so each gets a small number on first sight; what a vector does by itself, what
it does with a message, and what either does to a bag are remembered as tables of such numbers. A state is then one
integer, and a transition two look-ups.

States that differ only by a renaming are looked at once: of all images of a vector the least stands for all,
and of the renamings that lead there the least bag.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, Protocol, TypeAlias, TypeVar

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")

Vector: TypeAlias = tuple[int, ...]
"""The local states of all components, as numbers that the system has given them."""
Bag: TypeAlias = tuple[int, ...]
"""The messages in flight, as ascending numbers, each as often as there are copies."""
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
    """One thing that can happen to a vector.

    Attributes:
        label: what it is; for whoever reads the run.
        vector: the local states after it; None if they are beyond the bounds.
        taken: the message that it takes out of the bag, if it takes one.
        sent: the messages that it adds.
        broken: whether it breaks a property.
    """

    label: Any
    vector: Vector | None
    taken: int | None = None
    sent: tuple[int, ...] = ()
    broken: bool = False


class System(Protocol):
    """What can be searched. All its methods are pure, and their order is fixed."""

    @property
    def renamings(self) -> Sequence[Renaming]:
        """The symmetries, the identity first: a group under which the image of a move is a move."""

    def first(self) -> tuple[Vector, Bag]:
        """Where everything begins."""

    def moves(self, vector: Vector) -> Iterable[Move]:
        """What can happen whatever is in flight."""

    def receipts(self, vector: Vector, message: int) -> Iterable[Move]:
        """What can happen to one copy of a message in flight."""

    def after(self, bag: Bag, taken: int | None, sent: tuple[int, ...]) -> Bag | None:
        """The bag after a move; None if it is beyond the bounds."""

    def image(self, local: int, renaming: Renaming) -> int:
        """A local state, wherever it speaks of components, with their new names."""

    def image_of_message(self, message: int, renaming: Renaming) -> int:
        """A message with the new names."""


@dataclass(slots=True)
class Found:
    """What a search has come to.

    Attributes:
        states: distinct states within the bounds.
        transitions: moves made, those beyond the bounds and the repeated ones included.
        depth: how many moves lead to the farthest state.
        stopped: why it ended: "" (nothing is left to look at), "broken", "found", "depth", "states" or "interrupted".
        path: the labels of a shortest run to what was broken or found.
    """

    states: int
    transitions: int
    depth: int
    stopped: str = ""
    path: tuple[Any, ...] = ()


BITS = 32
BEYOND = -1
"""The state of everything beyond the bounds. Its bits are all ones, so that `vector | bag` is BEYOND if either is."""
MASK = (1 << BITS) - 1

Table: TypeAlias = Remembered[int, int]
"""What a move does to each bag."""
Ways: TypeAlias = tuple[Any, ...]
"""Moves as the search remembers them, two items each: the vector it leads to, shifted into its place, and its table."""


class _Symmetry:
    """Which of the images of a state stands for all of them."""

    def __init__(self, system: System) -> None:
        self.renamings = system.renamings
        self._sources = [tuple(renaming.index(i) for i in range(len(renaming))) for renaming in system.renamings]
        self._orbits: Remembered[int, Vector] = Remembered(
            lambda local: tuple([system.image(local, renaming) for renaming in system.renamings])
        )
        self._images: Remembered[tuple[int, int], int] = Remembered(
            lambda key: system.image_of_message(key[0], system.renamings[key[1]])
        )

    def least(self, vector: Vector) -> tuple[Vector, tuple[int, ...]]:
        """The least image of `vector`, and the renamings that lead there, by number."""
        if len(self.renamings) == 1:
            return vector, (0,)
        orbits = [self._orbits[local] for local in vector]
        heads = [orbits[sources[0]][r] for r, sources in enumerate(self._sources)]
        head = min(heads)  # only images that begin with the least local state can be the least
        images = [
            (tuple([orbits[source][r] for source in self._sources[r]]), r) for r, h in enumerate(heads) if h == head
        ]
        least = min(images)[0]
        return least, tuple([r for image, r in images if image == least])

    def least_bag(self, bag: Bag, renamings: tuple[int, ...]) -> Bag:
        """The least image of `bag` under `renamings`."""
        if renamings == (0,) or not bag:
            return bag
        images = self._images
        return min(tuple(sorted([images[message, r] for message in bag])) for r in renamings)


class _Stop(Exception):
    """The search has an answer: a move of `state` breaks a property, or `state` is what it looked for."""

    def __init__(self, why: str, state: int) -> None:
        super().__init__(why)
        self.why, self.state = why, state


class Search:
    """Breadth-first, level by level. `run` is called once."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.vectors: Interned[Vector] = Interned()
        self.bags: Interned[Bag] = Interned()
        self.parents: dict[int, int] = {BEYOND: BEYOND}
        self.transitions = 0
        self.depth = 0
        self.at = BEYOND
        """The state whose moves are being worked out."""
        self._own: Remembered[int, Ways] = Remembered(self._own_ways)
        self._with: Remembered[int, Ways] = Remembered(self._ways_with)
        self._kinds: Remembered[int, tuple[int, ...]] = Remembered(self._kinds_in)
        self._tables: Remembered[tuple[int, ...], Remembered[tuple[Any, ...], Table]] = Remembered(
            lambda renamings: Remembered(lambda change: Remembered(partial(self._bag, renamings, *change)))
        )
        self._nowhere: Table = Remembered(lambda _: BEYOND)
        self._symmetry = _Symmetry(system)

    def run(
        self, depth: int | None = None, states: int | None = None, until: Callable[[int], bool] | None = None
    ) -> Found:
        """Look at every state, nearest first.

        Args:
            depth: go no further than this many moves.
            states: stop when there would be more than this many.
            until: stop at the first state of which this is true.
        """
        start = self.state(*self.system.first())
        self.parents[start] = BEYOND
        level, why, path = [start], "", ()
        collecting = gc.isenabled()
        gc.disable()  # nothing that is made here is garbage, and there is a lot of it
        try:
            if until is not None and until(start):
                raise _Stop("found", start)
            while level:
                if self.depth == depth:
                    why = "depth"
                    break
                level = self._next(level, sys.maxsize if states is None else states, until)
        except _Stop as stop:
            why = stop.why
            path = self.path(stop.state, broken=why == "broken")
        except KeyboardInterrupt:
            why = "interrupted"
        finally:
            if collecting:
                gc.enable()
        return self.found(why, path)

    def found(self, why: str = "", path: tuple[Any, ...] = ()) -> Found:
        """What there is to say so far."""
        return Found(len(self.parents) - 1, self.transitions, max(self.depth, len(path)), why, path)

    def _next(self, level: list[int], states: int, until: Callable[[int], bool] | None) -> list[int]:
        """The states that one move leads to from `level` and no shorter run: this loop is where all the time goes."""
        parents, own, received, kinds = self.parents, self._own, self._with, self._kinds
        following: list[int] = []
        made = 0
        try:
            for state in level:
                self.at = state
                vector, bag = state >> BITS, state & MASK
                key = vector << BITS
                for ways in (own[vector], *[received[key | message] for message in kinds[bag]]):
                    made += len(ways)
                    pairs = iter(ways)
                    for base, table in zip(pairs, pairs, strict=True):
                        child = base | table[bag]
                        if child not in parents:
                            if len(parents) > states:
                                raise _Stop("states", BEYOND)
                            parents[child] = state
                            following.append(child)
                            if until is not None and until(child):
                                raise _Stop("found", child)
        finally:
            self.transitions += made // 2
            self.depth += bool(following)
        return following

    # What is remembered

    def _kinds_in(self, bag: int) -> tuple[int, ...]:
        return tuple(dict.fromkeys(self.bags.seen[bag]))

    def _own_ways(self, number: int) -> Ways:
        vector = self.vectors.seen[number]
        return self._ways(number, vector, self.system.moves(vector))

    def _ways_with(self, key: int) -> Ways:
        number = key >> BITS
        vector = self.vectors.seen[number]
        return self._ways(number, vector, self.system.receipts(vector, key & MASK))

    def _ways(self, number: int, vector: Vector, moves: Iterable[Move]) -> Ways:
        least, numbers, tables = self._symmetry.least, self.vectors, self._tables
        alone = len(self.system.renamings) == 1
        renamings = stay = (0,) if alone else least(vector)[1]
        here = number << BITS
        ways: list[Any] = []
        for _, after, taken, sent, broken in moves:
            if broken:
                raise _Stop("broken", self.at)
            if after is vector:
                ways += here, tables[stay][taken, sent]
            elif after is None:
                ways += BEYOND, self._nowhere
            else:
                if not alone:
                    after, renamings = least(after)
                ways += numbers[after] << BITS, tables[renamings][taken, sent]
        return tuple(ways)

    def _bag(self, renamings: tuple[int, ...], taken: int | None, sent: tuple[int, ...], bag: int) -> int:
        after = self.system.after(self.bags.seen[bag], taken, sent)
        return BEYOND if after is None else self.bags[self._symmetry.least_bag(after, renamings)]

    # States, and the way to them

    def state(self, vector: Vector, bag: Bag) -> int:
        """The state that stands for `vector` and `bag` and all their images."""
        least, renamings = self._symmetry.least(vector)
        return self.vectors[least] << BITS | self.bags[self._symmetry.least_bag(bag, renamings)]

    def parts(self, state: int) -> tuple[Vector, Bag]:
        """The vector and the bag of a state."""
        return self.vectors.seen[state >> BITS], self.bags.seen[state & MASK]

    def path(self, state: int, broken: bool = False) -> tuple[Any, ...]:
        """The labels of a shortest run from the beginning to `state` or an image of it; then of a broken move."""
        states = []
        while state != BEYOND:
            states.append(state)
            state = self.parents[state]
        vector, bag = self.system.first()
        labels = []
        for goal in states[-2::-1]:
            move = next(m for m in self._moves(vector, bag) if self._leads_to(m, bag) == goal)
            assert move.vector is not None
            labels.append(move.label)
            vector, bag = move.vector, self.system.after(bag, move.taken, move.sent) or ()
        if broken:
            labels.append(next(move.label for move in self._moves(vector, bag) if move.broken))
        return tuple(labels)

    def _moves(self, vector: Vector, bag: Bag) -> Iterable[Move]:
        yield from self.system.moves(vector)
        for message in dict.fromkeys(bag):
            yield from self.system.receipts(vector, message)

    def _leads_to(self, move: Move, bag: Bag) -> int:
        after = self.system.after(bag, move.taken, move.sent)
        return BEYOND if move.vector is None or after is None else self.state(move.vector, after)

    def memory(self) -> int:
        """Bytes in the states, the vectors and what is remembered of them, as `sys.getsizeof` has it."""
        size, number = sys.getsizeof, sys.getsizeof(1 << BITS)
        total = size(self.parents) + number * len(self.parents)
        for interned in (self.vectors, self.bags):
            total += size(interned) + size(interned.seen) + sum(map(size, interned.seen))
        for remembered in (self._own, self._with):
            total += size(remembered) + sum(size(ways) + number * (len(ways) // 2) for ways in remembered.values())
        total += number * len(self._with)  # its keys
        return total + sum(size(table) for tables in self._tables.values() for table in tables.values())
