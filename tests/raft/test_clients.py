"""What clients are promised: reads (dissertation 6.4) and commands that happen once (section 8; dissertation 6.3)."""

from dataclasses import replace

import pytest

from raft.states import FIVE, beat, entries, leader, receive, server, time_out
from raft_lab import (
    AppendEntries,
    AppendEntriesReply,
    Candidate,
    Cluster,
    Command,
    Configuration,
    Entry,
    Follower,
    InstallSnapshot,
    InstallSnapshotReply,
    Leader,
    Machine,
    Progress,
    RequestVoteReply,
    Server,
    Session,
    Snapshot,
    State,
    with_rules,
)
from raft_lab.raft.clients import ANSWERED
from raft_lab.raft.state import (
    NEVER,
    Accepted,
    Applied,
    ClientRequest,
    Outcome,
    PendingRead,
    ReadDone,
    ReadRequest,
    Receive,
    Rejected,
    TransferLeadership,
)
from raft_lab.raft.values import FrozenMap

ALONE = Configuration({"S1"})
STICKY = with_rules(Server, "leader stickiness")
"""Leases are for servers that hold on to a leader; nothing else in this file depends on it."""


def read(state: State, how: str = "read-index", id: str = "r1", now: int = 0) -> Outcome:
    return STICKY.step(state, ReadRequest(id, how), now)


def ack(state: State, peer: str, round: int, match: int = 2, sent_at: int = 0, now: int = 0) -> Outcome:
    """`peer` answers a message of that round of the leader."""
    m = AppendEntriesReply(peer, "S1", state.current_term, True, match, round=round, sent_at=sent_at)
    return Server.step(state, Receive(m), now)


def steady(configuration: Configuration = FIVE, **known) -> State:
    """S1 leads term 1, and both of its entries are committed and applied everywhere."""
    peers = [peer for peer in configuration.members if peer != "S1"]
    progress = {peer: Progress(3, 2, **known) for peer in peers}
    state = server(1, 1, vote="S1", commit=2, configuration=configuration)
    return replace(state, role=Leader(progress, round=4))


# --- Reads that ask a quorum --------------------------------------------------------------------------------------


def test_a_read_begins_a_round_of_heartbeats_and_waits():
    outcome = read(steady())
    assert outcome.answers == ()
    assert outcome.state.role.reads == (PendingRead("r1", round=5, index=2),)
    assert [(m.dst, m.round) for m in outcome.messages] == [("S2", 5), ("S3", 5), ("S4", 5), ("S5", 5)]


ROUNDS = {
    # who answers which round | whether the read is answered
    "nobody": ([], False),
    "one of four": ([("S2", 5)], False),
    "one of four, twice": ([("S2", 5), ("S2", 5)], False),
    "a quorum": ([("S2", 5), ("S4", 5)], True),
    "a quorum, but the round before": ([("S2", 4), ("S4", 4), ("S3", 4), ("S5", 4)], False),
    "a quorum, of which one the round before": ([("S2", 5), ("S4", 4)], False),
    "a later round is as good": ([("S2", 5), ("S4", 6)], True),
    "old answers take nothing back": ([("S2", 5), ("S2", 3), ("S4", 5)], True),
}


@pytest.mark.parametrize("case", ROUNDS)
def test_it_is_answered_when_a_quorum_has_answered_a_round_that_began_after_it(case):
    answers, done = ROUNDS[case]
    state = beat(read(steady()).state).state  # round 6 is on its way too
    given = []
    for peer, number in answers:
        outcome = ack(state, peer, number)
        state, given = outcome.state, [*given, *outcome.answers]
    expected = [ReadDone("r1", 2, state.machine.data)] if done else []
    assert given == expected
    assert (state.role.reads == ()) == done


def test_a_refusal_and_an_answer_about_a_snapshot_confirm_a_round_too():
    state = read(steady()).state
    state = receive(state, AppendEntriesReply("S2", "S1", 1, False, 0, 1, 1, round=5)).state
    outcome = receive(state, InstallSnapshotReply("S3", "S1", 1, 2, round=5))
    assert [answer.id for answer in outcome.answers] == ["r1"]


