"""What must hold in every run of Raft, each as one sentence and one question.

An invariant says at what it looks (its scope), so that after an action only those are asked which the action
can have changed:

- "server": the state of one server;
- "history": the state of one server, and what has happened before (the ghosts);
- "pair": the states of two servers;
- "step": one server before and after an action, with what it sent and answered;
- "whole": such a step, and the whole world after it.

Each is asked with values only, so that a search can remember the answers.

An invariant answers with None if it holds, else with the reason in words.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from raft_lab.raft.clients import ANSWERED
from raft_lab.raft.log import Command, Log
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import Message, PreVote, PreVoteReply
from raft_lab.raft.server import Server
from raft_lab.raft.state import Answer, Applied, Candidate, Disk, Follower, Leader, PreCandidate, ReadDone, State
from raft_lab.sim.actions import Action, Crash, Read, Restart
from raft_lab.sim.tape import Violation
from raft_lab.sim.world import Behaviour, Ghosts, Transition, World


@dataclass(frozen=True, slots=True)
class Invariant:
    """A rule that every run obeys.

    Attributes:
        name: as the paper or the field calls it.
        scope: "server", "history", "pair", "step" or "whole".
        section: where it is stated.
        statement: the rule in one sentence.
        ask: the question; its arguments depend on the scope.
        matters: of the steps, those which can break it; for "whole".
    """

    name: str
    scope: str
    section: str
    statement: str
    ask: Callable[..., str | None]
    matters: Callable[[Change], bool] = lambda _: True


@dataclass(frozen=True, slots=True)
class Change:
    """What invariants of a step look at: a server `old` and `new`, what it did, and the ghosts after it."""

    old: State
    new: State
    ghosts: Ghosts
    action: Action
    behaviour: Behaviour
    sent: tuple[Message, ...] = ()
    answers: tuple[Answer, ...] = ()


INVARIANTS: list[Invariant] = []


def _invariant(
    name: str, scope: str, section: str, matters: Callable[[Change], bool] = lambda _: True
) -> Callable[[Callable[..., str | None]], Any]:
    def register(ask: Callable[..., str | None]) -> Callable[..., str | None]:
        INVARIANTS.append(Invariant(name, scope, section, " ".join((ask.__doc__ or "").split()), ask, matters))
        return ask

    return register


# --- Of one server ----------------------------------------------------------------------------------


@_invariant("Election Safety", "history", "Figure 3, §5.2")
def election_safety(s: State, ghosts: Ghosts) -> str | None:
    """At most one server ever leads a given term."""
    first = ghosts.leader_of.get(s.current_term)
    if s.is_leader and first != s.id:
        return f"{first} and {s.id} have both become leader of term {s.current_term}."
    return None


@_invariant("One Vote", "history", "§5.2")
def one_vote(s: State, ghosts: Ghosts) -> str | None:
    """A server votes for at most one candidate in a term, also if it crashes in between."""
    first = ghosts.votes.get((s.id, s.current_term), s.voted_for)
    if s.voted_for is not None and first != s.voted_for:
        return f"In term {s.current_term}, {s.id} has voted for {first} and then for {s.voted_for}."
    return None


_RECENT = 2 * Server.max_entries_per_message
"""A step appends fewer entries than this; those before them were looked at when they came."""


@_invariant("Log Terms", "server", "§5.3")
def log_terms(s: State) -> str | None:
    """Terms never fall along a log, and none is above the server's own term."""
    term = s.current_term
    newest_first = s.log.after(max(s.log.first_index - 1, s.log.last_index - _RECENT))[::-1]

    for entry in newest_first:
        if entry.term > term:
            return f"{s.id}'s log has an entry of term {entry.term} before or above one of term {term}."
        term = entry.term
    if newest_first and len(newest_first) == len(s.log) and term < s.log.snapshot.last_included_term:
        return f"{s.id}'s log goes on with term {term} after a snapshot of term {s.log.snapshot.last_included_term}."
    return None


