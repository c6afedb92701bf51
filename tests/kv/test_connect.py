"""The same calls over a cluster of the lab and over a real etcd."""

import socket
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import grpc
import pytest

from kv.real_etcd import RealEtcd
from raft_lab import Cluster
from raft_lab.kv.client import KV, Unknown
from raft_lab.kv.conditions import create_revision, value
from raft_lab.kv.errors import EtcdError
from raft_lab.kv.requests import Event, KeyValue, Put, Range, WatchCreate, WatchResponse
from raft_lab.kv.server import KVServer
from raft_lab.kv.watching import Told
from raft_lab.sim.errors import ActionRefused

pytestmark = pytest.mark.xdist_group("real etcd")


@pytest.fixture(scope="module")
def address(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    directory: Path = tmp_path_factory.mktemp("etcd")
    with RealEtcd(directory) as etcd:
        yield etcd.endpoint


def tour(store: KV) -> list[object]:
    """What lesson 06 does with a store, and everything that it is told."""
    colour = "app-config/background-color"
    watch = store.watch("app-config/", prefix=True, prev_kv=True)
    told: list[object] = [
        store.put(colour, "#ccc"),
        store.put(colour, "#fff", prev_kv=True),
        store.get("app-config/", prefix=True, serializable=True),
        store.get(colour, revision=2),
        store.txn(create_revision("once") == 0, Put("once", "1"), Range("once")),
        store.txn(create_revision("once") == 0, Put("once", "2"), Range("once")),
        store.txn([value("once") == "1", value(colour) == "#fff"], [Put("once", "3")]),
    ]
    lease = store.lease(30, id=7)
    told += [store.put("alive", "yes", lease=lease), lease.keep_alive_once(), lease.time_to_live(keys=True).keys]
    told += [lease.revoke(), store.get("alive")]
    with store.lock("door", store.lease(30, id=8)) as turn:
        told += [turn, store.get("door/", prefix=True)]
    election = store.election("boss", store.lease(30, id=9))
    told += [election.campaign("me"), election.leader(), election.proclaim("still me"), election.leader()]
    told += [election.resign(), election.leader(), store.delete("app-config/", prefix=True), store.compact(4)]
    for refused in (lambda: store.get(colour, revision=2), lambda: store.put(""), lambda: store.put("x", lease=99)):
        with pytest.raises(EtcdError) as error:
            refused()
        told.append(error.value)
    store.wait(0.5)
    told.append(watch.events)
    watch.cancel()
    return told


def test_a_tour_is_told_the_same_by_our_cluster_and_by_a_real_etcd(address: str) -> None:
    ours, theirs = tour(KV(Cluster(3, server=KVServer))), tour(KV.connect(address))

    assert ours == theirs


def test_the_members_say_the_same_of_themselves(address: str) -> None:
    ours, theirs = KV(Cluster(1, server=KVServer)), KV.connect(address)
    ours.put("a", "b")

    mine, real = ours.status(), theirs.status()

    assert list(mine.columns) == list(real.columns)
    assert (list(real.index), list(real["is leader"]), list(real["errors"])) == ([address], [True], [""])


def test_a_lease_is_kept_alive_until_it_is_let_go(address: str) -> None:
    store = KV.connect(address)
    lease = store.lease(2).keep_alive()
    store.put("heart", "beats", lease=lease)

    store.wait(3.5)
    alive = store.get("heart").count
    lease.let_go()
    store.wait(4)

    assert (alive, store.get("heart").count) == (1, 0)


def test_where_nobody_answers_it_says_so() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        port = unused.getsockname()[1]

        with pytest.raises(ConnectionError, match=f"no etcd answers at 127.0.0.1:{port}"):
            KV.connect(f"127.0.0.1:{port}", timeout=1)


@pytest.mark.parametrize(
    ("wrong", "says"),
    [
        ("", "'' is no address: it takes host and port"),
        ("127.0.0.1", "is no address"),
        ("127.0.0.1:99999", "is no address"),
        ("unix:///run/etcd:2379", "is no address"),
        ("127.0.0.1:2379, https://127.0.0.1:2379", "TLS is not spoken"),
        ("https://127.0.0.1:2379", "TLS is not spoken here"),
        (2379, "an address is text"),
    ],
)
def test_what_is_no_address_is_refused_before_anybody_is_asked(wrong: str, says: str) -> None:
    with pytest.raises((TypeError, ValueError), match=says):
        KV.connect(wrong)


def test_addresses_may_be_given_as_etcdctl_takes_them(address: str) -> None:
    store = KV.connect(f"http://{address},127.0.0.1:1")

    assert list(store.status()["errors"]) == ["", "is down"]
    store.close()


class OutOfTime(grpc.GenericRpcHandler):
    """A member that says how it is, and finds all else too late: etcd says that as UNKNOWN."""

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        return grpc.unary_unary_rpc_method_handler(self.healthy if details.method.endswith("/Status") else self.late)

    def healthy(self, request: bytes, context: grpc.ServicerContext) -> bytes:
        return b""

    def late(self, request: bytes, context: grpc.ServicerContext) -> None:
        context.abort(grpc.StatusCode.UNKNOWN, "context deadline exceeded")


def test_who_notices_first_that_the_time_is_over_makes_no_difference() -> None:
    server = grpc.server(ThreadPoolExecutor(2), handlers=[OutOfTime()])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    store = KV.connect(f"127.0.0.1:{port}", timeout=0.3)

    with pytest.raises(EtcdError, match=r"no answer within 0\.3 s from any of 127\.0\.0\.1"):
        store.get("x")
    with pytest.raises(Unknown, match=r"put x 1 within 0\.3 s: it may have happened"):
        store.put("x", "1")
    store.close()
    server.stop(None)


def test_a_closed_connection_says_so(address: str) -> None:
    store = KV.connect(address)
    store.close()

    for ask in (lambda: store.put("x"), lambda: store.watch("x"), store.status):
        with pytest.raises(ActionRefused, match=r"was closed; KV\.connect opens another one"):
            ask()


def test_whoever_looks_meanwhile_from_another_thread_finds_all_that_was_told() -> None:
    told = Told(WatchCreate("x", start_revision=5))
    seen: list[int] = []

    class Looked(list[WatchResponse]):
        def append(self, response: WatchResponse) -> None:
            seen.append(told.revision)
            super().append(response)

    told.responses = Looked()
    told.take([WatchResponse(7, events=(Event("PUT", KeyValue(b"x", mod_revision=7)),))])

    assert (seen, told.revision) == ([4], 7)  # not 7 before there is anything to be had of it
