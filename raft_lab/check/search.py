"""Breadth-first search of a system whose steps are pure and local: every distinct step is worked out once.

A system is a *vector* of local states and a *bag* of messages in flight. Few local states, messages and bags are
distinct, however many states they make together, so each gets a small number on first sight; a state is one
integer in which these numbers stand side by side. A step looks at few components, its *footprint*, and changes
no others: what it does to them is remembered as a difference of integers, and what it does to a bag as a table of
such numbers. A transition is then one sum and one look-up.

States that differ only by a renaming are looked at once: of all images of a vector the least stands for all,
and of the renamings that lead there the least bag.
"""

from __future__ import annotations

import gc
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from raft_lab.check.system import Bag, Footprint, Interned, Move, Remembered, System, Vector


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
"""So many bits of a state hold the number of the bag …"""
LOCAL_BITS = 20
"""… and so many each of the numbers of the components, the first one lowest."""
BEYOND = (1 << BITS) - 1
"""What stands in place of a bag in states beyond the bounds: they are checked, but neither counted nor gone on from."""
LOCAL = (1 << LOCAL_BITS) - 1
TOO_MANY = f"there are more than {LOCAL:,} different local states: search within narrower bounds"
NOWHERE = -1
"""What stands in place of the state from which the first one was reached."""

Effect: TypeAlias = tuple[int | None, tuple[int, ...]] | None
"""What a move takes out of the bag and what it adds; None if it leads beyond the bounds."""
Tables: TypeAlias = Remembered[Effect, Remembered[int, int]]
"""What each effect does to each bag."""


class Ways(NamedTuple):
    """What is remembered of the moves of one footprint.

    Attributes:
        made: how many moves there are.
        ways: those that lead elsewhere: what is added to the vector, in its place, and the effect on the bag; where
            there is no symmetry, that is a table already.
        doubts: the number of those that must be asked about with the vector to which they lead; 0 if there are none.
    """

    made: int
    ways: tuple[tuple[int, Any], ...]
    doubts: int


Known: TypeAlias = tuple[int, Remembered[int, Ways]]
"""The bits of a state that hold a footprint, and what can happen for each of their values."""


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
    """The search has an answer: `state` is what it looked for, or breaks a property, or a move of it does (`moved`)."""

    def __init__(self, why: str, state: int = NOWHERE, moved: bool = False) -> None:
        super().__init__(why)
        self.why, self.state, self.moved = why, state, moved


