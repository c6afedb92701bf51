"""Bugs 19 to 36: replication and commitment."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from bugs.bank import liveness, safety, slip
from bugs.stages import (
    DIVERGED,
    a_sticky_outsider,
    an_old_answer_on_its_way,
    an_old_append_on_its_way,
    diverged_and_led,
    figure_8,
    just_elected,
    led_before,
    settled,
    two_commands_on_their_way,
    with_logs,
)
from raft_lab import AppendEntries, AppendEntriesReply, Follower, Leader, Progress, Server, with_rules
from raft_lab.raft.values import FrozenMap


class BareHeartbeats(Server):
    """No mistake: heartbeats carry no entries and point at the leader's last entry, as many courses do it."""

    def on_heartbeat_timeout(self):
        if isinstance(self.role, Leader):
            last = self.log.last_index
            for peer in self.peers:
                self.send(
                    AppendEntries(self.id, peer, self.current_term, last, self.log.term(last), (), self.commit_index)
                )


@safety(19, "Commit Rule", just_elected, length=3, control=BareHeartbeats, term=1, heartbeats=1)
class HeartbeatsAlwaysSucceed(BareHeartbeats):
    """A heartbeat is answered with success without the consistency check."""

    def on_append_entries(self, m):
        if m.entries or m.term < self.current_term:
            super().on_append_entries(m)
            return
        self.role = Follower(m.src)
        self.reset_election_timer()
        self.send(AppendEntriesReply(self.id, m.src, self.current_term, True, m.prev_log_index, m.prev_log_index))


@safety(20, "Log Matching", with_logs(S1=[(1, "a")], S2=[(2, "b")]), length=4, term=3)
class TermBeforeNotCompared(Server):
    """The consistency check looks at the index only."""

    def log_matches(self, prev_log_index, prev_log_term):
        return prev_log_index <= self.log.last_index


@safety(21, "Progress Is True", with_logs(S1=[(1, "a"), (1, "b")]), length=5, term=2)
class GapAccepted(Server):
    """Entries beyond the end of the log are accepted."""

    def log_matches(self, prev_log_index, prev_log_term):
        return prev_log_index > self.log.last_index or super().log_matches(prev_log_index, prev_log_term)


@safety(22, "Commit Rule", settled, length=5, term=1, commands=2, messages=12)
class AlwaysTruncates(Server):
    """Everything behind prevLogIndex is deleted, whether it conflicts or not."""

    def store_entries(self, m):
        if m.prev_log_index < self.log.last_index:
            self.log = self.log.truncate(m.prev_log_index + 1)
        self.log = self.log.append(*m.entries)


@safety(23, "Log Matching", with_logs(S1=[(1, "a")], S2=[(2, "b")]), length=6, term=3)
class KeepsConflicts(Server):
    """What is there already is never deleted."""

    def store_entries(self, m):
        held = self.log.last_index - m.prev_log_index
        self.log = self.log.append(*m.entries[max(held, 0) :])


class FromTheBeginning(Server):
    """No mistake: after a refusal the leader starts from the very beginning, one entry at a time."""

    max_entries_per_message = 1

    def retry_from(self, m):
        return 1


@safety(24, "State Machine Safety", with_logs(**DIVERGED), length=8, control=FromTheBeginning, term=4)
class CommitsItsWholeLog(FromTheBeginning):
    """commitIndex = min(leaderCommit, index of the last entry), though the last entry may be someone else's."""

    def on_append_entries(self, m):
        super().on_append_entries(m)
        fits = m.term == self.current_term and self.log_matches(m.prev_log_index, m.prev_log_term)
        if fits:
            self.commit_index = max(self.commit_index, min(m.leader_commit, self.log.last_index))
            self.apply_committed()


@safety(25, "Commit Rule", an_old_append_on_its_way, length=3, term=2)
class ObeysOldLeaders(Server):
    """Entries of an old term are accepted."""

    def on_append_entries(self, m):
        super().on_append_entries(replace(m, term=self.current_term))


@safety(26, "Committed Stays", settled, length=6, term=1, commands=1, heartbeats=1)
class CommitGoesBack(Server):
    """commitIndex is set to whatever the leader says."""

    def on_append_entries(self, m):
        super().on_append_entries(m)
        if m.term == self.current_term and self.log_matches(m.prev_log_index, m.prev_log_term):
            self.commit_index = min(m.leader_commit, m.prev_log_index + len(m.entries))


@safety(27, "Commit Rule", settled, length=4, term=1, commands=1, heartbeats=1)
class TakesAllAsStored(Server):
    """matchIndex is set to the end of the log as it is when the answer comes."""

    def on_append_entries_reply(self, m):
        super().on_append_entries_reply(replace(m, match_index=self.log.last_index) if m.success else m)


