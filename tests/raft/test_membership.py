"""Changing the members: section 6; dissertation, chapter 4."""

import pytest

from raft.states import FIVE, THREE, answer, leader, receive, sent, server, time_out
from raft_lab import (
    AppendEntries,
    AppendEntriesReply,
    Configuration,
    Entry,
    Follower,
    Leader,
    Progress,
    RequestVote,
    RequestVoteReply,
    Server,
    State,
    TimeoutNow,
    with_rules,
)
from raft_lab.raft.state import Accepted, ChangeConfiguration, Outcome, Rejected

JOINT = Configuration(voters={"S1", "S4", "S5"}, old={"S1", "S2", "S3"})


def change(state: State, *voters: str, learners: tuple[str, ...] = (), single: bool = False, engine=Server) -> Outcome:
    return engine.step(state, ChangeConfiguration(frozenset(voters), frozenset(learners), single))


def steady(*learners: str, voters=("S1", "S2", "S3"), caught_up: bool = True) -> State:
    """S1 leads term 1 and has committed both of its entries; learners have caught up unless said otherwise."""
    configuration = Configuration(voters, learners=learners)
    peers = [peer for peer in configuration.members if peer != "S1"]
    known = {peer: Progress(3, 2, rounds=int(caught_up and peer in learners)) for peer in peers}
    return server(1, 1, vote="S1", commit=2, role=Leader(known), configuration=configuration)


def stored(state: State, *peers: str, upto: int | None = None) -> State:
    """`peers` say that they store everything that the leader has, or all up to an index."""
    for peer in peers:
        index = upto if upto is not None else state.log.last_index
        state = receive(state, AppendEntriesReply(peer, "S1", state.current_term, True, index)).state
    return state


# --- When a configuration begins to count -----------------------------------------------------------------------


def test_a_leader_uses_a_configuration_as_soon_as_it_has_appended_it():
    outcome = change(steady("S4", "S5"), "S1", "S4", "S5")
    assert outcome.reply == Accepted(index=3, term=1)
    assert outcome.state.log.entry(3) == Entry(1, JOINT)
    assert outcome.state.configuration == JOINT
    assert outcome.state.commit_index == 2
    assert [m.dst for m in outcome.messages] == ["S2", "S3", "S4", "S5"]


def test_so_does_a_follower_and_it_goes_back_when_the_entry_is_overwritten():
    state = receive(server(1), AppendEntries("S2", "S1", 1, 1, 1, (Entry(1, FIVE),), 0)).state
    assert state.configuration == FIVE
    assert state.commit_index == 0
    back = receive(state, AppendEntries("S3", "S1", 2, 1, 1, (Entry(2, JOINT),), 0)).state
    assert back.configuration == JOINT
    gone = receive(state, AppendEntries("S3", "S1", 2, 1, 1, server(1, 2).log.after(1), 0)).state
    assert gone.configuration == THREE


def test_after_a_restart_a_server_uses_the_latest_in_its_log_committed_or_not():
    state = receive(server(1), AppendEntries("S2", "S1", 1, 1, 1, (Entry(1, FIVE),), 0)).state
    assert Server.crashed(state).configuration == FIVE


# --- Joint consensus ---------------------------------------------------------------------------------------------

JOINT_COMMITS = {
    "no one else": ((), False),
    "all of the old": (("S2", "S3"), False),
    "all of the new": (("S4", "S5"), False),
    "one of the old, none of the new": (("S2",), False),
    "one of each": (("S2", "S4"), True),
    "the other of each": (("S3", "S5"), True),
}


@pytest.mark.parametrize("case", JOINT_COMMITS)
def test_a_joint_configuration_is_committed_by_two_majorities_each_for_itself(case):
    who, committed = JOINT_COMMITS[case]
    state = stored(change(steady("S4", "S5"), "S1", "S4", "S5").state, *who, upto=3)
    assert (state.commit_index == 3) == committed


