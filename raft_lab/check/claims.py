"""What a handler must do as Raft says, and where it is free: one row for each thing that a step changes or sends.

| about | a must | free |
|---|---|---|
| vote | one answer, granted or not as the rule says, with the own term | an old request may stay unanswered |
| term and vote | equal | |
| role | equal, with the votes that are counted | who leads may be unknown; a candidate that counts refusals may \
give up |
| log | equal | to compact with an old snapshot that arrives |
| commit | commitIndex and lastApplied equal | |
| state machine | what the applied entries make of it | |
| answer | success as the rule says, the own term, the index up to which the logs match | an old request may stay \
unanswered; a higher match, as far as it is committed; after a refusal any hint that leads back, or none |
| progress | matchIndex equal; nextIndex above it, in the log, and lower after a refusal | how far it goes back; to \
count on entries that are on their way; to go back for an old refusal |
| campaign | each other voter is asked, with the own last index and term | asking others too |
| sending | whatever is sent is true of the sender's log, term and commitIndex | when to send, how much at a time, a \
lower commitIndex, a heartbeat in between |
| heartbeat | every other member hears from a new leader, and at each heartbeat | |
| clients | the same is accepted, refused, applied and read | the reason; naming no leader; what a repeated command is \
told whose answer has arrived long ago |
| reads | a read waits for a round that begins after it; an answer names its round | numbering more rounds; \
noting the read index only when it is asked for; letting leases be |
| timer | the election timer starts anew on hearing the leader, granting a vote and campaigning, and only then | |
| notes | what serves transfers, leases and learners: equal | |

Rows are asked in this order; those from "reads" on only count if nothing else differs anywhere ("late").
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from raft_lab.check.standing import Crash, Situation
from raft_lab.check.wording import log_in_words, role_in_words
from raft_lab.raft.clients import ANSWERED
from raft_lab.raft.machine import Session
from raft_lab.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    InstallSnapshot,
    InstallSnapshotReply,
    Message,
    PreVote,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
    TimeoutNow,
)
from raft_lab.raft.state import (
    Accepted,
    Applied,
    Candidate,
    Follower,
    HeartbeatTimeout,
    Leader,
    Outcome,
    PreCandidate,
    ReadDone,
    Receive,
    Rejected,
    State,
)
from raft_lab.raft.values import FrozenMap


@dataclass(frozen=True, slots=True)
class Case:
    """One situation, what Raft makes of it, and what another class does."""

    situation: Situation
    right: Outcome
    found: Outcome

    @property
    def before(self) -> State:
        """The server as it stood."""
        return self.situation.state

    @property
    def message(self) -> Any:
        """The message that arrives, or None."""
        return self.situation.event.message if isinstance(self.situation.event, Receive) else None

    @property
    def is_stale(self) -> bool:
        """Whether a message of a term that is over arrives."""
        return self.message is not None and self.message.term < self.before.current_term


Contrast = tuple[str, str]
"""What is expected, and what was found, as the two halves of one sentence."""


@dataclass(frozen=True, slots=True)
class Claim:
    """One row of the table."""

    about: str
    judge: Callable[[Case], Contrast | None]
    late: bool = False


# --- Votes ------------------------------------------------------------------------------------------


def vote(c: Case) -> Contrast | None:
    """Whoever asks for a vote gets one answer."""
    m = c.message
    if not isinstance(m, RequestVote | PreVote):
        return None
    answers = [a for a in c.found.messages if isinstance(a, RequestVoteReply | PreVoteReply) and a.dst == m.src]
    if c.is_stale and not c.found.messages:
        return None
    right = next((a for a in c.right.messages if isinstance(a, RequestVoteReply | PreVoteReply)), None)
    if right is None:  # leader stickiness: it is not even heard
        return ("It is ignored;", "yours answers.") if answers else None
    if len(answers) != 1 or len(c.found.messages) != 1 or type(answers[0]) is not type(right):
        count = len(c.found.messages)
        said = "sends nothing" if not count else "sends something else" if count == 1 else f"sends {count} messages"
        return f"One answer goes back to {m.src}, yes or no;", f"yours {said}."
    if answers[0].vote_granted != right.vote_granted:
        verb = {True: "grants", False: "refuses"}
        return f"The rule {verb[right.vote_granted]} the vote;", f"yours {verb[not right.vote_granted]} it."
    if answers[0].term != right.term:
        whose = "the term that was asked for" if right.term != c.right.state.current_term else "the current term"
        return f"The answer carries {whose}, {right.term};", f"yours carries {answers[0].term}."
    return None


def term_and_vote(c: Case) -> Contrast | None:
    """The term, and the vote in it."""
    right, found = c.right.state, c.found.state
    if (right.current_term, right.voted_for) == (found.current_term, found.voted_for):
        return None
    return (
        f"Afterwards {right.id} is in term {right.current_term} and its vote is {right.voted_for};",
        f"yours leaves it in term {found.current_term} with vote {found.voted_for}.",
    )


def campaign(c: Case) -> Contrast | None:
    """Each other voter is asked, with the end of the log."""
    kinds = (RequestVote, PreVote)
    wanted = {m for m in c.right.messages if isinstance(m, kinds)}
    asked = {m for m in c.found.messages if isinstance(m, kinds)}
    voters = {m.dst for m in wanted}
    if missing := sorted(str(m.dst) for m in wanted - asked):
        m = next(m for m in wanted if m.dst == missing[0])
        return (
            f"{m.dst} is asked for its vote in term {m.term}, with last entry {m.last_log_index} "
            f"of term {m.last_log_term};",
            "yours does not ask so.",
        )
    if not wanted and asked:
        return "Nobody is asked for a vote;", f"yours asks {min(m.dst for m in asked)}."
    extra = [m for m in asked - wanted if m.dst in voters]
    return ("Each voter is asked once;", f"yours asks {extra[0].dst} twice.") if extra else None


# --- The log and what is committed ------------------------------------------------------------------


def log(c: Case) -> Contrast | None:
    """The log, snapshot included."""
    right, found = c.right.state.log, c.found.state.log
    if right == found or _compacts_more(c):
        return None
    if right.snapshot.last_included_index == found.snapshot.last_included_index and right.snapshot != found.snapshot:
        for what, one, other in (
            ("last term", right.snapshot.last_included_term, found.snapshot.last_included_term),
            ("configuration", right.snapshot.configuration, found.snapshot.configuration),
        ):
            if one != other:
                return f"The snapshot's {what} is {one};", f"yours is {other}."
        return "The snapshot holds the state machine, clients' sessions included;", "yours holds another one."
    if log_in_words(right) == log_in_words(found):
        index = next(i for i in range(right.first_index, right.last_index + 1) if right.entry(i) != found.entry(i))
        return f"Afterwards its entry {index} is {right.entry(index)};", f"yours is {found.entry(index)}."
    return f"Afterwards its log is {log_in_words(right)};", f"yours makes it {log_in_words(found)}."


def _compacts_more(c: Case) -> bool:
    """Whether the log is the same from where both begin, on a committed snapshot that the leader has sent."""
    right, found, m = c.right.state, c.found.state, c.message
    if not isinstance(m, InstallSnapshot) or found.log.snapshot != m.snapshot:
        return False
    if found.log.snapshot.last_included_index > right.commit_index or found.log.last_index != right.log.last_index:
        return False
    return found.log.last_term == right.log.last_term and found.log.same_prefix(right.log, right.log.last_index)


def role(c: Case) -> Contrast | None:
    """Follower, candidate, leader; and whose votes a candidate counts."""
    right, found = c.right.state.role, c.found.state.role
    votes = isinstance(right, Candidate | PreCandidate) and right != found
    if (type(right) is type(found) and not votes) or _knows_that_it_lost(c):
        return None
    return f"Afterwards {c.before.id} is {role_in_words(right)};", f"yours makes it {role_in_words(found)}."


def _knows_that_it_lost(c: Case) -> bool:
    """Whether a candidate that is refused gives up, as etcd's do: it takes fields of its own to count refusals."""
    refused = isinstance(c.message, RequestVoteReply | PreVoteReply) and not c.message.vote_granted
    candidate = isinstance(c.right.state.role, Candidate | PreCandidate)
    return refused and candidate and bool(c.before.extra) and c.found.state.role == Follower()


