"""What clients asked and were told: read off a cluster's tape, and out of files."""

from __future__ import annotations

import random

import pytest

from raft_lab import Cluster, History, HistoryError, Operation, check_linearizable, history_of
from raft_lab.sim import scenarios
from raft_lab.sim.errors import ActionRefused
from raft_lab.sim.scenarios import Stage


def led(size: int = 3) -> Cluster:
    """S1 leads, and everybody knows."""
    cluster = Cluster(size, seed=1)
    Stage(cluster).elect("S1", "S2", "S3")
    cluster.deliver_all()
    return cluster


def told(cluster: Cluster) -> list[tuple[str, str, object]]:
    """Every operation: client, what was asked, what came back."""
    return [
        (o.client, str(o), "refused" if o.failed else "no answer" if o.unknown else o.result)
        for o in history_of(cluster).operations
    ]


# --- Off the tape ----------------------------------------------------------------------------------------------------


def test_a_command_returns_when_the_leader_has_applied_it():
    cluster = led()
    asked = cluster.propose("set x 1") and cluster.now.id
    assert told(cluster) == [("c1", "set x 1", "no answer")]
    cluster.deliver_all()
    (operation,) = cluster.operations.operations
    assert (operation.client, str(operation), operation.result) == ("c1", "set x 1", "1")
    assert cluster.operations.steps[operation.called] == asked
    applied = cluster.tape.steps[cluster.operations.steps[operation.returned]]
    assert applied.world.servers["S1"].last_applied == 2
    assert applied.parent.world.servers["S1"].last_applied == 1


def test_reads_return_all_data_and_who_does_not_lead_refuses():
    cluster = led()
    cluster.propose("set x 1", "S2")
    cluster.read("S1")
    cluster.deliver_all()
    cluster.read("S2", how="local")
    assert told(cluster) == [("c1", "set x 1", "refused"), ("c1", "read all", {}), ("c1", "read all (local)", {})]


def test_clients_without_a_session_have_one_operation_under_way_at_a_time():
    cluster = led()
    cluster.propose("set x 1")
    cluster.propose("set y 1")
    cluster.deliver_all()
    cluster.propose("set x 2")
    assert [client for client, *_ in told(cluster)] == ["c1", "c2", "c1"]


def test_a_crash_of_the_server_that_was_asked_leaves_its_clients_without_an_answer():
    cluster = led()
    cluster.propose("set x 1", "S1")
    cluster.read("S1")
    Stage(cluster).deliver("S1", "S2")
    cluster.crash("S1")
    Stage(cluster).elect("S2", "S3")
    cluster.propose("get x", "S2")
    cluster.deliver_all()
    assert told(cluster) == [("c1", "set x 1", "no answer"), ("c2", "read all", "no answer"), ("c3", "get x", "1")]
    assert check_linearizable(cluster).linearizable is True


def test_what_was_overwritten_has_no_answer_though_another_command_stands_at_its_place():
    """The same words at the same index, but of another client in another term."""
    cluster = led()
    cluster.propose("set x 1", "S1")
    Stage(cluster).lose_all()
    Stage(cluster).elect("S2", "S3").lose_all()
    cluster.heartbeat("S2")
    cluster.deliver_all()
    Stage(cluster).elect("S1", "S2", "S3")
    cluster.propose("set x 1", "S1")
    cluster.deliver_all()
    assert told(cluster) == [("c1", "set x 1", "no answer"), ("c2", "set x 1", "1")]


def test_a_command_sent_again_in_a_session_is_one_operation():
    cluster = scenarios.duplicate_command()
    (operation,) = history_of(cluster).operations
    assert (operation.client, str(operation), operation.result) == ("alice", "add x 1", "1")
    attempts = [step.id for step in cluster.history if str(step.action).startswith("cluster.propose('add")]
    assert operation.called == attempts[0]
    assert operation.returned > attempts[1], "whoever asks again had no answer"


def test_an_old_number_of_a_session_is_answered_with_another_reply_which_counts_for_nothing():
    cluster = led()
    for op, seq in (("open", 0), ("add x 1", 2), ("add x 7", 1)):
        cluster.propose(op, client="alice", seq=seq)
        cluster.deliver_all()
    assert told(cluster) == [("alice", "add x 1", "1"), ("alice", "add x 7", "no answer")]


def test_an_answered_request_that_the_network_repeats_late_is_the_same_operation_with_the_same_answer():
    cluster = led()
    for op, seq in (("open", 0), ("add x 1", 1), ("add x 2", 2), ("add x 1", 1)):
        cluster.propose(op, client="alice", seq=seq)
        cluster.deliver_all()
    assert told(cluster) == [("alice", "add x 1", "1"), ("alice", "add x 2", "12")]
    assert check_linearizable(cluster).linearizable is True


def test_an_expired_session_says_that_nothing_happened():
    cluster = led()
    cluster.propose("add x 1", client="nobody", seq=1)
    cluster.deliver_all()
    assert told(cluster) == [("nobody", "add x 1", "refused")]


