"""Handler differences: the smallest situation that tells a class from Raft; what Raft leaves open tells nothing."""

from dataclasses import replace

import pytest

from check import broken
from raft_lab import (
    AppendEntries,
    AppendEntriesReply,
    Candidate,
    Configuration,
    Follower,
    Leader,
    Server,
    with_rules,
)
from raft_lab.check.claims import CLAIMS
from raft_lab.check.differences import differences
from raft_lab.check.situations import KINDS, small
from raft_lab.raft.state import ReadDone
from raft_lab.raft.values import FrozenMap

# --- What Raft leaves open ----------------------------------------------------------------------------------------


class NoHints(Server):
    """A refusal says no more than no."""

    def refuse_entries(self, m):
        self.acknowledge(m, False)


class ShortHints(Server):
    """The leader is sent back to the very beginning."""

    def refuse_entries(self, m):
        self.acknowledge(m, False, conflict_index=1)


class OneStepBack(Server):
    """The leader goes back one entry at a time, whatever the hint, and also for an old refusal."""

    def on_append_entries_reply(self, m):
        if m.success:
            super().on_append_entries_reply(m)
        elif (known := self.hear(m)) is not None:
            back = max(known.match_index + 1, known.next_index - 1)
            self.note_progress(m.src, replace(known, next_index=back))
            self.answer_reads()


class SilentToThePast(Server):
    """Old requests are not answered."""

    def refuse_term(self, m):
        pass

    def on_request_vote(self, m):
        if m.term >= self.current_term:
            super().on_request_vote(m)


class WaitsForTheHeartbeat(Server):
    """Nothing is sent at once: not after an append, not after an answer."""

    def on_client_request(self, request):
        before = len(self._outbox)
        super().on_client_request(request)
        del self._outbox[before:]

    def on_append_entries_reply(self, m):
        before = len(self._outbox)
        super().on_append_entries_reply(m)
        self._outbox[before:] = [sent for sent in self._outbox[before:] if not isinstance(sent, AppendEntries)]


class Pipelines(Server):
    """What was sent is taken to arrive: nextIndex goes to the end of the log at once."""

    def note_match(self, peer, match_index):
        super().note_match(peer, match_index)
        if isinstance(self.role, Leader) and peer in self.role.progress:
            known = self.role.progress[peer]
            self.note_progress(peer, replace(known, next_index=self.log.last_index + 1))


class CommittedMatches(Server):
    """What is committed here is known to match, also if the request ends before it."""

    def known_match(self, m):
        return max(super().known_match(m), self.commit_index)


class KnowsNoLeader(Server):
    """A follower does not note whom it follows."""

    def follow(self, leader):
        super().follow(leader)
        self.role = Follower()


class CountsItsSteps(Server):
    """A field of its own, of no consequence."""

    volatile = {"steps": 0}

    def observe_term(self, m):
        self.steps += 1
        super().observe_term(m)


class GivesUpWhenRefused(Server):
    """A candidate that a quorum has refused becomes a follower, as in etcd."""

    volatile = {"refused": frozenset()}

    def campaign(self, disrupt=False):
        self.refused = frozenset()
        super().campaign(disrupt)

    def on_request_vote_reply(self, m):
        super().on_request_vote_reply(m)
        if isinstance(self.role, Candidate) and m.term == self.current_term and not m.vote_granted:
            self.refused |= {m.src}
            if self.has_quorum(self.refused):
                self.role = Follower()


class HintsAsEtcd(Server):
    """A refusal names the last entry that may still agree, by its term; the leader looks for it from behind."""

    def refuse_entries(self, m):
        index = self.last_up_to(min(m.prev_log_index - 1, self.log.last_index), m.prev_log_term)
        self.acknowledge(m, False, conflict_index=index + 1, conflict_term=self.log.term(index))

    def retry_from(self, m):
        return self.last_up_to(min(m.conflict_index - 1, self.log.last_index), m.conflict_term) + 1

    def last_up_to(self, index, term):
        base = self.log.snapshot.last_included_index
        while index > base and self.log.term(index) > term:
            index -= 1
        return max(index, base)


