"""Lesson 04's exercise: what a quorum is, also while the members change."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import combinations
from typing import Any

from raft_lab.check.explore import Bounds
from raft_lab.course.comparing import both
from raft_lab.course.exercises import Difference, Exercise
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.log import Log, Snapshot
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import RequestVoteReply
from raft_lab.raft.server import Server
from raft_lab.raft.state import Candidate, State
from raft_lab.sim import stages
from raft_lab.sim.cluster import Cluster

_SERVERS = ("S1", "S2", "S3", "S4", "S5")
_SETS = tuple(frozenset(some) for size in range(6) for some in combinations(_SERVERS, size))


def _small_quorums() -> Iterator[tuple[Configuration, frozenset[str]]]:
    """Configurations of up to five servers and who agrees, the simplest first."""
    first = {size: frozenset(_SERVERS[:size]) for size in range(1, 6)}
    for size in range(1, 6):
        for agreed in _SETS:
            yield Configuration(first[size]), agreed
    yield from ((Configuration(first[3], learners=frozenset({"S4", "S5"})), agreed) for agreed in _SETS)
    for old in (first[1], first[3], first[4]):
        for new in _SETS:
            if new and new != old:
                yield from ((Configuration(new, old), agreed) for agreed in _SETS)


def _quorums_differ(answer: type[Server]) -> Difference | None:
    for configuration, agreed in _small_quorums():
        right = configuration.has_quorum(agreed)
        if _asked(answer, configuration, agreed) != right:
            return _difference(configuration, agreed, right)
    return None


def _asked(answer: type[Server], configuration: Configuration, agreed: frozenset[str]) -> bool:
    state = answer.initial("S1", Log(Snapshot(configuration)))
    try:
        return bool(answer(state).has_quorum(agreed))
    except HandlerError:
        raise
    except Exception as error:
        raise HandlerError(f"{answer.__name__}.has_quorum failed for {_names(agreed)}: {error}") from error


def _difference(configuration: Configuration, agreed: frozenset[str], right: bool) -> Difference:
    half = "of the old voters and, separately, one of the new ones" if configuration.is_joint else "of the voters"
    said = {True: "That is a quorum;", False: "That is no quorum;"}
    return Difference(
        f"{_members(configuration)} Those who agree: {_names(agreed)}.",
        said[right],
        f"yours says {'that it is' if not right else 'that it is not'}.",
        f"A quorum is a majority {half} (§6). Learners do not count.",
    )


def _members(configuration: Configuration) -> str:
    joint = (
        f"The old voters are {_names(configuration.old)}, the new ones" if configuration.is_joint else "The voters are"
    )
    learners = f", {_names(configuration.learners)} learners" if configuration.learners else ""
    return f"{joint} {_names(configuration.voters)}{learners}."


def _names(servers: frozenset[str]) -> str:
    return ", ".join(sorted(servers)) or "nobody"


def _wins_wrongly(answer: type[Server], state: State, m: Any) -> Difference | None:
    """A vote arrives, and the candidate takes itself for elected, or does not."""
    if not isinstance(m, RequestVoteReply) or not isinstance(state.role, Candidate):
        return None
    right, found = both(answer, state, m)
    if right.state.is_leader == found.state.is_leader:
        return None
    return _difference(state.configuration, state.role.votes | {m.src}, right.state.is_leader)


def _two_elections(server: type[Server]) -> Cluster:
    """In the middle of a change, on either side of a wall, S2 and S4 want to lead term 2."""
    cluster = stages.half_joint(server)
    cluster.timeout("S2")
    cluster.timeout("S4")
    return cluster


HAS_QUORUM = Exercise(
    ("has_quorum",),
    _quorums_differ,
    _wins_wrongly,
    ((_two_elections, Bounds(term=2, messages=14, states=3_000)),),
    source="§6",
)