@_invariant("Index Order", "server", "Figure 2")
def index_order(s: State) -> str | None:
    """A server's lastApplied <= commitIndex <= last index of the log."""
    if not s.log.snapshot.last_included_index <= s.last_applied <= s.commit_index <= s.log.last_index:
        return (
            f"{s.id} has lastApplied {s.last_applied}, commitIndex {s.commit_index} and a log up to {s.log.last_index}."
        )
    return None


@_invariant("State Machine Safety", "history", "Figure 3, §5.4.3")
def state_machine_safety(s: State, ghosts: Ghosts) -> str | None:
    """No two servers ever commit or apply different entries at the same index."""
    committed = ghosts.committed
    reach = min(s.commit_index, s.log.last_index, committed.last_index)
    if reach > s.log.snapshot.last_included_index and not s.log.same_prefix(committed, reach):
        index = next(i for i in range(s.log.first_index, reach + 1) if s.log.entry(i) != committed.entry(i))
        mine, first = s.log.entry(index), committed.entry(index)
        return f"At index {index}, {s.id} has committed {mine}; {first} was committed before."
    return None


@_invariant("Leader Completeness", "history", "Figure 3, §5.4")
def leader_completeness(s: State, ghosts: Ghosts) -> str | None:
    """A leader holds every entry that was committed in its own term or an earlier one."""
    if not s.is_leader:
        return None
    committed = ghosts.committed
    reach = ghosts.committed_by_term(s.current_term)
    if reach <= max(s.log.snapshot.last_included_index, committed.snapshot.last_included_index):
        return None
    if s.log.last_index < reach or not s.log.same_prefix(committed, reach):
        missing = next(
            i
            for i in range(s.log.first_index, reach + 1)
            if i > s.log.last_index or s.log.entry(i) != committed.entry(i)
        )
        return f"{s.id} leads term {s.current_term} without {committed.entry(missing)}, committed at index {missing}."
    return None


@_invariant("State Is the Fold", "history", "§5.3, §8; dissertation 6.3")
def state_is_the_fold(s: State, ghosts: Ghosts) -> str | None:
    """A state machine is what the committed entries make of it, in order, each client's command once."""
    known = ghosts.committed.snapshot.last_included_index <= s.last_applied <= ghosts.committed.last_index
    if known and s.machine != ghosts.machine(s.last_applied):
        return f"{s.id} has applied {s.last_applied} entries, but its state is not what they make of it."
    return None


@_invariant("Snapshot Is the Prefix", "history", "§7")
def snapshot_is_the_prefix(s: State, ghosts: Ghosts) -> str | None:
    """A snapshot holds what the committed entries up to its index make: last term, configuration, state, sessions."""
    base, committed = s.log.snapshot, ghosts.committed
    index = base.last_included_index
    if index <= committed.snapshot.last_included_index:
        return None
    if index > committed.last_index:
        return f"{s.id}'s snapshot reaches to entry {index}, but only {committed.last_index} are committed."
    if base.last_included_term != committed.term(index):
        return (
            f"{s.id}'s snapshot ends with term {base.last_included_term}, entry {index} is of {committed.term(index)}."
        )
    if base.configuration != committed.configuration_at(index):
        return f"{s.id}'s snapshot up to {index} has the configuration {base.configuration}."
    if base.machine != ghosts.machine(index):
        return f"{s.id}'s snapshot up to {index} does not hold what those entries make."
    return None


@_invariant("Configuration in Use", "server", "§6; dissertation 4.1")
def configuration_in_use(s: State) -> str | None:
    """A server uses the latest configuration in its log, committed or not, else its snapshot's."""
    configuration = s.log.snapshot.configuration
    if len(s.log) > 128:
        return None
    for _, entry in s.log:
        if isinstance(entry.value, Configuration):
            configuration = entry.value
    return None if configuration == s.configuration else f"{s.id} uses {s.configuration} instead of {configuration}."