class SendsAheadOfAnswers(Server):
    """What was sent is taken to arrive, until a refusal says otherwise."""

    def send_append_entries(self, peer):
        super().send_append_entries(peer)
        if isinstance(self._outbox[-1], AppendEntries):
            self.note_progress(peer, replace(self.role.progress[peer], next_index=self.log.last_index + 1))

    def on_append_entries_reply(self, m):
        known = self.hear(m)
        if known is None:
            return
        if m.success:
            self.note_match(m.src, m.match_index)
        elif m.prev_log_index > known.match_index:
            back = min(m.conflict_index or m.prev_log_index, m.prev_log_index, known.next_index)
            self.note_progress(m.src, replace(known, next_index=max(known.match_index + 1, back)))
            self.send_append_entries(m.src)
        self.answer_reads()


class LastEntryDecides(Server):
    """If the last entry that is sent is there already, all of them are; else they take the place of what is there."""

    def store_entries(self, m):
        end, base = m.prev_log_index + len(m.entries), self.log.snapshot.last_included_index
        if not m.entries or end <= base or (end <= self.log.last_index and self.log.term(end) == m.entries[-1].term):
            return
        keep = max(m.prev_log_index, base)
        if keep < self.log.last_index:
            self.log = self.log.truncate(keep + 1)
        self.log = self.log.append(*m.entries[keep - m.prev_log_index :])


@pytest.mark.parametrize(
    "engine",
    [
        Server,
        NoHints,
        ShortHints,
        OneStepBack,
        SilentToThePast,
        WaitsForTheHeartbeat,
        Pipelines,
        CommittedMatches,
        KnowsNoLeader,
        CountsItsSteps,
        GivesUpWhenRefused,
        HintsAsEtcd,
        SendsAheadOfAnswers,
        LastEntryDecides,
        broken.BareHeartbeats,
        broken.FromTheBeginning,
    ],
    ids=lambda engine: engine.__name__,
)
def test_another_way_of_doing_raft_is_no_difference(engine):
    assert differences(engine) is None


@pytest.mark.parametrize("rule", ["pre-vote", "leader stickiness", "check-quorum", "one entry a message", "slow disk"])
def test_optional_rules_are_compared_with_raft_that_has_them(rule):
    class Mine(with_rules(Server, rule)):
        pass

    assert differences(Mine, ("RequestVote", "ElectionTimeout", "AppendEntriesReply")) is None


# --- What it does not -------------------------------------------------------------------------------------------


def test_the_smallest_situation_comes_first_and_is_told_in_words():
    assert str(differences(broken.VotesTwice)) == (
        "S1 is a follower in term 1, it has voted for S3, its log is empty. "
        "S2 asks for its vote in term 1, with an empty log. "
        "The rule refuses the vote; yours grants it. "
        "One vote a term, first come first served (§5.2)."
    )


def test_a_follower_that_commits_what_may_be_anothers_is_told_so():
    found = differences(broken.CommitsItsWholeLog)
    assert (found.kind, found.about) == ("AppendEntries", "commit")
    assert "What stands behind that entry may not be the leader's" in found.rule


class Exaggerates(Server):
    def known_match(self, m):
        return self.log.last_index


class HintsForward(Server):
    def refuse_entries(self, m):
        self.acknowledge(m, False, conflict_index=m.prev_log_index + 1)


class ForgetsTheRefused(Server):
    def refuse_entries(self, m):
        self.send(AppendEntriesReply(self.id, m.src, self.current_term, False, round=m.round, sent_at=m.sent_at))


class NamesNoRound(Server):
    def acknowledge(self, m, success, match_index=0, **conflict):
        reply = AppendEntriesReply(self.id, m.src, self.current_term, success, match_index, m.prev_log_index)
        self.send(replace(reply, **conflict))


class TimerForgotten(Server):
    def follow(self, leader):
        self.role = Follower(leader)


class TimerForAnyone(Server):
    def on_request_vote(self, m):
        super().on_request_vote(m)
        self.reset_election_timer()


class SkipsAFollower(Server):
    def replicate(self):
        if isinstance(self.role, Leader):
            for peer in self.peers[1:]:
                self.send_append_entries(peer)
            self.advance_commit_index()


class InventsEntries(Server):
    def send_append_entries(self, peer):
        super().send_append_entries(peer)
        last = self._outbox[-1]
        if isinstance(last, AppendEntries) and last.prev_log_index:
            self._outbox[-1] = replace(last, prev_log_term=last.prev_log_term + 1)