def commit(c: Case) -> Contrast | None:
    """How much is committed and applied."""
    right, found = c.right.state, c.found.state
    for name, one, other in (
        ("commitIndex", right.commit_index, found.commit_index),
        ("lastApplied", right.last_applied, found.last_applied),
    ):
        if one != other:
            was = right.id + "'s " + name
            return f"Afterwards {was} is {one};", f"yours makes it {other}."
    return None


def state_machine(c: Case) -> Contrast | None:
    """What the applied entries make."""
    right, found = c.right.state.machine, c.found.state.machine
    if right == found:
        return None
    if isinstance(right.data, FrozenMap) and isinstance(found.data, FrozenMap):
        for key in sorted(right.data.keys() | found.data.keys(), key=str):
            one, other = (m.data.get(key, "nothing") for m in (right, found))
            if one != other:
                return f"Afterwards {key} is {one} in the state machine;", f"with yours it is {other}."
    for client in sorted(right.sessions.keys() | found.sessions.keys()):
        one, other = (m.sessions.get(client) for m in (right, found))
        if one != other:
            return f"Afterwards {client}'s session is {_session(one)};", f"with yours it is {_session(other)}."
    return "The state machine is what the applied entries make of it;", "yours is not."


def _session(known: Session | None) -> str:
    return "unknown" if known is None else f"at command {known.seq}, which gave {known.reply!r}"


