"""Is there an order in which these operations, one at a time, would have given these results?

Operations on different keys are judged apart (Herlihy and Wing's locality). The worst case is exponential, so the
search (linearization.py) has a budget of steps, and the verdict says when it was used up.
"""

from __future__ import annotations

import heapq
from bisect import bisect_left
from collections.abc import Iterable
from dataclasses import dataclass, replace
from typing import Any

from raft_lab.check.clients import history_of
from raft_lab.check.histories import History, HistoryError, Operation, value_text
from raft_lab.check.linearization import Search
from raft_lab.check.models import Model, machine, model_for
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
    if not isinstance(model, Model | None):
        raise TypeError(f"the model is a Model such as MODELS['register'](), not {model!r}"[:200])
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
    searches = [Search(part, model) for part in _parts(history.operations, model)]
    for search in searches:  # first an equal share for each, so that a hard part does not hide a wrong one
        search.run(budget // len(searches))
    for search in searches:
        if not any(other.failed for other in searches):
            search.run(budget - sum(other.steps for other in searches))
    return _verdict(history, model, [_told_in_full(search) for search in searches], budget)


def _told_in_full(search: Search) -> Search:
    """A search that failed because it looked ahead does not know how far one comes: look again, one by one."""
    if search.found is not False or search.one_value is None:
        return search
    again = Search(search.operations, replace(search.model, effect=None))
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


# --- The verdict -----------------------------------------------------------------------------------------------------


def _verdict(history: History, model: Model, searches: list[Search], budget: int) -> Linearizability:
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


def _points(search: Search) -> list[tuple[int, Operation]]:
    """The operations in the order found, each with the earliest moment at which it can take effect there."""
    point, placed = 0, []
    for number in search.best:
        operation = search.operations[number]
        point = max(point, operation.called)
        placed.append((point, operation))
    return placed


def _point(pair: tuple[int, Operation]) -> int:
    return pair[0]


def _reason(history: History, search: Search) -> str:
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


def _possible_replies(search: Search, number: int) -> list[str]:
    """What else the operation could have been told, at any point that is open to it in some order of the others."""
    reply = search.model.reply
    if reply is None:
        return []
    blocked = search.operations[number]
    earliest = bisect_left(search.returns, blocked.called)
    states = {
        state for base, ahead, state in search.seen if earliest <= base <= number and not ahead >> (number - base) & 1
    }
    replies = dict.fromkeys(value_text(reply(search.values[state], blocked)) for state in sorted(states))
    return [text for text in replies if text != value_text(blocked.result)]
