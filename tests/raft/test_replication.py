"""Log replication: section 5.3, Figure 8 of section 5.4.2, and where implementations go wrong."""

import itertools

import pytest

from raft.states import FIVE, answer, ask, beat, entries, indexes, leader, log, receive, sent, server, terms
from raft_lab import (
    AppendEntries,
    AppendEntriesReply,
    Candidate,
    Command,
    Configuration,
    Entry,
    Follower,
    Leader,
    RequestVoteReply,
    Server,
)
from raft_lab.raft.state import Accepted, Rejected


def append(prev: int, *new: int, prev_term: int | None = None, term: int | None = None, commit: int = 0, src="S2"):
    """An AppendEntries that puts entries of the terms `new` after `prev` (of term 1 if not said otherwise)."""
    prev_term = prev_term if prev_term is not None else min(prev, 1)
    term = term if term is not None else max((prev_term, *new), default=1)
    return AppendEntries(src, "S1", max(term, 1), prev, prev_term, entries(*new, first=prev + 1), commit)


# --- A follower's log ------------------------------------------------------------------------------------

STORED = {
    # my log | prev, its term, new entries | log after, and up to where it matches the leader's
    "into an empty log": ((), (0, 0, (1, 1)), ((1, 1), 2)),
    "at the end": ((1,), (1, 1, (1, 2)), ((1, 1, 2), 3)),
    "a heartbeat at the end": ((1, 1), (2, 1, ()), ((1, 1), 2)),
    "a heartbeat in the middle keeps the rest": ((1, 1, 1), (1, 1, ()), ((1, 1, 1), 1)),
    "the same entries again": ((1, 1), (0, 0, (1, 1)), ((1, 1), 2)),
    "an old shorter request keeps the rest": ((1, 1, 1), (0, 0, (1,)), ((1, 1, 1), 1)),
    "an overlap": ((1, 1), (1, 1, (1, 2)), ((1, 1, 2), 3)),
    "a conflict goes, with all behind it": ((1, 1, 1, 1), (1, 1, (2,)), ((1, 2), 2)),
    "a conflict later than the first new entry": ((1, 1, 1), (0, 0, (1, 1, 2)), ((1, 1, 2), 3)),
    "a conflict at the very beginning": ((1, 1), (0, 0, (2, 2, 2)), ((2, 2, 2), 3)),
}


@pytest.mark.parametrize("case", STORED)
def test_entries_are_placed_where_they_belong_and_only_conflicts_are_deleted(case):
    mine, (prev, prev_term, new), (after, match) = STORED[case]
    outcome = receive(server(*mine, term=2), append(prev, *new, prev_term=prev_term, term=2))
    assert terms(outcome.state) == list(after)
    assert answer(outcome) == AppendEntriesReply("S1", "S2", 2, True, match, prev)
    assert outcome.state.role == Follower("S2")
    assert outcome.timer_reset


REFUSED = {
    # my log | prev, its term | conflict index, conflict term
    "the log is too short": ((1,), (3, 1), (2, 0)),
    "the log is empty": ((), (1, 1), (1, 0)),
    "another term there": ((1, 2, 2, 2), (4, 3), (2, 2)),
    "another term from the beginning": ((2, 2), (2, 3), (1, 2)),
    "another term, of which one entry": ((1, 1, 2), (3, 3), (3, 2)),
}


@pytest.mark.parametrize("case", REFUSED)
def test_entries_that_do_not_fit_are_refused_and_the_log_stays_as_it_is(case):
    mine, (prev, prev_term), (index, term) = REFUSED[case]
    outcome = receive(server(*mine, term=3), append(prev, 3, prev_term=prev_term, term=3, commit=prev + 1))
    assert answer(outcome) == AppendEntriesReply("S1", "S2", 3, False, 0, prev, index, term)
    assert terms(outcome.state) == list(mine)
    assert outcome.state.commit_index == 0
    assert outcome.timer_reset, "it has heard the leader of its term all the same"


def test_a_request_of_an_old_term_is_refused_with_the_newer_term_and_changes_nothing():
    before = server(1, 1, term=5, vote="S3")
    outcome = receive(before, append(1, 2, term=4, commit=2))
    assert answer(outcome) == AppendEntriesReply("S1", "S2", 5, False)
    assert outcome.state == before
    assert not outcome.timer_reset