@_invariant("Removed Leader Goes", "server", "dissertation 4.2.2")
def removed_leader_goes(s: State) -> str | None:
    """A leader that has committed a configuration without itself leads no longer."""
    now = s.configuration
    if s.is_leader and s.log.configuration_index <= s.commit_index and not now.is_joint and not now.is_voter(s.id):
        return f"{s.id} still leads term {s.current_term}, but it has committed {now}, to which it does not belong."
    return None


# --- Of two servers ---------------------------------------------------------------------------------


@_invariant("Log Matching", "pair", "Figure 3, §5.3")
def log_matching(a: State, b: State) -> str | None:
    """Two logs with an entry of the same index and term are the same up to that entry."""
    low = max(a.log.first_index, b.log.first_index)
    index = min(a.log.last_index, b.log.last_index)
    while index >= low and a.log.term(index) != b.log.term(index):
        index -= 1
    if index >= low and not a.log.same_prefix(b.log, index):
        other = next(i for i in range(low, index + 1) if a.log.entry(i) != b.log.entry(i))
        return (
            f"{a.id} and {b.id} both have an entry {index} of term {a.log.term(index)}, "
            f"but differ at {other}: {a.log.entry(other)} and {b.log.entry(other)}."
        )
    return None


@_invariant("Leader Owns Its Term", "pair", "§5.2, §5.3")
def leader_owns_its_term(a: State, b: State) -> str | None:
    """No log has later entries of a term than the log of that term's leader."""
    for leader, other in ((a, b), (b, a)):
        if leader.is_leader and other.log.last_term >= leader.current_term:
            theirs = other.log.last_index_of_term(leader.current_term)
            if theirs > leader.log.last_index and other.log.term(theirs) == leader.current_term:
                return (
                    f"{other.id} has an entry {theirs} of term {leader.current_term}, but the log of "
                    f"{leader.id}, who leads that term, ends at {leader.log.last_index}."
                )
    return None


@_invariant("Progress Is True", "pair", "Figure 2")
def progress_is_true(a: State, b: State) -> str | None:
    """What a leader believes of a follower's log of its term is so: it matches up to matchIndex < nextIndex."""
    for leader, follower in ((a, b), (b, a)):
        if not isinstance(leader.role, Leader) or leader.current_term != follower.current_term:
            continue
        known = leader.role.progress.get(follower.id)
        if known is None:
            continue
        if known.match_index >= known.next_index:
            return f"{leader.id} has matchIndex {known.match_index} and nextIndex {known.next_index} for {follower.id}."
        reach = known.match_index
        short = reach > min(follower.durable_index, leader.log.last_index)
        if short or (reach and not leader.log.same_prefix(follower.log, reach)):
            return f"{leader.id} takes {follower.id}'s log to match its own up to {reach}, but it does not."
    return None


# --- Of a step --------------------------------------------------------------------------------------


@_invariant("Terms Only Grow", "step", "§5.1")
def terms_only_grow(c: Change) -> str | None:
    """A server's current term never goes back, not even over a crash."""
    if c.new.current_term < (
        c.old.disk.current_term if c.old.disk and isinstance(c.action, Crash) else c.old.current_term
    ):
        return f"{c.new.id} went back from term {c.old.current_term} to {c.new.current_term}."
    return None


@_invariant("Votes Stay", "step", "§5.2")
def votes_stay(c: Change) -> str | None:
    """Within a term, a vote once given is never taken back."""
    if isinstance(c.action, Crash) and c.old.disk is not None:
        return None  # what had not reached the disk was never given
    if c.new.current_term == c.old.current_term and c.old.voted_for is not None and c.new.voted_for != c.old.voted_for:
        became = f"changed it to {c.new.voted_for}" if c.new.voted_for else "forgot it"
        return f"In term {c.new.current_term}, {c.new.id} had voted for {c.old.voted_for} and {became}."
    return None


