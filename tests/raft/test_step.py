"""A step is a pure function of a state and an event; what a crash leaves; and what subclasses may keep."""

import itertools
import pickle
import random

import pytest

from raft.states import THREE, beat, entries, leader, log, receive, sent, server, time_out
from raft_lab import (
    AppendEntries,
    AppendEntriesReply,
    Candidate,
    Cluster,
    Follower,
    HandlerError,
    RequestVote,
    RequestVoteReply,
    Server,
)
from raft_lab.check.walk import Walk
from raft_lab.raft.log import Log, Snapshot
from raft_lab.raft.machine import Machine
from raft_lab.raft.state import ClientRequest, ElectionTimeout, HeartbeatTimeout, Receive, Restart
from raft_lab.raft.values import FrozenMap

# --- Purity ------------------------------------------------------------------------------------------------

STATES = [
    server(),
    server(1, 1, vote="S2", commit=1),
    server(1, 2, term=3, vote="S1", role=Candidate({"S1"})),
    server(2, role=Follower("S3"), commit=1),
    leader(1, 2, match={"S2": 1}),
    leader(1, 2, term=3, next_={"S2": 1, "S3": 2}),
]
EVENTS = [
    ElectionTimeout(),
    HeartbeatTimeout(),
    ClientRequest("set x 1"),
    Restart(),
    *(
        Receive(message)
        for term in (1, 2, 3, 4)
        for message in (
            RequestVote("S2", "S1", term, 2, 1),
            RequestVoteReply("S2", "S1", term, True),
            AppendEntries("S2", "S1", term, 1, 1, entries(term, first=2), 2),
            AppendEntries("S2", "S1", term, 0, 0, (), 0),
            AppendEntriesReply("S2", "S1", term, True, 2, 0),
            AppendEntriesReply("S2", "S1", term, False, 0, 1, 1, 0),
        )
    ),
]


def test_a_step_changes_nothing_that_it_was_given():
    for state, event in itertools.product(STATES, EVENTS):
        before = pickle.dumps(state), hash(state), repr(state)
        Server.step(state, event)
        assert (pickle.dumps(state), hash(state), repr(state)) == before


def test_the_same_state_and_event_give_the_same_outcome():
    for state, event in itertools.product(STATES, EVENTS):
        assert Server.step(state, event) == Server.step(pickle.loads(pickle.dumps(state)), event)


def test_the_clock_makes_no_difference_to_rules_that_do_not_ask_for_it():
    for state, event in itertools.product(STATES, EVENTS):
        early, late = Server.step(state, event, now=0), Server.step(state, event, now=10**9)
        assert early.state.role == late.state.role
        assert early.state.log.last_index == late.state.log.last_index
        assert [type(m) for m in early.messages] == [type(m) for m in late.messages]


def test_an_event_that_changes_nothing_gives_back_the_very_same_state():
    state = server(1, term=5)
    assert receive(state, RequestVoteReply("S2", "S1", 3, True)).state is state


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_servers_stay_well_formed_values(seed):
    walk = Walk(f"well-formed {seed}")
    for _, _, done in walk.steps(200):
        for state in done.world.servers.values():
            assert state == pickle.loads(pickle.dumps(state))
            assert state.last_applied == state.commit_index <= state.log.last_index
            assert state.voted_for is None or state.voted_for in done.world.servers
            if isinstance(state.role, Candidate) and state.disk is None:
                assert state.id in state.role.votes
            if state.is_leader:
                assert sorted(state.role.progress) == [m for m in state.configuration.members if m != state.id]


def test_a_whole_world_can_be_pickled():
    walk = Walk("pickled", server=Server)
    for _ in walk.steps(150):
        pass
    assert pickle.loads(pickle.dumps(walk.world)) == walk.world


# --- What a crash leaves -----------------------------------------------------------------------------------


@pytest.mark.parametrize("state", [STATES[1], STATES[2], STATES[4]], ids=["follower", "candidate", "leader"])
def test_a_crash_leaves_term_vote_and_log_and_nothing_else(state):
    left = Server.crashed(state)
    assert (left.id, left.current_term, left.voted_for, left.log) == (
        state.id,
        state.current_term,
        state.voted_for,
        state.log,
    )
    assert (left.commit_index, left.last_applied, left.machine, left.role) == (0, 0, Machine(), Follower())