def test_a_server_accepts_entries_from_a_leader_that_its_configuration_does_not_know():
    assert answer(receive(server(1), append(1, 2, src="S9"))).success


# --- A follower's commit index -----------------------------------------------------------------------------

COMMITS = {
    # my log, commit | prev, new entries, leader's commit | commit after
    "as the leader says": ((1, 1), 0, (2, (), 2), 2),
    "less than it holds": ((1, 1, 1), 0, (3, (), 2), 2),
    "no further than this request proves": ((1, 1, 1), 0, (1, (), 3), 1),
    "no further than the last new entry": ((1, 1, 1), 0, (0, (1,), 3), 1),
    "with the entries just stored": ((1,), 0, (1, (1, 1), 3), 3),
    "never back": ((1, 1, 1), 3, (3, (), 1), 3),
    "never back by an old short request": ((1, 1, 1), 3, (0, (1,), 1), 3),
}


@pytest.mark.parametrize("case", COMMITS)
def test_a_follower_commits_what_the_leader_has_committed_as_far_as_their_logs_are_known_to_match(case):
    mine, commit, (prev, new, leader_commit), after = COMMITS[case]
    state = receive(server(*mine, commit=commit), append(prev, *new, commit=leader_commit)).state
    assert state.commit_index == after
    assert state.last_applied == after
    assert len(state.machine.data) == after


def test_a_leftover_behind_the_request_is_not_committed():
    """ScyllaDB 9965, copycat 265: min(leaderCommit, last index) commits another leader's entries."""
    state = server(1, 2, 2, term=3)
    outcome = receive(state, append(1, term=3, commit=3))
    assert outcome.state.commit_index == 1
    assert answer(outcome).match_index == 1, "nor is the leader told that it matches"


# --- A leader's messages -----------------------------------------------------------------------------------


def test_a_clients_command_is_appended_and_sent_with_what_each_follower_lacks():
    outcome = ask(leader(1, 1, match={"S2": 2, "S3": 0}, next_={"S3": 1}), "set x 1")
    new = Entry(1, Command("set x 1"))
    assert outcome.state.log == log(1, 1).append(new)
    assert outcome.reply == Accepted(index=3, term=1)
    assert sent(outcome) == (
        AppendEntries("S1", "S2", 1, 2, 1, (new,), 0),
        AppendEntries("S1", "S3", 1, 0, 0, (*entries(1, 1), new), 0),
    )


@pytest.mark.parametrize(
    ("role", "hint"),
    [(Follower(), None), (Follower("S2"), "S2"), (Candidate({"S1"}), None)],
    ids=["follower", "led", "candidate"],
)
def test_who_does_not_lead_appends_nothing_and_says_who_does(role, hint):
    before = server(1, role=role)
    outcome = ask(before, "set x 1")
    assert (outcome.state, outcome.messages) == (before, ())
    assert outcome.answers == (Rejected(hint, "S1 does not lead"),)


def test_a_heartbeat_sends_again_what_may_have_been_lost():
    outcome = beat(leader(1, 1, match={"S2": 1, "S3": 2}, next_={"S2": 2}, commit=2))
    assert sent(outcome) == (
        AppendEntries("S1", "S2", 1, 1, 1, entries(1, first=2), 2),
        AppendEntries("S1", "S3", 1, 2, 1, (), 2),
    )


def test_a_message_carries_a_limited_number_of_entries_and_the_next_follows_the_answer():
    class Two(Server):
        max_entries_per_message = 2

    state = leader(1, 1, 1, 1, 1, next_={"S2": 1}, configuration=FIVE)
    assert len(beat(state, Two).messages[0].entries) == 2
    sent = receive(state, AppendEntriesReply("S2", "S1", 1, True, 2, 0), Two)
    assert answer(sent).prev_log_index == 2
    assert len(answer(sent).entries) == 2


# --- A leader's bookkeeping ---------------------------------------------------------------------------------


def test_a_success_says_how_far_a_follower_matches():
    outcome = receive(leader(1, 1, next_={"S2": 1}, configuration=FIVE), AppendEntriesReply("S2", "S1", 1, True, 2, 0))
    assert indexes(outcome.state, "S2") == (3, 2)


def test_an_old_success_takes_nothing_back():
    state = leader(1, 1, match={"S2": 2}, configuration=FIVE)
    assert receive(state, AppendEntriesReply("S2", "S1", 1, True, 1, 0)).state == state