@safety(28, "Match Only Grows", just_elected, length=5, term=1, commands=1, heartbeats=1)
class MatchGoesBack(Server):
    """matchIndex follows every answer, also an old one."""

    def on_append_entries_reply(self, m):
        if isinstance(self.role, Leader) and m.term == self.current_term and m.success:
            self.note_progress(m.src, Progress(m.match_index + 1, m.match_index))
            self.advance_commit_index()
        else:
            super().on_append_entries_reply(m)


@safety(29, "Commit Rule", an_old_answer_on_its_way, length=4, term=3, heartbeats=1)
class HeedsOldAnswers(Server):
    """The term of an answer to AppendEntries is not looked at, so an answer to an earlier reign counts in this one."""

    def on_append_entries_reply(self, m):
        super().on_append_entries_reply(replace(m, term=max(m.term, self.current_term)))


@safety(30, "Leader Completeness", figure_8, length=6, control=with_rules(Server, "one entry a message"), term=5)
class CommitsByCounting(Server):
    """Entries of an older term are committed when a majority stores them (Figure 8)."""

    max_entries_per_message = 1

    def may_commit(self, index):
        return True


@safety(31, "Commit Rule", two_commands_on_their_way, length=4, term=1)
class CommitsTheMostCommon(Server):
    """What most servers have reached exactly is taken for what a majority has reached."""

    def quorum_min(self, value):
        reached = Counter(value(member) for member in sorted(self.configuration.voters))
        return max(sorted(reached, reverse=True), key=lambda index: reached[index])


@safety(32, "Progress Is True", led_before, length=1, differs=False, term=3, heartbeats=1)
class KeepsItsRecords(Server):
    """nextIndex and matchIndex are those of its last reign."""

    volatile = {"records": {}}

    def note_progress(self, peer, progress):
        super().note_progress(peer, progress)
        self.records[peer] = progress

    def become_leader(self):
        super().become_leader()
        if self.records:
            self.role = Leader(
                FrozenMap({peer: self.records.get(peer, known) for peer, known in self.role.progress.items()})
            )


@safety(33, "Commit Rule", with_logs(S1=[(1, "a")], S2=[(1, "a")]), length=5, term=2)
class CountsFromZero(Server):
    """Entries are put in the place of prevLogIndex instead of the one after it."""

    def store_entries(self, m):
        super().store_entries(replace(m, prev_log_index=max(m.prev_log_index - 1, 0)))


@liveness(34, diverged_and_led)
class BacksUpInCircles(Server):
    """After a refusal it goes on behind its last entry of that term or an older one, even if that is no step back."""

    def on_append_entries_reply(self, m):
        if isinstance(self.role, Leader) and m.term == self.current_term and not m.success and m.conflict_index:
            known = self.role.progress[m.src]
            next_index = self.log.last_index_of_term(max(m.conflict_term, self.log.term(m.prev_log_index))) + 1
            self.note_progress(m.src, replace(known, next_index=max(known.match_index + 1, next_index)))
        else:
            super().on_append_entries_reply(m)


@liveness(35, a_sticky_outsider, control=with_rules(Server, "leader stickiness"))
class BacksUpInsteadOfStepping(with_rules(Server, "leader stickiness")):
    """A refusal for the sake of a higher term is taken for one of the log: nextIndex goes back, nobody steps down."""

    def observe_term(self, m):
        if not isinstance(m, AppendEntriesReply):
            super().observe_term(m)

    def on_append_entries_reply(self, m):
        if isinstance(self.role, Leader) and m.term > self.current_term:
            known = self.role.progress[m.src]
            self.note_progress(m.src, replace(known, next_index=max(known.match_index + 1, known.next_index - 1)))
        else:
            super().on_append_entries_reply(m)


@safety(36, "Leader Append-Only", settled, length=1, term=1, commands=1)
class LeaderTidiesUp(Server):
    """A leader deletes its own last entry when a client asks again."""

    def on_client_request(self, op):
        if isinstance(self.role, Leader) and len(self.log):
            self.log = self.log.truncate(self.log.last_index)
        super().on_client_request(op)


@slip(38, "latency", "nothing is lost or stuck: the next heartbeat does it")
class CommitsWithTheHeartbeat(Server):
    """commitIndex is looked at with the next heartbeat only."""

    def note_match(self, peer, match_index):
        known = self.role.progress[peer]
        match_index = max(known.match_index, match_index)
        self.note_progress(peer, replace(known, match_index=match_index, next_index=match_index + 1))
