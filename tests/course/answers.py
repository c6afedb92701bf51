"""Answers to the exercises: the right ones, and mistakes that people make."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from raft_lab import InstallSnapshotReply, Leader, Log
from raft_lab.course import ANSWER_READS, APPEND_ENTRIES, HAS_QUORUM, INSTALL_SNAPSHOT
from raft_lab.raft.state import ReadDone

REPLICATION: Any = APPEND_ENTRIES.base
COMPACTION: Any = INSTALL_SNAPSHOT.base
READING: Any = ANSWER_READS.base
QUORUMS: Any = HAS_QUORUM.base


class Replicates(REPLICATION):
    """Lesson 02, solved."""

    def on_append_entries(self, m):
        if m.term < self.current_term:
            self.refuse_term(m)
            return
        self.follow(m.src)
        if not self.fits(m):
            self.refuse_entries(m)
            return
        self.store(m)
        last_new = self.last_new(m)
        self.commit_index = max(self.commit_index, min(m.leader_commit, last_new))
        self.apply_committed()
        self.acknowledge(m, True, last_new)

    def fits(self, m):
        return self.log.matches(m.prev_log_index, m.prev_log_term)

    def store(self, m):
        for index, entry in enumerate(m.entries, start=m.prev_log_index + 1):
            if index > self.log.last_index:
                self.log = self.log.append(entry)
            elif self.log.term(index) != entry.term:
                self.log = self.log.truncate(index).append(entry)

    def last_new(self, m):
        return m.prev_log_index + len(m.entries)


class LooksOnlyAtTheIndex(Replicates):
    def fits(self, m):
        return m.prev_log_index <= self.log.last_index


class TruncatesAlways(Replicates):
    def store(self, m):
        self.log = self.log.truncate(m.prev_log_index + 1).append(*m.entries)


class AppendsTwice(Replicates):
    def store(self, m):
        self.log = self.log.append(*m.entries)


class KeepsConflicts(Replicates):
    def store(self, m):
        self.log = self.log.append(*m.entries[max(0, self.log.last_index - m.prev_log_index) :])


class CountsItsOwnTail(Replicates):
    def last_new(self, m):
        return self.log.last_index


class ObeysOldLeaders(Replicates):
    def on_append_entries(self, m):
        self.follow(m.src)
        self.store(m)
        self.acknowledge(m, True, self.last_new(m))


class SaysNothing(Replicates):
    def acknowledge(self, *_, **__):
        pass


class Installs(COMPACTION):
    """Lesson 03, solved."""

    def on_install_snapshot(self, m):
        if m.term < self.current_term:
            self.send(InstallSnapshotReply(self.id, m.src, self.current_term, 0))
            return
        self.follow(m.src)
        index = m.snapshot.last_included_index
        if self.is_new(m.snapshot):
            self.log = self.log.compact(m.snapshot) if self.agrees(m.snapshot) else Log(m.snapshot)
            self.commit_index = self.last_applied = index
            self.take_machine(m.snapshot)
        self.send(InstallSnapshotReply(self.id, m.src, self.current_term, index, m.round, m.sent_at))

    def is_new(self, snapshot):
        return snapshot.last_included_index > self.commit_index

    def agrees(self, snapshot):
        index = snapshot.last_included_index
        return index <= self.log.last_index and self.log.matches(index, snapshot.last_included_term)

    def take_machine(self, snapshot):
        self.machine = snapshot.machine


class GoesBackInTime(Installs):
    def is_new(self, snapshot):
        return True

    def agrees(self, snapshot):
        return False


class DropsTheTail(Installs):
    def agrees(self, snapshot):
        return False


class KeepsAnyTail(Installs):
    def agrees(self, snapshot):
        return snapshot.last_included_index <= self.log.last_index


class ForgetsTheMachine(Installs):
    def take_machine(self, snapshot):
        pass


class TwoMajorities(QUORUMS):
    """Lesson 04, solved."""

    def has_quorum(self, servers):
        halves = (self.configuration.voters, self.configuration.old)
        return all(len(half & set(servers)) > len(half) / 2 for half in halves if half)


class OnePot(QUORUMS):
    def has_quorum(self, servers):
        everyone = self.configuration.voters | self.configuration.old
        return len(everyone & set(servers)) > len(everyone) / 2


class CountsLearners(QUORUMS):
    def has_quorum(self, servers):
        halves = (self.configuration.voters, self.configuration.old)
        return all(len(set(servers)) > len(half) / 2 for half in halves if half)


class HalfIsEnough(QUORUMS):
    def has_quorum(self, servers):
        halves = (self.configuration.voters, self.configuration.old)
        return all(len(half & set(servers)) >= len(half) / 2 for half in halves if half)


class Fails(QUORUMS):
    def has_quorum(self, servers):
        return servers[0]


class AnswersFresh(READING):
    """Lesson 05, solved."""

    def answer_reads(self):
        if not isinstance(self.role, Leader):
            return
        left = []
        for read in self.role.reads:
            if self.is_fresh(read):
                self.answer(ReadDone(read.id, self.last_applied, self.machine.data))
            else:
                left.append(read)
        self.role = replace(self.role, reads=tuple(left))

    def is_fresh(self, read):
        return self.has_committed_in_its_term() and self.quorum_min(self.acked_round) >= read.round


class AnswersAtOnce(AnswersFresh):
    def is_fresh(self, read):
        return True


class ForgetsItsOwnTerm(AnswersFresh):
    def is_fresh(self, read):
        return self.quorum_min(self.acked_round) >= read.round


class AsksAnybody(AnswersFresh):
    def is_fresh(self, read):
        return self.has_committed_in_its_term() and any(self.acked_round(peer) >= read.round for peer in self.peers)


class WaitsForOneMore(AnswersFresh):
    def is_fresh(self, read):
        return self.has_committed_in_its_term() and self.quorum_min(self.acked_round) > read.round
