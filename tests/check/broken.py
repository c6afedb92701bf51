"""Raft with one mistake each, as students and products have made them; the numbers are those of the bug catalogue."""

from __future__ import annotations

from dataclasses import replace

from raft_lab import (
    AppendEntries,
    AppendEntriesReply,
    Candidate,
    Configuration,
    Entry,
    Follower,
    Leader,
    Noop,
    Progress,
    RequestVote,
    RequestVoteReply,
    Server,
)
from raft_lab.raft.machine import Machine
from raft_lab.raft.state import ReadDone

# --- Elections ----------------------------------------------------------------------------------------------


class VotesTwice(Server):
    """1: votedFor is not looked at."""

    def may_vote_for(self, candidate):
        return True


class ForgetsVoteWhenLed(Server):
    """2: votedFor is cleared on becoming a follower in the same term."""

    def on_append_entries(self, m):
        if m.term >= self.current_term:
            self.voted_for = None
        super().on_append_entries(m)


class VoteNotDurable(Server):
    """3: votedFor is not on disk."""

    @classmethod
    def crashed(cls, state):
        return replace(super().crashed(state), voted_for=None)


class TermNotDurable(Server):
    """3: currentTerm is not on disk."""

    @classmethod
    def crashed(cls, state):
        return replace(super().crashed(state), current_term=0, voted_for=None)


class CountsOldVotes(Server):
    """4: the term of a vote is not looked at."""

    def on_request_vote_reply(self, m):
        if isinstance(self.role, Candidate) and m.vote_granted:
            self.role = Candidate(self.role.votes | {m.src})
            self.tally()


class CountsVotesByNumber(Server):
    """5: votes are a number, not a set; a repeated vote counts again."""

    volatile = {"count": 0}

    def on_election_timeout(self):
        self.count = 1
        super().on_election_timeout()

    def on_request_vote_reply(self, m):
        if isinstance(self.role, Candidate) and m.term == self.current_term and m.vote_granted:
            self.count += 1
            self.tally()

    def tally(self):
        if self.count > len(self.configuration.voters) // 2:
            self.become_leader()


class HalfIsEnough(Server):
    """6: a quorum is n // 2."""

    def tally(self):
        if isinstance(self.role, Candidate) and len(self.role.votes) >= len(self.configuration.voters) // 2:
            self.become_leader()


class AnyLogMayLead(Server):
    """7: the election restriction is missing."""

    def log_is_up_to_date(self, last_log_index, last_log_term):
        return True


class LongerLogMayLead(Server):
    """8: up-to-date is taken to mean longer."""

    def log_is_up_to_date(self, last_log_index, last_log_term):
        return last_log_index >= self.log.last_index


class LaterTermMayLead(Server):
    """8: only the last terms are compared."""

    def log_is_up_to_date(self, last_log_index, last_log_term):
        return last_log_term >= self.log.last_term


class TermGoesBack(Server):
    """12: a server takes over whatever term a message has."""

    def observe_term(self, m):
        if m.term != self.current_term:
            self.current_term = m.term
            self.voted_for = None
            self.role = Follower()


# --- Replication --------------------------------------------------------------------------------------------


class BareHeartbeats(Server):
    """No mistake: heartbeats carry no entries and point at the leader's last entry, as many courses do it."""

    def on_heartbeat_timeout(self):
        if isinstance(self.role, Leader):
            last = self.log.last_index
            for peer in self.peers:
                self.send(
                    AppendEntries(self.id, peer, self.current_term, last, self.log.term(last), (), self.commit_index)
                )


class HeartbeatsAlwaysSucceed(BareHeartbeats):
    """19: a heartbeat is answered with success without the consistency check."""

    def on_append_entries(self, m):
        if m.entries or m.term < self.current_term:
            super().on_append_entries(m)
            return
        self.role = Follower(m.src)
        self.reset_election_timer()
        self.send(AppendEntriesReply(self.id, m.src, self.current_term, True, m.prev_log_index, m.prev_log_index))


class TermBeforeNotCompared(Server):
    """20: the consistency check looks at the index only."""

    def log_matches(self, prev_log_index, prev_log_term):
        return prev_log_index <= self.log.last_index


class GapAccepted(Server):
    """21: entries beyond the end of the log are accepted."""

    def log_matches(self, prev_log_index, prev_log_term):
        return prev_log_index > self.log.last_index or super().log_matches(prev_log_index, prev_log_term)


class AlwaysTruncates(Server):
    """22: everything behind prevLogIndex is deleted, whether it conflicts or not."""

    def store_entries(self, m):
        if m.prev_log_index < self.log.last_index:
            self.log = self.log.truncate(m.prev_log_index + 1)
        self.log = self.log.append(*m.entries)


class KeepsConflicts(Server):
    """23: what is there already is never deleted."""

    def store_entries(self, m):
        held = self.log.last_index - m.prev_log_index
        self.log = self.log.append(*m.entries[max(held, 0) :])


class FromTheBeginning(Server):
    """No mistake: after a refusal the leader starts from the very beginning, one entry at a time."""

    max_entries_per_message = 1

    def retry_from(self, m):
        return 1


class CommitsItsWholeLog(FromTheBeginning):
    """24: commitIndex = min(leaderCommit, index of the last entry), though the last entry may be someone else's."""

    def on_append_entries(self, m):
        super().on_append_entries(m)
        fits = m.term == self.current_term and self.log_matches(m.prev_log_index, m.prev_log_term)
        if fits:
            self.commit_index = max(self.commit_index, min(m.leader_commit, self.log.last_index))
            self.apply_committed()


class ObeysOldLeaders(Server):
    """25: entries of an old term are accepted."""

    def on_append_entries(self, m):
        super().on_append_entries(replace(m, term=self.current_term))


