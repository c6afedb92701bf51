"""What a request is made of is looked at where it is made."""

import pytest

from raft_lab import Cluster
from raft_lab.kv import KV, KVServer
from raft_lab.kv.requests import (
    Compaction,
    Compare,
    DeleteRange,
    KeyValue,
    LeaseGrant,
    Put,
    Range,
    SortOrder,
    SortTarget,
    Txn,
    WatchCreate,
    WatchResponse,
)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda: Range("a", limit="x"), "limit of Range is a whole number, not 'x'"),
        (lambda: Range("a", limit=True), "limit of Range is a whole number, not True"),
        (lambda: Range("a", revision=1.5), "revision of Range is a whole number, not 1.5"),
        (lambda: Range("a", sort_order="ascend"), "sort_order of Range is a whole number"),
        (lambda: Range(5), "keys and values are bytes or text, not 5"),
        (lambda: Put("a", None), "keys and values are bytes or text, not None"),
        (lambda: Put("a", prev_kv="yes"), "prev_kv of Put is True or False, not 'yes'"),
        (lambda: DeleteRange("a", prev_kv=1), "prev_kv of DeleteRange is True or False, not 1"),
        (lambda: Compare("a", value=None), "keys and values are bytes or text, not None"),
        (lambda: Txn([True]), r'compare of Txn is a list of conditions such as value\("x"\) == "1", not \[True\]'),
        (lambda: Txn((), Put("a")), r"success of Txn is a list of Range, Put, DeleteRange or Txn, not Put\("),
        (lambda: Txn((), (), ["put a 1"]), "failure of Txn is a list of Range, Put, DeleteRange or Txn"),
        (lambda: Compaction("3"), "revision of Compaction is a whole number, not '3'"),
        (lambda: LeaseGrant(None), "ttl of LeaseGrant is a whole number, not None"),
        (lambda: WatchCreate("a", filters=1), "filters of WatchCreate is a list of whole numbers, not 1"),
        (lambda: WatchCreate("a", filters=["put"]), "filters of WatchCreate is a whole number, not 'put'"),
    ],
)
def test_what_is_of_another_type_is_refused_with_its_name(make, says):
    with pytest.raises(TypeError, match=says):
        make()


@pytest.mark.parametrize("make", [lambda: Put("a", lease=2**63), lambda: Compare("a", value=-(2**64))])
def test_numbers_have_64_bits(make):
    with pytest.raises(ValueError, match="is a number of 64 bits"):
        make()


def test_text_is_taken_as_bytes_and_lists_as_tuples():
    assert Put("ä", "1") == Put(b"\xc3\xa4", b"1")
    assert Txn([Compare("a")], [Put("b")]) == Txn((Compare(b"a"),), (Put(b"b"),))
    assert WatchCreate("a", filters=[0, 1]).filters == (0, 1)
    assert Range("a", sort_order=SortOrder.DESCEND, sort_target=SortTarget.MOD) == Range("a", "", 0, 0, 2, 3)


def test_who_asks_for_nonsense_hears_it_and_the_cluster_does_not():
    cluster = Cluster(3, server=KVServer)
    store = KV(cluster)
    for ask in (
        lambda: store.get("a", limit="x"),
        lambda: store.put("a", "1", lease="seven"),
        lambda: store.lease("ten"),
        lambda: store.txn("a", Put("a")),
    ):
        with pytest.raises(TypeError, match=r"is a (whole number|list)"):
            ask()
    assert cluster.now is cluster.tape.start


def test_what_is_nothing_is_not_printed():
    assert repr(KeyValue(b"a", b"1", 2, 3, 2)) == (
        "KeyValue(key=b'a', value=b'1', create_revision=2, mod_revision=3, version=2)"
    )
    assert repr(WatchResponse(canceled=True, compact_revision=5)) == "WatchResponse(canceled=True, compact_revision=5)"
