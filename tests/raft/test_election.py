"""Elections: sections 5.2 and 5.4.1, and where implementations go wrong."""

import pytest

from raft.states import FIVE, THREE, answer, beat, indexes, leader, log, receive, sent, server, terms, time_out
from raft_lab import (
    AppendEntries,
    AppendEntriesReply,
    Candidate,
    Configuration,
    Follower,
    Noop,
    RequestVote,
    RequestVoteReply,
)

# --- Starting an election -------------------------------------------------------------------------------


@pytest.mark.parametrize("role", [Follower(), Follower("S2"), Candidate({"S1"})])
def test_when_the_election_timer_runs_out_a_server_asks_all_others_for_votes_in_the_next_term(role):
    outcome = time_out(server(1, 2, 2, term=4, vote="S3", role=role))
    assert outcome.state.current_term == 5
    assert outcome.state.voted_for == "S1"
    assert outcome.state.role == Candidate({"S1"})
    assert outcome.timer_reset
    assert outcome.messages == (RequestVote("S1", "S2", 5, 3, 2), RequestVote("S1", "S3", 5, 3, 2))


def test_a_leader_has_no_election_timeout():
    state = leader(1)
    assert time_out(state).state == state


def test_a_server_alone_elects_itself_at_once():
    state = time_out(server(configuration=Configuration({"S1"}), term=0)).state
    assert state.is_leader
    assert state.commit_index == 1, "its no-op is on a majority of one"


def test_a_learner_never_campaigns_and_is_never_asked():
    with_learner = Configuration({"S1", "S2", "S3"}, learners={"S4"})
    assert time_out(server(id="S4", configuration=with_learner)).messages == ()
    asked = [m.dst for m in time_out(server(configuration=with_learner)).messages]
    assert asked == ["S2", "S3"]


# --- Voting: one vote a term, for an up-to-date log --------------------------------------------------------

VOTES = {
    # my term, my vote, my log        | its term, its last index, last term | granted, my term, my vote after
    "first to ask": ((1, None, (1,)), (1, 1, 1), (True, 1, "S2")),
    "a new term frees the vote": ((1, "S3", (1,)), (2, 1, 1), (True, 2, "S2")),
    "asked again: the answer was lost": ((1, "S2", (1,)), (1, 1, 1), (True, 1, "S2")),
    "voted for another": ((1, "S3", (1,)), (1, 1, 1), (False, 1, "S3")),
    "voted for itself": ((1, "S1", (1,)), (1, 1, 1), (False, 1, "S1")),
    "an old term": ((3, None, (1,)), (2, 1, 1), (False, 3, None)),
    "an old term, whoever I voted for": ((3, "S2", (1,)), (2, 9, 2), (False, 3, "S2")),
    "longer log, same last term": ((1, None, (1,)), (2, 2, 1), (True, 2, "S2")),
    "shorter log, same last term": ((1, None, (1, 1)), (2, 1, 1), (False, 2, None)),
    "shorter log, later last term": ((2, None, (1, 1, 1)), (3, 1, 2), (True, 3, "S2")),
    "longer log, earlier last term": ((2, None, (2,)), (3, 5, 1), (False, 3, None)),
    "both empty": ((0, None, ()), (1, 0, 0), (True, 1, "S2")),
    "mine is empty": ((0, None, ()), (1, 4, 1), (True, 1, "S2")),
    "its is empty": ((1, None, (1,)), (2, 0, 0), (False, 2, None)),
}


@pytest.mark.parametrize("case", VOTES)
def test_a_vote_is_given_once_a_term_and_only_to_a_log_at_least_as_up_to_date(case):
    (term, vote, mine), (its_term, last_index, last_term), (granted, term_after, vote_after) = VOTES[case]
    outcome = receive(server(*mine, term=term, vote=vote), RequestVote("S2", "S1", its_term, last_index, last_term))
    assert answer(outcome) == RequestVoteReply("S1", "S2", term_after, granted)
    assert (outcome.state.current_term, outcome.state.voted_for) == (term_after, vote_after)


@pytest.mark.parametrize("case", VOTES)
def test_the_election_timer_starts_anew_if_and_only_if_a_vote_is_given(case):
    (term, vote, mine), (its_term, last_index, last_term), (granted, _, _) = VOTES[case]
    outcome = receive(server(*mine, term=term, vote=vote), RequestVote("S2", "S1", its_term, last_index, last_term))
    assert outcome.timer_reset == granted


def test_a_server_votes_for_a_candidate_that_its_own_configuration_does_not_know():
    outcome = receive(server(1), RequestVote("S9", "S1", 2, 1, 1))
    assert answer(outcome).vote_granted


def test_a_server_votes_though_it_is_not_a_voter_itself():
    state = server(1, id="S4", configuration=Configuration({"S1", "S2", "S3"}, learners={"S4"}))
    assert answer(receive(state, RequestVote("S1", "S4", 2, 1, 1))).vote_granted


def test_a_leader_asked_in_its_own_term_refuses_and_stays():
    state = leader(1)
    outcome = receive(state, RequestVote("S2", "S1", 1, 5, 1))
    assert not answer(outcome).vote_granted
    assert outcome.state == state


# --- A higher term in any message -----------------------------------------------------------------------

HIGHER = [
    RequestVote("S2", "S1", 7, 0, 0),
    RequestVoteReply("S2", "S1", 7, False),
    RequestVoteReply("S2", "S1", 7, True),
    AppendEntries("S2", "S1", 7, 9, 6, (), 0),
    AppendEntriesReply("S2", "S1", 7, False),
    AppendEntriesReply("S2", "S1", 7, True, 5),
]


