"""What a check asks while it looks for a run that breaks something, rehearsed once with Raft in the answer's place.

Searches and random runs are functions of what the servers do. So of an answer that does in each of these steps what
Raft does, they come to what they came to with Raft, and need not be made again for every student of a class.
"""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, ClassVar

from raft_lab.course.beside import BATCH, Asked, Reached, beside, reached, with_rules
from raft_lab.course.exercises import Exercise, Looked
from raft_lab.course.wire import Sent
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.server import Server
from raft_lab.raft.state import Event, Outcome, State

_RAFT: type = Server


class Rehearsing:
    """The part of a class that does what Raft does, and notes where an answer would be asked."""

    raft: ClassVar[type]
    noted: ClassVar[dict[Asked, Outcome]]
    rules_off: ClassVar[tuple[str, ...]]
    rules_on: ClassVar[tuple[str, ...]]

    @classmethod
    def step(cls, state: State, event: Event, now: int = 0) -> Outcome:
        """See `Server.step`."""
        rules = cls.rules_off, cls.rules_on
        try:
            return with_rules(cls.raft, rules).step(state, event, now)
        except Reached:
            asked = (rules, state, event, now)
            if asked not in cls.noted:
                cls.noted[asked] = with_rules(_RAFT, rules).step(state, event, now)
            return cls.noted[asked]


@functools.lru_cache(maxsize=128)
def rehearsed(exercise: Exercise, methods: frozenset[str], seed: int) -> tuple[Mapping[Asked, Outcome], Looked] | None:
    """What an answer with these methods is asked, and what is said by Raft; and how much was looked at.

    None if only an answer itself can tell: a method of its own is called outside of a step.
    """
    noted: dict[Asked, Outcome] = {}
    base: type = exercise.base
    body = {"raft": beside("Raft", base, methods), "noted": noted, **dict.fromkeys(methods, reached)}
    raft: Any = type("Raft", (Rehearsing, base), {"__module__": __name__, **body})
    try:
        looked = exercise.looked_for(raft, seed)
    except (Reached, HandlerError):
        return None
    return noted, looked


@dataclass(frozen=True)
class Rehearsed:
    """What a function is asked, and what a right one says.

    Attributes:
        asked: arguments of so many calls in one, as they travel.
        said: what they give, one for each call.
        states: how much a check looks at with that.
    """

    asked: tuple[bytes, ...]
    said: tuple[bool, ...]
    states: int

    @classmethod
    def of(cls, asked: Sequence[tuple[Any, ...]], said: Sequence[bool], states: int) -> Rehearsed:
        """Written once, for all answers."""
        known: dict[Any, int] = {}
        parts = []
        for first in range(0, len(asked), BATCH):
            file = io.BytesIO()
            Sent(file, known).dump(list(asked[first : first + BATCH]))
            parts.append(file.getvalue())
        return cls(tuple(parts), tuple(said), states)


def batches(noted: Mapping[Asked, Outcome]) -> Iterator[dict[Asked, Outcome]]:
    """A few at a time."""
    left = iter(noted.items())
    while batch := dict(islice(left, BATCH)):
        yield batch
