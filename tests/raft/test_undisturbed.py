"""Pre-vote, leader stickiness, check-quorum and transfer: dissertation 9.6, 4.2.3, 6.2, 3.10."""

import pytest

from raft.states import FIVE, THREE, answer, ask, beat, leader, receive, sent, server, time_out
from raft_lab import (
    AppendEntries,
    AppendEntriesReply,
    Candidate,
    Cluster,
    Configuration,
    Follower,
    InstallSnapshotReply,
    Leader,
    PreVote,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
    Server,
    TimeoutNow,
    with_rules,
)
from raft_lab.raft.state import Accepted, PreCandidate, QuorumTimeout, Rejected, Silence, TransferLeadership

ASKING = with_rules(Server, "pre-vote")
STICKY = with_rules(Server, "leader stickiness")
CHECKING = with_rules(Server, "check-quorum")
BOTH = with_rules(Server, "pre-vote", "leader stickiness")

# --- Pre-vote: asking ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Follower(), Follower("S2"), Candidate({"S1"}), PreCandidate({"S1", "S2"})])
def test_before_a_server_starts_a_term_it_asks_and_nothing_durable_changes(role):
    before = server(1, 2, term=4, vote="S3", role=role)
    outcome = time_out(before, ASKING)
    assert (outcome.state.current_term, outcome.state.voted_for, outcome.state.log) == (4, "S3", before.log)
    assert outcome.state.role == PreCandidate({"S1"})
    assert outcome.messages == (PreVote("S1", "S2", 5, 2, 2), PreVote("S1", "S3", 5, 2, 2))
    assert outcome.timer_reset, "it tries again when no one answers"


PRE_VOTES = {
    # my term, my vote, my log | its next term, its last index, last term | granted
    "the next term, an equal log": ((1, None, (1,)), (2, 1, 1), True),
    "whoever my vote went to": ((1, "S3", (1,)), (2, 1, 1), True),
    "a far term": ((1, None, (1,)), (9, 1, 1), True),
    "a longer log": ((1, None, (1,)), (2, 3, 1), True),
    "my own term": ((2, None, (1,)), (2, 1, 1), False),
    "a term that is over": ((3, None, (1,)), (2, 1, 1), False),
    "a shorter log": ((1, None, (1, 1)), (2, 1, 1), False),
    "a log that ends in an older term": ((2, None, (2,)), (3, 4, 1), False),
}


@pytest.mark.parametrize("role", [Follower(), Follower("S3"), Candidate({"S1"}), PreCandidate({"S1"})])
@pytest.mark.parametrize("case", PRE_VOTES)
def test_saying_whether_one_would_vote_changes_no_term_no_vote_and_no_timer(case, role):
    (term, vote, mine), (its_term, last_index, last_term), granted = PRE_VOTES[case]
    before = server(*mine, term=term, vote=vote, role=role)
    outcome = receive(before, PreVote("S2", "S1", its_term, last_index, last_term), ASKING)
    assert outcome.state is before
    assert not outcome.timer_reset
    assert answer(outcome) == PreVoteReply("S1", "S2", its_term if granted else term, granted)


def pre_candidate(*grants: str, configuration: Configuration = FIVE):
    state = time_out(server(1, term=3, configuration=configuration), ASKING).state
    for name in grants:
        state = receive(state, PreVoteReply(name, "S1", 4, True), ASKING).state
    return state


def test_with_a_quorum_of_grants_the_term_begins():
    state = pre_candidate("S2")
    assert (state.current_term, state.role) == (3, PreCandidate({"S1", "S2"}))
    outcome = receive(state, PreVoteReply("S3", "S1", 4, True), ASKING)
    assert (outcome.state.current_term, outcome.state.voted_for, outcome.state.role) == (4, "S1", Candidate({"S1"}))
    assert {type(m) for m in outcome.messages} == {RequestVote}


@pytest.mark.parametrize(
    "reply",
    [
        PreVoteReply("S2", "S1", 4, True),
        PreVoteReply("S4", "S1", 3, False),
        PreVoteReply("S4", "S1", 3, True),
        PreVoteReply("S4", "S1", 5, True),
    ],
    ids=["the same again", "a refusal", "of an earlier attempt", "for a later term"],
)
def test_what_is_no_new_grant_for_the_next_term_does_not_count(reply):
    state = pre_candidate("S2")
    outcome = receive(state, reply, ASKING)
    assert (outcome.state, outcome.messages) == (state, ())


@pytest.mark.parametrize("role", [Follower("S2"), Candidate({"S1"}), Leader({})])
def test_only_a_pre_candidate_counts_grants(role):
    state = server(1, term=3, role=role, configuration=Configuration({"S1"}))
    assert receive(state, PreVoteReply("S2", "S1", 4, True), ASKING).state == state


