"""One address answers no more: what a client of a real etcd of three members does then."""

import contextlib
from collections.abc import Iterator
from pathlib import Path

import pytest

from kv.real_etcd import Member, real_cluster
from raft_lab.kv import KV, EtcdError, Unknown

pytestmark = pytest.mark.xdist_group("real etcd")


@pytest.fixture
def members(tmp_path: Path) -> Iterator[list[Member]]:
    with real_cluster(tmp_path) as running:
        yield running


def connected(members: list[Member], timeout: float = 30) -> tuple[KV, list[Member]]:
    """A client that asks the leader first, and the members in the order in which it knows them."""
    store = KV.connect(*(member.endpoint for member in members), timeout=timeout)
    store.put("ready", "yes")
    leads = store.status()["is leader"]
    order = sorted(members, key=lambda member: not leads[member.endpoint])
    store.close()
    return KV.connect(*(member.endpoint for member in order), timeout=timeout), order


def write(store: KV, key: str, text: str) -> None:
    """Put it once, even if nobody can say at first whether it was done."""
    try:
        store.put(key, text)
    except Unknown:
        found = store.get(key).kvs
        if not found or found[0].value != text.encode():
            store.put(key, text)


def test_the_next_member_is_asked_when_the_one_in_use_is_killed(members: list[Member]) -> None:
    store, order = connected(members)
    watch = store.watch("x")
    lease = store.lease(5).keep_alive()
    store.put("alive", "yes", lease=lease)
    write(store, "x", "1")

    order[0].kill()
    found = store.get("x").kvs[0].value, store.get("x", serializable=True).count  # a member may lag until then
    write(store, "x", "2")
    write(store, "x", "3")
    store.wait(8)

    assert found == (b"1", 1)
    assert [event.kv.value for event in watch] == [b"1", b"2", b"3"]
    assert store.get("alive").count == 1
    assert store.status().loc[order[0].endpoint, "errors"] == "is down"
    store.close()


def test_a_member_that_stands_still_is_left_and_what_it_was_asked_to_write_is_unknown(members: list[Member]) -> None:
    store, order = connected(members, timeout=4)

    order[0].pause()
    with pytest.raises(Unknown, match="put x 1 within 4 s: it may have happened"):
        store.put("x", "1")
    write(store, "y", "2")

    assert store.get("y").kvs[0].value == b"2"
    order[0].pause(False)
    store.close()


def test_without_a_majority_reads_fail_and_writes_are_unknown(members: list[Member]) -> None:
    store, order = connected(members, timeout=3)
    store.put("x", "1")

    order[1].kill()
    order[2].kill()
    with pytest.raises(Unknown):
        store.put("x", "2")
    with pytest.raises(EtcdError, match=r"no answer within 3 s|etcdserver: "):
        store.get("x")
    with pytest.raises(EtcdError, match="no leader"):
        store.watch("x")

    assert store.get("x", serializable=True).kvs[0].value == b"1"
    store.close()


def test_where_all_are_gone_nothing_was_written(members: list[Member]) -> None:
    store, order = connected(members)
    for member in order:
        member.kill()

    for _ in order:
        with contextlib.suppress(Unknown, EtcdError):  # a connection of whose end nobody has heard yet
            store.put("x", "1")

    with pytest.raises(EtcdError, match=r"no answer \(Connection refused\) from any of 127\.0\.0\.1"):
        store.put("x", "1")
    store.close()