# --- Answers to a leader ----------------------------------------------------------------------------


def answer(c: Case) -> Contrast | None:
    """AppendEntries and InstallSnapshot are answered."""
    m = c.message
    if not isinstance(m, AppendEntries | InstallSnapshot):
        return None
    kind = AppendEntriesReply if isinstance(m, AppendEntries) else InstallSnapshotReply
    right = next(a for a in c.right.messages if isinstance(a, kind))
    answers = [a for a in c.found.messages if isinstance(a, kind) and a.dst == m.src]
    if c.is_stale and not c.found.messages:
        return None
    if len(answers) != 1 or len(c.found.messages) != 1:
        count = len(c.found.messages)
        said = "sends nothing" if not count else "sends something else" if count == 1 else f"sends {count} messages"
        return f"One answer goes back to {m.src};", f"yours {said}."
    found = answers[0]
    if isinstance(right, AppendEntriesReply) and isinstance(found, AppendEntriesReply):
        if right.success != found.success:
            verb = {True: "accepts the entries", False: "refuses"}
            return f"The rule {verb[right.success]};", f"yours {verb[found.success]}."
        if not right.success and not c.is_stale:
            return _refusal(right, found)
    if found.term != right.term:
        return f"The answer carries the current term, {right.term};", f"yours carries {found.term}."
    most = max(right.match_index, c.right.state.commit_index)
    if getattr(right, "success", right.match_index) and not right.match_index <= found.match_index <= most:
        return f"The answer says that the logs match up to {right.match_index};", f"yours says {found.match_index}."
    return None


def _refusal(right: AppendEntriesReply, found: AppendEntriesReply) -> Contrast | None:
    if found.term != right.term:
        return f"The answer carries the current term, {right.term};", f"yours carries {found.term}."
    if found.prev_log_index != right.prev_log_index:
        return f"The refusal says which request it refuses, prevLogIndex {right.prev_log_index};", (
            f"yours says {found.prev_log_index}."
        )
    if not 0 <= found.conflict_index <= right.prev_log_index:
        return f"The leader should try again from {right.prev_log_index} or before;", (
            f"yours sends it to {found.conflict_index}."
        )
    return None


# --- What a leader knows and sends ------------------------------------------------------------------


