"""etcd's services Lock and Election: the same calls at a real etcd and at ours are answered alike."""

import threading
from pathlib import Path

import grpc
import pytest

from kv.real_etcd import RealEtcd
from raft_lab.kv import wire
from serve.clusters import LONG, OurCluster, wait_until
from serve.served import ask


class Real:
    """A real etcd."""

    def __init__(self, folder: Path):
        self._etcd = RealEtcd(folder)

    def __enter__(self):
        self.channel = self._etcd.__enter__().channel
        return self

    def __exit__(self, *stopped):
        self._etcd.__exit__(*stopped)


class Ours:
    """A cluster of ours; its clients are connected to one who does not lead."""

    def __init__(self, _):
        self._cluster = OurCluster()

    def __enter__(self):
        ours = self._cluster.__enter__()
        wait_until(lambda: all(state.leader_id for state in ours.cluster.world.servers.values()), "a leader")
        follower = next(name for name in ours.cluster.servers if name != ours.cluster.leader)
        self.channel = grpc.insecure_channel(ours.served.by_server[follower])
        return self

    def __exit__(self, *stopped):
        self.channel.close()
        self._cluster.__exit__(*stopped)


@pytest.fixture(params=[Real, Ours], ids=["etcd", "ours"])
def channel(request, tmp_path):
    with request.param(tmp_path) as served:
        yield served.channel


def lease(channel, seconds=60):
    return ask(channel, "Lease/LeaseGrant", TTL=seconds).ID


def begin(channel, name, /, **fields):
    """A call that waits for its turn."""
    message = wire.message_class(wire.METHOD[name].request)(**fields)
    return wire.callable_of(channel, name).future(message, timeout=LONG)


def queue(channel, name):
    """Who stands in a queue, in order."""
    found = ask(channel, "KV/Range", key=name + b"/", range_end=name + b"0", sort_target=2, sort_order=1)
    return [kv.key for kv in found.kvs]


def test_a_lock_goes_from_one_to_the_next(channel):
    first, second = lease(channel), lease(channel)
    held = ask(channel, "Lock/Lock", name=b"l", lease=first)
    assert held.key == b"l/%x" % first
    assert ask(channel, "Lock/Lock", name=b"l", lease=first).key == held.key  # once more: it is held
    waits = begin(channel, "Lock/Lock", name=b"l", lease=second)
    wait_until(lambda: len(queue(channel, b"l")) == 2, "standing in the queue")
    assert not waits.done()
    revision = ask(channel, "Lock/Unlock", key=held.key).header.revision
    assert waits.result(LONG).key == b"l/%x" % second
    assert waits.result(LONG).header.revision >= revision
    assert ask(channel, "Lock/Unlock", key=b"nobody holds/this").header.revision == revision


def test_a_lock_is_free_when_the_lease_of_its_holder_ends(channel):
    first, second = lease(channel), lease(channel)
    ask(channel, "Lock/Lock", name=b"l", lease=first)
    waits = begin(channel, "Lock/Lock", name=b"l", lease=second)
    wait_until(lambda: len(queue(channel, b"l")) == 2, "standing in the queue")
    ask(channel, "Lease/LeaseRevoke", ID=first)
    assert waits.result(LONG).key == b"l/%x" % second


def test_who_waits_no_longer_leaves_the_queue(channel):
    first, second = lease(channel), lease(channel)
    held = ask(channel, "Lock/Lock", name=b"l", lease=first).key
    waits = begin(channel, "Lock/Lock", name=b"l", lease=second)
    wait_until(lambda: len(queue(channel, b"l")) == 2, "standing in the queue")
    waits.cancel()
    wait_until(lambda: queue(channel, b"l") == [held], "leaving the queue")


def test_without_a_lease_a_lock_has_one_of_a_minute(channel):
    key = ask(channel, "Lock/Lock", name=b"l").key
    (kv,) = ask(channel, "KV/Range", key=key).kvs
    assert key == b"l/%x" % kv.lease
    assert ask(channel, "Lease/LeaseTimeToLive", ID=kv.lease).grantedTTL == 60


