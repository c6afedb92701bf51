"""What nobody should send: the answer is a clear error, nothing leaks, and the server stays up."""

import contextlib
import random
import re
import socket
import subprocess
import sys
import threading
import warnings

import grpc
import pytest

from kv.real_etcd import RealEtcd
from raft_lab import Cluster, RaftLabError, serve
from raft_lab.kv import wire
from raft_lab.kv.server import KVServer
from serve.clusters import FAST, LONG, OurCluster, wait_until


def three():
    return Cluster(3, server=KVServer, seed=4, timing=FAST)


def has_ipv6():
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            return True
    except OSError:
        return False


@pytest.fixture
def ours():
    with OurCluster() as ours:
        yield ours
        assert ours.ctl("put", "still", "here") == "OK\n"


def call(channel, name, timeout=LONG, **fields):
    message = wire.message_class(wire.METHOD[name].request)(**fields)
    return wire.callable_of(channel, name)(message, timeout=timeout)


def test_a_port_in_use_is_named_and_nothing_stays_open():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        before = threading.active_count()
        with pytest.raises(RaftLabError, match=f"127.0.0.1:{port} is taken"), serve.etcd(three(), port=port):
            pass
        wait_until(lambda: threading.active_count() <= before + 1, "the end of threads")  # one is gRPC's own, for good
        done = subprocess.run(
            [sys.executable, "-c", "import sys; from raft_lab.cli import main; sys.exit(main())", "serve", "etcd",
             "--port", str(port)],
            capture_output=True, text=True, timeout=LONG,
        )  # fmt: skip
        assert done.returncode == 1
        assert "is taken" in done.stderr
        assert "Traceback" not in done.stderr


def test_ten_megabytes_are_refused_and_so_is_what_is_a_little_too_large(ours):
    with grpc.insecure_channel(ours.endpoints[0], [("grpc.max_send_message_length", -1)]) as channel:
        with pytest.raises(grpc.RpcError) as refused:
            call(channel, "KV/Put", key=b"x", value=b"v" * 10_000_000)
        assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        with pytest.raises(grpc.RpcError, match="request is too large") as refused:
            call(channel, "KV/Put", key=b"x", value=b"v" * 1_600_000)
        assert refused.value.code() == grpc.StatusCode.INVALID_ARGUMENT
        call(channel, "KV/Put", key=b"x", value=b"v" * 1_500_000)
        assert len(call(channel, "KV/Range", key=b"x").kvs[0].value) == 1_500_000


@pytest.mark.parametrize(
    "noise",
    [
        b"GET / HTTP/1.1\r\n\r\n",
        random.Random(1).randbytes(4096),
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 500,
    ],
    ids=["HTTP/1.1", "any bytes", "half of HTTP/2"],
)
def test_noise_at_the_port(ours, noise):
    host, port = ours.endpoints[0].split(":")
    with socket.create_connection((host, int(port)), timeout=LONG) as line:
        line.sendall(noise)
        with contextlib.suppress(ConnectionError, TimeoutError):
            while line.recv(4096):
                pass


def noise_to(channel, path):
    """Code and words that answer what is no message; where they end in what a parser says, without that."""
    kind = {
        "Watch/Watch": "stream_stream",
        "Lease/LeaseKeepAlive": "stream_stream",
        "Maintenance/Snapshot": "unary_stream",
    }
    how = kind.get(path.rpartition(".")[2], "unary_unary")
    method = getattr(channel, how)(path, request_serializer=bytes, response_deserializer=bytes)
    sent = iter([b"\xff\xff\xff\xff"]) if how == "stream_stream" else b"\xff\xff\xff\xff"
    ask = method if how == "unary_unary" else lambda *words, **more: list(method(*words, **more))
    with pytest.raises(grpc.RpcError) as refused:
        ask(sent, timeout=LONG)
    return refused.value.code(), re.sub(r":? (Error parsing.*|unexpected EOF)$", "", refused.value.details())


def test_malformed_messages_are_refused_as_by_a_real_etcd(ours, tmp_path):
    rooms = {"Watch/Watch", "Lease/LeaseKeepAlive", "Maintenance/Snapshot", "KV/Put", "KV/Txn", "KV/Nothing"}
    with RealEtcd(tmp_path) as real, grpc.insecure_channel(ours.endpoints[0]) as channel:
        for path in sorted({f"/etcdserverpb.{name}" for name in rooms} | {"/nobody.Knows/This"}):
            assert noise_to(channel, path) == noise_to(real.channel, path)


def watch(channel, wait, key=b"w"):
    """A stream with one watcher; it stays open until `wait` is set."""

    def requests():
        create = wire.message_class("WatchCreateRequest")(key=key)
        yield wire.message_class("WatchRequest")(create_request=create)
        wait.wait()

    stream = wire.callable_of(channel, "Watch/Watch")(requests())
    assert next(stream).created
    return stream