def test_in_a_joint_configuration_both_majorities_confirm():
    joint = Configuration({"S1", "S4", "S5"}, old={"S1", "S2", "S3"})
    state = read(steady(joint)).state
    for peer in ("S2", "S3"):
        outcome = ack(state, peer, 5)
        state = outcome.state
        assert outcome.answers == ()
    assert ack(state, "S4", 5).answers


def test_learners_do_not_confirm():
    state = read(steady(Configuration({"S1", "S2", "S3"}, learners={"S4", "S5"}))).state
    for peer in ("S4", "S5"):
        outcome = ack(state, peer, 5)
        state = outcome.state
        assert outcome.answers == ()


def test_several_reads_are_answered_each_by_its_own_round():
    state = read(read(steady(), id="r1").state, id="r2").state
    state = ack(state, "S2", 6).state
    outcome = ack(state, "S3", 5)
    assert [answer.id for answer in outcome.answers] == ["r1"]
    assert [waiting.id for waiting in outcome.state.role.reads] == ["r2"]
    assert [answer.id for answer in ack(outcome.state, "S3", 6).answers] == ["r2"]


def test_a_server_alone_is_its_own_quorum():
    assert read(steady(ALONE)).answers == (ReadDone("r1", 2, steady(ALONE).machine.data),)


def test_a_new_leader_first_commits_an_entry_of_its_own_term():
    """It stores a committed entry and does not know that it is committed (dissertation 6.4)."""
    state = time_out(server(1, 1, commit=1)).state
    state = receive(state, RequestVoteReply("S2", "S1", 2, True)).state
    outcome = read(state)
    assert outcome.state.role.reads == (PendingRead("r1", round=1, index=0),)
    confirmed = ack(outcome.state, "S2", round=1, match=2)
    assert confirmed.answers == (), "a quorum has confirmed it, but its own no-op is not committed"
    done = ack(confirmed.state, "S2", round=1, match=3)
    assert [(a.id, a.index) for a in done.answers if isinstance(a, ReadDone)] == [("r1", 3)]
    assert dict(done.answers[-1].data) == {"e1": "1", "e2": "1"}


def test_a_read_waits_until_what_it_reads_is_applied():
    """By hand: in this engine what is committed is applied in the same step."""
    state = steady(configuration=Configuration({"S1", "S2", "S3"}))
    late = replace(state, last_applied=1, role=replace(state.role, reads=(PendingRead("r1", 4, index=2),)))
    assert ack(late, "S2", 4).answers == ()
    later = replace(state, log=state.log.append(*entries(1, first=3)), commit_index=3, role=late.role)
    assert ack(later, "S2", 4).answers, "what is committed since need not be applied"
    in_time = replace(late, last_applied=2)
    assert ack(in_time, "S2", 4).answers == (ReadDone("r1", 2, state.machine.data),)


def test_what_is_committed_after_the_read_came_may_be_seen_by_it():
    state = read(steady(Configuration({"S1", "S2", "S3"}))).state
    state = Server.step(state, ClientRequest("set x new")).state
    outcome = ack(state, "S2", round=6, match=3)
    (applied, done) = outcome.answers
    assert isinstance(applied, Applied)
    assert done == ReadDone("r1", 3, outcome.state.machine.data)
    assert done.data["x"] == "new"


def test_a_refusal_of_a_message_of_an_earlier_reign_confirms_no_round_and_no_lease_of_this_one():
    """A server leads again. What it sent in its first reign is refused in the term of its second (6.4, 6.4.1)."""
    state = read(steady(configuration=Configuration({"S1", "S2", "S3"}))).state
    state = replace(state, current_term=2, log=state.log.append(*entries(2, first=3)), commit_index=3, last_applied=3)
    voter = server(1, 1, term=2, id="S2")
    for old in (
        AppendEntries("S1", "S2", 1, 0, 0, (), 0, round=9, sent_at=100),
        InstallSnapshot("S1", "S2", 1, Snapshot(FIVE, 1, 1), round=9, sent_at=100),
    ):
        (refusal,) = receive(voter, old).messages
        assert refusal.term == state.current_term
        outcome = receive(state, refusal)
        assert outcome.answers == (), "nobody has confirmed this reign"
        known = outcome.state.role.progress["S2"]
        assert (known.acked_round, known.acked_at) == (0, NEVER)