class LearnersCount(Server):
    def quorum_min(self, value):
        everyone = self.configuration.voters | self.configuration.learners
        return sorted((value(member) for member in everyone), reverse=True)[len(everyone) // 2]


class NewMajorityCommits(Server):
    def quorum_min(self, value):
        return Configuration(self.configuration.voters).quorum_min(value)


class TakesNoSessions(Server):
    def on_install_snapshot(self, m):
        super().on_install_snapshot(m)
        self.machine = replace(self.machine, sessions=FrozenMap())


class ChangesBeforeCommit(Server):
    def last_change_is_done(self):
        return not self.configuration.is_joint


class VotesAsideOfItsLeader(Server):
    """Who follows a leader and has not voted grants a vote, but does not note it."""

    def on_request_vote(self, m):
        before = self.voted_for
        super().on_request_vote(m)
        if isinstance(self.role, Follower) and self.role.leader_id:
            self.voted_for = before


class AnswersReadsAsItGoes(Server):
    """A leader that steps down answers the reads that still wait."""

    def observe_term(self, m):
        if m.term > self.current_term and isinstance(self.role, Leader):
            for read in self.role.reads:
                self.answer(ReadDone(read.id, self.last_applied, self.machine.data))
        super().observe_term(m)


class SendsNoSnapshots(Server):
    def send_append_entries(self, peer):
        known, base = self.role.progress[peer], self.log.snapshot.last_included_index
        self.note_progress(peer, replace(known, next_index=max(known.next_index, base + 1)))
        super().send_append_entries(peer)


class HoldsOnForEver(with_rules(Server, "leader stickiness")):
    def on_silence(self):
        pass


class LeadsAlone(with_rules(Server, "check-quorum")):
    def on_quorum_timeout(self):
        if self.role.in_touch:
            super().on_quorum_timeout()


class ForgetsWhatWaits(with_rules(Server, "slow disk")):
    def on_disk_written(self):
        self._waiting = ()
        super().on_disk_written()


class CampaignsAtOnce(Server):
    def on_restart(self):
        self.role = Candidate(frozenset({self.id}))


class Falls(Server):
    def on_compact(self):
        raise KeyError("machine")


@pytest.mark.parametrize(
    ("engine", "kind", "about", "said"),
    [
        (Exaggerates, "AppendEntries", "answer", "yours says 1"),
        (HintsForward, "AppendEntries", "answer", "yours sends it to 2"),
        (ForgetsTheRefused, "AppendEntries", "answer", "yours says 0"),
        (NamesNoRound, "AppendEntries", "reads", "yours names 0"),
        (TimerForgotten, "AppendEntries", "timer", "yours forgets self.reset_election_timer()"),
        (TimerForAnyone, "RequestVote", "timer", "yours starts it anew"),
        (SkipsAFollower, "RequestVoteReply", "heartbeat", "yours sends S2 nothing"),
        (InventsEntries, "AppendEntriesReply", "sending", "yours is 2"),
        (LearnersCount, "AppendEntriesReply", "log", "yours makes it [1 1 1]"),
        (NewMajorityCommits, "AppendEntriesReply", "log", "yours makes it [1 1 1]"),
        (TakesNoSessions, "InstallSnapshot", "state machine", "with yours it is unknown"),
        (ChangesBeforeCommit, "ChangeConfiguration", "log", "yours makes it [1 1 1]"),
        (VotesAsideOfItsLeader, "RequestVote", "term and vote", "with vote None"),
        (AnswersReadsAsItGoes, "AppendEntriesReply", "clients", "it reads the state as of entry 1"),
        (SendsNoSnapshots, "AppendEntriesReply", "progress", "yours is 2"),
        (HoldsOnForEver, "Silence", "notes", "yours notes it otherwise"),
        (LeadsAlone, "QuorumTimeout", "role", "yours makes it the leader"),
        (ForgetsWhatWaits, "DiskWritten", "campaign", "yours does not ask so"),
        (CampaignsAtOnce, "Restart", "role", "yours makes it a candidate"),
        (Falls, "Compact", "error", "KeyError"),
    ],
    ids=lambda value: getattr(value, "__name__", ""),
)
def test_a_difference_names_what_differs(engine, kind, about, said):
    found = differences(engine, (kind,))
    assert (found.kind, found.about) == (kind, about)
    assert said in found.found


def test_only_the_kinds_asked_for_are_tried():
    assert differences(broken.VotesTwice, ("AppendEntries", "Crash")) is None
    with pytest.raises(ValueError, match="no kind 'Gossip'; there are RequestVote"):
        differences(Server, ("Gossip",))


def test_every_kind_has_situations_and_the_table_names_every_row():
    from raft_lab.check import claims

    for kind in KINDS:
        assert small(kind), kind
    for claim in CLAIMS:
        assert f"| {claim.about} |" in claims.__doc__