def _has_vote(world: World, voter: str, term: int, candidate: str) -> bool:
    """Whether `voter` can vote for no one else in `term` any more, crash or not."""
    disk = world.servers[voter].disk if voter in world.servers else None
    on_disk = disk is None or disk.current_term > term or (disk.current_term, disk.voted_for) == (term, candidate)
    return on_disk and world.ghosts.votes.get((voter, term)) == candidate


@_invariant("Votes Are Real", "whole", "§5.2, Figure 2", lambda c: isinstance(c.new.role, Candidate))
def votes_are_real(c: Change, after: World) -> str | None:
    """Every vote that a candidate counts was given to it, in its term, and is on the voter's disk."""
    if isinstance(c.new.role, Candidate):
        for voter in sorted(c.new.role.votes):
            if not _has_vote(after, voter, c.new.current_term, c.new.id):
                given_to = after.ghosts.votes.get((voter, c.new.current_term))
                what = f"voted for {given_to}" if given_to else "has voted for no one"
                what = "does not have it on disk yet" if given_to == c.new.id else f"{what} in that term"
                return f"{c.new.id} counts a vote by {voter} in term {c.new.current_term}, but {voter} {what}."
    return None


def _comes_to_lead(c: Change) -> bool:
    return c.new.is_leader and not (c.old.is_leader and c.old.current_term == c.new.current_term)


@_invariant("Elected by a Majority", "whole", "§5.2", _comes_to_lead)
def elected_by_a_majority(c: Change, after: World) -> str | None:
    """Whoever becomes leader of a term has the votes of a quorum in that term."""
    term = c.new.current_term
    voters = [name for name in after.servers if _has_vote(after, name, term, c.new.id)]
    if not c.new.configuration.has_quorum(voters):
        return f"{c.new.id} leads term {term} with the votes of {', '.join(voters) or 'no one'} only."
    return None


@_invariant("Leader Append-Only", "step", "Figure 3, §5.3")
def leader_append_only(c: Change) -> str | None:
    """A leader never deletes or overwrites entries of its own log; it only appends."""
    same_reign = c.old.is_leader and c.new.is_leader and c.old.current_term == c.new.current_term
    if same_reign and (
        c.new.log.last_index < c.old.log.last_index or not c.new.log.same_prefix(c.old.log, c.old.log.last_index)
    ):
        return f"{c.new.id}, leader of term {c.new.current_term}, changed entries that its log already held."
    return None


@_invariant("Committed Stays", "step", "§5.4.3")
def committed_stays(c: Change) -> str | None:
    """A running server's commitIndex and lastApplied never go back, and what is committed stays in its log."""
    if isinstance(c.action, (Crash, Restart)):
        return None
    if c.new.commit_index < c.old.commit_index:
        return f"{c.new.id}'s commitIndex went back from {c.old.commit_index} to {c.new.commit_index}."
    if c.new.last_applied < c.old.last_applied:
        return f"{c.new.id}'s lastApplied went back from {c.old.last_applied} to {c.new.last_applied}."
    reach = min(c.old.commit_index, c.old.log.last_index)
    if reach and (c.new.log.last_index < reach or not c.new.log.same_prefix(c.old.log, reach)):
        return f"{c.new.id} changed entries up to {reach} that it knew to be committed."
    return None


@_invariant("Commit Rule", "whole", "§5.3, §5.4.2", lambda c: c.new.commit_index > c.old.commit_index)
def commit_rule(c: Change, after: World) -> str | None:
    """A leader commits an entry only if it is of its own term and a quorum stores it."""
    n = c.new.commit_index
    if not c.new.is_leader or n <= c.old.commit_index or n > c.new.log.last_index:
        return None
    if c.new.log.term(n) != c.new.current_term:
        return f"{c.new.id}, leading term {c.new.current_term}, committed entry {n} of term {c.new.log.term(n)}."
    governing = [(n, c.new.configuration)]
    if c.old.commit_index < c.old.log.configuration_index <= n:  # it governed up to itself, whatever followed at once
        governing.append((c.old.log.configuration_index, c.old.configuration))
    for index, configuration in governing:
        holders = [
            s.id for s in after.servers.values() if s.durable_index >= index and s.log.same_prefix(c.new.log, index)
        ]
        if not configuration.has_quorum(holders):
            who = ", ".join(holders) or "nobody"
            return f"{c.new.id} committed entry {index}, but only {who} stored it: no quorum of {configuration}."
    return None


