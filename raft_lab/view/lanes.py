"""Where the operations of a history stand in its picture: a lane for each client, a bar from call to return.

Events stand in their order, as far apart as their words need; only the labels below tell the time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from raft_lab.check.clients import EARLIER
from raft_lab.check.histories import History, Mark, Operation, value_text
from raft_lab.check.linearizability import Linearizability

MOST, AROUND = 40, 16
"""A history of up to so many operations is drawn whole; of a longer one, so many up to where it goes wrong."""

BAR = 27
"""How high a bar is."""

_ROW, _GAP, _DOT, _CHARACTER = 46, 14, 22, 6.8
_SILENT = ("set", "write", "put", "append")
"""Their results say nothing new."""


@dataclass(frozen=True, slots=True)
class Bar:
    """Where an operation is drawn, in pixels.

    Attributes:
        operation: what is drawn.
        x: where it was called.
        end: where it returned, or the right edge if it never did.
        y: its upper edge.
        point: where it takes effect in the order that was found; None if it has no place there.
        number: its number in that order, from 1.
        steps: the tape's steps at which it was called and returned, for `cluster.goto`; None where there is none.
    """

    operation: Operation
    x: float
    end: float
    y: float
    point: float | None
    number: int | None
    steps: tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class Layout:
    """Where everything is drawn."""

    bars: tuple[Bar, ...]
    lanes: tuple[tuple[str, float, float], ...]
    """Each client, with the upper and lower edge of its lane."""
    marks: tuple[tuple[Mark, float, float], ...]
    ticks: tuple[tuple[float, str], ...]
    left: float
    width: float
    height: float
    hidden: int


def arrange(history: History, verdict: Linearizability | None = None) -> Layout:
    """Where everything is drawn, as plain values: to draw it elsewhere, or to find a bar's steps."""
    everyone = [o for o in history.operations if o.client != EARLIER]
    shown = _window(everyone, verdict)
    first = min((o.called for o in shown), default=0)
    last = max((o.called if o.returned is None else o.returned for o in shown), default=0)
    marks = [m for m in history.marks if len(shown) == len(everyone) or first <= m.at <= last]
    numbers: dict[Operation, tuple[int, int]] = {}
    if verdict is not None:
        placed = zip(verdict.order, verdict.points, strict=True)
        numbers = {operation: (number, point) for number, (operation, point) in enumerate(placed, start=1)}
    clients = list(dict.fromkeys(o.client for o in shown))
    left = 16 + _CHARACTER * max([len(c) for c in clients] + [7 if marks else 0], default=7)
    impossible = verdict.impossible if verdict is not None else None
    places = _places(shown, marks, [numbers[o][1] for o in shown if o in numbers], left, impossible)
    right = max(places.values(), default=left) + 30
    right = max([right, *(places[2 * o.called] + _needs(o) + 20 for o in shown if o.unknown)])
    mark_rows, top = _mark_rows(marks, places)
    points = _points(shown, numbers, places)
    bars, lanes, bottom = _lanes(clients, shown, places, points, numbers, history, right, top)
    return Layout(
        tuple(bars),
        tuple(lanes),
        tuple(mark_rows),
        tuple(_ticks(shown, places, history)),
        left,
        max([right + 16, 420, *(x + 20 + _CHARACTER * len(mark.text) for mark, x, _ in mark_rows)]),
        bottom + 30,
        len(everyone) - len(shown),
    )


def _window(operations: Sequence[Operation], verdict: Linearizability | None) -> list[Operation]:
    """What is drawn: all of it, or the last ones up to where it goes wrong (of its key, if it has one)."""
    if len(operations) <= MOST:
        return list(operations)
    end = operations[-1].called
    if verdict is not None and verdict.impossible is not None:
        wrong = verdict.impossible
        end = wrong.returned or end
        operations = [o for o in operations if wrong.key is None or o.key in (wrong.key, None)]
    elif verdict is not None and verdict.linearizable is None and verdict.points:
        end = verdict.points[-1]
    return [operation for operation in operations if operation.called <= end][-AROUND:]


