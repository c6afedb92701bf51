"""A client of the store in a cluster's own time."""

import pytest

from raft_lab import ActionRefused, Cluster, check_linearizable
from raft_lab.kv import KV, NODELETE, EtcdError, KVServer, Put, Range, Unknown, etcd, value, version
from raft_lab.kv.clients import Program, clients_of
from raft_lab.kv.requests import Compaction, RegisterClient
from raft_lab.raft.log import Command


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster(3, server=KVServer, seed=4)
    cluster.run_until(leader=True)
    return cluster


@pytest.fixture
def store(cluster: Cluster) -> KV:
    return KV(cluster)


def commands(cluster: Cluster) -> list[str]:
    entries = (entry.value for _, entry in cluster.world.ghosts.committed)
    return [str(value) for value in entries if isinstance(value, Command)]


def test_a_put_becomes_an_entry_a_majority_a_revision(cluster: Cluster, store: KV) -> None:
    response = store.put("x", "1")

    assert (response.revision, commands(cluster)) == (2, ["open a session", "put x 1"])


def test_a_client_that_asks_a_follower_is_sent_to_the_leader(cluster: Cluster) -> None:
    store = KV(cluster)
    store.put("x", "1")
    cluster.transfer_leadership("S2" if cluster.leader != "S2" else "S3")
    store.wait(0.2)

    store.put("x", "2")

    assert store.get("x").kvs[0].value == b"2"


def test_a_command_whose_answer_was_lost_is_sent_again_and_happens_once(cluster: Cluster, store: KV) -> None:
    store.put("x", "0")
    leader = cluster.leader
    clients = clients_of(cluster)
    other = clients.start(put("x", "1"))
    clients.run_until(
        lambda: (
            any("put x 1" in str(entry) for _, entry in cluster[leader].log)
            and cluster.world.ghosts.committed.last_index < cluster[leader].log.last_index
        )
    )
    cluster.run_until(committed=Put("x", "1"))
    cluster.crash(leader)
    store.wait(2)

    assert other.result.revision == 3
    assert store.get("x").kvs[0].version == 2


def put(key: str, text: str) -> Program:
    response = yield Put(key, text)
    return response


def test_without_a_majority_a_write_is_unknown_and_a_read_times_out(cluster: Cluster, store: KV) -> None:
    store.put("x", "1")
    cluster.partition({cluster.leader})
    alone = KV(cluster, member=cluster.leader)
    with pytest.raises(EtcdError, match="request timed out"):
        alone.get("x")
    cluster.crash(next(name for name in cluster.servers if name != cluster.leader))
    cluster.heal()
    cluster.partition({cluster.leader})

    with pytest.raises(Unknown, match="put x 2 within 7 s: it may have happened"):
        store.put("x", "2")


def test_a_write_that_nobody_took_has_not_happened(cluster: Cluster, store: KV) -> None:
    for name in cluster.servers:
        cluster.crash(name)

    with pytest.raises(EtcdError, match="no leader"):
        store.put("x", "1")


def test_a_serializable_read_at_a_member_that_is_cut_off_is_stale_and_a_linearizable_one_is_not(
    cluster: Cluster, store: KV
) -> None:
    store.put("x", "old")
    store.wait(0.1)
    behind = next(name for name in cluster.servers if name != cluster.leader)
    cluster.partition({behind})
    store.put("x", "new")

    local = KV(cluster, member=behind).get("x", serializable=True)

    assert (local.kvs[0].value, store.get("x").kvs[0].value) == (b"old", b"new")


def test_a_session_that_was_forgotten_is_opened_again_under_another_name(cluster: Cluster, store: KV) -> None:
    store.put("x", "1")
    cluster.stall(61_000)
    store.wait(1)
    KV(cluster).put("y", "1")  # moves the log's clock on

    store.put("x", "2")

    assert [command for command in commands(cluster) if command == str(RegisterClient())] == ["open a session"] * 3
    assert store.get("x").kvs[0].version == 2


def test_what_is_malformed_never_comes_into_the_log(cluster: Cluster, store: KV) -> None:
    with pytest.raises(EtcdError, match="key is not provided"):
        store.put("", "1")

    assert commands(cluster) == []


# Watches


def test_a_watch_tells_what_was_there_before(store: KV) -> None:
    watch = store.watch("app-config/", prefix=True, prev_kv=True)
    store.put("app-config/background-color", "#ccc")
    store.put("app-config/background-color", "#fff")
    store.put("other", "x")
    store.wait(0.1)

    assert [(e.kv.value, e.prev_kv and e.prev_kv.value) for e in watch] == [(b"#ccc", None), (b"#fff", b"#ccc")]


def test_a_watch_goes_on_at_another_member_when_its_own_crashes(cluster: Cluster, store: KV) -> None:
    watch = store.watch("x", member=cluster.leader)
    store.put("x", "1")
    cluster.crash(cluster.leader)
    store.put("x", "2")
    store.put("x", "3")
    store.wait(0.5)

    assert [event.kv.value for event in watch] == [b"1", b"2", b"3"]


def test_a_watch_of_the_past_begins_where_it_is_told_and_filters(store: KV) -> None:
    for number in range(3):
        store.put("x", str(number))
    store.delete("x")
    store.wait(0.1)

    watch = store.watch("x", revision=3, filters=[NODELETE])

    assert [event.kv.mod_revision for event in watch] == [3, 4]