def test_a_refusal_of_a_higher_term_makes_a_follower_of_that_term():
    state = receive(pre_candidate(), PreVoteReply("S2", "S1", 8, False), ASKING).state
    assert (state.current_term, state.role) == (8, Follower())


def test_the_grant_speaks_of_a_term_that_nobody_has_begun():
    """Who has moved on to another role must not take it for news of a higher term."""
    state = receive(server(1, term=3), PreVoteReply("S2", "S1", 4, True), ASKING).state
    assert state.current_term == 3


def test_a_pre_candidate_follows_the_leader_of_its_term():
    state = receive(pre_candidate("S2"), AppendEntries("S4", "S1", 3, 1, 1, (), 0), ASKING).state
    assert state.role == Follower("S4")


def test_grants_are_counted_in_both_halves_of_a_joint_configuration():
    joint = Configuration({"S1", "S4", "S5"}, old={"S1", "S2", "S3"})
    state = pre_candidate("S2", "S3", configuration=joint)
    assert isinstance(state.role, PreCandidate)
    assert isinstance(receive(state, PreVoteReply("S5", "S1", 4, True), ASKING).state.role, Candidate)


def test_alone_a_server_asks_no_one_and_leads():
    assert time_out(server(term=0, configuration=Configuration({"S1"})), ASKING).state.is_leader


# --- Leader stickiness -----------------------------------------------------------------------------------------


def in_touch():
    return receive(server(1), AppendEntries("S2", "S1", 1, 1, 1, (), 0), STICKY).state


REQUESTS = [RequestVote("S3", "S1", 1, 1, 1), RequestVote("S3", "S1", 9, 5, 8)]


@pytest.mark.parametrize("m", REQUESTS, ids=["its term", "a higher term"])
def test_who_has_just_heard_from_a_leader_does_not_even_hear_a_candidate(m):
    before = in_touch()
    assert before.role == Follower("S2", in_touch=True)
    outcome = receive(before, m, STICKY)
    assert outcome.state is before
    assert (outcome.messages, outcome.timer_reset) == ((), False)


def test_nor_does_a_leader():
    before = leader(1)
    outcome = receive(before, RequestVote("S3", "S1", 9, 5, 8), STICKY)
    assert (outcome.state, outcome.messages) == (before, ())


def test_after_the_shortest_election_timeout_it_votes_again():
    state = STICKY.step(in_touch(), Silence()).state
    assert state.role == Follower("S2")
    assert answer(receive(state, REQUESTS[1], STICKY)) == RequestVoteReply("S1", "S3", 9, True)


def test_an_election_that_the_leader_has_asked_for_is_heard():
    m = RequestVote("S3", "S1", 9, 5, 8, disrupt=True)
    assert answer(receive(in_touch(), m, STICKY)) == RequestVoteReply("S1", "S3", 9, True)
    assert answer(receive(leader(1), m, STICKY)) == RequestVoteReply("S1", "S3", 9, True)


@pytest.mark.parametrize(
    "m",
    [
        AppendEntries("S3", "S1", 9, 1, 1, (), 0),
        AppendEntriesReply("S3", "S1", 9, False),
        RequestVoteReply("S3", "S1", 9, False),
    ],
    ids=lambda m: type(m).__name__,
)
def test_only_requests_for_votes_are_ignored(m):
    assert receive(leader(1), m, STICKY).state.current_term == 9


@pytest.mark.parametrize(
    "state",
    [server(1), server(1, role=Candidate({"S1"}), vote="S1"), STICKY.crashed(in_touch())],
    ids=["has heard no one", "a candidate", "restarted"],
)
def test_who_is_in_touch_with_no_leader_listens(state):
    assert receive(state, REQUESTS[1], STICKY).state.current_term == 9


def test_without_the_rule_no_one_is_in_touch():
    state = receive(server(1), AppendEntries("S2", "S1", 1, 1, 1, (), 0)).state
    assert state.role == Follower("S2", in_touch=False)
    assert receive(state, REQUESTS[1]).state.current_term == 9


def test_with_both_rules_who_is_in_touch_refuses_pre_votes():
    before = in_touch()
    outcome = receive(before, PreVote("S3", "S1", 2, 1, 1), BOTH)
    assert outcome.state is before
    assert answer(outcome) == PreVoteReply("S1", "S3", 1, False)
    assert answer(receive(before, PreVote("S3", "S1", 2, 1, 1), ASKING)).vote_granted


# --- Check-quorum ----------------------------------------------------------------------------------------------