def _places(
    shown: Sequence[Operation], marks: Sequence[Mark], points: Sequence[int], left: float, impossible: Operation | None
) -> dict[int, float]:
    """The x of every event: slot 2m is the calls of moment m, and slot 2m + 1 its returns."""
    slots = {2 * o.called for o in shown} | {2 * o.returned + 1 for o in shown if o.returned is not None}
    slots |= {2 * mark.at for mark in marks} | {2 * point for point in points}
    dots = Counter(2 * point for point in points)
    ending: dict[int, list[Operation]] = {}
    for operation in shown:
        if operation.returned is not None:
            ending.setdefault(2 * operation.returned + 1, []).append(operation)
    places: dict[int, float] = {}
    x = left + 32
    for slot in sorted(slots):
        for operation in ending.get(slot, ()):
            sign = 34 if operation is impossible else 16 if operation.failed else 0
            x = max(x, places[2 * operation.called] + _needs(operation) + sign)
        places[slot] = x
        x += max(_GAP, _DOT * (dots[slot] + 0.6) if dots[slot] else 0)
    return places


def _needs(operation: Operation) -> float:
    """How wide a bar must be for its words."""
    return 20 + _CHARACTER * len(label(operation))


def label(operation: Operation) -> str:
    """What stands in a bar: what was asked, and what came back."""
    asked = str(operation)
    if operation.unknown:
        return _clip(f"{asked} …?")
    if operation.failed or operation.kind in _SILENT:
        return _clip(asked)
    return _clip(f"{asked} → {value_text(operation.result)}")


def _clip(words: str, length: int = 40) -> str:
    return words if len(words) <= length else words[: length - 1] + "…"


def _points(
    shown: Sequence[Operation], numbers: dict[Operation, tuple[int, int]], places: dict[int, float]
) -> dict[Operation, float]:
    """The x at which each operation takes effect; those of one moment stand side by side, in their order."""
    seen: Counter[int] = Counter()
    points = {}
    for operation in sorted((o for o in shown if o in numbers), key=lambda o: numbers[o][0]):
        point = numbers[operation][1]
        points[operation] = places[2 * point] + _DOT * (seen[point] + 0.8)
        seen[point] += 1
    return points


def _mark_rows(marks: Sequence[Mark], places: dict[int, float]) -> tuple[list[tuple[Mark, float, float]], float]:
    """Marks in as few rows as their words allow; and where the lanes begin."""
    ends: list[float] = []
    placed = []
    for mark in marks:
        x = places[2 * mark.at]
        row = next((n for n, end in enumerate(ends) if end < x), len(ends))
        ends[row : row + 1] = [x + 30 + _CHARACTER * len(mark.text)]
        placed.append((mark, x, 20.0 + 20 * row))
    return placed, 14.0 + 20 * len(ends) + (8 if ends else 0)


def _lanes(
    clients: Sequence[str],
    shown: Sequence[Operation],
    places: dict[int, float],
    points: dict[Operation, float],
    numbers: dict[Operation, tuple[int, int]],
    history: History,
    right: float,
    top: float,
) -> tuple[list[Bar], list[tuple[str, float, float]], float]:
    """The bars, lane by lane; a lane has a second row where one operation of its client overlaps another."""
    bars, lanes = [], []
    for client in clients:
        ends: list[float] = []
        for operation in (o for o in shown if o.client == client):
            x = places[2 * operation.called]
            end = right if operation.returned is None else places[2 * operation.returned + 1]
            row = next((n for n, until in enumerate(ends) if until <= x), len(ends))
            ends[row : row + 1] = [end]
            number = numbers[operation][0] if operation in numbers else None
            steps = _step(history, operation.called), _step(history, operation.returned)
            bars.append(Bar(operation, x, end, top + 6 + _ROW * row, points.get(operation), number, steps))
        lanes.append((client, top, top + _ROW * len(ends)))
        top = lanes[-1][2]
    return bars, lanes, top


def _step(history: History, moment: int | None) -> int | None:
    return history.steps[moment] if moment is not None and history.steps else None


def _ticks(shown: Sequence[Operation], places: dict[int, float], history: History) -> Iterator[tuple[float, str]]:
    """Times at the foot of the picture, as many as there is room for."""
    moments = {2 * o.called: o.called for o in shown}
    moments |= {2 * o.returned + 1: o.returned for o in shown if o.returned is not None}
    free = 0.0
    for slot in sorted(moments):
        if places[slot] >= free:
            said = history.when(moments[slot])
            yield places[slot], said
            free = places[slot] + 22 + _CHARACTER * len(said)