def test_a_vote_survives_a_crash_and_is_not_given_again():
    state = receive(server(), RequestVote("S2", "S1", 2, 0, 0)).state
    state = Server.step(Server.crashed(state), Restart()).state
    (reply,) = receive(state, RequestVote("S3", "S1", 2, 9, 1)).messages
    assert reply == RequestVoteReply("S1", "S3", 2, False)


def test_after_a_crash_the_snapshot_is_where_a_server_begins():
    base = Snapshot(THREE, 3, 1, Machine(FrozenMap({"x": "1"})))
    left = Server.crashed(Server.initial("S1", Log(base, entries(1, first=4)), 1))
    assert (left.commit_index, left.last_applied, left.machine) == (3, 3, SNAPSHOT.machine)


# --- On a snapshot: the boundary (AppendEntries at, before and across it) ----------------------------------

SNAPSHOT = Snapshot(THREE, 3, 1, Machine(FrozenMap({"x": "1"})))


@pytest.mark.parametrize(
    ("prev", "prev_term", "new", "last", "match"),
    [
        (3, 1, (1,), 4, 4),
        (1, 1, (1, 1, 1), 4, 4),
        (0, 0, (1, 1), 3, 2),
        (2, 1, (), 3, 2),
        (2, 1, (1, 1, 2), 5, 5),
    ],
    ids=["at it", "across it", "inside it", "a heartbeat inside it", "across it and on"],
)
def test_entries_before_the_snapshot_match_and_are_answered_with_success(prev, prev_term, new, last, match):
    state = Server.initial("S1", Log(SNAPSHOT), 2)
    outcome = receive(state, AppendEntries("S2", "S1", 2, prev, prev_term, entries(*new, first=prev + 1), 0))
    assert sent(outcome) == (AppendEntriesReply("S1", "S2", 2, True, match, prev),)
    assert outcome.state.log.last_index == last
    assert outcome.state.log.snapshot == SNAPSHOT


# --- Fields that a subclass declares -----------------------------------------------------------------------


class Counting(Server):
    durable = {"asked_by": set(), "last": None}
    volatile = {"elections": 0, "diary": [], "per_term": {}}

    def on_election_timeout(self):
        super().on_election_timeout()
        self.elections += 1
        self.diary.append(f"term {self.current_term}")
        self.per_term[self.current_term] = [self.id]

    def on_request_vote(self, m):
        super().on_request_vote(m)
        self.asked_by.add(m.src)
        self.last = m.src


def counting():
    state = Counting.initial("S1", log())
    for event in (ElectionTimeout(), Receive(RequestVote("S2", "S1", 5, 0, 0)), ElectionTimeout()):
        state = Counting.step(state, event).state
    return state


def test_declared_fields_are_kept_as_immutable_values():
    extra = counting().extra
    assert extra == {
        "asked_by": frozenset({"S2"}),
        "last": "S2",
        "elections": 2,
        "diary": ("term 1", "term 6"),
        "per_term": {1: ("S1",), 6: ("S1",)},
    }
    hash(counting())


def test_a_crash_keeps_the_durable_ones_only():
    assert Counting.crashed(counting()).extra == {
        "asked_by": frozenset({"S2"}),
        "last": "S2",
        "elections": 0,
        "diary": (),
        "per_term": {},
    }


def test_first_values_are_never_shared_between_servers_or_changed():
    counting()
    assert Counting.initial("S2", log()).extra == {
        "asked_by": frozenset(),
        "last": None,
        "elections": 0,
        "diary": (),
        "per_term": {},
    }
    assert Counting.volatile["diary"] == []
    assert Counting.durable["asked_by"] == set()


def test_a_step_of_a_subclass_leaves_the_state_before_it_alone():
    state = counting()
    text = repr(state)
    Counting.step(state, ElectionTimeout())
    Counting.step(state, Receive(RequestVote("S3", "S1", 9, 0, 0)))
    assert repr(state) == text


