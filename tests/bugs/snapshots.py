"""Bugs 41 to 45: snapshots."""

from __future__ import annotations

from dataclasses import replace

from bugs.bank import safety
from bugs.stages import applied, snapshot_overtaken, snapshot_twice, stray_tail
from raft_lab import Server


@safety(41, "A Quorum Has It", snapshot_overtaken, length=3, term=1)
class DropsTheTail(Server):
    """A snapshot replaces the whole log, also what follows it and has been acknowledged."""

    def keeps_tail(self, snapshot):
        return False


@safety(42, "Log Terms", stray_tail, length=1, term=2)
class KeepsAnyTail(Server):
    """What follows a snapshot is kept without a look at whether it fits."""

    def keeps_tail(self, snapshot):
        return snapshot.last_included_index <= self.log.last_index


@safety(43, "Committed Stays", snapshot_twice, length=1, term=1)
class GoesBackInTime(Server):
    """An old snapshot takes commitIndex and the state machine back."""

    def on_install_snapshot(self, m):
        if m.term == self.current_term:
            self.commit_index = self.last_applied = 0
        super().on_install_snapshot(m)


@safety(44, "Snapshot Is the Prefix", applied, length=1, term=1, compactions=1)
class CompactsTooMuch(Server):
    """A snapshot is taken of the whole log, committed or not."""

    def on_compact(self):
        last, self.last_applied = self.last_applied, self.log.last_index
        super().on_compact()
        self.last_applied = last


@safety(45, "Snapshot Is the Prefix", applied, length=1, term=1, compactions=1)
class ForgetsTheLastTerm(Server):
    """lastIncludedTerm is not kept, so that nothing fits behind the snapshot."""

    def on_compact(self):
        super().on_compact()
        self.log = self.log.compact(replace(self.log.snapshot, last_included_term=0))
