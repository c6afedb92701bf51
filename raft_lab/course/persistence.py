"""Lesson 03: what a server must have on disk, because it is all that a crash leaves."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import Any

from raft_lab.check.differences import Difference
from raft_lab.check.explore import Bounds
from raft_lab.check.situations import small
from raft_lab.check.wording import log_in_words, role_in_words, situation_in_words
from raft_lab.course.exercises import SAFETY, Exercise
from raft_lab.raft.core import FIELD_TYPES
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.guard import bounded
from raft_lab.raft.log import Log, Snapshot
from raft_lab.raft.server import Server
from raft_lab.raft.state import Follower, State
from raft_lab.raft.values import FrozenMap, freeze
from raft_lab.sim import scenarios, stages
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.scenarios import Stage

_WHY = {
    "current_term": "currentTerm is on disk: whoever forgets it may take part once more in a term that is over.",
    "voted_for": "votedFor is on disk: whoever forgets it may vote twice in one term.",
    "log": "log[] is on disk: what was acknowledged counts as stored, also after a crash.",
    "role": "Whoever starts again is a follower: somebody else may lead by now.",
}


class Persists(Server):
    """A server of which a crash leaves just what `persist` returns."""

    def persist(self) -> dict[str, Any]:
        """What is on disk at the end of a step, before any message leaves: names of fields, each with its value."""
        raise HandlerError(
            f"{type(self).__name__} uses persist of the base, which has none: it is what you are to write"
        )

    @classmethod
    def crashed(cls, state: State) -> State:
        """A server that begins anew, but for what it had written."""
        written = _written(cls, state)
        log = written.get("log", Log(Snapshot(state.log.configuration_at(state.log.snapshot.last_included_index))))
        fresh = Server.initial(state.id, log, written.get("current_term", 0), written.get("voted_for"))
        kept = {name: written[name] for name in ("commit_index", "last_applied", "machine", "role") if name in written}
        extra = {name: state.extra.get(name, freeze(value)) for name, value in cls.durable.items()}
        extra |= {name: freeze(value) for name, value in cls.volatile.items()}
        return replace(fresh, extra=FrozenMap(extra), **kept)


def _written(cls: type[Persists], state: State) -> dict[str, Any]:
    """What `persist` returns, if it is what it should be."""
    found: list[Any] = []
    try:
        bounded(cls, f"{state.id} while writing to disk", lambda: found.append(cls(state).persist()))
    except HandlerError:
        raise
    except Exception as error:
        raise HandlerError(f"{cls.__name__}.persist failed on {state.id}: {type(error).__name__}: {error}") from error
    written = found[0]
    if not isinstance(written, Mapping):
        raise HandlerError(f"{cls.__name__}.persist returns {written!r:.80}; it must be a dict of names and values")
    for name, value in written.items():
        if name not in FIELD_TYPES:
            raise HandlerError(f"{cls.__name__}.persist writes {name!r}; a server has {', '.join(FIELD_TYPES)}")
        if not isinstance(value, FIELD_TYPES[name]):
            raise HandlerError(f"{cls.__name__}.persist writes {value!r:.80} as {name}")
    return dict(written)


class Persistence(Exercise):
    """Say what is on disk. What etcd and others write besides, a commitIndex, does no harm and is accepted."""

    @property
    def compares(self) -> int:
        """In how many small situations a server crashes."""
        return len(small("Crash"))

    def compared(self, answer: type[Server]) -> Difference | None:
        """The smallest server that is not what it was after a crash, or None."""
        for situation in small("Crash"):
            state, left = situation.state, answer.crashed(situation.state)
            wanted = {name: getattr(state, name) for name in ("current_term", "voted_for", "log")} | {
                "role": Follower()
            }
            for name, value in wanted.items():
                if getattr(left, name) != value:
                    words = situation_in_words(situation)
                    is_now = (
                        f"After a restart {_words(name, value)};",
                        f"with yours {_words(name, getattr(left, name))}.",
                    )
                    return Difference(words, *is_now, f"{_WHY[name]} (Figure 2, persistent state)", name, "Crash")
            applied = (left.last_applied, left.machine)
            base = state.log.snapshot
            if applied not in ((base.last_included_index, base.machine), (state.last_applied, state.machine)):
                said = "lastApplied and the state machine belong together;", "yours keeps one without the other."
                return Difference(
                    situation_in_words(situation), *said, "Both are made anew from the log (§5.3).", "commit"
                )
        return None


def _words(field: str, value: Any) -> str:
    """One field of a server that has just started."""
    match field:
        case "role":
            return f"it is {role_in_words(value)}"
        case "log":
            return f"its log is {log_in_words(value)}"
        case "voted_for":
            return f"it has voted for {value or 'nobody'}"
    return f"its term is {value}"


def _one_voted(server: type[Server]) -> Cluster:
    """S2 has voted for S1, which leads term 1 by that; S3 is a candidate of term 1, too."""
    cluster = Cluster(3)
    cluster.timeout("S1")
    cluster.timeout("S3")
    Stage(cluster).ask("S1", "S2", "RequestVote")
    cluster.drop("S1", "S3", "RequestVote")
    cluster.drop("S3", "S1")
    cluster.swap(server)
    return cluster


def _committed(server: type[Server]) -> Cluster:
    """A command is committed on S1 and S2."""
    cluster = scenarios.committed_without_s3()
    Stage(cluster).lose_all()
    cluster.swap(server)
    return cluster


def _applied(server: type[Server]) -> Cluster:
    """Everybody has applied alice's command."""
    cluster = stages.with_a_session()
    cluster.swap(server)
    return cluster


PERSIST = Persistence(
    ("persist",),
    (),
    (
        (_one_voted, Bounds(term=1, crashes=1, states=3_000)),
        (_committed, Bounds(term=2, crashes=1, states=3_000)),
        (_applied, Bounds(term=2, crashes=1, compactions=1, states=2_000)),
    ),
    points=3.0,
    base=Persists,
    invariants=(*SAFETY, "State Is the Fold"),
)
