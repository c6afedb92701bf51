"""The search for an order: Wing and Gong's, with Lowe's memory, as Porcupine made it known.

Place one operation after another, among those called before the earliest return that is still to be placed; go back
where none fits; never enter the same situation twice.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from raft_lab.check.histories import Operation
from raft_lab.check.models import ANY, SAME, Effect, Model


class Search:
    """The search for an order of one part.

    Answered operations are numbered in order of return, the others after them. So a situation is: the first number
    that is not placed (`base`; all returns before it are explained), a small mask of those placed beyond it
    (`ahead`), a mask of those placed of the others (`extra`), and a state. States are numbered as they are found,
    and what an operation does in a state is remembered.
    """

    def __init__(self, operations: Sequence[Operation], model: Model) -> None:
        answered = sorted((o for o in operations if o.returned is not None), key=lambda o: (o.returned, o.called))
        self.goal = len(answered)
        self.operations = answered + [o for o in operations if o.returned is None]
        self.model = model
        self.returns = [o.returned for o in answered if o.returned is not None]
        reads = sum(1 << n for n, o in enumerate(answered) if model.reads(o))
        may_be_next = self._called_by(answered)
        self.reading = [(mask & reads) >> base for base, mask in enumerate(may_be_next)]
        self.writing = [(mask & ~reads) >> base for base, mask in enumerate(may_be_next)]
        self.unsure = self._called_by(self.operations[self.goal :])
        self.states: dict[Any, int] = {model.initial: 0}
        self.values: list[Any] = [model.initial]
        keys = {model.keys(o) for o in operations}
        one_key = len(keys) == 1 and len(keys.pop() or ()) == 1
        self.one_value = _Values(self.operations, self.goal, model.effect) if model.effect and one_key else None
        self.moves: list[dict[int, int]] = [{} for _ in self.operations]
        self.seen: dict[tuple[int, int, int], list[int]] = {}
        self.path: list[int] = []
        self.best: list[int] = []
        self.furthest = -1
        self.stack: list[_Situation] = []
        self.steps = 0
        self.found: bool | None = None
        self.failed = False
        self.enter(0, 0, 0, 0)

    def _called_by(self, operations: Sequence[Operation]) -> list[int]:
        """For each answered operation, those of `operations` that were called when it returned, as a mask."""
        waiting = sorted(range(len(operations)), key=lambda n: operations[n].called, reverse=True)
        masks, mask = [], 0
        for returned in self.returns:
            while waiting and operations[waiting[-1]].called <= returned:
                mask |= 1 << waiting.pop()
            masks.append(mask)
        return masks

    def move(self, number: int, state: int) -> int:
        """The state after an operation, or -1 if it cannot have had its result in `state`."""
        after = self.moves[number].get(state)
        if after is None:
            fits, value = self.model.step(self.values[state], self.operations[number])
            after = self.states.setdefault(value, len(self.values)) if fits else -1
            if after == len(self.values):
                self.values.append(value)
                if self.one_value:
                    self.one_value.new_state(number, state)
            self.moves[number][state] = after
        return after

    def run(self, more: int) -> None:
        """Go on until an order is found, none is left to try, or `more` steps were made."""
        end = self.steps + more
        while self.found is None and self.steps < end:
            here = self.stack[-1] if self.stack else None
            if here is None:
                self.found, self.failed = False, True
            elif not (here.untried or here.unsure):
                self.stack.pop()
            else:
                self.go_on(here)

    def go_on(self, here: _Situation) -> None:
        """Place the next operation that was not tried yet."""
        del self.path[here.length :]
        self.steps += 1
        if here.untried:  # the one that returns first is the most pressing
            bit = here.untried & -here.untried
            here.untried ^= bit
            number, ahead, extra = here.base + bit.bit_length() - 1, here.ahead | bit, here.extra
        else:
            bit = here.unsure & -here.unsure
            here.unsure ^= bit
            number, ahead, extra = self.goal + bit.bit_length() - 1, here.ahead, here.extra | bit
        if self.one_value and self.one_value.is_lost(number, here.state, here.base, ahead, extra):
            return
        after = self.move(number, here.state)
        if after < 0 or (extra != here.extra and after == here.state):
            return
        self.path.append(number)
        self.enter(here.base, ahead, extra, after)

    def enter(self, base: int, ahead: int, extra: int, state: int) -> None:
        """Come into a situation, unless the search was here before.

        Whatever reads what there is to read is placed at once: it changes nothing for the others.
        """
        while base < self.goal:
            fitting = self.reading[base] & ~ahead
            while fitting:
                bit = fitting & -fitting
                fitting ^= bit
                self.steps += 1
                if self.move(base + bit.bit_length() - 1, state) >= 0:
                    ahead |= bit
                    self.path.append(base + bit.bit_length() - 1)
            if not ahead & 1:
                break
            placed = (~ahead & (ahead + 1)).bit_length() - 1
            base += placed
            ahead >>= placed
        if base > self.furthest:
            self.furthest, self.best = base, self.path.copy()
        if base == self.goal:
            self.found = True
            return
        forgotten = self.one_value is not None and self.one_value.is_forgotten(state, base, ahead, extra)
        before = self.seen.setdefault((base, ahead, -1 if forgotten else state), [])
        if any(known & extra == known for known in before):
            return
        before.append(extra)
        untried, unsure = self.writing[base] & ~ahead, self.unsure[base] & ~extra
        self.stack.append(_Situation(base, ahead, extra, state, untried, unsure, len(self.path)))


@dataclass(slots=True)
class _Situation:
    """Where the search stands, and what it has not tried from here."""

    base: int
    ahead: int
    extra: int
    state: int
    untried: int
    unsure: int
    length: int


class _Values:
    """The values that the operations of one key ask for and make: which must not be lost, and which are forgotten.

    Values are numbered as they are found; -1 is one that nobody knows. Masks of operations are as in `Search`:
    answered ones, and the others.
    """

    def __init__(
        self, operations: Sequence[Operation], goal: int, effect: Callable[[Operation], Effect | None]
    ) -> None:
        self.numbers: dict[Any, int] = {}
        self.goal = goal
        self.held = [-1]  # by state
        self.makes: list[int | None] = []  # by operation; None: leaves what is there
        self.finders: dict[int, int] = {}
        self.askers: tuple[dict[int, int], dict[int, int]] = {}, {}
        self.makers: tuple[dict[int, int], dict[int, int]] = {}, {}
        self.wild = [0, 0]  # of them nobody knows what they ask for or make
        for number, operation in enumerate(operations):
            self._note(number, effect(operation))

    def _note(self, number: int, effect: Effect | None) -> None:
        unsure = number >= self.goal
        bit = 1 << (number - self.goal if unsure else number)
        if effect is None:
            self.wild[unsure] |= bit
            self.makes.append(-1)
            return
        for value in (effect.found, effect.compared):
            if value is not ANY:
                asked = self.numbers.setdefault(value, len(self.numbers))
                self.askers[unsure][asked] = self.askers[unsure].get(asked, 0) | bit
        if effect.found is not ANY and not unsure:
            found = self.numbers[effect.found]
            self.finders[found] = self.finders.get(found, 0) | bit
        if effect.made is SAME:
            self.makes.append(None)
            return
        made = self.numbers.setdefault(effect.made, len(self.numbers))
        self.makes.append(made)
        self.makers[unsure][made] = self.makers[unsure].get(made, 0) | bit

    def new_state(self, number: int, state: int) -> None:
        """An operation has led from `state` to a new one."""
        made = self.makes[number]
        self.held.append(self.held[state] if made is None else made)

    def is_lost(self, number: int, state: int, base: int, ahead: int, extra: int) -> bool:
        """Whether this operation, already counted as placed, overwrites a value for good that must yet be found."""
        value, made = self.held[state], self.makes[number]
        if value < 0 or made is None or made < 0 or made == value:
            return False
        if not (self.finders.get(value, 0) >> base) & ~ahead:
            return False
        answered, unsure = self.makers[0].get(value, 0) | self.wild[0], self.makers[1].get(value, 0) | self.wild[1]
        return not (answered >> base) & ~ahead and not unsure & ~extra

    def is_forgotten(self, state: int, base: int, ahead: int, extra: int) -> bool:
        """Whether nobody left asks for the value of `state`: it is as good as any other of which that is so."""
        value = self.held[state]
        if value < 0:
            return False
        answered, unsure = self.askers[0].get(value, 0) | self.wild[0], self.askers[1].get(value, 0) | self.wild[1]
        return not (answered >> base) & ~ahead and not unsure & ~extra
