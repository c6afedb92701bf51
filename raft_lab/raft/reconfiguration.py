"""Changing the members: joint consensus, and one server at a time (section 6; dissertation, chapter 4)."""

from __future__ import annotations

from dataclasses import replace

from raft_lab.raft.log import Entry
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import TimeoutNow
from raft_lab.raft.replication import Replication
from raft_lab.raft.state import Accepted, ChangeConfiguration, Follower, Leader, Progress, Rejected
from raft_lab.raft.values import FrozenMap


class Reconfiguration(Replication):
    """How the cluster moves from one set of servers to another without ever having two majorities."""

    def on_change_configuration(self, wanted: ChangeConfiguration) -> None:
        """Leaders: append the new configuration, by way of C_old,new unless one server only changes (4.1, 4.3)."""
        if not isinstance(self.role, Leader):
            self.answer(Rejected(self.leader_id, "only the leader changes the configuration"))
            return
        if refusal := self.refuses_change(wanted):
            self.answer(Rejected(self.id, refusal))
            return
        now = self.configuration
        old = frozenset[str]() if wanted.single or wanted.voters == now.voters else now.voters
        self.append_configuration(Configuration(wanted.voters, old, wanted.learners - wanted.voters))
        self.answer(Accepted(self.log.last_index, self.current_term))
        self.replicate()

    def refuses_change(self, wanted: ChangeConfiguration) -> str:
        """Why the change may not begin now, or ''."""
        now = self.configuration
        if not wanted.voters:
            return "a cluster needs at least one voter"
        if not self.last_change_is_done():
            return "the change before it is not committed yet"
        if wanted.single and not self.may_change_one():
            return "the leader has not committed an entry of its own term yet"
        if wanted.single and len(wanted.voters ^ now.voters) > 1:
            return "without joint consensus only one voter may be added or removed at a time"
        behind = sorted(name for name in wanted.voters - now.voters if not self.has_caught_up(name))
        if behind:
            return f"{', '.join(behind)} must catch up as a learner first"
        return ""

    def last_change_is_done(self) -> bool:
        """One change at a time: the latest configuration is committed, and it is not a joint one (4.1, 4.3)."""
        return self.log.configuration_index <= self.commit_index and not self.configuration.is_joint

    def may_change_one(self) -> bool:
        """The guard whose lack was the published bug of the single-server change (raft-dev, July 2015)."""
        return self.has_committed_in_its_term()

    def has_committed_in_its_term(self) -> bool:
        """Whether everything committed before this leader's term is known to it as committed (dissertation 6.4)."""
        return self.log.term(self.commit_index) == self.current_term

    def has_caught_up(self, server: str) -> bool:
        """A new voter must not hold up commits: it has caught up at least once as a learner (4.2.1)."""
        known = self.role.progress.get(server) if isinstance(self.role, Leader) else None
        return known is not None and known.rounds > 0

    def append_configuration(self, configuration: Configuration) -> None:
        """A configuration takes effect when it is appended, not when it is committed (4.1)."""
        self.log = self.log.append(Entry(self.current_term, configuration))
        self.adopt_configuration()

    def adopt_configuration(self) -> None:
        """Leaders: keep a record for each other member of the latest configuration, and for no one else."""
        if isinstance(self.role, Leader):
            known, new = self.role.progress, Progress(self.log.last_index, round_end=self.log.last_index)
            progress = FrozenMap({peer: known.get(peer, new) for peer in self.peers})
            self.role = replace(self.role, progress=progress)

    def after_commit(self) -> None:
        """C_old,new is committed: append C_new. C_new is committed without this leader: hand over and go (4.2.2)."""
        if not isinstance(self.role, Leader) or self.log.configuration_index > self.commit_index:
            return
        now = self.configuration
        if now.is_joint:
            self.append_configuration(Configuration(now.voters, frozenset(), now.learners))
            self.replicate()
        elif not now.is_voter(self.id):
            self.hand_over_and_go()

    def hand_over_and_go(self) -> None:
        """Leaders that are no members any more: tell what is committed, ask the best to take over, and go (4.2.2)."""
        self.replicate()
        if isinstance(self.role, Leader):
            best = max(sorted(self.configuration.voters), key=self.match_index)
            self.send(TimeoutNow(self.id, best, self.current_term))
            self.role = Follower()