def test_who_is_deposed_answers_no_read_any_more():
    state = read(steady()).state
    state = receive(state, AppendEntriesReply("S2", "S1", 2, False)).state
    assert state.role == Follower()
    assert ack(replace(state, current_term=1), "S3", 5).answers == ()


@pytest.mark.parametrize("how", ["read-index", "lease"])
@pytest.mark.parametrize(("role", "hint"), [(Follower("S2"), "S2"), (Candidate({"S1"}), None)])
def test_who_does_not_lead_turns_a_strong_read_away(how, role, hint):
    before = server(1, role=role)
    outcome = read(before, how)
    assert outcome.reply == Rejected(hint, "S1 does not lead")
    assert (outcome.state, outcome.messages) == (before, ())


@pytest.mark.parametrize("role", [Follower("S2"), Candidate({"S1"}), Leader({})])
def test_a_local_read_is_answered_at_once_by_anyone_with_what_it_has(role):
    before = server(1, 1, commit=1, role=role, configuration=ALONE)
    outcome = read(before, "local")
    assert outcome.answers == (ReadDone("r1", 1, before.machine.data),)
    assert (outcome.state, outcome.messages) == (before, ())


# --- Reads by lease -----------------------------------------------------------------------------------------------

LEASES = {
    # when each follower's last answered message was sent; now | whether the lease holds
    "all just now": ((100_000,) * 4, 110_000, True),
    "a quorum, within the lease": ((0, 0, NEVER, NEVER), 134_999, True),
    "a quorum, one microsecond too late": ((0, 0, NEVER, NEVER), 135_000, False),
    "the quorum's slower half counts": ((0, 90_000, NEVER, NEVER), 140_000, False),
    "one of four is no quorum": ((100_000, NEVER, NEVER, NEVER), 110_000, False),
    "never": ((NEVER,) * 4, 0, False),
}


@pytest.mark.parametrize("case", LEASES)
def test_a_lease_holds_as_long_as_no_other_can_have_been_elected(case):
    heard, now, holds = LEASES[case]
    state = steady()
    progress = {peer: Progress(3, 2, acked_at=at) for peer, at in zip(("S2", "S3", "S4", "S5"), heard, strict=True)}
    state = replace(state, role=Leader(progress))
    outcome = read(state, "lease", now=now)
    assert bool(outcome.answers) == holds
    assert bool(outcome.messages) != holds, "without a lease it asks a quorum instead"


def test_the_lease_runs_from_when_a_message_was_sent_not_from_when_its_answer_came():
    state = steady(Configuration({"S1", "S2", "S3"}))
    state = ack(state, "S2", 4, sent_at=50_000, now=180_000).state
    assert read(state, "lease", now=184_999).answers
    assert not read(state, "lease", now=185_000).answers


def test_only_who_is_sticky_gives_a_lease():
    m = AppendEntries("S1", "S2", 1, 0, 0, (), 0, round=9, sent_at=100)
    (sticky,) = receive(server(id="S2"), m, STICKY).messages
    (fickle,) = receive(server(id="S2"), m).messages
    assert (sticky.round, sticky.sent_at) == (9, 100)
    assert (fickle.round, fickle.sent_at) == (9, NEVER)


def test_a_lease_is_worth_nothing_while_a_transfer_is_on():
    """Another one may be elected at once, without any timeout."""
    state = Server.step(steady(acked_at=0), TransferLeadership("S2")).state
    assert not read(state, "lease", now=1).answers
    assert read(steady(acked_at=0), "lease", now=1).answers


