"""Where writes take time: what waits for the disk, and what a crash then takes (Figure 2; dissertation 10.2.1)."""

import pytest

from raft.states import FIVE, answer, entries, leader, receive, sent, server, time_out
from raft_lab import (
    AppendEntries,
    AppendEntriesReply,
    Candidate,
    Configuration,
    Follower,
    InstallSnapshot,
    Machine,
    PreVote,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
    Server,
    Snapshot,
    State,
    with_rules,
)
from raft_lab.raft.state import ClientRequest, Disk, DiskWritten, HeartbeatTimeout, Outcome, Restart

SLOW = with_rules(Server, "slow disk")
THREE = Configuration({"S1", "S2", "S3"})


def got(state: State, message) -> Outcome:
    return receive(state, message, SLOW)


def written(state: State) -> Outcome:
    return SLOW.step(state, DiskWritten())


def crashed(state: State) -> State:
    return SLOW.step(SLOW.crashed(state), Restart()).state


# --- A follower ------------------------------------------------------------------------------------------------

PROMISES = {
    "a vote": (RequestVote("S2", "S1", 2, 1, 1), RequestVoteReply("S1", "S2", 2, True)),
    "a refusal that shows a new term": (RequestVote("S2", "S1", 2, 0, 0), RequestVoteReply("S1", "S2", 2, False)),
    "entries": (
        AppendEntries("S2", "S1", 2, 1, 1, entries(2, first=2), 0),
        AppendEntriesReply("S1", "S2", 2, True, 2, 1),
    ),
    "a snapshot": (InstallSnapshot("S2", "S1", 2, Snapshot(THREE, 4, 2, Machine())), None),
}


@pytest.mark.parametrize("case", PROMISES)
def test_an_answer_waits_until_what_it_rests_on_is_on_disk(case):
    message, reply = PROMISES[case]
    before = server(1)
    outcome = got(before, message)
    assert outcome.messages == ()
    assert outcome.state.disk == Disk(1, None, before.log)
    assert len(outcome.state.waiting) == 1
    assert "disk" in SLOW.timers(outcome.state)
    done = written(outcome.state)
    assert len(done.messages) == 1
    assert reply is None or sent(done) == (reply,)
    assert (done.state.disk, done.state.waiting) == (None, ())
    assert "disk" not in SLOW.timers(done.state)
    assert done.state.log == outcome.state.log
    assert done.state.voted_for == outcome.state.voted_for


@pytest.mark.parametrize("case", PROMISES)
def test_a_crash_before_that_takes_it_back_and_no_one_was_told(case):
    message, _ = PROMISES[case]
    before = server(1)
    left = crashed(got(before, message).state)
    assert (left.current_term, left.voted_for, left.log) == (1, None, before.log)
    assert (left.waiting, left.disk) == ((), None)
    assert written(left).messages == ()


@pytest.mark.parametrize("case", PROMISES)
def test_a_crash_after_that_takes_nothing_durable(case):
    message, _ = PROMISES[case]
    state = written(got(server(1), message).state).state
    left = crashed(state)
    assert (left.current_term, left.voted_for, left.log) == (state.current_term, state.voted_for, state.log)


def test_a_vote_that_was_lost_with_the_crash_may_be_given_again_and_one_on_disk_may_not():
    voted = got(server(1), RequestVote("S2", "S1", 2, 1, 1)).state
    other = RequestVote("S3", "S1", 2, 1, 1)
    assert answer(written(got(crashed(voted), other).state)).vote_granted
    assert not answer(got(crashed(written(voted).state), other)).vote_granted


def test_what_rests_on_nothing_new_is_answered_at_once():
    heartbeat = AppendEntries("S2", "S1", 1, 1, 1, (), 0)
    assert answer(got(server(1), heartbeat)) == AppendEntriesReply("S1", "S2", 1, True, 1, 1)
    assert not answer(got(server(1, vote="S3"), RequestVote("S2", "S1", 1, 1, 1))).vote_granted


