"""Compaction and InstallSnapshot: section 7, Figure 13, and where a log and a snapshot meet."""

import pytest

from raft.states import THREE, answer, beat, entries, indexes, leader, log, receive, sent, server, terms
from raft_lab import (
    AppendEntries,
    AppendEntriesReply,
    Candidate,
    Configuration,
    Entry,
    Follower,
    InstallSnapshot,
    InstallSnapshotReply,
    Log,
    Machine,
    Server,
    Snapshot,
    State,
)
from raft_lab.raft.machine import Session
from raft_lab.raft.state import Compact
from raft_lab.raft.values import FrozenMap

MACHINE = Machine(FrozenMap({"x": "1"}), FrozenMap({"alice": Session(2, "1", 5)}), 7)


def snapshot(index: int, term: int, configuration: Configuration = THREE) -> Snapshot:
    return Snapshot(configuration, index, term, MACHINE)


def install(index: int, snapshot_term: int, term: int = 3, **options) -> InstallSnapshot:
    return InstallSnapshot("S2", "S1", term, snapshot(index, snapshot_term, **options), round=9, sent_at=77)


def compact(state: State, engine: type[Server] = Server) -> State:
    outcome = engine.step(state, Compact())
    assert outcome.messages == ()
    assert not outcome.timer_reset
    return outcome.state


# --- Compaction ------------------------------------------------------------------------------------------------

COMPACTED = {
    # my log, how much of it is applied | last index and term of the snapshot, terms of what is left
    "all of it": ((1, 1, 2), 3, (3, 2, [])),
    "what is not applied stays": ((1, 1, 2, 2), 2, (2, 1, [2, 2])),
    "one entry": ((1, 2), 1, (1, 1, [2])),
}


@pytest.mark.parametrize("case", COMPACTED)
def test_a_snapshot_takes_the_place_of_what_is_applied_and_of_nothing_else(case):
    mine, applied, (index, term, left) = COMPACTED[case]
    before = server(*mine, commit=applied)
    after = compact(before)
    assert (after.log.snapshot.last_included_index, after.log.snapshot.last_included_term) == (index, term)
    assert after.log.snapshot.machine == before.machine
    assert terms(after) == left
    assert after.log.last_index == before.log.last_index
    assert (after.commit_index, after.last_applied, after.machine) == (applied, applied, before.machine)
    assert after.log.same_prefix(before.log, before.log.last_index)


def test_with_nothing_applied_since_the_last_snapshot_there_is_nothing_to_compact():
    state = compact(server(1, 1, 1, commit=2))
    assert compact(state) is state
    assert compact(server(1, 1)) == server(1, 1)


def test_a_snapshot_holds_the_configuration_as_of_its_end_and_not_a_later_one():
    two = Configuration({"S1", "S2"})
    state = server(1, 1, commit=2)
    grown = State("S1", 1, None, state.log.append(Entry(1, two)), commit_index=2, last_applied=2, machine=state.machine)
    after = compact(grown)
    assert after.log.snapshot.configuration == THREE
    assert after.configuration == two
    later = receive(after, AppendEntries("S2", "S1", 1, 3, 1, (), 3)).state
    assert compact(later).log.snapshot.configuration == two


def test_a_crash_keeps_the_snapshot_and_begins_with_what_it_holds():
    state = compact(server(1, 1, 2, commit=2))
    left = Server.crashed(state)
    assert left.log == state.log
    assert (left.commit_index, left.last_applied, left.machine) == (2, 2, state.machine)


def test_a_log_that_grows_too_long_is_compacted_by_itself():
    class Tidy(Server):
        compact_above = 3

    state = server(1)
    for index in (2, 3, 4):
        state = receive(state, AppendEntries("S2", "S1", 1, index - 1, 1, entries(1, first=index), index), Tidy).state
    assert state.log.first_index == 5, "four entries are applied, and three may stay"
    assert state.log.snapshot.machine.data == {"e1": "1", "e2": "1", "e3": "1", "e4": "1"}


