"""Comparing one step of a learner's handler with the same step of the rule, and saying where they part."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import replace
from typing import Any

from raft_lab.course.exercises import Difference
from raft_lab.raft.log import Command, Entry, Log, Snapshot
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import Message
from raft_lab.raft.server import Server
from raft_lab.raft.state import Outcome, Receive, State
from raft_lab.raft.values import FrozenMap

Compare = Callable[[State, Any, Outcome, Outcome], Difference | None]
"""Says how two outcomes of a message differ, the right one first."""

THREE = Configuration(frozenset({"S1", "S2", "S3"}))


def log_of(*terms: int, snapshot: Snapshot | None = None) -> Log:
    """A log whose entries are told apart by index and term."""
    base = snapshot or Snapshot(THREE)
    first = base.last_included_index + 1
    return Log(base, [Entry(term, Command(f"{index}.{term}")) for index, term in enumerate(terms, start=first)])


def could_meet(mine: tuple[int, ...], theirs: tuple[int, ...]) -> bool:
    """Whether two logs of these terms can be in one cluster: after a common entry, all before it is common (5.3)."""
    same = [n for n, (a, b) in enumerate(zip(mine, theirs, strict=False), start=1) if a == b]
    return not same or mine[: same[-1]] == theirs[: same[-1]]


def both(answer: type[Server], state: State, m: Message) -> tuple[Outcome, Outcome]:
    """What the rule does with a message, and what `answer` does."""
    extra = answer.initial(state.id, Log(Snapshot(THREE))).extra
    right = Server.step(replace(state, extra=FrozenMap()), Receive(m))
    return right, answer.step(replace(state, extra=state.extra or extra), Receive(m))


def one_difference(kind: type[Message], compare: Compare) -> Callable[[type[Server], State, Any], Difference | None]:
    """A function that finds how a class differs from the rule in one situation, for messages of one kind."""

    def difference(answer: type[Server], state: State, m: Any) -> Difference | None:
        return compare(state, m, *both(answer, state, m)) if type(m) is kind else None

    return difference


def first_difference(
    situations: Callable[[], Iterable[tuple[State, Any]]], compare: Compare
) -> Callable[[type[Server]], Difference | None]:
    """A function that finds the first situation in which a class differs from the rule."""

    def differences(answer: type[Server]) -> Difference | None:
        found: Iterator[Difference | None] = (compare(s, m, *both(answer, s, m)) for s, m in situations())
        return next((difference for difference in found if difference), None)

    return differences


def terms_in_words(log: Log) -> str:
    """What a log holds, by index and term."""
    base = log.snapshot
    parts = (
        [f"a snapshot up to {base.last_included_index} (term {base.last_included_term})"]
        if base.last_included_index
        else []
    )
    parts += [f"{index} (term {entry.term})" for index, entry in log]
    return ", ".join(parts) if parts else "nothing"
