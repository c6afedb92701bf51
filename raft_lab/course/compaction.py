"""Lesson 03's exercise: what a follower does with a snapshot."""

from __future__ import annotations

from collections.abc import Iterator

from raft_lab.check.explore import Bounds
from raft_lab.course.comparing import THREE, could_meet, first_difference, log_of, one_difference, terms_in_words
from raft_lab.course.exercises import Difference, Exercise
from raft_lab.raft.log import Log, Snapshot
from raft_lab.raft.machine import Machine
from raft_lab.raft.messages import InstallSnapshot, InstallSnapshotReply
from raft_lab.raft.server import Server
from raft_lab.raft.state import Candidate, Follower, Outcome, Role, State
from raft_lab.sim import stages
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.scenarios import Stage

_LOGS = ((), (1,), (1, 1), (1, 2), (1, 1, 1), (1, 2, 2), (1, 1, 3))


def _machine(index: int) -> Machine:
    return Machine({"applied": str(index)})


def _small_snapshots() -> Iterator[tuple[State, InstallSnapshot]]:
    """Every small situation in which S1 sends S2 a snapshot, the simplest first."""
    for mine in _LOGS:
        for theirs in _LOGS[1:]:
            if not could_meet(mine, theirs):
                continue
            agree = next(
                (n for n, (a, b) in enumerate(zip(mine, theirs, strict=False)) if a != b), min(len(mine), len(theirs))
            )
            for index in range(1, len(theirs) + 1):
                snapshot = Snapshot(THREE, index, theirs[index - 1], _machine(index))
                for committed in range(agree + 1):
                    yield from _arrivals(mine, committed, snapshot, max(theirs))


def _arrivals(
    mine: tuple[int, ...], committed: int, snapshot: Snapshot, newest: int
) -> Iterator[tuple[State, InstallSnapshot]]:
    for current in range(max((1, *mine)), 4):
        for term in range(newest, 4):
            roles: tuple[Role, ...] = (Follower(), Candidate(frozenset({"S2"}))) if term >= current else (Follower(),)
            for role in roles:
                vote = "S2" if isinstance(role, Candidate) else None
                state = State("S2", current, vote, log_of(*mine), committed, committed, _machine(committed), role)
                yield state, InstallSnapshot("S1", "S2", term, snapshot)


def _compare(state: State, m: InstallSnapshot, right: Outcome, found: Outcome) -> Difference | None:
    """What matters: the log from the snapshot on, what is applied, the state machine, the answer."""
    situation, rule = _situation(state, m), "Figure 13, InstallSnapshot RPC."
    answers = [sent for sent in found.messages if isinstance(sent, InstallSnapshotReply)]
    if len(answers) != 1 or len(found.messages) != 1:
        return Difference(
            situation, f"One answer goes back to {m.src};", f"yours sends {len(found.messages)} messages.", rule
        )
    if not _same(right.state.log, found.state.log):
        return Difference(
            situation,
            f"Afterwards the log holds {terms_in_words(right.state.log)};",
            f"yours holds {terms_in_words(found.state.log)}.",
            _log_rule(state, m),
        )
    for name in ("commit_index", "last_applied"):
        should, does = getattr(right.state, name), getattr(found.state, name)
        if should != does:
            return Difference(situation, f"{name} becomes {should};", f"yours is {does}.", _log_rule(state, m))
    if right.state.machine != found.state.machine:
        should_hold, holds = dict(right.state.machine.data), dict(found.state.machine.data)
        return Difference(
            situation,
            f"The state machine then holds {should_hold};",
            f"yours holds {holds}.",
            "Figure 13, step 8: with the snapshot comes its state machine, and not without it.",
        )
    should_match = next(s.match_index for s in right.messages if isinstance(s, InstallSnapshotReply))
    if answers[0].match_index != should_match or answers[0].term != right.state.current_term:
        return Difference(situation, f"The answer says {should_match};", f"yours says {answers[0].match_index}.", rule)
    if found.state.role != right.state.role or found.timer_reset != right.timer_reset:
        return Difference(
            situation,
            "Only a message of the current term's leader is followed, and starts the election timer anew;",
            "yours does otherwise.",
            "§5.2: self.follow(m.src), once the term is known to be current.",
        )
    return None


def _same(right: Log, found: Log) -> bool:
    """The same from where both begin: to compact what is committed is always allowed."""
    if right.last_index != found.last_index or right.last_term != found.last_term:
        return False
    return right.same_prefix(found, right.last_index)


def _situation(state: State, m: InstallSnapshot) -> str:
    role = "a candidate" if isinstance(state.role, Candidate) else "a follower"
    snapshot = m.snapshot
    return (
        f"{state.id} is {role} in term {state.current_term}, its log holds {terms_in_words(state.log)}, and it has "
        f"applied up to {state.last_applied}. {m.src} sends in term {m.term} a snapshot up to entry "
        f"{snapshot.last_included_index}, of term {snapshot.last_included_term}."
    )


def _log_rule(state: State, m: InstallSnapshot) -> str:
    index = m.snapshot.last_included_index
    if m.term < state.current_term:
        return "Figure 13, step 1: reply immediately if term < currentTerm."
    if index <= state.commit_index:
        return "All of it is known and applied already: an old snapshot must not take the server back (§7)."
    if index <= state.log.last_index and state.log.matches(index, m.snapshot.last_included_term):
        return "The log has the snapshot's last entry, so what follows that entry is kept (Figure 13, step 6)."
    return "The log does not agree with the snapshot where it ends, so all of it goes (Figure 13, step 7)."


# --- Where to explore from ---------------------------------------------------------------------------


def _late(server: type[Server]) -> Cluster:
    """S3 has got a snapshot and a newer entry, which is about to count, when the same snapshot arrives again."""
    cluster = stages.stray_tail()
    cluster.duplicate("S1", "S3", "InstallSnapshot")
    Stage(cluster).ask("S1", "S3", "InstallSnapshot")
    cluster.crash("S2")
    cluster.propose("set x 3", "S1")
    cluster.swap(server)
    return cluster


def _stray(server: type[Server]) -> Cluster:
    """A snapshot is on its way to S3, whose log is another one."""
    cluster = stages.stray_tail()
    cluster.swap(server)
    return cluster


INSTALL_SNAPSHOT = Exercise(
    ("on_install_snapshot", "keeps_tail"),
    first_difference(_small_snapshots, _compare),
    one_difference(InstallSnapshot, _compare),
    (
        (_late, Bounds(term=2, messages=6, states=2_000)),
        (_stray, Bounds(term=2, commands=1, log=4, states=2_000)),
    ),
    source="Figure 13",
)
