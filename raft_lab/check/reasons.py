"""The rule behind a difference, in one sentence, with where the paper states it."""

from __future__ import annotations

from raft_lab.check.claims import Case, Claim
from raft_lab.check.standing import Crash, Situation, kind_of
from raft_lab.raft.messages import AppendEntries, InstallSnapshot, PreVote, RequestVote, RequestVoteReply
from raft_lab.raft.state import Applied, Compact, Leader, ReadDone


def rule(c: Case, claim: Claim) -> str:
    """The rule that decides, in one sentence."""
    m = c.message
    if isinstance(m, RequestVote | PreVote) and claim.about == "vote":
        return _vote_rule(c)
    if isinstance(m, AppendEntries) and claim.about in ("log", "answer"):
        return _append_rule(c, m)
    if isinstance(m, InstallSnapshot) and claim.about in ("log", "commit", "answer"):
        return _snapshot_rule(c, m)
    if isinstance(m, InstallSnapshot) and claim.about == "state machine":
        return "Figure 13, step 8: with the snapshot comes its state machine, and not without it."
    if c.is_stale:
        return "A request of an old term is refused, an answer of an old term is ignored (§5.1)."
    if claim.about == "clients":
        return _client_rule(c)
    if isinstance(c.situation.event, Crash):
        return "currentTerm, votedFor and the log are on disk; nothing else survives a crash (Figure 2)."
    if isinstance(c.situation.event, Compact):
        return (
            "A snapshot covers what is applied, no more, with the index and term of its last entry, and the "
            "configuration as of it (§7)."
        )
    if c.right.state.log.configuration_index > c.before.log.configuration_index and claim.about in ("log", "progress"):
        return "When C_old,new is committed, whoever leads then appends C_new, and goes by it at once (§6)."
    too_much = c.found.state.commit_index > c.right.state.commit_index
    if c.right.state.is_leader and (claim.about == "commit" or (claim.about == "log" and too_much)):
        return (
            "A leader commits what a majority of the configuration stores, if it is of its own term; "
            "older entries with it (§5.3, §5.4.2)."
        )
    if claim.about == "commit" and c.right.state.commit_index == c.found.state.commit_index:
        return "All servers: apply what is committed, self.apply_committed() (Figure 2)."
    if isinstance(m, RequestVoteReply) and claim.about == "role" and c.before.configuration.is_joint:
        return "In a joint configuration it takes a majority of each half (§6)."
    if isinstance(m, AppendEntries | InstallSnapshot) and claim.about in ("timer", "role"):
        return "Whoever leads the current term is followed, and heard: self.follow(m.src) (§5.2)."
    return _RULES[claim.about]


_RULES = {
    "vote": "Figure 2: RequestVote RPC, results.",
    "term and vote": "A higher term is adopted, with its vote still to give; a vote once given stays (§5.1, §5.2).",
    "log": "A leader appends to its log, nobody else changes it but by AppendEntries and InstallSnapshot (§5.3, §7).",
    "role": "Figure 4: a higher term or the term's leader makes a follower, a majority's votes a leader (§5.1, §5.2).",
    "commit": "Figure 2, step 5: the smaller of leaderCommit and the index of the last new entry, and never back. What "
    "stands behind that entry may not be the leader's.",
    "state machine": "Committed entries are applied in order, each client's command once; a snapshot holds all of it "
    "(§5.3, §7, §8).",
    "answer": "Figure 2: AppendEntries RPC, results.",
    "progress": "On success matchIndex and nextIndex go forward, on a refusal nextIndex goes back (§5.3; Figure 2).",
    "campaign": "A candidate votes for itself and asks all others, with the end of its log (§5.2, §5.4.1; Figure 2).",
    "sending": "Figure 2: arguments are those of the sender's own log and term.",
    "heartbeat": "Heartbeats at once upon election, and again and again (§5.2; Figure 2, Leaders).",
    "clients": "Only a leader accepts (§5.1, §8).",
    "reads": "A read is answered after a round of heartbeats that began after it (dissertation 6.4).",
    "timer": "A timer starts anew on hearing the term's leader, granting a vote or starting an election, and only then "
    "(§5.2; Figure 2, Followers).",
    "notes": "Followers know their leader; transfers, leases and stickiness rest on it (§5.1; dissertation 3.10, 6.4).",
}