HEARD = {
    "no one": ((), False),
    "one of four": (("S2",), False),
    "one of four, again and again": (("S2", "S2", "S2"), False),
    "two of four": (("S2", "S5"), True),
    "all": (("S2", "S3", "S4", "S5"), True),
}


@pytest.mark.parametrize("case", HEARD)
def test_a_leader_that_has_not_heard_from_a_quorum_steps_down(case):
    heard, stays = HEARD[case]
    state = leader(1, configuration=FIVE)
    for peer in heard:
        state = receive(state, AppendEntriesReply(peer, "S1", 1, True, 1), CHECKING).state
    after = CHECKING.step(state, QuorumTimeout()).state
    assert after.is_leader == stays
    assert (after.current_term, after.voted_for) == (1, "S1")
    assert after.log == state.log
    if stays:
        assert not CHECKING.step(after, QuorumTimeout()).state.is_leader, "each timeout asks anew"
    else:
        assert after.role == Follower()


@pytest.mark.parametrize(
    "reply",
    [AppendEntriesReply("S2", "S1", 1, False, 0, 1, 1), InstallSnapshotReply("S2", "S1", 1, 1)],
    ids=["a refusal", "an answer about a snapshot"],
)
def test_any_answer_of_its_term_is_a_sign_of_life(reply):
    state = receive(leader(1), reply, CHECKING).state
    assert CHECKING.step(state, QuorumTimeout()).state.is_leader


def test_an_answer_of_an_earlier_term_is_none():
    state = receive(leader(3, term=3), AppendEntriesReply("S2", "S1", 2, True, 1), CHECKING).state
    assert not CHECKING.step(state, QuorumTimeout()).state.is_leader


def test_learners_are_no_quorum():
    state = leader(1, configuration=Configuration({"S1", "S2", "S3"}, learners={"S4", "S5"}))
    for peer in ("S4", "S5"):
        state = receive(state, AppendEntriesReply(peer, "S1", 1, True, 1), CHECKING).state
    assert not CHECKING.step(state, QuorumTimeout()).state.is_leader


def test_without_the_rule_a_leader_does_not_look():
    assert Server.step(leader(1), QuorumTimeout()).state.is_leader
    assert "quorum" not in Server.timers(leader(1))
    assert "quorum" in CHECKING.timers(leader(1))


@pytest.mark.parametrize("role", [Follower("S2"), Candidate({"S1"})])
def test_who_does_not_lead_has_nothing_to_check(role):
    state = server(1, role=role)
    assert CHECKING.step(state, QuorumTimeout()).state == state


# --- Transfer --------------------------------------------------------------------------------------------------


def hand_over(state, to):
    return Server.step(state, TransferLeadership(to))


def test_who_has_the_whole_log_is_told_at_once():
    outcome = hand_over(leader(1, 1, match={"S2": 2}), "S2")
    assert isinstance(outcome.reply, Accepted)
    assert outcome.messages == (TimeoutNow("S1", "S2", 1),)
    assert outcome.state.is_leader, "until it hears of the new term"
    assert outcome.state.role.transferee == "S2"


def test_who_lacks_something_is_told_when_it_has_everything_and_not_before():
    outcome = hand_over(leader(1, 1, 1, match={"S2": 1}, next_={"S2": 2}), "S2")
    assert outcome.messages == ()
    partly = receive(outcome.state, AppendEntriesReply("S2", "S1", 1, True, 2))
    assert not [m for m in partly.messages if isinstance(m, TimeoutNow)]
    fully = receive(partly.state, AppendEntriesReply("S2", "S1", 1, True, 3))
    assert TimeoutNow("S1", "S2", 1) in fully.messages
    other = receive(partly.state, AppendEntriesReply("S3", "S1", 1, True, 3))
    assert not [m for m in other.messages if isinstance(m, TimeoutNow)], "another one's answer is no reason"


def test_meanwhile_commands_are_turned_away_to_the_one_who_takes_over():
    state = hand_over(leader(1, match={"S2": 1}), "S2").state
    outcome = ask(state, "set x 1")
    assert (outcome.state, outcome.messages) == (state, ())
    assert outcome.reply == Rejected("S2", "S1 is handing over")


def test_a_transfer_that_takes_too_long_is_given_up_and_commands_are_taken_again():
    state = hand_over(leader(1, match={"S2": 1}), "S2").state
    assert "quorum" in Server.timers(state), "there is a timer for it, whatever the rules"
    state = Server.step(state, QuorumTimeout()).state
    assert state.is_leader
    assert state.role.transferee is None
    assert "quorum" not in Server.timers(state)
    assert isinstance(ask(state, "set x 1").reply, Accepted)


