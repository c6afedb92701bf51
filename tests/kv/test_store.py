"""The store alone: revisions, ranges, deletions, compaction, and what is refused."""

from raft_lab.kv import errors
from raft_lab.kv.requests import (
    Compaction,
    DeleteRange,
    KeyValue,
    Put,
    Range,
    SortOrder,
    SortTarget,
    prefix_end,
)
from raft_lab.kv.server import apply
from raft_lab.kv.store import Store


def after(*requests, store=None):
    """The store after these requests."""
    store = store or Store()
    for request in requests:
        store, _ = apply(store, request)
    return store


def asked(store, request):
    return apply(store, request)[1]


def keys(response):
    return [kv.key.decode() for kv in response.kvs]


def test_the_first_write_makes_revision_2_and_a_read_none():
    store = after(Put("a", "1"), Range("a"))
    assert store.revision == 2


def test_a_key_counts_its_versions_until_it_is_deleted():
    store = after(Put("a", "1"), Put("b"), Put("a", "2"))
    assert asked(store, Range("a")).kvs == (KeyValue(b"a", b"2", create_revision=2, mod_revision=4, version=2),)
    again = after(DeleteRange("a"), Put("a", "3"), store=store)
    assert asked(again, Range("a")).kvs == (KeyValue(b"a", b"3", create_revision=6, mod_revision=6, version=1),)


def test_the_past_can_be_read_and_the_answer_names_the_present():
    store = after(Put("a", "old"), Put("a", "new"), DeleteRange("a"))
    then = asked(store, Range("a", revision=2))
    assert (then.kvs[0].value, then.revision) == (b"old", 4)


def test_deleting_nothing_makes_no_revision():
    store = after(Put("a"))
    assert apply(store, DeleteRange("b", prefix_end("b"))) == (store, asked(store, DeleteRange("x")))


def test_a_prefix_is_a_range():
    store = after(*(Put(key) for key in ("app", "app/a", "app/b", "apq", "b")))
    assert keys(asked(store, Range("app/", prefix_end("app/")))) == ["app/a", "app/b"]


def test_a_range_may_be_sorted_cut_and_counted():
    store = after(Put("a", "3"), Put("b", "1"), Put("c", "2"))
    found = asked(store, Range("\0", "\0", limit=2, sort_order=SortOrder.DESCEND, sort_target=SortTarget.VALUE))
    assert (keys(found), found.more, found.count) == (["a", "c"], True, 3)


def test_compaction_forgets_what_was_overwritten_and_keeps_what_stands():
    store = after(Put("a", "1"), Put("b", "1"), Put("a", "2"), Put("c"), Compaction(4))
    assert asked(store, Range("b", revision=3)) == errors.COMPACTED
    assert keys(asked(store, Range("\0", "\0", revision=4))) == ["a", "b"]


def test_what_is_refused_changes_nothing():
    store = after(Put("a"), Put("a"), Compaction(2))
    refused = {
        Put(""): errors.EMPTY_KEY,
        Put("a", lease=5): errors.LEASE_NOT_FOUND,
        Put("x", ignore_value=True): errors.KEY_NOT_FOUND,
        Put("a", "v", ignore_value=True): errors.VALUE_PROVIDED,
        Put("a", lease=5, ignore_lease=True): errors.LEASE_PROVIDED,
        Put("a", bytes(2**21)): errors.TOO_LARGE,
        Range("a", revision=9): errors.FUTURE_REVISION,
        Range("a", revision=1): errors.COMPACTED,
        Compaction(2): errors.COMPACTED,
        Compaction(9): errors.FUTURE_REVISION,
    }
    assert {request: apply(store, request) for request in refused} == {
        request: (store, error) for request, error in refused.items()
    }


def test_a_store_that_was_written_down_is_the_same_store():
    from raft_lab.kv.store import store_of

    store = after(Put("a"), Put("b"), Compaction(3), Put("a", "2"), DeleteRange("b"))
    assert store_of(store.contents()) == store