# --- A follower gets a snapshot ---------------------------------------------------------------------------------

INSTALLED = {
    # my log, my commit index | snapshot's last index and term | terms left behind it, commit index after
    "into an empty log": ((), 0, (3, 1), [], 3),
    "a log that ends before it": ((1, 1), 1, (3, 1), [], 3),
    "a log that ends with it": ((1, 1, 1), 1, (3, 1), [], 3),
    "a tail that fits stays": ((1, 1, 1, 2, 2), 1, (3, 1), [2, 2], 3),
    "a tail of another term goes": ((1, 1, 1, 1, 1), 1, (3, 2), [], 3),
    "a tail that fits by its index only goes": ((1, 2, 2, 2), 1, (2, 3), [], 2),
    "known already: nothing changes": ((1, 1, 1, 2), 3, (3, 1), None, 3),
    "an old one: nothing changes": ((1, 1, 1, 2), 4, (2, 1), None, 4),
}


@pytest.mark.parametrize("case", INSTALLED)
def test_a_snapshot_is_taken_if_it_tells_something_new_and_a_tail_stays_only_if_it_fits(case):
    mine, commit, (index, term), left, commit_after = INSTALLED[case]
    before = server(*mine, term=3, commit=commit)
    outcome = receive(before, install(index, term))
    after = outcome.state
    assert after.commit_index == after.last_applied == commit_after
    if left is None:
        assert after.log is before.log
        assert after.machine == before.machine
    else:
        assert after.log.snapshot == snapshot(index, term)
        assert terms(after) == left
        assert after.machine == MACHINE, "sessions and log time included"
    assert after.role == Follower("S2")
    assert outcome.timer_reset
    assert outcome.messages == (InstallSnapshotReply("S1", "S2", 3, index, round=9),)


def test_a_snapshot_of_an_old_term_is_refused_with_the_newer_term_and_changes_nothing():
    before = server(1, term=5, vote="S3")
    outcome = receive(before, install(3, 1, term=4))
    assert outcome.state == before
    assert not outcome.timer_reset
    assert outcome.messages == (InstallSnapshotReply("S1", "S2", 5, 0),)


def test_a_snapshot_of_a_higher_term_deposes():
    state = receive(leader(1, 1), install(3, 2, term=4)).state
    assert (state.current_term, state.role, state.voted_for) == (4, Follower("S2"), None)
    assert state.log == Log(snapshot(3, 2))


def test_a_candidate_concedes_to_a_leader_that_sends_a_snapshot():
    state = receive(server(1, term=3, vote="S1", role=Candidate({"S1"})), install(3, 1)).state
    assert state.role == Follower("S2")
    assert state.voted_for == "S1"


def test_the_configuration_comes_with_the_snapshot():
    four = Configuration({"S1", "S2", "S3", "S4"})
    assert receive(server(1, term=3), install(5, 2, configuration=four)).state.configuration == four


def test_the_same_snapshot_twice_is_the_same_as_once():
    once = receive(server(1, term=3), install(3, 1)).state
    again = receive(once, install(3, 1))
    assert again.state == once
    assert answer(again).match_index == 3


def test_a_snapshot_that_arrives_late_takes_back_nothing_that_came_after_it():
    state = receive(server(term=3), install(3, 1)).state
    state = receive(state, AppendEntries("S2", "S1", 3, 3, 1, entries(3, 3, first=4), 5)).state
    after = receive(state, install(3, 1)).state
    assert after == state
    assert (after.commit_index, after.log.last_index) == (5, 5)


# --- Entries around one's own snapshot ---------------------------------------------------------------------------

AROUND = {
    # prev, its term, new entries | match index, terms behind the snapshot (which ends with entry 3 of term 1)
    "right behind it": ((3, 1, (2,)), 4, [2]),
    "inside it": ((1, 1, ()), 1, []),
    "inside it, with what it holds": ((0, 0, (1, 1)), 2, []),
    "across its end": ((1, 1, (1, 1, 2)), 4, [2]),
}


