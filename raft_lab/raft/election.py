"""Leader election (sections 5.2 and 5.4.1), and what keeps it from disturbing (dissertation 3.10, 4.2.3, 6.2, 9.6)."""

from __future__ import annotations

from dataclasses import replace

from raft_lab.raft.core import Core
from raft_lab.raft.log import Entry, Noop
from raft_lab.raft.messages import Message, PreVote, PreVoteReply, RequestVote, RequestVoteReply, TimeoutNow
from raft_lab.raft.state import (
    Accepted,
    Candidate,
    Follower,
    Leader,
    PreCandidate,
    Progress,
    Rejected,
    TransferLeadership,
)
from raft_lab.raft.values import FrozenMap


class Election(Core):
    """How a server comes to lead, and how it ceases to."""

    def observe_term(self, m: Message) -> None:
        """Rules for all servers: a higher term in any message makes this server a follower of that term (5.1)."""
        if m.term > self.current_term and not self.only_asks_ahead(m):
            self.current_term = m.term
            self.voted_for = None
            if self.steps_down():
                # A sticky follower goes on holding to the leader that it has just heard (4.2.3, 6.4.1).
                self.role = Follower(in_touch=isinstance(self.role, Follower) and self.role.in_touch)

    def only_asks_ahead(self, m: Message) -> bool:
        """A pre-vote, and the answer that grants it, speak of a term that nobody has begun (dissertation 9.6)."""
        return isinstance(m, PreVote) or (isinstance(m, PreVoteReply) and m.vote_granted)

    def steps_down(self) -> bool:
        """A candidate or leader of a term that is over is a follower of the new one (5.1)."""
        return True

    # Campaigning

    def on_election_timeout(self) -> None:
        """Followers and candidates: if the election timeout passes, start an election (section 5.2)."""
        if isinstance(self.role, Leader) or not self.may_campaign():
            return
        if self.asks_before_campaigning():
            self.ask_for_pre_votes()
        else:
            self.campaign()

    def may_campaign(self) -> bool:
        """A voter of the latest configuration, or of the one before while the latest is not committed (4.2.2)."""
        log = self.log
        if log.configuration_index > self.commit_index and log.configuration_at(log.configuration_index - 1).is_voter(
            self.id
        ):
            return True
        return self.configuration.is_voter(self.id)

    def campaign(self, disrupt: bool = False) -> None:
        """Start a term, vote for oneself, ask all others (section 5.2)."""
        self.current_term += 1
        self.voted_for = self.id
        self.role = Candidate(frozenset({self.id}) if self.writes_at_once() else frozenset())
        self.reset_election_timer()
        last_index, last_term = self.log.last_index, self.log.last_term
        for peer in self.peers:
            if self.configuration.is_voter(peer):
                self.send(RequestVote(self.id, peer, self.current_term, last_index, last_term, disrupt))
        self.tally()

    def on_disk_written(self) -> None:
        """A candidate's own vote counts once it is on disk, like any other."""
        super().on_disk_written()
        if isinstance(self.role, Candidate) and self.voted_for == self.id:
            self.role = Candidate(self.role.votes | {self.id})
            self.tally()

    def on_request_vote(self, m: RequestVote) -> None:
        """Grant at most one vote a term, first come first served, and only to an up-to-date log (5.2, 5.4)."""
        granted = (
            m.term == self.current_term
            and self.may_vote_for(m.src)
            and self.log_is_up_to_date(m.last_log_index, m.last_log_term)
        )
        if granted:
            self.voted_for = m.src
            self.reset_election_timer()
        self.send(RequestVoteReply(self.id, m.src, self.current_term, granted))

    def may_vote_for(self, candidate: str) -> bool:
        """One vote a term: not yet given, or given to this very candidate, whose request came again (5.2)."""
        return self.voted_for is None or self.voted_for == candidate

    def log_is_up_to_date(self, last_log_index: int, last_log_term: int) -> bool:
        """Election restriction: the later last term wins; with equal terms, the longer log (section 5.4.1)."""
        return (last_log_term, last_log_index) >= (self.log.last_term, self.log.last_index)

    def on_request_vote_reply(self, m: RequestVoteReply) -> None:
        """Candidates: count the votes of this term (section 5.2)."""
        if isinstance(self.role, Candidate) and m.term == self.current_term and m.vote_granted:
            self.role = Candidate(self.role.votes | {m.src})
            self.tally()

    def tally(self) -> None:
        """Votes from a quorum make a candidate leader (section 5.2)."""
        if isinstance(self.role, Candidate) and self.has_quorum(self.role.votes):
            self.become_leader()

    def become_leader(self) -> None:
        """Assume nothing of the followers' logs, and append a no-op so as to commit (5.3; dissertation 6.4)."""
        next_index = self.log.last_index + 1
        self.role = Leader(FrozenMap({peer: Progress(next_index, round_end=next_index) for peer in self.peers}))
        self.log = self.log.append(Entry(self.current_term, Noop()))
        self.replicate()

    # Asking first (dissertation 9.6)

    def asks_before_campaigning(self) -> bool:
        """Pre-vote: do not start a term that could not be won."""
        return False

    def ask_for_pre_votes(self) -> None:
        """Ask whether one would get votes in the next term; nothing changes until a quorum says yes (9.6)."""
        self.role = PreCandidate(frozenset({self.id}))
        self.reset_election_timer()
        last_index, last_term = self.log.last_index, self.log.last_term
        for peer in self.peers:
            if self.configuration.is_voter(peer):
                self.send(PreVote(self.id, peer, self.current_term + 1, last_index, last_term))
        self.tally_pre_votes()

    def on_pre_vote(self, m: PreVote) -> None:
        """Say whether one would vote; no term, vote or timer changes (dissertation 9.6)."""
        granted = (
            m.term > self.current_term
            and not self.follows_a_live_leader()
            and self.log_is_up_to_date(m.last_log_index, m.last_log_term)
        )
        self.send(PreVoteReply(self.id, m.src, m.term if granted else self.current_term, granted))

    def on_pre_vote_reply(self, m: PreVoteReply) -> None:
        """Pre-candidates: with a quorum of grants for the next term, start it (dissertation 9.6)."""
        if isinstance(self.role, PreCandidate) and m.vote_granted and m.term == self.current_term + 1:
            self.role = PreCandidate(self.role.votes | {m.src})
            self.tally_pre_votes()

    def tally_pre_votes(self) -> None:
        """Grants from a quorum allow to campaign."""
        if isinstance(self.role, PreCandidate) and self.has_quorum(self.role.votes):
            self.campaign()

    # Not being disturbed (section 6; dissertation 4.2.3 and 6.2)

    def is_sticky(self) -> bool:
        """Leader stickiness: who has heard from a leader just now listens to no candidate."""
        return False

    def follows_a_live_leader(self) -> bool:
        """Whether it leads, or has heard from a leader within the shortest election timeout."""
        if not self.is_sticky():
            return False
        return isinstance(self.role, Leader) or (isinstance(self.role, Follower) and self.role.in_touch)

    def ignores(self, m: Message) -> bool:
        """A vote request that a leader has not asked for is not even heard, term and all (dissertation 4.2.3)."""
        return isinstance(m, RequestVote) and not m.disrupt and self.follows_a_live_leader()

    def on_restart(self) -> None:
        """It may have acknowledged a leader right before it crashed: it waits before it votes again (6.4.1)."""
        if self.is_sticky():
            self.role = Follower(in_touch=True)

    def on_silence(self) -> None:
        """The shortest election timeout has passed without a word from a leader."""
        if isinstance(self.role, Follower):
            self.role = replace(self.role, in_touch=False)

    def checks_quorum(self) -> bool:
        """Check-quorum: a leader that cannot reach a quorum steps down (dissertation 6.2)."""
        return False

    def on_quorum_timeout(self) -> None:
        """Leaders: give up a transfer that took too long, and leadership without a quorum (3.10, 6.2)."""
        if not isinstance(self.role, Leader):
            return
        in_touch = self.role.in_touch | {self.id}
        self.role = replace(self.role, in_touch=frozenset(), transferee=None)
        if self.checks_quorum() and not self.has_quorum(in_touch):
            self.role = Follower()

    # Handing over (dissertation 3.10)

    def on_transfer_leadership(self, request: TransferLeadership) -> None:
        """Leaders: bring the other's log up to date, then tell it to start an election; it has one timeout for that."""
        to = request.to
        if not isinstance(self.role, Leader):
            self.answer(Rejected(self.leader_id, "only the leader can hand over"))
        elif to == self.id or not self.configuration.is_voter(to):
            self.answer(Rejected(self.id, f"{to} is not another voter"))
        elif self.role.transferee is not None:  # again and again, it would put off the check for a quorum for ever
            self.answer(Rejected(self.id, f"{self.id} is handing over to {self.role.transferee}"))
        else:
            self.role = replace(self.role, transferee=to)
            self.reset_election_timer()
            self.answer(Accepted(self.log.last_index, self.current_term))
            self.hand_over_when_ready()

    def hand_over_when_ready(self) -> None:
        """Whoever takes over needs the whole log (dissertation 3.10)."""
        if isinstance(self.role, Leader) and self.role.transferee is not None:
            to = self.role.transferee
            known = self.role.progress.get(to)
            if known is not None and known.match_index == self.log.last_index:
                self.role = replace(self.role, asked_over=True)
                self.send(TimeoutNow(self.id, to, self.current_term))

    def on_timeout_now(self, m: TimeoutNow) -> None:
        """Start an election at once, with the leader's blessing: no pre-vote, and stickiness does not apply."""
        if m.term == self.current_term and not isinstance(self.role, Leader) and self.may_campaign():
            self.campaign(disrupt=True)