def test_when_it_is_committed_the_new_one_follows_at_once():
    state = change(steady("S4", "S5"), "S1", "S4", "S5").state
    state = stored(state, "S2", upto=3)
    outcome = receive(state, AppendEntriesReply("S4", "S1", 1, True, 3))
    assert outcome.state.commit_index == 3
    assert outcome.state.log.entry(4) == Entry(1, Configuration({"S1", "S4", "S5"}))
    assert outcome.state.configuration == Configuration({"S1", "S4", "S5"})
    assert {m.dst for m in outcome.messages} == {"S4", "S5"}, "who has left gets nothing any more"
    assert outcome.state.is_leader
    done = stored(outcome.state, "S4")
    assert done.commit_index == 4, "the new majority alone"


def test_the_old_majority_alone_cannot_commit_the_new_configuration():
    state = stored(stored(change(steady("S4", "S5"), "S1", "S4", "S5").state, "S2", "S4", upto=3), "S2", "S3")
    assert state.configuration == Configuration({"S1", "S4", "S5"})
    assert state.commit_index == 3


def test_a_leader_keeps_a_record_for_each_other_member_and_for_no_one_else():
    state = change(steady("S4", "S5"), "S1", "S4", "S5").state
    assert set(state.role.progress) == {"S2", "S3", "S4", "S5"}
    assert state.role.progress["S2"].match_index == 2, "what it knew it still knows"
    state = stored(state, "S2", "S4", upto=3)
    assert set(state.role.progress) == {"S4", "S5"}


def elected_amid_a_change(commit: int) -> State:
    """S1 leads term 3; the leader of term 2 left C_old,new behind, of which S1 knows up to where it is committed."""
    state = receive(server(1, term=2), AppendEntries("S2", "S1", 2, 1, 1, (Entry(2, JOINT),), commit)).state
    assert state.commit_index == commit
    state = time_out(state).state
    for voter in ("S2", "S4"):
        state = receive(state, RequestVoteReply(voter, "S1", 3, True)).state
    assert state.is_leader
    return state


@pytest.mark.parametrize("commit", [0, 2], ids=["not known to be committed", "committed"])
def test_a_new_leader_finishes_the_change_of_the_one_before(commit):
    state = elected_amid_a_change(commit)
    assert state.configuration == JOINT
    state = stored(state, "S2", "S4", upto=3)
    assert state.commit_index == 3
    assert state.configuration == Configuration({"S1", "S4", "S5"})


def test_joint_votes_are_counted_each_for_itself_too():
    state = time_out(server(1, configuration=JOINT)).state
    assert {m.dst for m in time_out(server(1, configuration=JOINT)).messages} == {"S2", "S3", "S4", "S5"}
    for voter in ("S2", "S3"):
        state = receive(state, RequestVoteReply(voter, "S1", 2, True)).state
    assert not state.is_leader
    assert receive(state, RequestVoteReply("S5", "S1", 2, True)).state.is_leader


# --- One server at a time ----------------------------------------------------------------------------------------


def test_a_single_change_needs_no_joint_configuration():
    outcome = change(steady("S4"), "S1", "S2", "S3", "S4", single=True)
    four = Configuration({"S1", "S2", "S3", "S4"})
    assert outcome.state.log.entry(3) == Entry(1, four)
    state = stored(outcome.state, "S2")
    assert state.commit_index == 2, "two of four are no majority"
    assert stored(state, "S4").commit_index == 3


def test_learners_come_and_go_without_a_joint_configuration():
    outcome = change(steady(), "S1", "S2", "S3", learners=("S4",))
    assert outcome.state.configuration == Configuration({"S1", "S2", "S3"}, learners={"S4"})
    assert stored(outcome.state, "S2").commit_index == 3
    back = change(steady("S4"), "S1", "S2", "S3")
    assert back.state.configuration == THREE


# --- What is refused ----------------------------------------------------------------------------------------------


def pending() -> State:
    return change(steady("S4", "S5"), "S1", "S4", "S5").state


def new_leader() -> State:
    """It has won term 2; its no-op is not committed yet."""
    state = time_out(server(1, 1, commit=2)).state
    return receive(state, RequestVoteReply("S2", "S1", 2, True)).state