def test_nor_where_voters_do_not_hold_on_to_a_leader():
    """Without stickiness another one may be elected at any time, whoever has heard from whom."""
    outcome = Server.step(steady(acked_at=0), ReadRequest("r1", "lease"), 1)
    assert outcome.answers == ()
    assert outcome.messages, "it asks a quorum instead"


def test_nor_before_the_leaders_own_commit():
    state = time_out(server(1, 1, commit=1, configuration=Configuration({"S1", "S2", "S3"}))).state
    state = receive(state, RequestVoteReply("S2", "S1", 2, True)).state
    state = ack(state, "S2", 1, match=2, sent_at=0).state
    assert read(state, "lease", now=1).answers == ()


# --- Commands that happen once -----------------------------------------------------------------------------------


def run(*commands: Command, state: State | None = None) -> tuple[Machine, list]:
    """A cluster of one runs `commands`, each at its time; what the machine is then, and what was replied."""
    state = state or steady(ALONE)
    replies = []
    for command in commands:
        outcome = Server.step(state, ClientRequest(command.op, command.client, command.seq), command.time_us)
        state = outcome.state
        replies += [answer.reply for answer in outcome.answers if isinstance(answer, Applied)]
    return state.machine, replies


OPEN = Command("hello", "alice", 0)


def add(seq: int, value: str = "1", client: str = "alice", at: int = 0) -> Command:
    return Command(f"add x {value}", client, seq, at)


ONCE = {
    # commands | x, replies
    "each its own": ((OPEN, add(1), add(2, "2")), "12", [None, "1", "12"]),
    "the same again": ((OPEN, add(1), add(1)), "1", [None, "1", "1"]),
    "the same again and again": ((OPEN, add(1), add(1), add(1), add(2)), "11", [None, "1", "1", "1", "11"]),
    "an earlier one again, late: nothing happens, and its reply is gone": (
        (OPEN, add(1), add(2, "2"), add(1)),
        "12",
        [None, "1", "12", ANSWERED],
    ),
    "another one with the same number": ((OPEN, add(1), add(1, "9")), "1", [None, "1", "1"]),
    "two clients": (
        (OPEN, Command("hello", "bob", 0), add(1), add(1, "2", "bob"), add(1), add(1, "2", "bob")),
        "12",
        [None, None, "1", "12", "1", "12"],
    ),
    "without a session every time counts": ((Command("add x 1"), Command("add x 1")), "11", ["1", "11"]),
    "without opening it there is no session": ((add(1),), None, ["session expired"]),
    "a read in a session is stored too": (
        (OPEN, add(1), Command("get x", "alice", 2), add(3), Command("get x", "alice", 3)),
        "11",
        [None, "1", "1", "11", "11"],
    ),
}


@pytest.mark.parametrize("case", ONCE)
def test_a_command_that_comes_again_gets_the_reply_that_it_got_and_does_nothing(case):
    commands, x, replies = ONCE[case]
    machine, given = run(*commands)
    assert machine.data.get("x") == x
    assert given == replies


MINUTE = 60_000_000
EXPIRES = {
    # commands | replies, who has a session at the end
    "within the minute": ((OPEN, add(1, at=MINUTE)), [None, "1"], {"alice"}),
    "after it": ((OPEN, add(1, at=MINUTE + 1)), [None, "session expired"], set()),
    "it lasts from the last command": (
        (OPEN, add(1, at=MINUTE), add(2, at=2 * MINUTE)),
        [None, "1", "11"],
        {"alice"},
    ),
    "a repeated command does not keep it": (
        (OPEN, add(1, at=10), add(1, at=MINUTE), add(2, at=MINUTE + 11)),
        [None, "1", "1", "session expired"],
        set(),
    ),
    "another client's command makes time pass": (
        (OPEN, Command("hello", "bob", 0, MINUTE + 1), add(1, at=MINUTE + 1)),
        [None, None, "session expired"],
        {"bob"},
    ),
    "time does not go back with a leader whose clock is behind": (
        (OPEN, Command("noise", time_us=MINUTE + 1), add(1, at=5)),
        [None, None, "session expired"],
        set(),
    ),
    "it can be opened again": (
        (OPEN, add(1), Command("hello", "alice", 0, 3 * MINUTE), add(1, at=3 * MINUTE)),
        [None, "1", None, "11"],
        {"alice"},
    ),
}