@_invariant("Role Moves", "step", "Figure 4")
def role_moves(c: Change) -> str | None:
    """A follower leads only by way of a candidacy; a leader becomes nothing but a follower."""
    if isinstance(c.old.role, Leader) and isinstance(c.new.role, Candidate | PreCandidate):
        return f"{c.new.id} went from leader to candidate."
    if c.old.is_leader and c.new.is_leader and c.old.current_term != c.new.current_term:
        return f"{c.new.id} went from leader of term {c.old.current_term} to leader of term {c.new.current_term}."
    if isinstance(c.old.role, Follower) and c.new.is_leader and c.new.current_term == c.old.current_term:
        return f"{c.new.id} became leader of term {c.new.current_term} without having been a candidate in it."
    return None


@_invariant("Match Only Grows", "step", "Figure 2")
def match_only_grows(c: Change) -> str | None:
    """Within a term, a leader's matchIndex for a follower never goes back."""
    if isinstance(c.old.role, Leader) and isinstance(c.new.role, Leader) and c.old.current_term == c.new.current_term:
        for peer, known in c.new.role.progress.items():
            was = c.old.role.progress.get(peer)
            if was is not None and known.match_index < was.match_index:
                return f"{c.new.id}'s matchIndex for {peer} went back from {was.match_index} to {known.match_index}."
    return None


@_invariant("Crash Keeps the Disk", "step", "Figure 2")
def crash_keeps_the_disk(c: Change) -> str | None:
    """A crash and a restart keep the current term, the vote and the log, and nothing else."""
    if isinstance(c.action, (Crash, Restart)):
        disk = c.old.disk or Disk(c.old.current_term, c.old.voted_for, c.old.log)
        if disk != Disk(c.new.current_term, c.new.voted_for, c.new.log):
            return f"{c.new.id} did not come back with the term, vote and log that it had."
        if isinstance(c.action, Crash) and (
            c.new.is_leader or c.new.commit_index > c.new.log.snapshot.last_included_index
        ):
            return f"{c.new.id} remembers more than what was on its disk."
    return None


@_invariant("Message Terms", "step", "§5.1")
def message_terms(c: Change) -> str | None:
    """No message carries a term that its sender has not reached; only pre-votes speak of a term to come."""
    for m in c.sent:
        if isinstance(m, PreVoteReply) and m.vote_granted:
            continue
        if m.src == c.new.id and m.term > c.new.current_term + isinstance(m, PreVote):
            return f"{m.src}, in term {c.new.current_term}, has sent a {type(m).__name__} of term {m.term}."
    return None


def _votes_or_writes(c: Change) -> bool:
    return (c.new.current_term, c.new.voted_for, type(c.new.role)) != (
        c.old.current_term,
        c.old.voted_for,
        type(c.old.role),
    ) or c.new.log is not c.old.log


@_invariant("Candidate's Term Is Unused", "whole", "§5.2", _votes_or_writes)
def candidates_term_is_unused(_: Change, after: World) -> str | None:
    """While a candidate can still win its term, no log has an entry of that term."""
    for s in after.servers.values():
        if not isinstance(s.role, Candidate) or s.id in after.crashed:
            continue
        term = s.current_term
        voters = [name for name in after.servers if after.ghosts.votes.get((name, term)) == s.id]
        if not s.configuration.has_quorum(voters):
            continue
        for other in after.servers.values():
            index = other.log.last_index_of_term(term)
            if index >= other.log.first_index and other.log.term(index) == term:
                return f"{other.id} has an entry {index} of term {term}, which {s.id} can still win."
    return None