@pytest.mark.parametrize("message", HIGHER, ids=lambda m: type(m).__name__)
@pytest.mark.parametrize("before", [server(3), server(3, vote="S1", role=Candidate({"S1"})), leader(3)])
def test_a_higher_term_in_any_message_makes_a_follower_of_that_term_without_a_vote(before, message):
    state = receive(before, message).state
    assert state.current_term == 7
    assert isinstance(state.role, Follower)
    assert state.voted_for is None
    assert state.log == before.log


@pytest.mark.parametrize("message", HIGHER[:3] + HIGHER[4:], ids=lambda m: type(m).__name__)
def test_seeing_a_higher_term_does_not_by_itself_start_the_election_timer_anew(message):
    assert not receive(server(3), message).timer_reset


def test_the_same_term_never_takes_a_vote_back():
    voted = server(1, vote="S3")
    assert receive(voted, AppendEntries("S2", "S1", 1, 0, 0, (), 0)).state.voted_for == "S3"


# --- Counting -------------------------------------------------------------------------------------------


def candidate(*votes: str, configuration=THREE):
    return server(1, term=2, vote="S1", role=Candidate({"S1", *votes}), configuration=configuration)


def test_votes_from_a_majority_make_a_leader():
    state = receive(candidate(configuration=FIVE), RequestVoteReply("S2", "S1", 2, True)).state
    assert state.role == Candidate({"S1", "S2"})
    assert receive(state, RequestVoteReply("S3", "S1", 2, True)).state.is_leader


def test_a_vote_that_arrives_twice_counts_once():
    vote = RequestVoteReply("S2", "S1", 2, True)
    state = receive(candidate(configuration=FIVE), vote).state
    for _ in range(5):
        state = receive(state, vote).state
    assert state.role == Candidate({"S1", "S2"})


def test_a_refusal_is_no_vote():
    assert receive(candidate(), RequestVoteReply("S2", "S1", 2, False)).state == candidate()


def test_a_vote_of_an_older_term_does_not_count():
    assert receive(candidate(), RequestVoteReply("S2", "S1", 1, True)).state == candidate()


@pytest.mark.parametrize("role", [Follower(), Follower("S3")])
def test_only_a_candidate_counts_votes(role):
    state = server(1, term=2, vote="S1", role=role)
    assert receive(state, RequestVoteReply("S2", "S1", 2, True)).state == state


def test_a_late_vote_changes_nothing_for_a_leader():
    state = leader(1)
    outcome = receive(state, RequestVoteReply("S3", "S1", 1, True))
    assert (outcome.state, outcome.messages) == (state, ())


def test_a_joint_configuration_needs_both_majorities():
    joint = Configuration(voters={"S1", "S4", "S5"}, old={"S1", "S2", "S3"})
    state = candidate("S2", configuration=joint)
    state = receive(state, RequestVoteReply("S3", "S1", 2, True)).state
    assert not state.is_leader, "all of the old, but one of the new"
    assert receive(state, RequestVoteReply("S4", "S1", 2, True)).state.is_leader


def test_a_learners_vote_counts_nothing():
    state = candidate(configuration=Configuration({"S1", "S2", "S3"}, learners={"S4", "S5"}))
    for name in ("S4", "S5"):
        state = receive(state, RequestVoteReply(name, "S1", 2, True)).state
    assert not state.is_leader


# --- Becoming leader -------------------------------------------------------------------------------------


def test_a_new_leader_appends_a_no_op_and_sends_it_to_all():
    outcome = receive(candidate(), RequestVoteReply("S2", "S1", 2, True))
    assert terms(outcome.state) == [1, 2]
    assert outcome.state.log.entry(2).value == Noop()
    noop = (outcome.state.log.entry(2),)
    assert sent(outcome) == (
        AppendEntries("S1", "S2", 2, 1, 1, noop, 0),
        AppendEntries("S1", "S3", 2, 1, 1, noop, 0),
    )


def test_a_new_leader_assumes_nothing_of_its_followers_logs():
    state = receive(candidate(), RequestVoteReply("S2", "S1", 2, True)).state
    assert [indexes(state, peer) for peer in ("S2", "S3")] == [(2, 0), (2, 0)]


def test_a_leader_elected_again_remembers_nothing_of_its_former_reign():
    state = leader(1, 1, match={"S2": 2, "S3": 2})
    state = receive(state, RequestVoteReply("S2", "S1", 2, False)).state
    state = time_out(state).state
    state = receive(state, RequestVoteReply("S3", "S1", 3, True)).state
    assert [indexes(state, peer) for peer in ("S2", "S3")] == [(3, 0), (3, 0)]


def test_a_candidate_concedes_to_the_leader_of_its_term():
    outcome = receive(candidate(), AppendEntries("S3", "S1", 2, 0, 0, (), 0))
    assert outcome.state.role == Follower("S3")
    assert outcome.state.voted_for == "S1", "its vote of this term stays given"
    assert outcome.timer_reset


def test_a_candidate_ignores_a_leader_of_an_older_term():
    outcome = receive(candidate(), AppendEntries("S3", "S1", 1, 0, 0, (), 0))
    assert outcome.state == candidate()
    assert answer(outcome) == AppendEntriesReply("S1", "S3", 2, False)
    assert not outcome.timer_reset


def test_only_a_leader_has_heartbeats():
    assert beat(server(1)).messages == ()
    assert [m.dst for m in beat(leader(1)).messages] == ["S2", "S3"]


def test_a_log_longer_than_the_leaders_says_nothing_of_who_leads():
    assert log(1, 1) != log(1)
    state = receive(server(1, 1, 1), AppendEntries("S2", "S1", 1, 1, 1, (), 0)).state
    assert state.role == Follower("S2")