def progress(c: Case) -> Contrast | None:
    """What the leader takes the others to hold."""
    right, found = c.right.state.role, c.found.state.role
    if not (isinstance(right, Leader) and isinstance(found, Leader)):
        return None
    if right.progress.keys() != found.progress.keys():
        wanted, kept = ", ".join(sorted(right.progress)), ", ".join(sorted(found.progress))
        return f"The leader keeps a record for {wanted};", f"yours for {kept or 'nobody'}."
    old = c.before.role.progress if isinstance(c.before.role, Leader) else {}
    for peer in sorted(right.progress):
        one, other = right.progress[peer], found.progress[peer]
        if one.match_index != other.match_index:
            return f"matchIndex of {peer} is {one.match_index};", f"yours is {other.match_index}."
        highest = c.right.state.log.last_index + 1
        m = c.message
        if isinstance(m, AppendEntriesReply) and not m.success and m.src == peer and peer in old:
            highest = old[peer].next_index - (one.next_index < old[peer].next_index)
            if any(
                isinstance(sent, AppendEntries) and sent.dst == peer and sent.prev_log_index < highest
                for sent in c.found.messages
            ):  # what it lacks is on its way
                highest = c.right.state.log.last_index + 1
        if not one.match_index < other.next_index <= highest:
            return f"nextIndex of {peer} is above {one.match_index} and at most {highest};", (
                f"yours is {other.next_index}."
            )
    return None


def sending(c: Case) -> Contrast | None:
    """Nothing untrue is sent, and nothing out of turn."""
    leads = any(isinstance(m, AppendEntries | InstallSnapshot) for m in c.right.messages) or c.found.state.is_leader
    turns = [(type(m), m.dst) for m in c.right.messages]
    for m in c.found.messages:
        if isinstance(m, AppendEntries | InstallSnapshot):
            if not leads:
                return "Only a leader sends entries;", f"yours sends {m.dst} an {type(m).__name__}."
            if untrue := _untrue(m, c.found.state):
                return untrue
        elif not isinstance(m, RequestVote | PreVote) and (type(m), m.dst) not in turns:
            return f"{_name(m)} is not sent to {m.dst};", "yours sends one."
    missing = [m for m in c.right.messages if isinstance(m, TimeoutNow) and m not in c.found.messages]
    return (f"{missing[0].dst} is told to start an election;", "yours does not tell it.") if missing else None


def _untrue(m: AppendEntries | InstallSnapshot, sender: State) -> Contrast | None:
    held = sender.log
    if m.term != sender.current_term:
        return f"A message carries its sender's term, {sender.current_term};", f"yours carries {m.term}."
    if isinstance(m, InstallSnapshot):
        return None if m.snapshot == held.snapshot else ("The leader's own snapshot is sent;", "yours sends another.")
    if not held.snapshot.last_included_index <= m.prev_log_index <= held.last_index:
        return f"{m.dst} gets what follows an entry that the log holds;", f"yours has prevLogIndex {m.prev_log_index}."
    if m.prev_log_term != held.term(m.prev_log_index):
        return f"prevLogTerm is that of entry {m.prev_log_index}, {held.term(m.prev_log_index)};", (
            f"yours is {m.prev_log_term}."
        )
    if m.entries != held.after(m.prev_log_index, len(m.entries)):
        return f"What follows entry {m.prev_log_index} is sent as it stands in the log;", "yours sends something else."
    if m.leader_commit > sender.commit_index:
        return f"leaderCommit is at most {sender.commit_index};", f"yours is {m.leader_commit}."
    return None


def heartbeat(c: Case) -> Contrast | None:
    """A new leader, and a heartbeat, are heard by all."""
    elected = c.right.state.is_leader and not c.before.is_leader
    if not (elected or isinstance(c.situation.event, HeartbeatTimeout)):
        return None
    kinds = (AppendEntries, InstallSnapshot)
    reached = {m.dst for m in c.found.messages if isinstance(m, kinds)}
    missing = sorted({m.dst for m in c.right.messages if isinstance(m, kinds)} - reached)
    what = "A new leader sends everyone a first AppendEntries;" if elected else "A heartbeat goes to everyone;"
    return (what, f"yours sends {missing[0]} nothing.") if missing else None


# --- Clients ----------------------------------------------------------------------------------------


def clients(c: Case) -> Contrast | None:
    """What clients and administrators are told."""
    right, found = c.right.answers, c.found.answers
    for number in range(max(len(right), len(found))):
        one = right[number] if number < len(right) else None
        other = found[number] if number < len(found) else None
        match one, other:
            case Rejected(leader_id), Rejected(told):
                same = told in (leader_id, None)
            case Applied(index, command, reply), Applied(where):
                same = other == Applied(index, command, reply) or (reply == ANSWERED and where == index)
            case _:
                same = one == other
        if not same:
            return f"The client {_told(one)};", f"with yours it {_told(other)}."
    return None