class CommitGoesBack(Server):
    """26: commitIndex is set to whatever the leader says."""

    def on_append_entries(self, m):
        super().on_append_entries(m)
        if m.term == self.current_term and self.log_matches(m.prev_log_index, m.prev_log_term):
            self.commit_index = min(m.leader_commit, m.prev_log_index + len(m.entries))


class TakesAllAsStored(Server):
    """27: matchIndex is set to the end of the log as it is when the answer comes."""

    def on_append_entries_reply(self, m):
        super().on_append_entries_reply(replace(m, match_index=self.log.last_index) if m.success else m)


class CommitsByCounting(Server):
    """30: entries of an older term are committed when a majority stores them (Figure 8)."""

    max_entries_per_message = 1

    def may_commit(self, index):
        return True


# --- More, so that every invariant has something to find ------------------------------------------------------


class LogNotDurable(Server):
    """39: the log is not on disk."""

    @classmethod
    def crashed(cls, state):
        left = super().crashed(state)
        return replace(left, log=left.log.truncate(1)) if len(left.log) else left


class MatchGoesBack(Server):
    """28: matchIndex follows every answer, also an old one."""

    def on_append_entries_reply(self, m):
        if isinstance(self.role, Leader) and m.term == self.current_term and m.success:
            self.note_progress(m.src, Progress(m.match_index + 1, m.match_index))
            self.advance_commit_index()
        else:
            super().on_append_entries_reply(m)


class LeaderTidiesUp(Server):
    """36: a leader deletes its own last entry when a client asks again."""

    def on_client_request(self, op):
        if isinstance(self.role, Leader) and len(self.log) > 1:
            self.log = self.log.truncate(self.log.last_index)
        super().on_client_request(op)


class SendsTheNextTerm(Server):
    """Asks for votes in a term that it has not entered."""

    def on_election_timeout(self):
        for peer in self.peers:
            self.send(RequestVote(self.id, peer, self.current_term + 1, self.log.last_index, self.log.last_term))
        self.reset_election_timer()


class CrownsItself(Server):
    """Leads the term that it is in, without an election."""

    def on_election_timeout(self):
        self.become_leader() if self.current_term else super().on_election_timeout()


class InventsVotes(Server):
    """Counts a refusal as a vote."""

    def on_request_vote_reply(self, m):
        super().on_request_vote_reply(replace(m, vote_granted=True))


class LabelsWithTheNextTerm(Server):
    """Gives its no-op a term that has not come."""

    def become_leader(self):
        self.role = Leader({peer: Progress(self.log.last_index + 1) for peer in self.peers})
        self.log = self.log.append(Entry(self.current_term + 1, Noop()))
        self.replicate()


class SendsWhatItDoesNotHold(Server):
    """Sends its no-op and forgets to append it."""

    def become_leader(self):
        before = self.log
        super().become_leader()
        self.log = before


class CommitsBeyondItsLog(Server):
    """Takes the leader's commitIndex, and one more, without looking at its own log."""

    def apply_committed(self):
        pass

    def on_append_entries(self, m):
        super().on_append_entries(m)
        if m.term == self.current_term:
            self.commit_index = max(self.commit_index, m.leader_commit + 1)


class CommitsAtOnce(Server):
    """A leader commits what it has appended, without asking anyone."""

    def advance_commit_index(self):
        self.commit_index = self.log.last_index
        self.apply_committed()


class TellsWhoApplied(Server):
    """Its state machine depends on more than the commands: here, on whose it is."""

    def apply(self, data, op):
        return data.with_item("applied by", self.id), None


class RemembersCommit(Server):
    """Comes back from a crash with a commitIndex that was on no disk."""

    @classmethod
    def crashed(cls, state):
        return replace(super().crashed(state), commit_index=state.commit_index)


class RefusesInTheOldTerm(Server):
    """No harm to safety: answers a refused vote with the term before (18, liveness)."""

    def on_request_vote(self, m):
        super().on_request_vote(m)
        last = self._outbox[-1]
        if isinstance(last, RequestVoteReply) and not last.vote_granted and last.term:
            self._outbox[-1] = replace(last, term=last.term - 1)


# --- Members, snapshots, reads --------------------------------------------------------------------------------


class StaysAfterRemoval(Server):
    """A leader that is not in the committed configuration goes on leading."""

    def after_commit(self):
        if self.configuration.is_joint:
            super().after_commit()


class ChangesAtOnce(Server):
    """46: from one configuration to any other, without joint consensus."""

    def on_change_configuration(self, wanted):
        if isinstance(self.role, Leader) and wanted.voters and self.last_change_is_done():
            self.append_configuration(Configuration(wanted.voters))
            self.replicate()


class ForgetsInSnapshots(Server):
    """52: the snapshot lacks what is not in the keys, such as the clients' sessions."""

    def on_compact(self):
        machine, self.machine = self.machine, Machine(self.machine.data)
        super().on_compact()
        self.machine = machine


class SaysDoneTheSecondTime(Server):
    """A command that comes again is not applied again, but its client gets another reply than it should."""

    def apply_command(self, command):
        known = self.machine.sessions.get(command.client)
        reply = super().apply_command(command)
        return "done before" if known and command.seq <= known.seq else reply


class ReadsAtOnce(Server):
    """53: a leader answers reads from what it has."""

    def on_read_request(self, read):
        if isinstance(self.role, Leader):
            self.answer(ReadDone(read.id, self.last_applied, self.machine.data))


class ChangesTooSoon(Server):
    """47: a leader changes one server before it has committed an entry of its own term."""

    def may_change_one(self):
        return True


class ChangesTwice(Server):
    """A leader begins a change before the one before it is committed."""

    def last_change_is_done(self):
        return True
