"""A real etcd of one member or more, started for a test, that answers our requests with our values."""

import contextlib
import os
import queue
import shutil
import signal
import socket
import subprocess
import threading
import time
import urllib.request
from collections import Counter
from pathlib import Path

import grpc
import pytest

from raft_lab.kv import wire
from raft_lab.kv.requests import LeaseKeepAlive

INSTALL = "sudo apt-get install etcd-server"


def binary():
    """Where etcd is; without it the test is skipped, or fails where everything must be there."""
    found = shutil.which("etcd")
    if found is None:
        if os.environ.get("CI"):
            pytest.fail(f"etcd is not installed: {INSTALL}")
        pytest.skip(f"needs a real etcd 3.4: {INSTALL}")
    return found


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Member:
    """The process of one member."""

    def __init__(self, directory: Path, name: str, client: str, peer: str, cluster: str, *options: str):
        self.endpoint = client.removeprefix("http://")
        self.process = subprocess.Popen(
            [binary(), "--name", name, "--data-dir", str(directory / name), "--log-level", "error", "--logger", "zap",
             "--listen-client-urls", client, "--advertise-client-urls", client, "--listen-peer-urls", peer,
             "--initial-advertise-peer-urls", peer, "--initial-cluster", cluster, *options],
            env={**os.environ, "ETCD_UNSUPPORTED_ARCH": os.uname().machine},
            stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )  # fmt: skip

    def end(self):
        """Let it end by itself, even if it was paused; then it is gone."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.terminate()
        self.process.wait(timeout=60)

    def kill(self):
        """It is gone at once, as when the power fails."""
        self.process.kill()
        self.process.wait(timeout=60)

    def pause(self, paused=True):
        """It stands still and says nothing, or goes on."""
        self.process.send_signal(signal.SIGSTOP if paused else signal.SIGCONT)


def local_url():
    return f"http://127.0.0.1:{free_port()}"


@contextlib.contextmanager
def real_cluster(directory: Path, count=3):
    """Members that know of one another, once all of them answer."""
    urls = {f"m{number}": (local_url(), local_url()) for number in range(1, count + 1)}
    cluster = ",".join(f"{name}={peer}" for name, (_, peer) in urls.items())
    members = [Member(directory, name, client, peer, cluster) for name, (client, peer) in urls.items()]
    try:
        for member in members:
            with grpc.insecure_channel(member.endpoint) as channel:
                grpc.channel_ready_future(channel).result(timeout=60)
        yield members
    finally:
        for member in members:
            member.end()


class RealEtcd:
    """An etcd of one member and a channel to it; use it in a `with`."""

    def __init__(self, directory: Path, *options: str):
        peer = local_url()
        self.member = Member(directory, "default", local_url(), peer, f"default={peer}", *options)
        self.endpoint = self.member.endpoint
        self.channel = grpc.insecure_channel(self.endpoint, [("grpc.max_receive_message_length", -1)])
        self.methods = {}

    def __enter__(self):
        grpc.channel_ready_future(self.channel).result(timeout=60)
        return self

    def __exit__(self, *_):
        self.channel.close()
        self.member.end()

    def method(self, name):
        if name not in self.methods:
            self.methods[name] = wire.callable_of(self.channel, name)
        return self.methods[name]

    def ask(self, request):
        """The answer as one of our values: a response, or the error."""
        method, message = self.method(wire.method_of(request)), wire.to_message(request)
        try:
            if isinstance(request, LeaseKeepAlive):
                return wire.to_value(next(method(iter([message]))))
            return wire.to_value(method(message, timeout=60))
        except grpc.RpcError as error:
            return wire.error_of(error)

    def number_size(self):
        """How many bytes the number takes that the member gives to each request: it begins with the member's own."""
        status = self.method("Maintenance/Status")(wire.message_class("StatusRequest")(), timeout=60)
        first = status.header.member_id % 2**16
        return -(-(first.bit_length() + 48) // 7)

    def lagging(self):
        """How many watchers have not caught up."""
        with urllib.request.urlopen(f"http://{self.endpoint}/metrics", timeout=60) as answer:
            for line in answer.read().decode().splitlines():
                if line.startswith("etcd_debugging_mvcc_slow_watcher_total "):
                    return float(line.split()[1])
        raise AssertionError("etcd does not say how many watchers are slow")


class WatchStream:
    """A stream of watchers at a real etcd; what they are told is kept by watcher."""

    def __init__(self, etcd: RealEtcd):
        self.etcd = etcd
        self.told = {}
        self.count = Counter()
        self.requests = queue.SimpleQueue()
        self.arrived = threading.Condition()
        self.call = etcd.method("Watch/Watch")(iter(self.requests.get, None))
        self.thread = threading.Thread(target=self._listen, daemon=True)
        self.thread.start()

    def _listen(self):
        with contextlib.suppress(grpc.RpcError):
            for message in self.call:
                response = wire.to_value(message)
                with self.arrived:
                    self.told.setdefault(response.watch_id, []).append(response)
                    self.arrived.notify_all()

    def send(self, **choice):
        self.requests.put(wire.message_class("WatchRequest")(**choice))

    def wait(self, counts, seconds=20):
        """Until every watcher was told so many things, and none lags."""

        def enough():
            return all(len(self.told.get(name, ())) >= count for name, count in counts.items())

        with self.arrived:
            if not self.arrived.wait_for(enough, timeout=seconds):
                return
        deadline = time.monotonic() + seconds
        while self.etcd.lagging() and time.monotonic() < deadline:
            time.sleep(0.01)

    def close(self):
        self.requests.put(None)
        self.call.cancel()
        self.thread.join(timeout=20)