def test_an_election(channel):
    first, second = lease(channel), lease(channel)
    with pytest.raises(grpc.RpcError) as nobody:
        ask(channel, "Election/Leader", name=b"e")
    assert (nobody.value.code(), nobody.value.details()) == (grpc.StatusCode.UNKNOWN, "election: no leader")
    leads = ask(channel, "Election/Campaign", name=b"e", lease=first, value=b"one").leader
    assert (leads.name, leads.key, leads.lease) == (b"e", b"e/%x" % first, first)
    assert ask(channel, "KV/Range", key=leads.key).kvs[0].create_revision == leads.rev
    assert ask(channel, "Election/Leader", name=b"e").kv.value == b"one"
    ask(channel, "Election/Proclaim", leader=leads, value=b"still one")
    assert ask(channel, "Election/Leader", name=b"e").kv.value == b"still one"
    waits = begin(channel, "Election/Campaign", name=b"e", lease=second, value=b"two")
    wait_until(lambda: len(queue(channel, b"e")) == 2, "standing for election")
    assert not waits.done()
    ask(channel, "Election/Resign", leader=leads)
    assert waits.result(LONG).leader.key == b"e/%x" % second
    assert ask(channel, "Election/Leader", name=b"e").kv.value == b"two"
    with pytest.raises(grpc.RpcError, match="election: not leader"):
        ask(channel, "Election/Proclaim", leader=leads, value=b"three")
    ask(channel, "Election/Resign", leader=leads)  # once more: nothing happens
    assert ask(channel, "Election/Leader", name=b"e").kv.value == b"two"


def test_who_campaigns_again_says_something_else(channel):
    first = lease(channel)
    one = ask(channel, "Election/Campaign", name=b"e", lease=first, value=b"one").leader
    again = ask(channel, "Election/Campaign", name=b"e", lease=first, value=b"another").leader
    assert again == one
    assert ask(channel, "Election/Leader", name=b"e").kv.value == b"another"


def test_an_observer_is_told_of_every_leader(channel):
    told = []
    message = wire.message_class("LeaderRequest")(name=b"e")
    stream = wire.callable_of(channel, "Election/Observe")(message)

    first, second = lease(channel), lease(channel)
    leads = ask(channel, "Election/Campaign", name=b"e", lease=first, value=b"one").leader
    listening = threading.Thread(target=lambda: [told.append(response.kv.value) for response in _until_ended(stream)])
    listening.start()
    wait_until(lambda: told == [b"one"], "the first one")
    ask(channel, "Election/Proclaim", leader=leads, value=b"still one")
    wait_until(lambda: told == [b"one", b"still one"], "what it says")
    waits = begin(channel, "Election/Campaign", name=b"e", lease=second, value=b"two")
    ask(channel, "Election/Resign", leader=leads)
    waits.result(LONG)
    wait_until(lambda: told == [b"one", b"still one", b"two"], "the next one")
    stream.cancel()
    listening.join(LONG)
    assert not listening.is_alive()


def _until_ended(stream):
    try:
        yield from stream
    except grpc.RpcError:
        return


MISTAKES = [
    ("Lock/Lock", {"name": b"l", "lease": 7}),
    ("Election/Campaign", {"name": b"e", "lease": 7, "value": b"v"}),
    ("Election/Proclaim", {"value": b"v"}),
    ("Election/Resign", {}),
    ("Election/Leader", {"name": b""}),
    ("Lock/Unlock", {"key": b""}),
]


def test_mistakes_are_answered_alike(tmp_path):
    def answer(channel, name, fields):
        with pytest.raises(grpc.RpcError) as refused:
            ask(channel, name, **fields)
        return refused.value.code(), refused.value.details()

    with Real(tmp_path) as real, Ours(None) as ours:
        for name, fields in MISTAKES:
            assert (name, answer(ours.channel, name, fields)) == (name, answer(real.channel, name, fields))