@pytest.mark.parametrize(
    ("state", "to", "reason"),
    [
        (leader(1), "S1", "S1 is not another voter"),
        (leader(1), "S9", "S9 is not another voter"),
        (leader(1, configuration=Configuration({"S1", "S2"}, learners={"S3"})), "S3", "S3 is not another voter"),
        (server(1, role=Follower("S2")), "S3", "only the leader can hand over"),
    ],
    ids=["to itself", "to a stranger", "to a learner", "by a follower"],
)
def test_what_cannot_be_handed_over_is_refused(state, to, reason):
    outcome = hand_over(state, to)
    assert (outcome.state, outcome.messages) == (state, ())
    assert outcome.reply.reason == reason


@pytest.mark.parametrize("engine", [Server, ASKING, BOTH], ids=["plain", "pre-vote", "pre-vote and stickiness"])
def test_who_is_told_starts_a_term_at_once_and_asks_with_the_leaders_blessing(engine):
    state = receive(server(1, role=Follower("S2")), AppendEntries("S2", "S1", 1, 1, 1, (), 0), engine).state
    outcome = receive(state, TimeoutNow("S2", "S1", 1), engine)
    assert (outcome.state.current_term, outcome.state.role) == (2, Candidate({"S1"}))
    assert outcome.messages == (
        RequestVote("S1", "S2", 2, 1, 1, disrupt=True),
        RequestVote("S1", "S3", 2, 1, 1, disrupt=True),
    )


@pytest.mark.parametrize(
    "state",
    [
        server(1, term=4),
        leader(1),
        server(1, configuration=Configuration({"S2", "S3"}, learners={"S1"})),
        server(1, configuration=Configuration({"S2", "S3"})),
    ],
    ids=["of a term that is over", "a leader", "a learner", "a stranger"],
)
def test_who_may_not_campaign_does_not_because_of_that_either(state):
    outcome = receive(state, TimeoutNow("S2", "S1", 1))
    assert (outcome.state, outcome.messages) == (state, ())


def test_an_ordinary_campaign_has_no_blessing():
    assert not any(m.disrupt for m in time_out(server(1)).messages)


@pytest.mark.parametrize("rules", [(), ("pre-vote", "leader stickiness", "check-quorum")], ids=["plain", "all rules"])
def test_a_transfer_from_beginning_to_end(rules):
    cluster = Cluster(3, seed=1, rules=rules)
    cluster.run_until(leader=True)
    first, term = cluster.leader, cluster[cluster.leader].current_term
    to = next(name for name in cluster.servers if name != first)
    cluster.propose("set x 1")
    transfer = cluster.transfer_leadership(to)
    assert transfer.status == "pending"
    begun = cluster.schedule.now_us
    cluster.run_until(leader=to)
    assert transfer.status == "done"
    assert cluster[to].current_term == term + 1
    assert cluster.schedule.now_us - begun < 150_000, "no election timeout has passed"
    assert cluster[first].current_term == term + 1
    cluster.run_until(committed="set x 1")
    assert cluster.violations == []


def test_what_an_administrator_knows_of_a_transfer():
    cluster = Cluster(3, seed=1)
    cluster.timeout("S1")
    cluster.deliver_all()
    assert cluster.transfer_leadership("S2", server="S3").status == "rejected"
    transfer = cluster.transfer_leadership("S2")
    cluster.crash("S1")
    assert transfer.status == "unknown", "S2 may be told yet"
    cluster.drop("S1", "S2", "TimeoutNow")
    cluster.timeout("S3")
    cluster.deliver_all()
    assert transfer.status == "overtaken"
    assert repr(transfer) == "<hand over from S1 to S2: overtaken>"


def test_transfers_that_are_asked_for_again_and_again_do_not_put_off_the_check_for_a_quorum():
    """Each transfer has a whole timeout, which begins when it is asked for: a second one waits for the first."""
    cluster = Cluster(3, seed=1, rules=["check-quorum"])
    cluster.run_until(leader=True)
    first = cluster.leader
    to = next(name for name in cluster.servers if name != first)
    cluster.partition({first})
    for _ in range(10):
        cluster.transfer_leadership(to, first)
        cluster.run(100)
    assert not cluster[first].is_leader


def test_a_second_transfer_waits_for_the_first():
    state = hand_over(leader(1, 1, match={"S2": 1}), "S2").state
    outcome = hand_over(state, "S3")
    assert outcome.state == state
    assert outcome.reply == Rejected("S1", "S1 is handing over to S2")


def test_what_is_sent_meanwhile_is_still_replicated():
    state = hand_over(leader(1, 1, match={"S2": 2}), "S2").state
    assert {m.dst for m in sent(beat(state))} == {"S2", "S3"}
    assert set(state.role.progress) == set(THREE.members) - {"S1"}