def test_going_back_goes_back_in_the_history_too():
    cluster = led()
    before = cluster.now
    cluster.propose("set x 1")
    cluster.deliver_all()
    cluster.goto(before)
    assert told(cluster) == []


def test_what_is_in_the_logs_where_a_run_begins_was_asked_earlier():
    cluster = Cluster(3, seed=1, logs={name: [(1, "set x 1"), (1, "set y 2")] for name in ("S1", "S2", "S3")})
    cluster.run_until(leader=True)
    cluster.propose("get x")
    cluster.run(100)
    assert told(cluster) == [
        ("earlier", "set x 1", "no answer"),
        ("earlier", "set y 2", "no answer"),
        ("c1", "get x", "1"),
    ]
    assert check_linearizable(cluster).linearizable is True


def test_what_was_committed_where_a_run_begins_is_what_it_starts_from():
    cluster = led()
    cluster.propose("set x 1")
    cluster.deliver_all()
    later = Cluster.at(cluster.world)
    later.propose("get x")
    later.deliver_all()
    assert history_of(later).start == {"x": "1"}
    assert told(later) == [("c1", "get x", "1")]
    assert check_linearizable(later).linearizable is True


def test_crashes_partitions_and_leaders_stand_beside_the_operations():
    cluster = led()
    cluster.partition({"S1"})
    cluster.crash("S3")
    assert [(mark.kind, mark.text) for mark in history_of(cluster).marks] == [
        ("leader", "S1 leads term 1"),
        ("cut", "S1 | S2 S3"),
        ("crash", "S3 crashes"),
    ]


@pytest.mark.parametrize("seed", range(6))
def test_whatever_happens_clients_see_one_object(seed):
    """Commands, sessions and reads while servers crash and the network falls apart."""
    rng = random.Random(f"clients {seed}")
    cluster = Cluster(3, seed=seed)
    cluster.run_until(leader=True)
    numbers = {"alice": 1, "bob": 1}
    for name in numbers:
        cluster.propose("open", client=name)
        cluster.run(50)
    for number in range(60):
        cluster.step(rng.randint(1, 8))
        try:
            meanwhile(cluster, rng, number, numbers)
        except ActionRefused:
            continue
    history = history_of(cluster)
    assert sum(not o.unknown and not o.failed for o in history.operations) > 8
    verdict = check_linearizable(cluster)
    assert verdict.linearizable is True, verdict


def meanwhile(cluster: Cluster, rng: random.Random, number: int, numbers: dict[str, int]) -> None:
    server, dice = rng.choice(cluster.servers), rng.random()
    if dice < 0.4:
        name = rng.choice(sorted(numbers))
        numbers[name] += rng.random() < 0.5
        cluster.propose(f"add {rng.choice('xy')} {number} ", client=name, seq=numbers[name])
    elif dice < 0.6:
        cluster.propose(rng.choice([f"set x {number}", "get x", "get y"]))
    elif dice < 0.8:
        cluster.read(rng.choice([server, cluster.leader]))
    elif dice < 0.9:
        cluster.partition({server}) if not cluster.world.cuts else cluster.heal()
    elif cluster.world.crashed:
        cluster.restart(min(cluster.world.crashed))
    else:
        cluster.crash(server)


# --- Files -----------------------------------------------------------------------------------------------------------

JEPSEN = """\
; a register, and someone who cuts the network
{:type :invoke, :f :write, :value 1, :process 0, :time 1000000, :index 0}
{:type :info, :f :start, :value "cut off n1", :process :nemesis, :time 2000000, :index 1}
{:type :ok, :f :write, :value 1, :process 0, :time 21000000, :index 2}
{:type :invoke, :f :cas, :value [1 2], :process 1, :time 22000000, :index 3}
{:type :invoke, :f :read, :value nil, :process 2, :time 23000000, :index 4}
{:type :info, :f :cas, :value [1 2], :process 1, :time 24000000, :index 5, :error [:timeout #object[x 0x1f "y"]]}
{:type :ok, :f :read, :value 2, :process 2, :time 25000000, :index 6}
"""


def written(tmp_path, text):
    path = tmp_path / "history"
    path.write_text(text, encoding="utf-8")
    return History.load(path)


def test_a_history_of_jepsen_is_read(tmp_path):
    history = written(tmp_path, JEPSEN)
    assert history.operations == (
        Operation("client 0", "write", None, 1, 0, 2),
        Operation("client 1", "cas", None, (1, 2), 3, None),
        Operation("client 2", "read", None, None, 4, 6, 2),
    )
    assert [mark.text for mark in history.marks] == ["nemesis start cut off n1"]
    assert history.when(6) == "25.0 ms"
    assert check_linearizable(history).linearizable is True


def test_one_vector_is_as_good_as_one_map_a_line(tmp_path):
    assert written(tmp_path, f"[{JEPSEN}]").operations == written(tmp_path, JEPSEN).operations


def test_values_of_jepsen_may_belong_to_keys(tmp_path):
    history = written(
        tmp_path,
        "{:type :invoke, :f :write, :value [7 1], :process 0} {:type :ok, :f :write, :value [7 1], :process 0}"
        "{:type :invoke, :f :read, :value [7 nil], :process 0} {:type :ok, :f :read, :value [7 1], :process 0}",
    )
    assert [(o.key, o.argument, o.result) for o in history.operations] == [(7, 1, None), (7, None, 1)]