def test_while_something_waits_a_later_answer_waits_behind_it():
    state = got(server(1), AppendEntries("S2", "S1", 1, 1, 1, entries(1, first=2), 0)).state
    outcome = got(state, AppendEntries("S2", "S1", 1, 2, 1, (), 0))
    assert outcome.messages == ()
    assert [m.match_index for m in written(outcome.state).messages] == [2, 2]


def test_a_pre_vote_promises_nothing_and_does_not_wait():
    state = got(server(1), AppendEntries("S2", "S1", 1, 1, 1, entries(1, first=2), 0)).state
    assert got(state, PreVote("S3", "S1", 2, 9, 1)).messages == (PreVoteReply("S1", "S3", 2, True),)


def test_the_write_that_ends_covers_all_that_was_to_be_written():
    state = got(server(1), RequestVote("S2", "S1", 2, 1, 1)).state
    state = got(state, AppendEntries("S2", "S1", 2, 1, 1, entries(2, first=2), 0)).state
    assert state.disk == Disk(1, None, server(1).log), "the first state that is on disk stays it"
    assert [type(m) for m in written(state).messages] == [RequestVoteReply, AppendEntriesReply]


# --- A candidate -----------------------------------------------------------------------------------------------


def test_a_candidate_asks_and_counts_itself_when_its_term_and_vote_are_on_disk():
    outcome = time_out(server(1, configuration=FIVE), SLOW)
    assert outcome.messages == ()
    assert outcome.state.role == Candidate(frozenset())
    assert outcome.timer_reset
    done = written(outcome.state)
    assert done.state.role == Candidate({"S1"})
    assert [m.dst for m in done.messages] == ["S2", "S3", "S4", "S5"]


def test_a_candidate_that_crashes_before_that_has_never_been_one():
    left = crashed(time_out(server(1), SLOW).state)
    assert (left.current_term, left.voted_for) == (1, None)


def test_alone_it_leads_when_the_disk_has_written_and_commits_at_the_next_write():
    state = time_out(server(term=0, configuration=Configuration({"S1"})), SLOW).state
    assert not state.is_leader
    state = written(state).state
    assert state.is_leader
    assert (state.log.last_index, state.commit_index) == (1, 0)
    assert written(state).state.commit_index == 1


# --- A leader --------------------------------------------------------------------------------------------------


def proposed(configuration: Configuration = THREE) -> Outcome:
    return SLOW.step(leader(1, commit=1, match={"S2": 1}, configuration=configuration), ClientRequest("set x 1"))


def test_a_leader_sends_entries_to_the_others_while_its_own_disk_still_writes():
    outcome = proposed()
    assert [(m.dst, len(m.entries)) for m in outcome.messages] == [("S2", 1), ("S3", 1)]
    assert outcome.state.disk is not None
    assert outcome.state.durable_index == 1


def test_it_does_not_count_itself_before_they_are_on_its_own_disk():
    state = got(proposed().state, AppendEntriesReply("S2", "S1", 1, True, 2)).state
    assert state.commit_index == 1, "S2 alone stores entry 2"
    assert written(state).state.commit_index == 2


def test_the_others_alone_may_commit_them():
    state = proposed().state
    for peer in ("S2", "S3"):
        state = got(state, AppendEntriesReply(peer, "S1", 1, True, 2)).state
    assert state.commit_index == 2
    assert state.durable_index == 1
    assert crashed(state).log.last_index == 1, "the leader itself may still lose them"


def test_after_the_crash_of_a_leader_its_unwritten_entries_are_gone():
    left = crashed(proposed().state)
    assert left.log == leader(1).log
    assert left.role == Follower()


def test_its_heartbeats_do_not_wait():
    state = proposed().state
    assert len(SLOW.step(state, HeartbeatTimeout()).messages) == 2


# --- Where writes take no time ----------------------------------------------------------------------------------


@pytest.mark.parametrize("case", PROMISES)
def test_without_the_rule_everything_is_on_disk_when_a_step_ends(case):
    message, _ = PROMISES[case]
    outcome = receive(server(1), message)
    assert len(outcome.messages) == 1
    assert (outcome.state.disk, outcome.state.waiting) == (None, ())
    left = Server.crashed(outcome.state)
    assert (left.current_term, left.log) == (outcome.state.current_term, outcome.state.log)
