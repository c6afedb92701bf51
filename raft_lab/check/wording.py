"""Situations in words, for whoever reads a verdict; and the rule that decides each of them."""

from __future__ import annotations

from raft_lab.check.standing import Crash, Situation
from raft_lab.raft.log import Log
from raft_lab.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    InstallSnapshot,
    InstallSnapshotReply,
    PreVote,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
)
from raft_lab.raft.state import (
    Candidate,
    ChangeConfiguration,
    ClientRequest,
    Compact,
    DiskWritten,
    ElectionTimeout,
    Follower,
    HeartbeatTimeout,
    Leader,
    PreCandidate,
    QuorumTimeout,
    ReadRequest,
    Receive,
    Restart,
    Role,
    Silence,
    State,
    TransferLeadership,
)


def situation_in_words(situation: Situation) -> str:
    """Who stands how, and what happens, in two sentences."""
    state, event = situation.state, situation.event
    message = event.message if isinstance(event, Receive) else None
    if isinstance(message, RequestVote | PreVote):
        return f"{_voter_in_words(state)} {_event_in_words(situation)}"
    return f"{_state_in_words(state)} {_event_in_words(situation)}"


def log_in_words(log: Log) -> str:
    """A log by the terms of its entries: `[1 1 2]`; what a snapshot covers is `snapshot 3 (term 2)`."""
    kept = log.after(log.last_index - 12) if len(log) > 12 else log.after(log.snapshot.last_included_index)
    shown = "[" + ("… " if len(log) > 12 else "") + " ".join(str(entry.term) for entry in kept) + "]"
    base = log.snapshot
    if not base.last_included_index:
        return shown if len(log) else "empty"
    return f"snapshot {base.last_included_index} (term {base.last_included_term}) {shown if len(log) else ''}".strip()


def role_in_words(role: Role) -> str:
    """What a server is."""
    match role:
        case Follower():
            return "a follower"
        case Candidate(votes):
            return f"a candidate with the votes of {', '.join(sorted(votes)) or 'nobody'}"
        case PreCandidate(votes):
            return f"a pre-candidate with the assent of {', '.join(sorted(votes)) or 'nobody'}"
        case Leader():
            return "the leader"


def _voter_in_words(state: State) -> str:
    role = {Follower: "a follower", Candidate: "a candidate", PreCandidate: "a pre-candidate"}
    vote = f"it has voted for {state.voted_for}" if state.voted_for else "it has not voted"
    last = f"its log ends with entry {state.log.last_index} of term {state.log.last_term}"
    ends = last if state.log.last_index else "its log is empty"
    return f"{state.id} is {role.get(type(state.role), 'the leader')} in term {state.current_term}, {vote}, {ends}."


def _state_in_words(state: State) -> str:
    parts = [f"{state.id} is {role_in_words(state.role)} in term {state.current_term}"]
    parts.append(f"its log is {log_in_words(state.log)}" if state.log.last_index else "its log is empty")
    if state.commit_index > state.log.snapshot.last_included_index:
        parts.append(f"commitIndex is {state.commit_index}")
    if state.voted_for not in (None, state.id):
        parts.append(f"it has voted for {state.voted_for}")
    if state.configuration.is_joint or state.configuration.learners or len(state.configuration.voters) != 3:
        parts.append(f"the configuration is {state.configuration}")
    if isinstance(state.role, Leader):
        known = ", ".join(f"{peer} {p.next_index}/{p.match_index}" for peer, p in sorted(state.role.progress.items()))
        parts.append(f"nextIndex/matchIndex of the others are {known}" if known else "it is alone")
        if state.role.transferee:
            parts.append(f"it is handing over to {state.role.transferee}")
    return ", ".join(parts) + "."


def _event_in_words(situation: Situation) -> str:
    name, event = situation.state.id, situation.event
    match event:
        case Crash():
            return f"{name} crashes."
        case Receive(message):
            return _message_in_words(message)
        case ElectionTimeout():
            return "Its election timer runs out."
        case HeartbeatTimeout():
            return "It is time for heartbeats."
        case ClientRequest(op):
            return f"A client asks for {op.strip()!r}."
        case ReadRequest(_, how):
            return f"A client reads ({how})."
        case ChangeConfiguration(voters):
            return f"An administrator asks for the voters {', '.join(sorted(voters)) or '(none)'}."
        case TransferLeadership(to):
            return f"An administrator asks it to hand over to {to}."
        case Compact():
            return "Its log is to be compacted."
        case Silence():
            return "The shortest election timeout passes without a word from a leader."
        case QuorumTimeout():
            heard = sorted(situation.state.role.in_touch) if isinstance(situation.state.role, Leader) else []
            return f"A whole election timeout has passed; in it {', '.join(heard) or 'nobody'} answered."
        case DiskWritten():
            return "All that waited is on its disk now."
        case Restart():
            return "It starts again after a crash."
        case _:
            return f"{type(event).__name__} happens."


def _message_in_words(m: object) -> str:
    match m:
        case RequestVote() | PreVote():
            asked = "asks for its vote" if isinstance(m, RequestVote) else "asks whether it would vote for it"
            if not m.last_log_index:
                return f"{m.src} {asked} in term {m.term}, with an empty log."
            return f"{m.src} {asked} in term {m.term}, with a log that ends with entry {m.last_log_index} of term " + (
                f"{m.last_log_term}."
            )
        case RequestVoteReply() | PreVoteReply():
            said = "grants" if m.vote_granted else "refuses"
            what = "its vote" if isinstance(m, RequestVoteReply) else "its pre-vote"
            return f"{m.src} {said} {what} in term {m.term}."
        case AppendEntries():
            terms = " ".join(str(e.term) for e in m.entries)
            what = f"entries of terms {terms}" if len(m.entries) > 1 else f"an entry of term {terms}"
            what = what if m.entries else "no entries"
            place = f"entry {m.prev_log_index} of term {m.prev_log_term}" if m.prev_log_index else "the beginning"
            return f"{m.src}, leader of term {m.term}, sends {what} to follow {place}, with leaderCommit " + (
                f"{m.leader_commit}."
            )
        case AppendEntriesReply():
            if m.success:
                return f"{m.src} answers from term {m.term}: its log matches up to {m.match_index}."
            hint = f", try from {m.conflict_index}" if m.conflict_index else ""
            return f"{m.src} answers from term {m.term}: no match at {m.prev_log_index}{hint}."
        case InstallSnapshot():
            base = m.snapshot
            return f"{m.src}, leader of term {m.term}, sends its snapshot up to entry " + (
                f"{base.last_included_index} of term {base.last_included_term}."
            )
        case InstallSnapshotReply():
            return f"{m.src} answers from term {m.term}: its log matches up to {m.match_index}."
        case _:
            return f"{type(m).__name__} of term {getattr(m, 'term', '?')} arrives from {getattr(m, 'src', '?')}."