def test_a_client_that_vanishes_in_mid_stream_is_forgotten(ours):
    member = ours.served._doors["S1"].member
    wait = threading.Event()
    with grpc.insecure_channel(ours.endpoints[0]) as channel:
        streams = [watch(channel, wait) for _ in range(20)]
        assert len(member._listeners) == len(streams)
    wait.set()
    wait_until(lambda: not member._listeners, "forgetting")


def test_a_slow_reader_is_told_everything_in_the_end_and_holds_up_nobody(ours):
    wait = threading.Event()
    with grpc.insecure_channel(ours.endpoints[0]) as channel:
        stream = watch(channel, wait)
        big = b"v" * 200_000
        for _ in range(120):
            call(channel, "KV/Put", key=b"w", value=big)
        seen = []
        for response in stream:
            seen += [event.kv.version for event in response.events]
            if seen[-1] == 120:
                break
        wait.set()
    assert seen == list(range(1, 121))


def test_a_thousand_watchers_in_one_stream_and_in_many(ours):
    create = wire.message_class("WatchCreateRequest")
    kind = wire.message_class("WatchRequest")
    wait = threading.Event()

    def requests():
        for _ in range(800):
            yield kind(create_request=create(key=b"w"))
        wait.wait()

    with grpc.insecure_channel(ours.endpoints[0]) as channel:
        one = wire.callable_of(channel, "Watch/Watch")(requests())
        assert sum(next(one).created for _ in range(800)) == 800
        many = [watch(channel, wait) for _ in range(50)]
        for number in range(3):
            call(channel, "KV/Put", key=b"w", value=b"%d" % number)
        told = [next(one) for _ in range(2400)]
        for place in range(800):
            assert [r.events[0].kv.value for r in told if r.watch_id == place] == [b"0", b"1", b"2"]
        for stream in many:
            assert [next(stream).events[0].kv.value for _ in range(3)] == [b"0", b"1", b"2"]
        wait.set()


def test_two_clusters_in_one_kernel_do_not_know_of_each_other():
    with OurCluster(three()) as one, OurCluster(three()) as other:
        one.ctl("put", "x", "one")
        other.ctl("put", "x", "other")
        assert (one.ctl("get", "x"), other.ctl("get", "x")) == ("x\none\n", "x\nother\n")


def test_ports_and_threads_are_given_back():
    cluster = three()
    with serve.etcd(cluster) as endpoints:
        ports = [int(endpoint.split(":")[1]) for endpoint in endpoints]
    with serve.etcd(cluster, port=ports[0]) as endpoints:
        assert endpoints[0].endswith(f":{ports[0]}")
    assert not [thread for thread in threading.enumerate() if thread.name == "raft-lab-live"]


def test_an_address_of_another_machine_is_refused():
    for host in ("192.0.2.1", "no-such-host.invalid"):
        with pytest.raises(RaftLabError, match=f"nothing can listen at {host}"):
            serve.etcd(three(), host=host).__enter__()


@pytest.mark.skipif(not has_ipv6(), reason="this machine has no IPv6")
def test_it_listens_at_an_address_of_ipv6():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with OurCluster(three(), host="::1") as ours:
            assert ours.endpoints[0].startswith("[::1]:")
            assert ours.ctl("put", "x", "1") == "OK\n"
            assert ours.ctl("member", "list").count("http://[::1]:") == 3


def test_other_machines_are_let_in_only_with_a_warning():
    with pytest.warns(UserWarning, match="everybody who can reach 0.0.0.0"), serve.etcd(three(), host="0.0.0.0"):
        pass
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with serve.etcd(three(), host="localhost"):
            pass


@pytest.mark.parametrize("port", [-1, 70_000, "2379", True])
def test_what_is_no_port_is_refused(port):
    with pytest.raises(ValueError, match="a port is a number"), serve.etcd(three(), port=port):
        pass


def test_only_a_cluster_of_the_store_is_served():
    with pytest.raises(TypeError, match="server=KVServer"), serve.etcd(Cluster(3)):
        pass


MISSING = """
import sys
sys.modules[{library!r}] = None
from raft_lab import Cluster, RaftLabError, serve
from raft_lab.kv.server import KVServer
try:
    with serve.etcd(Cluster(3, server=KVServer)):
        pass
except RaftLabError as missing:
    print(missing)
"""


@pytest.mark.parametrize("library", ["grpc", "google.protobuf"])
def test_where_a_library_is_missing_one_sentence_says_so(library):
    done = subprocess.run(
        [sys.executable, "-c", MISSING.format(library=library)], capture_output=True, text=True, timeout=LONG
    )
    assert "pip install 'raft_lab[serve]'" in done.stdout
    assert len(done.stdout.splitlines()) == 1
    assert done.stderr == ""