def test_a_watch_of_what_is_compacted_away_ends_with_the_revision_that_is_left(store: KV) -> None:
    for number in range(4):
        store.put("x", str(number))
    store.compact(4)
    store.wait(0.1)

    watch = store.watch("x", revision=2)

    assert (watch.ended, watch.responses[-1].compact_revision) == (True, 4)


def test_who_goes_back_in_history_has_not_been_told_yet(cluster: Cluster, store: KV) -> None:
    watch = store.watch("x")
    store.put("x", "1")
    store.wait(0.1)
    then = cluster.now
    store.put("x", "2")
    store.wait(0.1)

    cluster.goto(then)
    store.put("x", "another")
    store.wait(0.1)

    assert [event.kv.value for event in watch] == [b"1", b"another"]


# Leases, locks, elections


def test_a_lease_that_is_not_kept_alive_takes_its_keys_along(store: KV) -> None:
    lease = store.lease(2).keep_alive()
    store.put("alive", "yes", lease=lease)
    store.wait(5)
    before = store.get("alive").count
    lease.let_go()
    store.wait(3)

    assert (before, store.get("alive").count, lease.time_to_live().ttl) == (1, 0, -1)


def test_a_lease_is_kept_alive_whoever_lets_time_pass(cluster: Cluster, store: KV) -> None:
    lease = store.lease(2).keep_alive()
    store.put("alive", "yes", lease=lease)
    cluster.run(5_000)
    ran = store.get("alive").count
    while cluster.schedule.now_us < 12_000_000:
        cluster.step(50)  # as the lab's Play does
    played = store.get("alive").count
    lease.let_go()
    cluster.run(4_000)

    assert (ran, played, store.get("alive").count) == (1, 1, 0)


def test_who_keeps_a_lease_alive_goes_back_in_history_with_the_cluster(cluster: Cluster, store: KV) -> None:
    lease = store.lease(3).keep_alive()
    store.put("alive", "yes", lease=lease)
    then = cluster.now
    cluster.run(950)

    cluster.goto(then)
    cluster.crash(cluster.leader)  # another branch
    cluster.run(9_000)

    assert store.get("alive").count == 1


def test_what_was_asked_is_asked_again_by_who_goes_back_before_the_answer(cluster: Cluster) -> None:
    clients = clients_of(cluster)
    process = clients.start(put("x", "1"))
    cluster.step(4)
    under_way = not process.done

    cluster.back(2)
    cluster.run(500)

    assert (under_way, process.done) == (True, True)
    assert process.result.revision == 2


def test_a_lock_is_held_by_one_at_a_time_and_its_token_grows(cluster: Cluster, store: KV) -> None:
    with store.lock("door") as first:
        waiting = store.get("door/", prefix=True).count
    with KV(cluster).lock("door") as second:
        pass

    assert (waiting, second.revision > first.revision, store.get("door/", prefix=True).count) == (1, True, 0)


def test_whoever_dies_gives_way_in_an_election(cluster: Cluster, store: KV) -> None:
    one, two = store.election("boss", ttl=3), KV(cluster).election("boss", ttl=3)
    one.campaign("one")
    one.lease.let_go()  # it dies

    two.campaign("two")  # waits until the lease is over

    assert store.election("boss").leader().value == b"two"
    assert not one.proclaim("I am back")


# The rest


def test_conditions_are_written_as_they_are_read() -> None:
    asked = [str(value("x") == "1"), str(version("x", prefix=True) > 0)]

    assert asked == ["value(x) = 1", "version(x, y) > 0"]


def test_a_transaction_takes_one_branch(store: KV) -> None:
    first = store.txn(version("x") == 0, Put("x", "1"), Range("x"))
    second = store.txn(version("x") == 0, Put("x", "2"), Range("x"))

    assert (first.succeeded, second.succeeded, second.responses[0].kvs[0].value) == (True, False, b"1")


def test_members_say_who_leads_and_who_is_down(cluster: Cluster, store: KV) -> None:
    store.put("x", "1")
    down = next(name for name in cluster.servers if name != cluster.leader)
    cluster.crash(down)

    status = store.status()

    assert list(status.index[status["is leader"]]) == [cluster.leader]
    assert status.loc[down, "errors"] == "is down"


def test_what_clients_were_told_is_a_history_that_can_be_judged(cluster: Cluster, store: KV) -> None:
    other = KV(cluster)
    store.put("x", "1")
    other.txn(value("x") == "1", Put("x", "2"))
    cluster.crash(cluster.leader)
    other.get("x")
    store.ask(Compaction(2))

    assert check_linearizable(store.history(), etcd()).linearizable


def test_raft_with_another_state_machine_is_still_raft(cluster: Cluster) -> None:
    class Mine(KVServer):
        """Handlers that somebody wrote."""

    assert (cluster.modified, Cluster(3, server=Mine).modified) == ("", "handlers of Mine")


def test_a_cluster_with_another_state_machine_is_refused() -> None:
    with pytest.raises(ActionRefused, match=r"Cluster\(3, server=KVServer\)"):
        KV(Cluster(3))
