"""The store as the state machine of a cluster: in the log, in snapshots, in files, under the invariants."""

import pickle

import pytest

from raft_lab import ActionRefused, Cluster, Command, TraceError, explore, fuzz
from raft_lab.kv.errors import LEASE_NOT_FOUND
from raft_lab.kv.requests import Compare, DeleteRange, LeaseGrant, LeaseKeepAlive, Put, PutResponse, Range, Txn
from raft_lab.kv.server import KVServer


def cluster_of(*requests, servers=3, seed=1, **options):
    """A cluster that has done these requests, one after the other."""
    cluster = Cluster(servers, seed=seed, server=KVServer, **options)
    cluster.run_until(leader=True)
    for request in requests:
        assert done(cluster, request).status == "committed"
    return cluster


def done(cluster, request):
    proposal = cluster.propose(request)
    cluster.run(200)
    return proposal


def answer(cluster, request):
    """What the client is told."""
    index = done(cluster, request).reply.index
    return cluster.world.ghosts.reply(index, KVServer)


def stores(cluster):
    return [state.machine.data for state in cluster.world.servers.values()]


def test_every_server_comes_to_the_same_store():
    cluster = cluster_of(Put("a", "1"), Txn([Compare("a", value=1)], [Put("b", "2"), DeleteRange("a")]))
    assert [store.shown() for store in stores(cluster)] == [{"b": "2"}] * 3
    assert len(set(stores(cluster))) == 1


def test_servers_that_have_done_the_same_share_what_came_of_it():
    cluster = cluster_of(Put("a", "1"), Put("a", "2"))
    one, two, three = stores(cluster)
    assert one is two is three


def test_the_log_reads_as_one_would_type_it_for_etcdctl():
    cluster = cluster_of(Put("app-config/background-color", "#ccc"), DeleteRange("app-config/", "app-config0"))
    assert [str(entry.value) for _, entry in cluster["S1"].log] == [
        "no-op",
        "put app-config/background-color '#ccc'",
        "del app-config/ --prefix",
    ]


def test_who_reads_through_the_log_gets_etcds_answer():
    cluster = cluster_of(Put("a", "1"))
    assert answer(cluster, Range("a")).kvs[0].value == b"1"


def test_an_error_is_an_answer_and_changes_nothing():
    cluster = cluster_of(Put("a", "1"))
    before = stores(cluster)
    assert answer(cluster, Put("a", "2", lease=9)) == LEASE_NOT_FOUND
    assert stores(cluster) == before


def test_a_command_sent_again_in_a_session_makes_one_revision():
    cluster = cluster_of()
    for seq in (0, 1, 1):
        cluster.propose(Put("a", "1"), client="alice", seq=seq)
        cluster.run(200)
    assert cluster["S1"].machine.sessions["alice"].reply == PutResponse(2)
    assert stores(cluster)[0].revision == 2


def test_a_lease_that_nobody_keeps_alive_ends_on_every_server_at_the_same_entry():
    cluster = cluster_of(LeaseGrant(2, 7), Put("lock", lease=7), LeaseGrant(3, 8), Put("kept", lease=8))
    cluster.run(1500)
    done(cluster, LeaseKeepAlive(8))
    cluster.run(1500)
    assert [store.shown() for store in stores(cluster)] == [{"kept": "''"}] * 3


def test_a_lease_ends_although_the_leader_that_gave_it_is_gone():
    cluster = cluster_of(LeaseGrant(2, 7), Put("lock", lease=7))
    gone = cluster.leader
    cluster.crash(gone)
    cluster.run(4000)
    assert cluster[cluster.leader].machine.data.shown() == {}


def test_a_server_that_fell_behind_gets_the_store_in_a_snapshot():
    cluster = cluster_of(Put("a", "1"), Put("a", "2"))
    cluster.crash("S3" if cluster.leader != "S3" else "S2")
    away = next(iter(cluster.world.crashed))
    done(cluster, Put("b", "3"))
    cluster.compact(cluster.leader)
    cluster.restart(away)
    cluster.run(500)
    assert cluster[away].machine.data == cluster[cluster.leader].machine.data
    assert cluster[away].machine.data.at(2).get(b"a").value == b"1"


def test_a_run_comes_back_from_its_file_and_from_its_line():
    cluster = cluster_of(Put("a", b"\xff\0"), LeaseGrant(2, 7), Put("b", lease=7))
    cluster.compact(cluster.leader)
    cluster.run(100)
    assert Cluster.from_share(cluster.share(), KVServer).world == cluster.world


def test_a_run_comes_back_from_its_file(tmp_path):
    cluster = cluster_of(Txn([Compare("a")], [Put("a", "1")], [None, Range("a")]), Put("b"), LeaseGrant(2, 7))
    cluster.compact(cluster.leader)
    cluster.save(tmp_path / "run.json")
    assert Cluster.load(tmp_path / "run.json", KVServer).world == cluster.world


def test_a_run_that_begins_with_a_store_comes_back_from_its_file(tmp_path):
    before = cluster_of(Put("a", "1"), LeaseGrant(2, 7), Put("b", lease=7))
    before.compact(before.leader)
    cluster = Cluster.at(before.world)
    cluster.save(tmp_path / "run.json")
    assert Cluster.load(tmp_path / "run.json", KVServer).world == before.world


def test_a_file_may_not_name_what_nobody_registered(tmp_path):
    import hashlib
    import json

    cluster = cluster_of(Put("a", "1"))
    cluster.save(tmp_path / "run.json")
    text = (tmp_path / "run.json").read_text().replace('"is": "Put"', '"is": "Popen"')
    content = json.loads(text)
    del content["checksum"]
    plain = json.dumps(content, sort_keys=True, ensure_ascii=True, separators=(",", ":"))
    content["checksum"] = "sha256:" + hashlib.sha256(plain.encode()).hexdigest()
    (tmp_path / "run.json").write_text(json.dumps(content))
    with pytest.raises(TraceError, match="damaged"):
        Cluster.load(tmp_path / "run.json", KVServer)


def test_a_store_can_be_sent_to_another_process():
    store = stores(cluster_of(Put("a", "1"), LeaseGrant(2, 7), Put("b", lease=7)))[0]
    assert pickle.loads(pickle.dumps(store)) == store


def test_the_explorer_finds_nothing_wrong_with_it():
    report = explore(Cluster(3, server=KVServer), commands=1, heartbeats=1, compactions=1, depth=12, states=3000)
    assert report.counterexample is None
    assert report.states > 1000


def test_random_runs_find_nothing_wrong_with_it():
    assert not fuzz(KVServer, 10, 150, progress=False).findings


def test_what_the_state_machine_does_not_take_is_refused():
    with pytest.raises(ActionRefused, match="a command is one of str, "):
        cluster_of().propose(7)
    plain = Cluster(3)
    with pytest.raises(ActionRefused, match="a command is a string"):
        plain.propose(Put("a"), "S1")


def test_a_command_may_be_given_in_words():
    cluster = cluster_of("put app-config/background-color '#ccc'", "put b 1", "del b", "lease grant 9")
    assert stores(cluster)[0].shown() == {"app-config/background-color": "'#ccc'"}
    assert answer(cluster, "get app-config/ --prefix").count == 1
    assert answer(cluster, "put it 'in").code == "INVALID_ARGUMENT"


def test_a_command_prints_as_its_operation():
    assert str(Command(Put("a", "1"), "alice", 3)) == "put a 1"
