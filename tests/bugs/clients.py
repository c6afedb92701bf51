"""Bugs 51 to 56: clients."""

from __future__ import annotations

from bugs.bank import OUT_OF_REACH, safety, scene
from bugs.stages import duplicate_command, new_leader, old_reign
from raft_lab import Leader, Machine, Server
from raft_lab.raft.state import ReadDone


@scene(51, "State Is the Fold", duplicate_command, length=4)
class AppliesTwice(Server):
    """A command that a client sends again is applied again."""

    def was_applied(self, session, command):
        return False


@safety(52, "Snapshot Is the Prefix", duplicate_command, length=1, term=1, compactions=1)
class ForgetsInSnapshots(Server):
    """A snapshot holds the data and not the clients' sessions."""

    def on_compact(self):
        machine, self.machine = self.machine, Machine(self.machine.data)
        super().on_compact()
        self.machine = machine


@safety(53, "Fresh Reads", old_reign, length=1, term=2, reads=1)
class ReadsAtOnce(Server):
    """A leader answers reads from what it has."""

    def on_read_request(self, read):
        if isinstance(self.role, Leader):
            self.answer(ReadDone(read.id, self.last_applied, self.machine.data))


@safety(54, "Fresh Reads", new_leader, length=3, term=2, reads=1)
class ReadsTooSoon(Server):
    """A new leader takes its commitIndex for the cluster's before it has committed an entry of its own."""

    def may_take_read_index(self):
        return True


OUT_OF_REACH[55] = (
    "a client's mistake, not a server's: it takes the entry at its index for its own whatever the term; "
    "test_bank.py shows the run"
)
OUT_OF_REACH[56] = "threads that wait for each other: a handler here is a pure function, called by one thread"
