"""Lesson 02's exercise: what a follower does with an AppendEntries."""

from __future__ import annotations

from collections.abc import Iterator

from raft_lab.check.explore import Bounds
from raft_lab.course.comparing import could_meet, first_difference, log_of, one_difference, terms_in_words
from raft_lab.course.exercises import Difference, Exercise
from raft_lab.raft.log import Log
from raft_lab.raft.messages import AppendEntries, AppendEntriesReply
from raft_lab.raft.server import Server
from raft_lab.raft.state import Candidate, Follower, Outcome, Role, State
from raft_lab.sim import stages
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.scenarios import Stage

_LOGS = ((), (1,), (1, 1), (1, 2), (2,), (1, 1, 1), (1, 2, 2), (1, 1, 3), (1, 2, 3))


def _small_requests() -> Iterator[tuple[State, AppendEntries]]:
    """Every small situation in which S1 sends entries to S2, the simplest first."""
    for mine in _LOGS:
        for theirs in _LOGS:
            if not could_meet(mine, theirs):
                continue
            for term in range(max((1, *theirs)), 4):
                for current in range(max((1, *mine)), 4):
                    yield from _requests(mine, theirs, term, current)


def _requests(
    mine: tuple[int, ...], theirs: tuple[int, ...], term: int, current: int
) -> Iterator[tuple[State, AppendEntries]]:
    log, leaders = log_of(*mine), log_of(*theirs)
    roles: tuple[Role, ...] = (Follower(), Candidate(frozenset({"S2"}))) if term >= current else (Follower(),)
    for role in roles:
        state = State("S2", current, "S2" if isinstance(role, Candidate) else None, log, role=role)
        for prev in range(len(theirs) + 1):
            for count in range(len(theirs) - prev + 1):
                for commit in sorted({0, prev + count, len(theirs)}):
                    entries = leaders.after(prev, count)
                    yield state, AppendEntries("S1", "S2", term, prev, leaders.term(prev), entries, commit)


def _compare(state: State, m: AppendEntries, right: Outcome, found: Outcome) -> Difference | None:
    """What matters: the answer, the log, what is committed, and who leads. A hint for the leader is free."""
    situation = _situation(state, m)
    should, does = _reply(right), _reply(found)
    if does is None or len(found.messages) != 1:
        sent = f"yours sends {len(found.messages)} messages." if found.messages else "yours sends nothing."
        return Difference(situation, f"One answer goes back to {m.src};", sent, "Figure 2: AppendEntries RPC, results.")
    assert should is not None
    if does.success != should.success:
        verb = {True: "accepts", False: "refuses"}
        return Difference(
            situation, f"The rule {verb[should.success]};", f"yours {verb[does.success]}.", _rule(state, m)
        )
    if found.state.log != right.state.log:
        return Difference(
            situation,
            f"Afterwards the log holds {terms_in_words(right.state.log)};",
            f"yours holds {terms_in_words(found.state.log)}.",
            _log_rule(state, right.state.log, found.state.log),
        )
    if found.state.commit_index != right.state.commit_index:
        return Difference(
            situation,
            f"commit_index becomes {right.state.commit_index};",
            f"yours is {found.state.commit_index}.",
            "Figure 2, step 5: the smaller of leaderCommit and the index of the last new entry. What stands behind "
            "that one may not be the leader's.",
        )
    if should.success and does.match_index != should.match_index:
        return Difference(
            situation,
            f"The answer says that the logs match up to {should.match_index};",
            f"yours says {does.match_index}.",
            "Known to match is what the message speaks of: prev_log_index + len(entries) (§5.3).",
        )
    if does.term != should.term or found.state.current_term != right.state.current_term:
        return Difference(situation, f"The answer is of term {should.term};", f"yours is of term {does.term}.", "§5.1.")
    if found.state.last_applied != right.state.last_applied:
        return Difference(
            situation,
            f"Entries up to {right.state.last_applied} are applied;",
            f"yours has applied up to {found.state.last_applied}.",
            "All servers: apply what is committed, self.apply_committed() (Figure 2).",
        )
    if found.state.role != right.state.role or found.timer_reset != right.timer_reset:
        return Difference(
            situation,
            "Only a message of the current term's leader is followed, and starts the election timer anew;",
            "yours does otherwise.",
            "§5.2: self.follow(m.src), once the term is known to be current.",
        )
    return None


def _reply(outcome: Outcome) -> AppendEntriesReply | None:
    return next((sent for sent in outcome.messages if isinstance(sent, AppendEntriesReply)), None)


def _situation(state: State, m: AppendEntries) -> str:
    role = "a candidate" if isinstance(state.role, Candidate) else "a follower"
    after = (
        f"after entry {m.prev_log_index} of term {m.prev_log_term}" if m.prev_log_index else "from the very beginning"
    )
    entries = [f"{n} (term {e.term})" for n, e in enumerate(m.entries, start=m.prev_log_index + 1)]
    sends = f"entries {', '.join(entries)}" if entries else "no entries, a heartbeat"
    return (
        f"{state.id} is {role} in term {state.current_term}, its log holds {terms_in_words(state.log)}. "
        f"{m.src} sends in term {m.term}, {after}: {sends}; leader_commit is {m.leader_commit}."
    )


def _rule(state: State, m: AppendEntries) -> str:
    if m.term < state.current_term:
        return "Figure 2, step 1: reply false if term < currentTerm (§5.1)."
    if m.prev_log_index > state.log.last_index:
        return "Figure 2, step 2: there is no entry at prev_log_index, so nothing can be placed after it (§5.3)."
    if not state.log.matches(m.prev_log_index, m.prev_log_term):
        return "Figure 2, step 2: the entry at prev_log_index is of another term (§5.3)."
    return "The log has the entry that comes before, index and term: accept (§5.3)."


def _log_rule(before: State, right: Log, found: Log) -> str:
    if found.last_index < right.last_index and right.same_prefix(found, found.last_index):
        if right == before.log:
            return "Delete only what conflicts. A short request may just be an old one (Figure 2, step 3)."
        return "Append every entry that is not in the log yet (Figure 2, step 4)."
    return (
        "If an existing entry conflicts (same index, other term), it goes, and all that follow it (Figure 2, step 3)."
    )


# --- Where to explore from ---------------------------------------------------------------------------


def _conflict(server: type[Server]) -> Cluster:
    """S2 holds entries of term 2 that the leader of term 4 does not."""
    cluster = stages.log_conflict()
    cluster.swap(server)
    return cluster


def _repeated(server: type[Server]) -> Cluster:
    """A request with one entry is on its way twice, when the leader has a second entry to send."""
    cluster = Cluster(3, seed=1)
    Stage(cluster).elect("S1", "S2")
    cluster.drop("S1", "S3", "RequestVote")
    cluster.drop("S1", "S3")
    first = cluster.messages[0]
    cluster.duplicate(first)
    Stage(cluster).ask("S1", "S2")
    cluster.propose("set x 1", "S1")
    cluster.drop("S1", "S3")
    cluster.swap(server)
    return cluster


APPEND_ENTRIES = Exercise(
    ("on_append_entries", "store_entries", "log_matches", "conflicts", "known_match"),
    first_difference(_small_requests, _compare),
    one_difference(AppendEntries, _compare),
    (
        (_conflict, Bounds(term=4, states=3_000)),
        (lambda server: Cluster(3, server=server), Bounds(term=1, commands=1, messages=4, states=3_000)),
        (_repeated, Bounds(term=1, states=3_000)),
    ),
)