def _writes_or_commits(c: Change) -> bool:
    return c.new.log is not c.old.log or c.new.disk is not c.old.disk or c.new.commit_index != c.old.commit_index


@_invariant("A Quorum Has It", "whole", "§5.3, §5.4", _writes_or_commits)
def a_quorum_has_it(_: Change, after: World) -> str | None:
    """Every quorum has a server that stores all that is committed."""
    committed = after.ghosts.committed
    n = committed.last_index
    lacking = [s.id for s in after.servers.values() if s.durable_index < n or not s.log.same_prefix(committed, n)]
    if n and committed.configuration.has_quorum(lacking):
        return f"{', '.join(lacking)} are a quorum without the committed entry {n}."
    return None


def _new_configuration(c: Change) -> tuple[int, Configuration, Configuration] | None:
    """If a leader has just appended a configuration: its index, the one before it, and itself."""
    if not c.new.is_leader or not c.old.is_leader or c.old.current_term != c.new.current_term:
        return None
    index = c.new.log.configuration_index
    if index <= c.old.log.last_index:
        return None
    return index, c.new.log.configuration_at(index - 1), c.new.log.configuration


@_invariant("One Change at a Time", "step", "dissertation 4.1, 4.3")
def one_change_at_a_time(c: Change) -> str | None:
    """A leader appends a configuration only when the one before is committed; C_new follows C_old,new, nothing else."""
    if (found := _new_configuration(c)) is None:
        return None
    index, previous, new = found
    if c.old.log.configuration_index > c.new.commit_index:
        return f"{c.new.id} appended {new} at {index} while entry {c.old.log.configuration_index} was not committed."
    if previous.is_joint and (new.is_joint or new.voters != previous.voters):
        return f"{c.new.id} appended {new} at {index}, though the joint {previous} leads to another configuration."
    return None


@_invariant("Configurations Overlap", "step", "§6; dissertation 4.1")
def configurations_overlap(c: Change) -> str | None:
    """Each quorum of a configuration meets each quorum of the next one."""
    if (found := _new_configuration(c)) is None:
        return None
    index, previous, new = found
    joined = new.old == previous.voters or (previous.is_joint and new.voters == previous.voters)
    if not joined and len(new.voters ^ previous.voters) > 1:
        return f"Entry {index} of {c.new.id} goes from {previous} to {new} at once; they have disjoint majorities."
    return None


@_invariant("Own Commit Before Change", "step", "dissertation 4.1; raft-dev, July 2015")
def own_commit_before_change(c: Change) -> str | None:
    """A leader changes a single voter only after it has committed an entry of its own term."""
    if (found := _new_configuration(c)) is None:
        return None
    index, previous, new = found
    single = not new.is_joint and not previous.is_joint and new.voters != previous.voters
    if single and c.old.log.term(c.old.commit_index) != c.new.current_term:
        return f"{c.new.id} appended {new} at {index} before it had committed an entry of term {c.new.current_term}."
    return None


@_invariant("Fresh Reads", "step", "§8; dissertation 6.4")
def fresh_reads(c: Change) -> str | None:
    """A strong read shows the state as of an entry, and all that was committed anywhere when it was asked for."""
    ghosts = c.ghosts
    for answer in c.answers:
        if not isinstance(answer, ReadDone) or answer.id not in ghosts.reads:
            continue
        if answer.index < ghosts.reads[answer.id]:
            missed = ghosts.reads[answer.id]
            return f"{c.new.id} answered a read as of entry {answer.index}; {missed} were committed when it came."
        if answer.index > ghosts.committed.last_index or answer.data != ghosts.machine(answer.index).data:
            return f"{c.new.id} answered a read as of entry {answer.index} with another state than that."
    return None


def _first_time(committed: Log, index: int) -> int | None:
    """Where the command of a session stands that was sent again at `index`."""
    again = committed.entry(index).value
    if not isinstance(again, Command) or not again.client:
        return None
    for earlier in range(committed.first_index, index):
        one = committed.entry(earlier).value
        if isinstance(one, Command) and (one.client, one.seq) == (again.client, again.seq):
            return earlier
    return None


