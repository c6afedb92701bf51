"""API servers compact the store: one of them, and only what all have known for a whole period."""

import pytest

from kube.stores import Server
from raft_lab.kube.compaction import KEY, Round, compact
from raft_lab.kv import EtcdError


def test_the_first_round_only_takes_notice(api: Server) -> None:
    api.store.put("x", "1")

    assert api.store.run(compact(Round())) == Round(version=1, revision=3)
    assert api.store.get("x", revision=2).kvs[0].value == b"1"


def test_next_time_what_was_known_then_is_compacted(api: Server) -> None:
    first = api.store.run(compact(Round()))
    api.store.put("x", "1")
    api.store.put("x", "2")

    api.store.run(compact(first))

    assert api.store.get("x", revision=3).kvs[0].value == b"1"
    with pytest.raises(EtcdError, match="has been compacted"):
        api.store.get("x", revision=1)


def test_of_two_api_servers_one_compacts(api: Server) -> None:
    one = api.store.run(compact(Round()))
    other = api.store.run(compact(Round()))  # it learns that somebody was here before
    one = api.store.run(compact(one))
    other = api.store.run(compact(other))

    assert one.version == other.version == api.store.get(KEY).kvs[0].version == 2
