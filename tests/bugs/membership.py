"""Bugs 46 to 50: members."""

from __future__ import annotations

from bugs.bank import liveness, safety
from bugs.stages import (
    a_removed_server,
    a_rolled_back_change,
    joint_split,
    joint_under_way,
    leaves_the_joint_configuration,
    moved_and_restarted,
    same_leader_for_long,
    two_changes_meet,
)
from raft_lab import Server, with_rules, without


@safety(46, "Election Safety", joint_split, length=5, term=3)
class OneMajorityOfAll(without(Server, "separate majorities")):
    """C_old,new is one set of servers, of which a majority decides."""


@safety(46, "Election Safety", moved_and_restarted, length=6, term=2)
class ConfigurationWhenCommitted(Server):
    """A configuration is used from when it is committed, not from when it is appended."""

    @property
    def configuration(self):
        return self.log.configuration_at(max(self.commit_index, self.log.snapshot.last_included_index))

    def apply_committed(self):
        super().apply_committed()
        self.adopt_configuration()


@safety(47, "Leader Completeness", two_changes_meet, length=5, term=4)
class ChangesTooSoon(Server):
    """A leader changes one server before it has committed an entry of its own term."""

    def may_change_one(self):
        return True


@safety(48, "Elected by a Majority", a_rolled_back_change, length=3, differs=False, term=3)
class KeepsTheConfiguration(Server):
    """A configuration that was cut off with the log stays in use."""

    durable = {"members": None}

    @property
    def configuration(self):
        return self.members or self.log.configuration

    def append_configuration(self, configuration):
        self.members = configuration
        super().append_configuration(configuration)


@liveness(49, joint_under_way, goes_on=leaves_the_joint_configuration, differs=False)
class LeavesItToWhoBeganIt(Server):
    """Only the leader that began a joint configuration ends it; whoever comes after does not."""

    volatile = {"began": 0}

    def append_configuration(self, configuration):
        self.began = self.current_term
        super().append_configuration(configuration)

    def after_commit(self):
        if self.began == self.current_term or not self.configuration.is_joint:
            super().after_commit()


@liveness(
    50,
    a_removed_server,
    control=with_rules(Server, "leader stickiness"),
    goes_on=same_leader_for_long,
    differs=False,
)
class ListensToAnyone(Server):
    """Raft as the paper's sections 1 to 5 have it: a removed server deposes one leader after the other."""