def test_transactions_of_jepsen_are_read(tmp_path):
    history = written(
        tmp_path,
        "{:type :invoke, :f :txn, :value [[:w 1 5] [:r 2 nil]], :process 0}"
        "{:type :ok, :f :txn, :value [[:w 1 5] [:r 2 3]], :process 0}",
    )
    (operation,) = history.operations
    assert str(operation) == "txn [put 1 5, get 2]"
    assert operation.result == (True, (None, 3))
    assert "it could only have returned [True [nothing nothing]]" in check_linearizable(history).reason


def test_lines_of_json_are_put_in_order_of_time(tmp_path):
    history = written(
        tmp_path,
        '{"clientId": 1, "input": {"op": "get", "key": "x"}, "call": 25000, "output": null, "return": 30000}\n'
        '{"clientId": 0, "input": {"op": "put", "key": "x", "value": 1}, "call": 10000, "return": 25000}\n'
        '{"clientId": 2, "input": {"op": "put", "key": "x", "value": 2}, "call": 11000}\n',
    )
    assert history.operations == (
        Operation("client 0", "put", "x", 1, 0, 3),
        Operation("client 2", "put", "x", 2, 1, None),
        Operation("client 1", "get", "x", None, 2, 4),
    )
    assert check_linearizable(history).linearizable is True, "a call at the moment of a return is concurrent to it"


def test_what_is_saved_can_be_loaded_again(tmp_path):
    history = history_of(scenarios.stale_lease_read())
    history.save(tmp_path / "history.json")
    assert History.load(tmp_path / "history.json") == history


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "it is empty"),
        ("hello", "line 1: an operation is a map"),
        ("{:type :invoke, :f :read}", "line 1: the field :process is missing"),
        ("\n\n{:type :done, :f :read, :process 0}", "line 3: :type is :invoke, :ok, :fail or :info, not :done"),
        (JEPSEN + "{:type :ok, :f :read, :value 2, :process 2}", "line 9: process 2 completes :read"),
        (JEPSEN.replace(":process 2", ":process 1"), "line 6: process 1 is not done yet with what it began in line 5"),
        ("{:type :invoke, :f :read, :process 0", "line 1: a '{' is not closed by '}'"),
        ("{:type :invoke, :f :read, :process 0 :value}", "line 1: a map has a value for each key"),
        ("{:type :invoke, :f :read, :process 0, :value \\a}", "line 1: '\\\\\\\\a' is not understood"),
        ("{:type :invoke, :f :cas, :process 0, :value 3}", "line 1: :cas has a value"),
        ("[" * 100_000, "line 1: it is nested too deeply"),
        ("{:type :invoke, :f :txn, :process 0, :value [[:append 1 2]]}", "line 1: a transaction is made of"),
        ('{"clientId": 0, "call": 1}', "line 1: the field 'input' is missing"),
        ('{"clientId": 0, "input": {"op": "get"}, "call": 2, "return": 1}', "line 1: it returns before it is called"),
        ('{"clientId": 0, "input": {"op": "get"}, "call": 2, "ret": 3}', "line 1: the field 'ret' has no meaning"),
        ('{"clientId": 0, "input": {"op": "get"}, "call": 2.5}', 'line 1: "op" is a name'),
        ('{"clientId": 0, "input": {"op": "get"}, "call": 2}\n{"clientId"', "line 2: it is not JSON"),
        ('{"a":' * 100_000, "line 1: an operation is an object"),
        ('{"format": "raft_lab history", "version": 2}', "it has version 2, and this raft_lab reads 1"),
        ('{"format": "raft_lab history",\n "vers', "line 2: it is not whole JSON"),
        ('{"format": "raft_lab history", "version": 1, "history": {"is": "World"}}', "it is damaged"),
    ],
)
def test_a_file_that_is_no_history_is_refused_with_its_line(tmp_path, text, said):
    with pytest.raises(HistoryError, match=said):
        written(tmp_path, text)


def test_a_mark_at_the_beginning_is_no_part_of_a_history(tmp_path):
    assert written(tmp_path, "\ufeff" + JEPSEN) == written(tmp_path, JEPSEN)


def test_a_file_that_is_not_there_is_said(tmp_path):
    with pytest.raises(HistoryError, match="there is no file"):
        History.load(tmp_path / "nothing")
    (tmp_path / "picture").write_bytes(b"\x89PNG\xff")
    with pytest.raises(HistoryError, match="not text in UTF-8"):
        History.load(tmp_path / "picture")
    with pytest.raises(HistoryError, match="cannot be read: it is a folder"):
        History.load(tmp_path)


def test_an_operation_is_made_of_values():
    with pytest.raises(HistoryError, match="holds something that can change"):
        Operation("c1", "write", "x", [1])
    with pytest.raises(HistoryError, match="returns before it is called"):
        Operation("c1", "read", "x", None, 3, 2)
