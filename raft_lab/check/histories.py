"""What clients asked and what they were told, in order: the evidence from which a checker judges.

A history is made of operations, each with the moment at which it was called and the one at which it returned.
Moments are whole numbers that only say what came before what; the clock and the tape's steps stand beside them.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import PathLike
from typing import Any, ClassVar

from raft_lab.raft.errors import RaftLabError


class HistoryError(RaftLabError):
    """A history cannot be read, or makes no sense."""


@dataclass(frozen=True, slots=True)
class Operation:
    """One thing that a client asked for.

    Attributes:
        client: who asked.
        kind: what for, such as "set", "read" or "acquire"; a model says which kinds it knows.
        key: on what, or None.
        argument: with what, or None; any value that can be hashed.
        called: the moment at which the client asked.
        returned: the moment at which it was told the result; None if it never was, so that nobody knows whether
            the operation happened, or ever will.
        result: what it was told.
        failed: the client was told that the operation has not happened and never will.
    """

    client: str
    kind: str
    key: Any = None
    argument: Any = None
    called: int = 0
    returned: int | None = None
    result: Any = None
    failed: bool = False

    def __post_init__(self) -> None:
        if self.returned is not None and self.returned < self.called:
            raise HistoryError(f"{self.client}'s {self} returns before it is called")
        try:
            hash((self.key, self.argument, self.result))
        except TypeError:
            raise HistoryError(
                f"{self.client}'s {self.kind} holds something that can change: make keys, arguments and results of "
                "numbers, strings, tuples and FrozenMaps"
            ) from None

    @property
    def unknown(self) -> bool:
        """Whether the client never heard what became of it."""
        return self.returned is None

    def __str__(self) -> str:
        if self.kind == "txn":
            with contextlib.suppress(TypeError, ValueError):
                return _transaction_text(*self.argument)
        return " ".join([self.kind, *(value_text(part) for part in (self.key, self.argument) if part is not None)])


def value_text(value: Any) -> str:
    """A key, argument or result as people write it: `1`, `nothing`, `{x: 1}`, `[r x]`."""
    match value:
        case None:
            return "nothing"
        case "":
            return "''"
        case Mapping():
            return "{" + ", ".join(f"{value_text(key)}: {value_text(item)}" for key, item in value.items()) + "}"
        case tuple():
            return "[" + " ".join(value_text(item) for item in value) + "]"
        case _:
            return str(value)


def _transaction_text(compare: tuple[Any, ...], then: tuple[Any, ...], otherwise: tuple[Any, ...]) -> str:
    """A transaction as people write it: `txn [if x = 1: put x 2 else get x]`."""
    condition = " and ".join(f"{value_text(key)} {how} {value_text(value)}" for key, how, value in compare)
    does, else_does = (
        ", ".join(" ".join(value_text(item) for item in part if item is not None) for part in parts)
        for parts in (then, otherwise)
    )
    return f"txn [{f'if {condition}: ' if compare else ''}{does}{f' else {else_does}' if otherwise else ''}]"


@dataclass(frozen=True, slots=True)
class Mark:
    """Something that happened to the servers or the network: a crash, a partition, a new leader.

    Attributes:
        at: the moment.
        kind: "leader", "crash", "restart", "cut", "heal", or "" for anything else.
        text: what happened, in a few words.
    """

    at: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class History:
    """Operations of concurrent clients.

    Attributes:
        operations: in the order in which they were called.
        marks: what happened to the servers meanwhile.
        source: where it comes from, in words.
        times_us: what the clock showed at each moment, in microseconds; empty if nobody knows.
        steps: the tape's step at each moment, for `cluster.goto`; empty if there was no tape.
        start: the state machine's data before the first operation; None if there was none.
    """

    operations: tuple[Operation, ...]
    marks: tuple[Mark, ...] = ()
    source: str = ""
    times_us: tuple[int, ...] = ()
    steps: tuple[int, ...] = ()
    start: Any = None

    faces: ClassVar[dict[str, Callable[..., Any]]] = {}
    """What rooms above this one add: "picture"."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "operations", tuple(sorted(self.operations, key=lambda o: o.called)))

    def when(self, moment: int) -> str:
        """A moment in words: by the clock if it ran, else by the tape's step."""
        span = self.times_us[-1] - self.times_us[0] if self.times_us else 0
        if span:
            us = self.times_us[moment]
            return f"{us / 1000:.1f} ms" if span >= 10_000 else f"{us} µs"
        return f"step {self.steps[moment]}" if self.steps else f"moment {moment}"

    @classmethod
    def load(cls, path: str | PathLike[str]) -> History:
        """Read a history: what `save` has written, Jepsen's EDN, or one JSON object a line; see history_files.py.

        Raises:
            HistoryError: the file cannot be read; the message names the line.
        """
        from raft_lab.check.history_files import load

        return load(path)

    def save(self, path: str | PathLike[str]) -> None:
        """Write it as JSON. The file appears whole or not at all."""
        from raft_lab.check.history_files import save

        save(self, path)

    def __str__(self) -> str:
        clients = len({operation.client for operation in self.operations})
        told = sum(not o.failed and not o.unknown for o in self.operations)
        failed = sum(operation.failed for operation in self.operations)
        count = len(self.operations)
        return (
            f"{count} operation{'s' * (count != 1)} of {clients} client{'s' * (clients != 1)}"
            f"{f' ({self.source})' if self.source else ''}: {told} answered, {failed} refused, "
            f"{count - told - failed} without an answer"
        )

    def __repr__(self) -> str:
        return f"<History of {self}>"

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if "picture" in self.faces:
            bundle: dict[str, Any] = self.faces["picture"](self)
            return bundle
        return {"text/plain": repr(self)}