def test_declared_fields_begin_anew_when_an_engine_is_swapped_in():
    cluster = Cluster(3)
    cluster.timeout("S1")
    cluster.swap(Counting)
    cluster.timeout("S1")
    assert cluster["S1"].extra["elections"] == 1
    again = Cluster(3)
    again.swap(Counting)
    again.timeout("S2")
    assert again["S2"].extra["diary"] == ("term 1",)


def test_declarations_are_inherited():
    class More(Counting):
        volatile = {"more": 1}

    state = More.step(More.initial("S1", log()), ElectionTimeout()).state
    assert state.extra["more"] == 1
    assert state.extra["elections"] == 1


@pytest.mark.parametrize("name", ["log", "current_term", "peers", "send", "now"])
def test_a_declaration_that_would_hide_something_is_refused(name):
    with pytest.raises(HandlerError, match=f"'{name}'"):
        type("Hiding", (Server,), {"volatile": {name: 0}})


def test_a_field_that_no_one_declared_is_refused_with_the_line_that_is_missing():
    class Undeclared(Server):
        def on_heartbeat_timeout(self):
            self.beats = 1

    with pytest.raises(HandlerError, match=r"set self\.beats, which no one declared.*volatile = \{'beats': …\}"):
        beat(leader(1), Undeclared)


def test_a_handler_that_raises_is_named_with_server_event_and_error():
    class Raising(Server):
        def on_request_vote(self, m):
            return {}["nothing"]

    with pytest.raises(
        HandlerError, match=r"Raising failed on S1 while handling RequestVote: KeyError: 'nothing'"
    ) as e:
        receive(server(), RequestVote("S2", "S1", 1, 0, 0), Raising)
    assert isinstance(e.value.__cause__, KeyError)


def test_a_value_that_cannot_be_kept_is_refused():
    class Keeping(Server):
        volatile = {"thing": None}

        def on_election_timeout(self):
            self.thing = bytearray(b"x")

    with pytest.raises(HandlerError, match="must be made of values, and a bytearray is not one"):
        time_out(server(), Keeping)


@pytest.mark.parametrize(
    ("field", "value", "expected"),
    [
        ("current_term", "1", "int"),
        ("current_term", True, "int"),
        ("current_term", 1.0, "int"),
        ("voted_for", 1, "str or None"),
        ("log", [], "Log"),
        ("commit_index", None, "int"),
        ("role", "leader", "Follower or PreCandidate or Candidate or Leader"),
        ("machine", {}, "Machine"),
    ],
)
def test_a_field_of_figure_2_keeps_its_type(field, value, expected):
    class Mistyping(Server):
        def on_election_timeout(self):
            setattr(self, field, value)

    with pytest.raises(HandlerError) as caught:
        time_out(server(), Mistyping)
    assert str(caught.value) == f"Mistyping set self.{field} to {value!r}; it must be {expected}"


@pytest.mark.parametrize("seed", range(3))
def test_a_subclass_that_changes_nothing_is_raft(seed):
    class Same(Server):
        volatile = {"unused": []}

    one, other = Cluster(3, seed=seed), Cluster(3, seed=seed, server=Same)
    rng = random.Random(seed)
    for _ in range(150):
        action = rng.choice(one.enabled())
        one.perform(action)
        other.perform(action)
        assert one.world.network == other.world.network
        assert [s.log for s in one.world.servers.values()] == [s.log for s in other.world.servers.values()]


def test_a_state_machine_may_build_on_the_one_there_is():
    class Shouting(Server):
        def apply(self, data, op):
            data, reply = super().apply(data, op)
            return data.with_item("last", op.upper()), reply

    cluster = Cluster(1, server=Shouting)
    cluster.timeout("S1")
    cluster.propose("set x 1")
    assert cluster["S1"].machine.data == {"x": "1", "last": "SET X 1"}


def test_a_world_with_optional_rules_can_be_pickled():
    world = Cluster(3, rules=["pre-vote"]).world
    assert pickle.loads(pickle.dumps(world)) == world