REFUSED = {
    "not the leader": (lambda: server(1, role=Follower("S2")), {"voters": ("S1",)}, "only the leader"),
    "no voters": (steady, {"voters": ()}, "at least one voter"),
    "the change before is joint": (pending, {"voters": ("S1", "S2")}, "not committed yet"),
    "the joint one is committed, the new one is not": (
        lambda: stored(pending(), "S2", "S4", upto=3),
        {"voters": ("S1", "S2")},
        "not committed yet",
    ),
    "the joint one is committed, and the new leader has not come to append the new one": (
        lambda: elected_amid_a_change(commit=2),
        {"voters": ("S1", "S2")},
        "not committed yet",
    ),
    "the change before is not committed": (
        lambda: change(steady(), "S1", "S2", "S3", learners=("S4",)).state,
        {"voters": ("S1", "S2", "S3"), "learners": ("S4", "S5")},
        "not committed yet",
    ),
    "two at once without joint consensus": (
        lambda: steady("S4", "S5"),
        {"voters": ("S1", "S2", "S3", "S4", "S5"), "single": True},
        "only one voter",
    ),
    "one out and one in without joint consensus": (
        lambda: steady("S4"),
        {"voters": ("S1", "S2", "S4"), "single": True},
        "only one voter",
    ),
    "a single change before the leader's own commit": (
        new_leader,
        {"voters": ("S1", "S2"), "single": True},
        "an entry of its own term",
    ),
    "a stranger as voter": (steady, {"voters": ("S1", "S2", "S3", "S4")}, "S4 must catch up as a learner first"),
    "a learner that has not caught up": (
        lambda: steady("S4", "S5", caught_up=False),
        {"voters": ("S1", "S4", "S5")},
        "S4, S5 must catch up as a learner first",
    ),
}


@pytest.mark.parametrize("case", REFUSED)
def test_a_change_that_may_not_begin_now_is_refused_with_the_reason_and_changes_nothing(case):
    make, wanted, reason = REFUSED[case]
    before = make()
    outcome = change(before, *wanted["voters"], learners=wanted.get("learners", ()), single=wanted.get("single", False))
    assert isinstance(outcome.reply, Rejected)
    assert reason in outcome.reply.reason
    assert (outcome.state, outcome.messages) == (before, ())


def test_once_the_leader_has_committed_in_its_term_a_single_change_may_begin():
    state = stored(new_leader(), "S2")
    assert isinstance(change(state, "S1", "S2", single=True).reply, Accepted)


def test_a_joint_change_may_begin_before_that():
    """Its majorities overlap with those of any configuration before it, so it needs no such guard."""
    assert isinstance(change(new_leader(), "S1", "S2").reply, Accepted)


# --- Learners ----------------------------------------------------------------------------------------------------


def test_learners_get_entries_but_neither_vote_nor_count():
    state = steady("S4", "S5")
    outcome = Server.step(state, ChangeConfiguration(state.configuration.voters, frozenset({"S4", "S5"})))
    assert {m.dst for m in outcome.messages} == {"S2", "S3", "S4", "S5"}
    assert stored(outcome.state, "S4", "S5").commit_index == 2
    asked = {m.dst for m in time_out(server(1, configuration=state.configuration)).messages}
    assert asked == {"S2", "S3"}


def test_a_learner_does_not_campaign_but_votes_if_it_is_asked():
    """Its configuration may be an old one: the candidate knows a later one, in which it is a voter."""
    learner = server(1, id="S4", configuration=Configuration({"S1", "S2", "S3"}, learners={"S4"}))
    assert time_out(learner).state == learner
    assert answer(receive(learner, RequestVote("S2", "S4", 2, 1, 1))).vote_granted


def test_a_learner_has_caught_up_when_it_stores_all_that_was_there_when_its_round_began():
    """Dissertation 4.2.1; messages carry one entry, so that it takes a while."""
    engine = with_rules(Server, "one entry a message")
    state = change(leader(1, 1, 1, match={"S2": 3, "S3": 3}, commit=3), "S1", "S2", "S3", learners=("S4",)).state
    assert state.log.last_index == 4
    for peer in ("S2", "S3"):
        state = receive(state, AppendEntriesReply(peer, "S1", 1, True, 4), engine).state
    assert state.commit_index == 4
    for match in (1, 2, 3):
        state = receive(state, AppendEntriesReply("S4", "S1", 1, True, match), engine).state
        refused = change(state, "S1", "S2", "S3", "S4", single=True).reply
        assert isinstance(refused, Rejected), f"S4 stores {match} of 4 entries"
    state = receive(state, AppendEntriesReply("S4", "S1", 1, True, 4), engine).state
    assert isinstance(change(state, "S1", "S2", "S3", "S4", single=True).reply, Accepted)