@pytest.mark.parametrize("case", EXPIRES)
def test_a_session_expires_by_log_time(case):
    commands, replies, alive = EXPIRES[case]
    machine, given = run(*commands)
    assert given == replies
    assert set(machine.sessions) == alive
    assert machine.clock_us == max(command.time_us for command in commands)


def test_what_expires_expires_on_every_server_alike_whatever_their_own_clocks_show():
    commands = (OPEN, add(1), add(2, at=MINUTE // 2), add(3, at=2 * MINUTE))
    leading, _ = run(*commands, state=server(vote="S1", configuration=ALONE, role=Leader({})))
    new = tuple(Entry(1, command) for command in commands)
    for now in (0, 10**12):
        m = AppendEntries("S2", "S1", 1, 0, 0, new, len(new))
        following = Server.step(server(), Receive(m), now).state
        assert following.machine == leading


def test_the_leader_stamps_commands_with_its_clock():
    state = Server.step(steady(), ClientRequest("add x 1", "alice", 3), now=42).state
    assert state.log.entry(3) == Entry(1, Command("add x 1", "alice", 3, 42))


def test_the_reply_goes_to_the_client_of_the_leader_that_applies_it():
    state = Server.step(steady(Configuration({"S1", "S2", "S3"})), ClientRequest("add x 1")).state
    outcome = ack(state, "S2", 5, match=3)
    assert outcome.answers == (Applied(3, Command("add x 1"), "1"),)
    follower = receive(server(), AppendEntries("S2", "S1", 1, 0, 0, entries(1), 1))
    assert follower.answers == ()


def test_a_session_survives_compaction_crash_and_a_snapshot():
    cluster = Cluster(3, seed=1)
    cluster.timeout("S1")
    cluster.deliver_all()
    cluster.crash("S3")
    cluster.propose("hello", client="alice", seq=0)
    cluster.propose("add x 1", client="alice", seq=1)
    for message in [m for m in cluster.messages if m.dst == "S3"]:
        cluster.drop(message)
    cluster.deliver_all()
    cluster.compact("S1")
    cluster.restart("S3")
    cluster.heartbeat("S1")
    cluster.deliver_all()
    assert cluster["S3"].log.snapshot.machine.sessions["alice"] == Session(1, "1", 0)
    cluster.timeout("S3")
    cluster.deliver_all()
    assert cluster.leader == "S3"
    again = cluster.propose("add x 1", client="alice", seq=1)
    cluster.deliver_all()
    assert isinstance(again.reply, Accepted)
    assert again.status == "committed"
    assert cluster["S3"].machine.data == {"x": "1"}
    assert cluster.violations == []


OPS = {
    "set x 1": ({"y": "0", "x": "1"}, "1"),
    "set y 2": ({"y": "2"}, "2"),
    "add y 1": ({"y": "01"}, "01"),
    "add x 1": ({"y": "0", "x": "1"}, "1"),
    "get y": ({"y": "0"}, "0"),
    "get x": ({"y": "0"}, None),
    "set x two words": ({"y": "0", "x": "two words"}, "two words"),
    "noise": ({"y": "0"}, None),
    "": ({"y": "0"}, None),
}


@pytest.mark.parametrize("op", OPS)
def test_the_state_machine_answers_with_what_it_did(op):
    state = replace(steady(ALONE), machine=Machine(FrozenMap({"y": "0"})))
    machine, (reply,) = run(Command(op), state=state)
    assert (dict(machine.data), reply) == OPS[op]


def test_a_leader_points_to_no_one_else_as_long_as_it_leads():
    assert isinstance(Server.step(leader(1), ClientRequest("set x 1")).reply, Accepted)