@pytest.mark.parametrize("case", AROUND)
def test_what_a_snapshot_covers_is_committed_and_so_matches(case):
    (prev, prev_term, new), match, left = AROUND[case]
    state = Server.initial("S1", Log(snapshot(3, 1)), 2)
    outcome = receive(state, AppendEntries("S2", "S1", 2, prev, prev_term, entries(*new, first=prev + 1), 0))
    assert answer(outcome) == AppendEntriesReply("S1", "S2", 2, True, match, prev)
    assert terms(outcome.state) == left
    assert outcome.state.log.snapshot == snapshot(3, 1)
    assert outcome.state.commit_index == 3


# --- A leader sends its snapshot ---------------------------------------------------------------------------------


def compacted_leader(*mine: int, applied: int, **options) -> State:
    return compact(leader(*mine, commit=applied, **options))


def test_a_follower_that_needs_what_is_compacted_gets_the_snapshot_and_the_others_get_entries():
    state = compacted_leader(1, 1, 1, applied=2, match={"S2": 2}, next_={"S2": 3, "S3": 1})
    assert sent(beat(state)) == (
        AppendEntries("S1", "S2", 1, 2, 1, entries(1, first=3), 2),
        InstallSnapshot("S1", "S3", 1, state.log.snapshot),
    )


@pytest.mark.parametrize(("next_index", "gets"), [(1, InstallSnapshot), (2, InstallSnapshot), (3, AppendEntries)])
def test_a_snapshot_is_sent_only_where_the_entry_before_is_gone(next_index, gets):
    state = compacted_leader(1, 1, 1, applied=2, next_={"S3": next_index})
    assert type(beat(state).messages[1]) is gets


def test_after_the_answer_the_leader_goes_on_behind_the_snapshot():
    state = compacted_leader(1, 1, 1, applied=2, match={"S2": 3}, next_={"S3": 1})
    outcome = receive(state, InstallSnapshotReply("S3", "S1", 1, 2))
    assert indexes(outcome.state, "S3") == (3, 2)
    assert answer(outcome) == AppendEntries("S1", "S3", 1, 2, 1, entries(1, first=3), outcome.state.commit_index)


def test_the_answer_counts_towards_the_commit():
    state = compacted_leader(1, 1, applied=1, next_={"S2": 1})
    assert receive(state, InstallSnapshotReply("S2", "S1", 1, 2)).state.commit_index == 2


@pytest.mark.parametrize("term", [1, 2])
def test_an_answer_of_another_reign_does_not_count(term):
    state = compacted_leader(1, 1, applied=1, term=3, next_={"S2": 1})
    assert receive(state, InstallSnapshotReply("S2", "S1", term, 2)).state == state


def test_an_answer_with_a_higher_term_deposes():
    state = receive(leader(1), InstallSnapshotReply("S2", "S1", 4, 0)).state
    assert (state.current_term, state.role) == (4, Follower())


def test_a_refusal_that_points_into_the_compacted_prefix_is_answered_with_the_snapshot():
    state = compacted_leader(1, 1, 1, 1, applied=3)
    outcome = receive(state, AppendEntriesReply("S2", "S1", 1, False, 0, 4, 1, 0))
    assert answer(outcome) == InstallSnapshot("S1", "S2", 1, state.log.snapshot)
    assert indexes(outcome.state, "S2") == (1, 0)


def test_logs_of_which_one_is_compacted_are_equal_where_both_reach():
    whole = log(1, 1, 2, 2)
    short = compact(server(1, 1, 2, 2, commit=3)).log
    assert short.same_prefix(whole, 4)
    assert whole.same_prefix(short, 4)
    assert not short.same_prefix(log(1, 1, 2, 3), 4)
