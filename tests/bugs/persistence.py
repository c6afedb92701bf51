"""Bugs 37, 39 and 40: what is applied, and what is on disk. (38 is in replication.py.)"""

from __future__ import annotations

from dataclasses import replace

from bugs.bank import safety
from bugs.stages import compacted_by, figure_8, just_elected
from raft_lab import Server, Snapshot, with_rules


@safety(37, "State Machine Safety", figure_8, length=8, control=with_rules(Server, "one entry a message"), term=5)
class AppliesWhatItStores(Server):
    """Entries are applied as soon as they are stored."""

    max_entries_per_message = 1

    def store_entries(self, m):
        super().store_entries(m)
        self.commit_index = max(self.commit_index, m.prev_log_index + len(m.entries))


@safety(39, "Leader Completeness", just_elected, length=7, term=2, crashes=1)
class LogNotDurable(Server):
    """The log is not on disk."""

    @classmethod
    def crashed(cls, state):
        left = super().crashed(state)
        return replace(left, log=left.log.truncate(1)) if len(left.log) else left


@safety(40, "State Is the Fold", compacted_by, length=1, term=2, crashes=1)
class SnapshotApart(Server):
    """The state machine is saved at once, its index later: after a crash an entry is applied again."""

    def on_compact(self):
        index, before = self.last_applied, self.log
        super().on_compact()
        if index - 1 > before.snapshot.last_included_index:
            saved = Snapshot(before.configuration_at(index - 1), index - 1, before.term(index - 1), self.machine)
            self.log = before.compact(saved)
