"""Raft with one mistake each: those of the catalogue (tests/bugs), and what other invariants need to find something."""
# ruff: noqa: F401 - other tests take the catalogue's from here

from __future__ import annotations

from dataclasses import replace

from bugs.clients import ForgetsInSnapshots, ReadsAtOnce
from bugs.election import (
    AnyLogMayLead,
    CountsOldVotes,
    CountsVotesByNumber,
    ForgetsVoteWhenLed,
    HalfIsEnough,
    LaterTermMayLead,
    LongerLogMayLead,
    TermGoesBack,
    TermNotDurable,
    VoteNotDurable,
    VotesTwice,
)
from bugs.membership import ChangesTooSoon
from bugs.persistence import LogNotDurable
from bugs.replication import (
    AlwaysTruncates,
    BareHeartbeats,
    CommitGoesBack,
    CommitsByCounting,
    CommitsItsWholeLog,
    FromTheBeginning,
    GapAccepted,
    HeartbeatsAlwaysSucceed,
    KeepsConflicts,
    LeaderTidiesUp,
    MatchGoesBack,
    ObeysOldLeaders,
    TakesAllAsStored,
    TermBeforeNotCompared,
)
from raft_lab import (
    Configuration,
    Entry,
    Leader,
    Noop,
    Progress,
    RequestVote,
    RequestVoteReply,
    Server,
)
from raft_lab.raft.state import Applied

# --- Elections ----------------------------------------------------------------------------------------------


# --- Replication --------------------------------------------------------------------------------------------


# --- More, so that every invariant has something to find ------------------------------------------------------


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


class SaysDoneTheSecondTime(Server):
    """A command that comes again is not applied again, but its client gets another reply than it should."""

    def apply_command(self, command):
        known = self.machine.sessions.get(command.client)
        reply = super().apply_command(command)
        return "done before" if known and command.seq <= known.seq else reply


class ChangesTwice(Server):
    """A leader begins a change before the one before it is committed."""

    def last_change_is_done(self):
        return True


class AnswersAtOnce(Server):
    """A client is told what its command will give before it is committed."""

    def on_client_request(self, request):
        index = self.log.last_index + 1
        super().on_client_request(request)
        if isinstance(self.role, Leader) and self.last_applied < index <= self.log.last_index and not request.client:
            reply = self.apply(self.machine.data, request.op)[1]
            self.answer(Applied(index, self.log.entry(index).value, reply))