# --- A leader that is removed -------------------------------------------------------------------------------------


def removed_leader() -> State:
    """S1 leads and manages the change to S2, S3, S4, of which it is no part; C_new is appended."""
    return stored(change(steady("S4"), "S2", "S3", "S4").state, "S2", "S3", upto=3)


def test_a_leader_outside_the_new_configuration_manages_it_and_does_not_count_itself():
    state = removed_leader()
    assert state.configuration == Configuration({"S2", "S3", "S4"})
    assert state.is_leader
    state = stored(state, "S2", upto=4)
    assert state.commit_index == 3, "S1 and S2 store it, but S1 is no member"
    assert state.is_leader


def test_when_it_is_committed_without_it_the_leader_hands_over_to_who_has_most_and_steps_down():
    state = stored(removed_leader(), "S3", upto=4)
    outcome = receive(state, AppendEntriesReply("S4", "S1", 1, True, 4))
    assert outcome.state.commit_index == 4
    assert outcome.state.role == Follower()
    assert outcome.state.current_term == 1
    handed = [m for m in outcome.messages if isinstance(m, TimeoutNow)]
    assert handed == [TimeoutNow("S1", "S3", 1)], "S3 and S4 store everything, S2 does not"
    told = [m for m in sent(outcome) if isinstance(m, AppendEntries) and m.leader_commit == 4]
    assert {m.dst for m in told} >= {"S2", "S3", "S4"}


# --- Who may campaign ---------------------------------------------------------------------------------------------


def with_configurations(commit: int, *configurations: Configuration) -> State:
    """S1 with the configurations of its log, of which `commit` entries are committed; the first is its snapshot's."""
    first, *later = configurations
    entries = tuple(Entry(1, configuration) for configuration in later)
    state = server(1, configuration=first)
    state = receive(state, AppendEntries("S2", "S1", 1, 1, 1, entries, commit)).state
    assert state.commit_index == commit
    return state


WITHOUT_ME = Configuration({"S2", "S3"})
AS_LEARNER = Configuration({"S2", "S3"}, learners={"S1"})
ME_IN_OLD = Configuration({"S2", "S3"}, old={"S1", "S2", "S3"})
CAMPAIGNS = {
    "a voter": (1, (THREE,), True),
    "removed, but that is not committed": (1, (THREE, WITHOUT_ME), True),
    "removed": (2, (THREE, WITHOUT_ME), False),
    "a voter of the old half": (2, (THREE, ME_IN_OLD), True),
    "removed by way of a joint one, not committed": (2, (THREE, ME_IN_OLD, WITHOUT_ME), True),
    "removed by way of a joint one": (3, (THREE, ME_IN_OLD, WITHOUT_ME), False),
    "a learner": (1, (AS_LEARNER,), False),
    "a learner that is to vote": (1, (AS_LEARNER, THREE), True),
    "a stranger": (1, (WITHOUT_ME,), False),
}


@pytest.mark.parametrize("case", CAMPAIGNS)
def test_who_may_start_an_election(case):
    commit, configurations, may = CAMPAIGNS[case]
    state = with_configurations(commit, *configurations)
    outcome = time_out(state)
    assert (outcome.state.current_term > state.current_term) == may
    assert ("election" in Server.timers(state)) == may
    assert {m.dst for m in outcome.messages} <= set(state.configuration.members) - {"S1"}


def test_a_candidate_outside_its_configuration_does_not_count_its_own_vote():
    state = time_out(with_configurations(1, THREE, Configuration({"S2", "S3", "S4"}))).state
    state = receive(state, RequestVoteReply("S2", "S1", 2, True)).state
    assert not state.is_leader, "one vote of three"
    assert receive(state, RequestVoteReply("S4", "S1", 2, True)).state.is_leader
