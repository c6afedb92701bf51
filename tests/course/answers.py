"""Answers to the exercises: the right ones, and mistakes that people make."""

from __future__ import annotations

from typing import Any

from raft_lab.course import APPEND_ENTRIES

REPLICATION: Any = APPEND_ENTRIES.base


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