def hint(situation: Situation) -> str:
    """The rule that whoever fails here may not have thought of."""
    state, role = situation.state, situation.state.role
    if kind_of(situation) != "AppendEntriesReply" or not isinstance(role, Leader) or not state.commit_index:
        return ""
    if any(progress.match_index for progress in role.progress.values()):
        return ""
    return (
        "A new leader has matchIndex 0 for everybody, and commits only forward: N > commitIndex (Figure 2, rules for "
        "leaders)."
    )


def _vote_rule(c: Case) -> str:
    state, m = c.before, c.message
    if isinstance(m, PreVote):
        return "A pre-vote is granted for a later term and an up-to-date log, and changes nothing (dissertation 9.6)."
    if m.term < state.current_term:
        return "Figure 2: reply false if term < currentTerm (§5.1)."
    if m.term == state.current_term and state.voted_for not in (None, m.src):
        return "One vote a term, first come first served (§5.2)."
    if (m.last_log_term, m.last_log_index) < (state.log.last_term, state.log.last_index):
        return "The candidate's log must be as up-to-date: a later last term, or the same and no shorter (§5.4.1)."
    if m.term == state.current_term and state.voted_for == m.src:
        return "votedFor is null or candidateId: the same candidate may ask again, its first answer may be lost (§5.2)."
    return "Not voted yet, and the candidate's log is at least as up-to-date: grant (§5.2, §5.4.1)."


def _append_rule(c: Case, m: AppendEntries) -> str:
    mine = c.before.log
    if c.is_stale:
        return "Figure 2, step 1: reply false if term < currentTerm (§5.1)."
    if m.prev_log_index > mine.last_index:
        return "Figure 2, step 2: there is no entry at prevLogIndex, so nothing can be placed after it (§5.3)."
    if not mine.matches(m.prev_log_index, m.prev_log_term):
        return "Figure 2, step 2: the entry at prevLogIndex is of another term than prevLogTerm (§5.3)."
    for index, entry in enumerate(m.entries, start=m.prev_log_index + 1):
        if mine.last_index >= index >= mine.first_index and mine.term(index) != entry.term:
            return "Figure 2, step 3: an entry of another term is deleted, with all that follow it (§5.3)."
    if m.prev_log_index + len(m.entries) < mine.last_index:
        return "Delete only what conflicts: a short request may just be an old one (Figure 2, step 3)."
    return "Figure 2, step 4: append any new entries not already in the log (§5.3)."


def _snapshot_rule(c: Case, m: InstallSnapshot) -> str:
    index = m.snapshot.last_included_index
    if c.is_stale:
        return "Figure 13, step 1: reply immediately if term < currentTerm."
    if index <= c.before.commit_index:
        return "All of it is known and applied already: an old snapshot must not take the server back (§7)."
    if index <= c.before.log.last_index and c.before.log.matches(index, m.snapshot.last_included_term):
        return "The log has the snapshot's last entry, so what follows that entry is kept (Figure 13, step 6)."
    return "The log does not agree with the snapshot where it ends, so all of it goes (Figure 13, step 7)."


def _client_rule(c: Case) -> str:
    """What decides about an answer that only one of the two gives."""
    right, found = c.right.answers, c.found.answers
    only = [a for a in right if a not in found] + [a for a in found if a not in right]
    if any(isinstance(answer, ReadDone) for answer in only):
        return "A strong read waits for a commit in the leader's term and a heartbeat round (§8; dissertation 6.4)."
    if any(isinstance(answer, Applied) for answer in only):
        return "Each command is answered once it is applied; one that comes again, with its first reply (§8)."
    return _RULES["clients"]