def test_what_was_appended_after_sending_is_not_taken_as_stored():
    """MIT guide: matchIndex = nextIndex - 1 at reply time counts entries that were never sent."""
    state = ask(leader(1, next_={"S2": 1}, configuration=FIVE), "late").state
    outcome = receive(state, AppendEntriesReply("S2", "S1", 1, True, 1, 0))
    assert indexes(outcome.state, "S2")[1] == 1


def test_after_a_refusal_the_leader_goes_back_and_sends_again():
    outcome = receive(leader(1, 1, 1), AppendEntriesReply("S2", "S1", 1, False, 0, 3, 2, 0))
    assert indexes(outcome.state, "S2") == (2, 0)
    assert answer(outcome) == AppendEntries("S1", "S2", 1, 1, 1, entries(1, 1, first=2), 0)


RETRIES = {
    # the leader's log (the probe was at its end) | conflict index, conflict term | next index after
    "too short a log": ((1, 1, 2, 2), (2, 0), 2),
    "an empty log": ((1, 1, 2, 2), (1, 0), 1),
    "a term that the leader has: behind its last entry of it": ((1, 1, 3, 3), (1, 1), 3),
    "a term that the leader lacks: where it begins there": ((1, 1, 3, 3), (2, 2), 2),
}


@pytest.mark.parametrize("case", RETRIES)
def test_a_refusal_says_where_to_try_next_so_that_whole_terms_are_skipped(case):
    mine, (index, term), next_index = RETRIES[case]
    state = leader(*mine, term=4)
    outcome = receive(state, AppendEntriesReply("S2", "S1", 4, False, 0, 4, index, term))
    assert indexes(outcome.state, "S2") == (next_index, 0)


def test_an_old_refusal_is_ignored():
    state = leader(1, 1, 1, next_={"S2": 2})
    outcome = receive(state, AppendEntriesReply("S2", "S1", 1, False, 0, 3, 1, 0))
    assert (outcome.state, outcome.messages) == (state, ())


def test_no_refusal_takes_next_index_back_to_what_is_known_to_match():
    state = leader(1, 1, 1, match={"S2": 2}, next_={"S2": 4})
    outcome = receive(state, AppendEntriesReply("S2", "S1", 1, False, 0, 3, 1, 0))
    assert indexes(outcome.state, "S2") == (3, 2)


@pytest.mark.parametrize("success", [True, False])
def test_answers_of_an_earlier_reign_do_not_count(success):
    state = leader(1, 1, 3, term=3, next_={"S2": 3})
    outcome = receive(state, AppendEntriesReply("S2", "S1", 1, success, 2 * success, 2, 1, 0))
    assert (outcome.state, outcome.messages) == (state, ())


def test_a_refusal_with_a_higher_term_deposes_and_is_no_reason_to_go_back():
    outcome = receive(leader(1), AppendEntriesReply("S2", "S1", 2, False, 0, 1))
    assert outcome.state.role == Follower()
    assert sent(outcome) == ()


def test_an_answer_of_a_server_outside_the_configuration_is_ignored():
    state = leader(1)
    assert receive(state, AppendEntriesReply("S9", "S1", 1, True, 1, 0)).state == state


def test_whatever_two_logs_look_like_the_leader_finds_where_they_agree():
    """Every pair of small logs: probing ends, with equal logs, and never asks about the same place twice."""
    logs = [t for n in range(5) for t in itertools.combinations_with_replacement((1, 2, 3), n)]
    pairs = [(mine, theirs) for mine, theirs in itertools.product(logs, logs) if match_where_they_meet(mine, theirs)]
    assert len(pairs) > 500
    for mine, theirs in pairs:
        lead, follow = leader(*mine, term=4), server(*theirs, term=4, id="S2")
        (message, _) = beat(lead).messages
        probes = []
        while message is not None:
            probes.append(message.prev_log_index)
            done = receive(follow, message)
            follow = done.state
            outcome = receive(lead, answer(done))
            lead = outcome.state
            message = next((m for m in outcome.messages if m.dst == "S2"), None)
        assert lead.role.progress["S2"].match_index == len(mine)
        assert len(probes) == len(set(probes)) <= 4
        assert follow.log.same_prefix(lead.log, len(mine))