class Search:
    """Breadth-first, level by level. `run` is called once."""

    def __init__(self, system: System) -> None:
        self.system = system
        self.bags: Interned[Bag] = Interned()
        self.parents: dict[int, int] = {}
        """Of every state that was seen the one from which it was first reached."""
        self.states = 0
        self.transitions = 0
        self.depth = 0
        self.at = NOWHERE
        """The state whose moves are being worked out."""
        self._most = sys.maxsize
        self._until: Callable[[int], bool] | None = None
        self._following: list[int] = []
        self._sound: set[int] = set()
        self._doubts: list[list[tuple[int, Any]]] = [[]]
        """Moves that must be asked about with the vector to which they lead; those of `Ways.doubts` have its number."""
        self._asked: set[int] = set()
        """Vectors, each with a number of doubts in the place of the bag, of which it is known that nothing breaks."""
        self._tables: Remembered[tuple[int, ...], Tables] = Remembered(
            lambda renamings: Remembered(lambda effect: Remembered(partial(self._bag, renamings, effect)))
        )
        self._with: Remembered[int | None, list[Known]] = Remembered(
            lambda message: [self._known(*part) for part in system.moves(message)]
        )
        self._events: Remembered[int, tuple[Known, ...]] = Remembered(
            lambda bag: tuple(
                [known for message in dict.fromkeys((None, *self.bags.seen[bag])) for known in self._with[message]]
            )
        )
        self._symmetry = _Symmetry(system)
        self._least: Remembered[int, tuple[int, Tables]] = Remembered(self._least_of)

    def run(
        self, depth: int | None = None, states: int | None = None, until: Callable[[int], bool] | None = None
    ) -> Found:
        """Look at every state, nearest first.

        Args:
            depth: go no further than this many moves.
            states: stop when there would be more than this many.
            until: stop at the first state of which this is true.
        """
        self._until, self._most = until, sys.maxsize if states is None else max(states, 1)
        why, path = "", ()
        collecting = gc.isenabled()
        gc.disable()  # nothing that is made here is garbage, and there is a lot of it
        try:
            start = self.state(*self.system.first())
            self._sound.add(start >> BITS)  # what is broken there already is not this search's to find
            self._arrive(start, NOWHERE)
            while level := self._following:
                if self.depth == depth:
                    why = "depth"
                    break
                self._following = []
                self._expand(level)
        except _Stop as stop:
            why = stop.why
            path = self.path(stop.state, stop.moved)
        except KeyboardInterrupt:
            why = "interrupted"
        finally:
            if collecting:
                gc.enable()
        return self.found(why, path)

    def found(self, why: str = "", path: tuple[Any, ...] = ()) -> Found:
        """What there is to say so far."""
        return Found(self.states, self.transitions, max(self.depth, len(path)), why, path)

    def _expand(self, level: list[int]) -> None:
        """Go on from each state of a level by one move: this loop is where all the time goes."""
        parents, events, asked = self.parents, self._events, self._asked
        least = self._least if len(self.system.renamings) > 1 else None
        made = 0
        try:
            for state in level:
                self.at = state
                bag = state & BEYOND
                here = state ^ bag
                for mask, known in events[bag]:
                    count, ways, doubts = known[here & mask]
                    made += count
                    for change, effect in ways:
                        if least is None:
                            child = here + change | effect[bag]
                        else:
                            place, tables = least[here + change]
                            child = place | tables[effect][bag]
                        if child not in parents:
                            self._arrive(child, state)
                    if doubts and here | doubts not in asked:
                        self._ask(here, doubts)
        finally:
            self.transitions += made
            self.depth += bool(self._following)

    def _arrive(self, state: int, parent: int) -> None:
        """A state is seen for the first time."""
        beyond = state & BEYOND == BEYOND
        if not beyond and self.states == self._most:
            raise _Stop("states")
        self.parents[state] = parent
        vector = state >> BITS
        if vector not in self._sound:
            if not self.system.sound(self._unpacked(vector)):
                raise _Stop("broken", state)
            self._sound.add(vector)
        if not beyond:
            self.states += 1
            self._following.append(state)
            if self._until is not None and self._until(state):
                raise _Stop("found", state)

    def _ask(self, here: int, number: int) -> None:
        """Whether doubtful moves break anything, given the vector to which they lead from here."""
        for change, doubt in self._doubts[number]:
            if self.system.breaks(doubt, self._unpacked(here + change >> BITS)):
                raise _Stop("broken", self.at, moved=True)
        self._asked.add(here | number)

    # What is remembered

    def _known(self, footprint: Footprint, moves: Callable[[Vector], Iterable[Move]]) -> Known:
        shifts = [BITS + LOCAL_BITS * component for component in footprint]

        def ways(bits: int) -> Ways:
            return self._ways(bits, shifts, moves(tuple([bits >> shift & LOCAL for shift in shifts])))

        return sum(LOCAL << shift for shift in shifts), Remembered(ways)

    def _ways(self, bits: int, shifts: list[int], moves: Iterable[Move]) -> Ways:
        ways: dict[tuple[int, Effect], None] = {}
        doubts = []
        count = 0
        for _, after, taken, sent, broken, beyond, doubt in moves:
            if broken:
                raise _Stop("broken", self.at, moved=True)
            count += 1
            if max(after, default=0) > LOCAL:
                raise OverflowError(TOO_MANY)
            change = -bits
            for shift, local in zip(shifts, after, strict=True):
                change += local << shift
            if change or sent or beyond or taken is not None:
                ways[change, None if beyond else (taken, sent)] = None
            if doubt is not None:
                doubts.append((change, doubt))
        number = len(self._doubts) if doubts else 0
        if doubts:
            self._doubts.append(doubts)
        if len(self.system.renamings) == 1:
            tables = self._tables[0,]
            return Ways(count, tuple([(change, tables[effect]) for change, effect in ways]), number)
        return Ways(count, tuple(ways), number)

    def _bag(self, renamings: tuple[int, ...], effect: Effect, bag: int) -> int:
        after = None if effect is None else self.system.after(self.bags.seen[bag], *effect)
        return BEYOND if after is None else self.bags[self._symmetry.least_bag(after, renamings)]

    def _least_of(self, state: int) -> tuple[int, Tables]:
        """The least image of a vector, in its place, and what becomes of bags on the way there."""
        least, renamings = self._symmetry.least(self._unpacked(state >> BITS))
        return self._packed(least), self._tables[renamings]

    # States, and the way to them

    def _packed(self, vector: Vector) -> int:
        if max(vector) > LOCAL:
            raise OverflowError(TOO_MANY)
        return sum(local << BITS + LOCAL_BITS * component for component, local in enumerate(vector))

    def _unpacked(self, vector: int) -> Vector:
        return tuple([vector >> LOCAL_BITS * component & LOCAL for component in range(len(self.system.renamings[0]))])

    def state(self, vector: Vector, bag: Bag | None) -> int:
        """The state that stands for `vector` and `bag` and all their images; a bag beyond the bounds is None."""
        least, renamings = self._symmetry.least(vector)
        return self._packed(least) | (BEYOND if bag is None else self.bags[self._symmetry.least_bag(bag, renamings)])

    def parts(self, state: int) -> tuple[Vector, Bag]:
        """The vector and the bag of a state within the bounds."""
        return self._unpacked(state >> BITS), self.bags.seen[state & BEYOND]

    def within(self) -> Iterator[int]:
        """All states within the bounds that were seen, nearest first."""
        return (state for state in self.parents if state & BEYOND != BEYOND)

    def path(self, state: int, moved: bool = False) -> tuple[Any, ...]:
        """The labels of a shortest run from the beginning to `state` or an image of it; then of a broken move."""
        states = []
        while state != NOWHERE:
            states.append(state)
            state = self.parents[state]
        vector, bag = self.system.first()
        labels = []
        for goal in states[-2::-1]:
            move, after, left = next(way for way in self.moves(vector, bag) if self.state(*way[1:]) == goal)
            labels.append(move.label)
            vector, bag = after, left or ()
        if moved:
            labels.append(
                next(move.label for move, after, _ in self.moves(vector, bag) if self._is_broken(move, after))
            )
        return tuple(labels)

    def moves(self, vector: Vector, bag: Bag) -> Iterator[tuple[Move, Vector, Bag | None]]:
        """All moves from here, each with the vector and the bag after it (None: beyond the bounds)."""
        for footprint, moves in [part for m in dict.fromkeys((None, *bag)) for part in self.system.moves(m)]:
            for move in moves(tuple([vector[component] for component in footprint])):
                changed = dict(zip(footprint, move.locals, strict=True))
                after = tuple([changed.get(component, local) for component, local in enumerate(vector)])
                yield move, after, None if move.beyond else self.system.after(bag, move.taken, move.sent)

    def _is_broken(self, move: Move, after: Vector) -> bool:
        return move.broken or (move.doubt is not None and self.system.breaks(move.doubt, after))

    def memory(self) -> int:
        """Bytes in the states and in what is remembered of moves, as `sys.getsizeof` has it."""
        size, number = sys.getsizeof, sys.getsizeof(self._packed((LOCAL,) * len(self.system.renamings[0])))
        total = size(self.parents) + number * len(self.parents) + size(self._sound) + number * len(self._sound)
        total += size(self.bags) + size(self.bags.seen) + sum(map(size, self.bags.seen))
        total += size(self._events) + sum(map(size, self._events.values()))
        total += size(self._least) + (2 * number + size((0, 0))) * len(self._least)
        for _, known in [known for parts in self._with.values() for known in parts]:
            total += size(known) + sum(
                size(ways) + size(ways.ways) + size((0, 0)) * len(ways.ways) for ways in known.values()
            )
        return total + sum(size(table) for tables in self._tables.values() for table in tables.values())
