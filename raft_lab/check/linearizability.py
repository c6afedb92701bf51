"""Is there an order in which these operations, one at a time, would have given these results?

The search is Wing and Gong's with Lowe's memory, as Porcupine made it known: place one operation after another,
among those called before the earliest return that is still to be placed; go back where none fits; never enter the
same situation twice. Operations on different keys are judged apart (Herlihy and Wing's locality). The worst case is
exponential, so the search has a budget of steps, and says when it was used up.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any

from raft_lab.check.clients import history_of
from raft_lab.check.histories import History, HistoryError, Operation, value_text
from raft_lab.check.models import ANY, SAME, Effect, Model, machine, model_for
from raft_lab.raft.server import Server
from raft_lab.sim.cluster import Cluster

BUDGET = 1_000_000
EXPLAINING = 100_000
"""How many steps may go into finding out where a history goes wrong, once it is known that it does."""


def _count(number: int, what: str) -> str:
    return f"{number:,} {what}{'s' * (number != 1)}"


@dataclass(frozen=True)
class Linearizability:
    """The verdict on a history.

    Attributes:
        linearizable: whether some order explains it; None if that was not found out within the budget.
        history: what was judged.
        model: the name of the object that it was judged by.
        order: the operations in an order that explains them: all of them, or as many as could be placed before the
            impossible one. Operations without an answer stand in it only where nothing else helped.
        points: for each of `order`, a moment at which it can have taken effect.
        impossible: the first operation, in order of return, that cannot be placed; None if there is none. Where
            finding that out took too long, the one at which the search stood, and the reason says so.
        reason: why not, in words.
        steps: how many times the search tried to place an operation.
        budget: how many times it might.
    """

    linearizable: bool | None
    history: History
    model: str
    order: tuple[Operation, ...]
    points: tuple[int, ...]
    impossible: Operation | None
    reason: str
    steps: int
    budget: int

    def __str__(self) -> str:
        count = f"{_count(len(self.history.operations), 'operation')}, {_count(self.steps, 'step')} of the search"
        if self.linearizable:
            return f"Linearizable: one order explains every answer of this {self.model} ({count})."
        if self.linearizable is None:
            placed = f"{_count(len(self.order), 'operation')} could be placed"
            return f"Unknown within the budget of {self.budget:,} steps: {placed}, and the search was not at its end."
        return f"Not linearizable: {self.reason} ({count}.)"

    __repr__ = __str__

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if "picture" in self.history.faces:
            bundle: dict[str, Any] = self.history.faces["picture"](self.history, self)
            return bundle
        return {"text/plain": str(self)}


def check_linearizable(
    subject: Cluster | History, model: Model | None = None, *, budget: int = BUDGET
) -> Linearizability:
    """Look for an order of the operations that agrees with real time and explains every result.

    An operation that returned before another was called comes before it. One that never returned may have
    happened at any time after its call, or not at all; one that failed did not happen.

    Args:
        subject: a cluster, whose tape holds what clients asked and were told, or a history.
        model: what the object does without concurrency; found by the operations' kinds if it is not given.
        budget: how often the search may try to place an operation.

    Raises:
        HistoryError: the model does not know an operation.
    """
    if isinstance(subject, Cluster):
        history = history_of(subject)
        behaviour = subject.world.behaviour
        known = isinstance(behaviour, type) and issubclass(behaviour, Server)
        model = model or machine(behaviour if known else Server, history.start)  # type: ignore[arg-type]
    elif isinstance(subject, History):
        history = subject
        model = model or model_for(history)
    else:
        raise TypeError(f"check_linearizable takes a Cluster or a History, not {subject!r}")
    if not isinstance(budget, int) or budget < 1:
        raise ValueError(f"the budget is a number of steps, at least 1, not {budget!r}")
    searches = [_Search(part, model) for part in _parts(history.operations, model)]
    for search in searches:  # first an equal share for each, so that a hard part does not hide a wrong one
        search.run(budget // len(searches))
    for search in searches:
        if not any(other.failed for other in searches):
            search.run(budget - sum(other.steps for other in searches))
    return _verdict(history, model, [_told_in_full(search) for search in searches], budget)


def _told_in_full(search: _Search) -> _Search:
    """A search that failed because it looked ahead does not know how far one comes: look again, one by one."""
    if search.found is not False or search.needs is None:
        return search
    again = _Search(search.operations, replace(search.model, effect=None))
    again.run(EXPLAINING)
    again.steps += search.steps
    again.failed = True
    return again


def _parts(operations: Iterable[Operation], model: Model) -> list[list[Operation]]:
    """Those that can be judged apart from one another, without those that say nothing; smallest first."""
    groups: dict[Any, list[Operation]] = {}  # under one of the keys that it touches
    leader: dict[Any, Any] = {}

    def find(key: Any) -> Any:
        while leader.setdefault(key, key) != key:
            leader[key] = key = leader[leader[key]]
        return key

    everything = object()
    telling = []
    for operation in operations:
        if operation.kind not in model.kinds:
            known = ", ".join(sorted(model.kinds))
            raise HistoryError(f"a {model.name} knows {known}; {operation.client} asked for {operation.kind!r}")
        if operation.failed or (operation.unknown and model.reads(operation)):
            continue
        keys = model.keys(operation)
        keys = (everything,) if keys is None else keys or (None,)
        for key in keys:
            leader[find(key)] = find(keys[0])
        telling.append((operation, keys[0]))
    if everything in leader:  # whoever may touch any key ties all of them together
        for key in list(leader):
            leader[find(key)] = find(everything)
    for operation, key in telling:
        groups.setdefault(find(key), []).append(operation)
    return sorted(groups.values(), key=len)


class _Search:
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
        self.needs = _Needs(self.operations, self.goal, model.effect) if model.effect and one_key else None
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
                if self.needs:
                    self.needs.new_state(number, state)
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
        if self.needs and self.needs.lose(number, here.state, here.base, ahead, extra):
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
        before = self.seen.setdefault((base, ahead, state), [])
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


class _Needs:
    """Values of one key that must not be lost: somebody has yet to read them, and nobody left will make them again.

    Values are numbered as they are found; -1 is one that nobody knows.
    """

    def __init__(self, operations: Sequence[Operation], goal: int, effect: Effect) -> None:
        values: dict[Any, int] = {}
        self.goal = goal
        self.makes: list[int | None] = []  # None: leaves what is there
        self.held = [-1]  # by state
        self.readers: dict[int, int] = {}  # masks of answered operations
        self.makers: dict[int, int] = {}
        self.unsure: dict[int, int] = {}  # mask of the others
        for number, operation in enumerate(operations):
            needed, made = effect(operation) or (ANY, None)
            if needed is not ANY and number < goal:
                wanted = values.setdefault(needed, len(values))
                self.readers[wanted] = self.readers.get(wanted, 0) | 1 << number
            self.makes.append(None if made is SAME else values.setdefault(made, len(values)))
        wild = [number for number, operation in enumerate(operations) if effect(operation) is None]
        for number, value in enumerate(self.makes):
            for made in range(len(values)) if number in wild else [] if value is None else [value]:
                where, bit = (self.makers, number) if number < goal else (self.unsure, number - goal)
                where[made] = where.get(made, 0) | 1 << bit
        for number in wild:
            self.makes[number] = -1

    def new_state(self, number: int, state: int) -> None:
        """An operation has led from `state` to a new one."""
        made = self.makes[number]
        self.held.append(self.held[state] if made is None else made)

    def lose(self, number: int, state: int, base: int, ahead: int, extra: int) -> bool:
        """Whether this operation, already counted as placed, takes such a value away from `state`."""
        value, made = self.held[state], self.makes[number]
        if value < 0 or made is None or made < 0 or made == value:
            return False
        waiting = (self.readers.get(value, 0) >> base) & ~ahead
        if not waiting:
            return False
        return not (self.makers.get(value, 0) >> base) & ~ahead and not self.unsure.get(value, 0) & ~extra


# --- The verdict -----------------------------------------------------------------------------------------------------


def _verdict(history: History, model: Model, searches: list[_Search], budget: int) -> Linearizability:
    steps = sum(search.steps for search in searches)
    failed = [search for search in searches if search.failed]
    impossible, reason, end = None, "", None
    if failed:
        worst = min(failed, key=lambda search: search.returns[search.furthest])
        impossible = worst.operations[worst.furthest]
        reason = _reason(history, worst)
        end = impossible.returned
    answer = False if failed else None if any(search.found is None for search in searches) else True
    placed = [pair for pair in heapq.merge(*map(_points, searches), key=_point) if end is None or pair[0] <= end]
    return Linearizability(
        answer,
        history,
        model.name,
        tuple(operation for _, operation in placed),
        tuple(point for point, _ in placed),
        impossible,
        reason,
        steps,
        budget,
    )


def _points(search: _Search) -> list[tuple[int, Operation]]:
    """The operations in the order found, each with the earliest moment at which it can take effect there."""
    point, placed = 0, []
    for number in search.best:
        operation = search.operations[number]
        point = max(point, operation.called)
        placed.append((point, operation))
    return placed


def _point(pair: tuple[int, Operation]) -> int:
    return pair[0]


def _reason(history: History, search: _Search) -> str:
    """Why the first operation that cannot be placed cannot be."""
    model, number = search.model, search.furthest
    blocked = search.operations[number]
    assert blocked.returned is not None
    told = f"{blocked.client}'s {blocked} at {history.when(blocked.returned)} returned {value_text(blocked.result)}"
    mine = set(model.keys(blocked) or ())
    because = ""
    for earlier in (search.operations[n] for n in reversed(search.best)):
        keys = model.keys(earlier)
        if (
            earlier.returned is not None
            and earlier.returned < blocked.called
            and (not mine or keys is None or mine & set(keys))
        ):
            result = f" {value_text(earlier.result)}" if model.reads(earlier) else ""
            because = f", but {earlier} by {earlier.client} had already returned{result}"
            break
    possible = _possible_replies(search, number)
    only = f"; it could only have returned {' or '.join(possible)}" if 0 < len(possible) <= 4 else ""
    only = only if search.found is False else "; no order was found that goes further"
    return f"{told}{because or ', but no order explains that'}{only}."


def _possible_replies(search: _Search, number: int) -> list[str]:
    """What the operation could have been told, in any order that explains what had returned before it was called."""
    reply = search.model.reply
    if reply is None:
        return []
    blocked = search.operations[number]
    earliest = bisect_left(search.returns, blocked.called)
    states = {
        state for base, ahead, state in search.seen if earliest <= base <= number and not ahead >> (number - base) & 1
    }
    return list(dict.fromkeys(value_text(reply(search.values[state], blocked)) for state in sorted(states)))