def _told(said: object) -> str:
    match said:
        case Accepted(index, term):
            return f"is told: entry {index} of term {term}"
        case Rejected(leader_id):
            return f"is refused and sent to {leader_id}" if leader_id else "is refused"
        case Applied(index, _, reply):
            return f"gets {reply!r} for entry {index}"
        case ReadDone(_, index):
            return f"reads the state as of entry {index}"
        case _:
            return "gets no answer yet"


def reads(c: Case) -> Contrast | None:
    """Rounds of heartbeats, for strong reads."""
    right, found = c.right.state.role, c.found.state.role
    if isinstance(right, Leader) and isinstance(found, Leader):
        if found.round < right.round:
            return f"A read begins a new round of heartbeats, {right.round};", f"yours stays at {found.round}."
        waiting = {read.id: read for read in found.reads}
        for read in right.reads:
            kept = waiting.get(read.id)
            if kept is None or kept.round < read.round or kept.index not in (0, read.index):
                return f"Read {read.id} waits for round {read.round};", "yours does not wait for it."
        for peer in sorted(right.progress.keys() & found.progress.keys()):
            one, other = right.progress[peer], found.progress[peer]
            if one.acked_round != other.acked_round or other.acked_at > one.acked_at:
                return f"{peer} has answered round {one.acked_round};", f"yours notes {other.acked_round}."
    kinds = (AppendEntriesReply, InstallSnapshotReply)
    wanted = next((m for m in c.right.messages if isinstance(m, kinds)), None)
    sent = next((m for m in c.found.messages if isinstance(m, kinds)), None)
    if wanted and sent and wanted.round != sent.round:
        return f"The answer names the round of its request, {wanted.round};", f"yours names {sent.round}."
    if wanted and sent and sent.sent_at > (wanted.sent_at if c.is_stale else c.message.sent_at):
        return "No later time is named than when the request was sent;", f"yours names {sent.sent_at} µs."
    return None


def timer(c: Case) -> Contrast | None:
    """The election timer."""
    if isinstance(c.situation.event, Crash) or c.right.timer_reset == c.found.timer_reset:
        return None
    name = c.before.id
    if not c.right.timer_reset:
        return f"{name}'s election timer runs on;", "yours starts it anew."
    granted = any(isinstance(m, RequestVoteReply) and m.vote_granted for m in c.right.messages)
    why = "grants its vote" if granted else "campaigns" if c.message is None else "hears its leader"
    return f"{name} {why} and starts its election timer anew;", "yours forgets self.reset_election_timer()."


def notes(c: Case) -> Contrast | None:
    """Who leads, transfers, leases, learners."""
    right, found = c.right.state.role, c.found.state.role
    if isinstance(right, Follower) and isinstance(found, Follower):
        if found.leader_id not in (right.leader_id, None):
            return f"Its leader is {right.leader_id};", f"yours notes {found.leader_id}."
        if found.in_touch != right.in_touch:
            return "Whether it has just heard its leader is noted;", "yours notes it otherwise."
    if isinstance(right, Leader) and isinstance(found, Leader):
        for name in ("in_touch", "transferee", "asked_over"):
            if getattr(right, name) != getattr(found, name):
                return f"{name} is {getattr(right, name)};", f"yours is {getattr(found, name)}."
    return None


def _name(m: Message) -> str:
    name = type(m).__name__
    return ("An " if name[0] in "AI" else "A ") + name


CLAIMS: tuple[Claim, ...] = (
    Claim("vote", vote),
    Claim("term and vote", term_and_vote),
    Claim("role", role),
    Claim("log", log),
    Claim("commit", commit),
    Claim("state machine", state_machine),
    Claim("answer", answer),
    Claim("progress", progress),
    Claim("campaign", campaign),
    Claim("sending", sending),
    Claim("heartbeat", heartbeat),
    Claim("clients", clients),
    Claim("reads", reads, late=True),
    Claim("timer", timer, late=True),
    Claim("notes", notes, late=True),
)
"""The table, in the order in which it is asked."""