@_invariant("Stored Reply", "step", "§8; dissertation 6.3")
def stored_reply(c: Change) -> str | None:
    """A command is answered once it is committed, with what it gave when it was applied; sent again, with the same."""
    ghosts = c.ghosts
    for answer in c.answers:
        if isinstance(answer, Applied) and answer.index > ghosts.committed.snapshot.last_included_index:
            if answer.index > ghosts.committed.last_index:
                return f"{c.new.id} answered entry {answer.index}, which nobody has committed."
            due = ghosts.reply(answer.index, c.behaviour)
            if answer.reply != due and due != ANSWERED:  # whoever has had its answer may be told anything
                said = f"{c.new.id} answered entry {answer.index} with {answer.reply!r}"
                if first := _first_time(ghosts.committed, answer.index):
                    return f"{said}; it is the command of entry {first} once more, which gave {due!r}."
                return f"{said}; it gives {due!r}."
    return None


def _reads_by_lease(c: Change) -> bool:
    return isinstance(c.action, Read) and c.action.how == "lease" and any(isinstance(a, ReadDone) for a in c.answers)


@_invariant("Lease", "whole", "dissertation 6.4.1", _reads_by_lease)
def lease(c: Change, after: World) -> str | None:
    """While a leader answers reads by its lease, no other server leads a later term."""
    later = [s.id for s in after.servers.values() if s.is_leader and s.current_term > c.new.current_term]
    if later:
        return f"{c.new.id} trusts its lease of term {c.new.current_term}, while {later[0]} leads a later term."
    return None


# --- Asking them ------------------------------------------------------------------------------------


def of_scope(scope: str, invariants: Iterable[Invariant] = INVARIANTS) -> tuple[Invariant, ...]:
    """Those of `invariants` that look at just this."""
    return tuple(invariant for invariant in invariants if invariant.scope == scope)


_OF_SERVER, _OF_HISTORY, _OF_PAIR = of_scope("server"), of_scope("history"), of_scope("pair")


def broken_by(before: World, action: Action, done: Transition) -> list[Violation]:
    """The invariants that `action` has broken, asking only what it can have changed."""
    after = done.world
    if after.servers is before.servers and after.network is before.network and not done.answers:
        return []
    found = []
    changed = [s for s in after.servers.values() if s is not before.servers.get(s.id)]
    acted = action.actor in after.servers and (done.sent or done.answers)
    touched = changed or ([after.servers[action.actor]] if acted else [])
    for new in touched:
        if new.id in before.servers:
            change = Change(before.servers[new.id], new, after.ghosts, action, after.behaviour, done.sent, done.answers)
            for invariant in INVARIANTS:
                if invariant.scope == "step":
                    found += _ask([invariant], change)
                elif invariant.scope == "whole" and invariant.matters(change):
                    found += _ask([invariant], change, after)
    for new in changed:
        found += _ask(_OF_SERVER, new)
        for other in after.servers.values():
            if other is not new:
                found += _ask(_OF_PAIR, new, other)
    told = changed if after.ghosts.committed is before.ghosts.committed else after.servers.values()
    for one in told:
        found += _ask(_OF_HISTORY, one, after.ghosts)
    return found


def broken_in(world: World) -> list[Violation]:
    """The invariants, other than those of a step, that do not hold in `world`."""
    found = []
    servers = list(world.servers.values())
    for number, one in enumerate(servers):
        found += _ask(_OF_SERVER, one)
        found += _ask(_OF_HISTORY, one, world.ghosts)
        for other in servers[number + 1 :]:
            found += _ask(_OF_PAIR, one, other)
    return found


def _ask(invariants: Iterable[Invariant], *about: Any) -> list[Violation]:
    return [Violation(i.name, reason) for i in invariants if (reason := i.ask(*about)) is not None]
