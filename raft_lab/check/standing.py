"""How a server may stand, and one thing that may happen to it: what handlers are compared in."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields, replace
from typing import TypeAlias

from raft_lab.raft.log import Command, Entry, Log, Snapshot
from raft_lab.raft.membership import Configuration
from raft_lab.raft.server import Server
from raft_lab.raft.state import Event, Follower, Leader, Progress, Receive, Role, State
from raft_lab.raft.values import FrozenMap


@dataclass(frozen=True, slots=True)
class Crash:
    """The server crashes and comes back: what is left is what its disk holds."""


@dataclass(frozen=True, slots=True)
class Situation:
    """A server as it stands, and what happens to it when its clock shows `now` microseconds."""

    state: State
    event: Event | Crash
    now: int = 0


Terms: TypeAlias = tuple[int, ...]
"""A log, by the terms of its entries."""

Makers: TypeAlias = dict[str, tuple[Callable[[], Iterator[Situation]], ...]]
"""What makes the situations of each kind."""

THREE = Configuration(frozenset({"S1", "S2", "S3"}))
FIVE = Configuration(frozenset({"S1", "S2", "S3", "S4", "S5"}))
FOUR = Configuration(frozenset({"S1", "S2", "S3", "S4"}))
LISTENED_TO = Configuration(frozenset({"S1", "S2", "S3"}), learners=frozenset({"S4"}))
JOINT = Configuration(frozenset({"S1", "S4", "S5"}), old=frozenset({"S1", "S2", "S3"}))


VOTERS: tuple[Terms, ...] = ((), (1,), (1, 1), (2,), (1, 2))
"""The logs of those who vote."""


def logs(longest: int, highest: int) -> list[Terms]:
    """Every log of at most `longest` entries with terms up to `highest`, the shortest first."""
    return [
        terms
        for length in range(longest + 1)
        for terms in itertools.combinations_with_replacement(range(1, highest + 1), length)
    ]


def agree(mine: Terms, theirs: Terms) -> bool:
    """Log Matching: where two logs have an entry of the same index and term, they are equal up to there."""
    same = [index for index, pair in enumerate(zip(mine, theirs, strict=False)) if pair[0] == pair[1]]
    return not same or mine[: same[-1]] == theirs[: same[-1]]


def terms_of(state: State) -> Terms:
    """The log of a server, by the terms of its entries."""
    return tuple(entry.term for _, entry in state.log)


def entries(terms: Terms, first: int = 1) -> tuple[Entry, ...]:
    """Entries of these terms; each is named by its index and term, so that equal names mean equal entries."""
    return tuple(Entry(term, Command(f"add x {index}.{term} ")) for index, term in enumerate(terms, start=first))


def standing(
    term: int,
    terms: Terms = (),
    *,
    voted_for: str | None = None,
    role: Role | None = None,
    commit: int = 0,
    snapshot: int = 0,
    configuration: Configuration = THREE,
    log: Log | None = None,
) -> State:
    """S1 in `term` with this log, of which `commit` entries are committed and applied and `snapshot` compacted."""
    log = log or Log(Snapshot(configuration), entries(terms))
    applied = Server(State("S1", term, voted_for, log, commit_index=commit))
    applied.apply_committed()
    if snapshot:
        at_snapshot = standing(term, terms, commit=snapshot, configuration=configuration, log=log).machine
        configuration = log.configuration_at(snapshot)
        log = log.compact(Snapshot(configuration, snapshot, log.term(snapshot), at_snapshot))
    return State("S1", term, voted_for, log, commit, commit, applied.machine, role or Follower())


def leading(
    term: int, terms: Terms, matches: dict[str, int], commit: int = 0, more: Leader | None = None, **options: object
) -> State:
    """S1 leads `term`; of each other server it knows up to where its log matches, and sends what follows."""
    progress = FrozenMap({peer: Progress(match + 1, match) for peer, match in matches.items()})
    role = replace(more or Leader(), progress=progress)
    return standing(term, terms, voted_for="S1", role=role, commit=commit, **options)  # type: ignore[arg-type]


def kind_of(situation: Situation) -> str:
    """What happens, by name: one of `KINDS`, or the name of another event."""
    event = situation.event
    name = type(event.message if isinstance(event, Receive) else event).__name__
    compacted = name == "AppendEntries" and situation.state.log.snapshot.last_included_index
    return "AppendEntries over a snapshot" if compacted else name


def size(situation: Situation) -> int:
    """How much there is to grasp in a situation."""
    state, event = situation.state, situation.event
    mine = state.current_term + state.log.last_index + state.log.last_term + state.commit_index
    mine += int(not isinstance(state.role, Follower)) + int(state.voted_for is not None)
    mine += state.log.snapshot.last_included_index
    theirs: object = event.message if isinstance(event, Receive) else event
    return 2 * mine + sum(_weight(getattr(theirs, part.name)) for part in fields(theirs))  # type: ignore[arg-type,misc]


def _weight(value: object) -> int:
    match value:
        case bool():
            return int(value)
        case int():
            return abs(value) if abs(value) < 1000 else 0
        case tuple() | frozenset():
            return 2 * len(value)
        case Snapshot():
            return 2 * value.last_included_index + value.last_included_term
        case _:
            return 0