def match_where_they_meet(one, other):
    """What two logs of one run always have: a term begins at one place only, and equal terms mean equal logs so far."""
    return all(one.index(term) == other.index(term) for term in {*one} & {*other}) and all(
        one[:i] == other[:i] for i in range(1, min(len(one), len(other)) + 1) if one[i - 1] == other[i - 1]
    )


# --- A leader's commit index ---------------------------------------------------------------------------------


def acknowledged(state, *answers):
    for peer, match in answers:
        state = receive(state, AppendEntriesReply(peer, "S1", state.current_term, True, match, 0)).state
    return state


def test_an_entry_of_the_leaders_term_is_committed_when_a_majority_stores_it():
    state = leader(1, 1, configuration=FIVE)
    state = acknowledged(state, ("S2", 2))
    assert state.commit_index == 0
    state = acknowledged(state, ("S3", 1))
    assert state.commit_index == 1
    state = acknowledged(state, ("S4", 2))
    assert state.commit_index == 2
    assert dict(state.machine.data) == {"e1": "1", "e2": "1"}


def test_an_answer_that_arrives_twice_is_one_answer():
    assert acknowledged(leader(1, configuration=FIVE), ("S2", 1), ("S2", 1), ("S2", 1)).commit_index == 0


def test_an_entry_of_an_older_term_is_not_committed_by_counting():
    """Figure 8: it can still be overwritten though a majority stores it."""
    state = leader(1, 2, 4, term=4, next_={"S2": 1, "S3": 1})
    state = acknowledged(state, ("S2", 2))
    assert state.commit_index == 0
    assert acknowledged(state, ("S3", 3)).commit_index == 3, "with one of its own term, all before it"


def test_a_joint_configuration_commits_with_both_majorities():
    joint = Configuration(voters={"S1", "S4", "S5"}, old={"S1", "S2", "S3"})
    state = acknowledged(leader(1, configuration=joint), ("S2", 1), ("S3", 1))
    assert state.commit_index == 0
    assert acknowledged(state, ("S4", 1)).commit_index == 1


def test_a_leader_outside_its_configuration_does_not_count_itself():
    others = Configuration({"S2", "S3", "S4"})
    state = acknowledged(leader(1, configuration=others), ("S2", 1))
    assert state.commit_index == 0
    assert acknowledged(state, ("S3", 1)).commit_index == 1


def test_learners_do_not_count():
    state = leader(1, configuration=Configuration({"S1", "S2", "S3"}, learners={"S4", "S5"}))
    assert acknowledged(state, ("S4", 1), ("S5", 1)).commit_index == 0


def test_a_majority_is_more_than_half():
    four = Configuration({"S1", "S2", "S3", "S4"})
    state = acknowledged(leader(1, configuration=four), ("S2", 1))
    assert state.commit_index == 0
    assert acknowledged(state, ("S3", 1)).commit_index == 1


def test_a_new_leader_commits_what_came_before_with_its_no_op():
    state = server(1, 1, term=2, vote="S1", role=Candidate({"S1"}))
    state = receive(state, RequestVoteReply("S2", "S1", 2, True)).state
    assert isinstance(state.role, Leader)
    assert acknowledged(state, ("S2", 3)).commit_index == 3


# --- The state machine ---------------------------------------------------------------------------------------


def test_committed_commands_are_applied_once_and_in_log_order():
    class Diary(Server):
        def apply(self, data, op):
            return data.with_item("diary", data.get("diary", "") + op[-1]), None

    state = server(1)
    for index, op in enumerate("abc", start=1):
        m = AppendEntries("S2", "S1", 1, index, 1, (Entry(1, Command(op)),), index)
        state = receive(state, m, Diary).state
        state = receive(state, m, Diary).state
    final = receive(state, AppendEntries("S2", "S1", 1, 4, 1, (), 4), Diary).state
    assert final.machine.data["diary"] == "1abc"


@pytest.mark.parametrize(
    ("op", "keys"),
    [
        ("set x 1", {"x": "1"}),
        ("set x two words", {"x": "two words"}),
        ("set x", {}),
        ("noise", {}),
        ("", {}),
        ("SET x 1", {}),
    ],
)
def test_set_changes_a_key_and_anything_else_changes_nothing(op, keys):
    state = acknowledged(ask(leader(), op).state, ("S2", 1))
    assert state.last_applied == 1
    assert dict(state.machine.data) == keys
