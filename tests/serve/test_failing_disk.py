"""A disk that is full, or a folder that is gone: nobody is ever told what is not kept, and everything is refused."""

import contextlib
import json
import shutil
import sys
import threading
import urllib.error
import urllib.request

import grpc
import pytest

from raft_lab import Cluster, RaftLabError, Timing, serve
from raft_lab.kv import wire
from raft_lab.kv.requests import Put
from raft_lab.kv.server import KVServer
from raft_lab.serve.journal import Journal
from raft_lab.serve.live import Live
from serve.clusters import FAST, LONG, wait_until
from serve.served import Served, ask


class Watched:
    """A watch of everything from the beginning: the revisions that were told, and how it ended."""

    def __init__(self, channel):
        create = wire.message_class("WatchCreateRequest")(key=b"\0", range_end=b"\0", start_revision=1)
        self.wait = threading.Event()
        self.revisions, self.ended = [], ""

        def requests():
            yield wire.message_class("WatchRequest")(create_request=create)
            self.wait.wait(LONG)

        self.call = wire.callable_of(channel, "Watch/Watch")(requests())
        self.thread = threading.Thread(target=self._read)
        self.thread.start()

    def _read(self):
        try:
            for response in self.call:
                self.revisions += [event.kv.mod_revision for event in response.events]
        except grpc.RpcError as error:
            self.ended = error.details()

    def join(self):
        self.wait.set()
        self.thread.join(LONG)
        assert not self.thread.is_alive()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits the files of a process that runs")
@pytest.mark.parametrize("servers", [1, 3])
def test_when_the_disk_is_full_the_command_ends_and_nobody_was_told_what_is_not_there(tmp_path, servers):
    import resource

    with Served(tmp_path, "--servers", str(servers)) as served:
        first = served.ask("KV/Put", key=b"x", value=b"1").header.revision
        watched = Watched(served.channels[0])
        wait_until(lambda: watched.revisions == [first], "the first event")
        _, most = resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE)
        resource.prlimit(served.process.pid, resource.RLIMIT_FSIZE, (0, most))  # no file may be written any more
        with pytest.raises(grpc.RpcError):
            served.ask("KV/Put", key=b"x", value=b"2")
        with contextlib.suppress(grpc.RpcError):  # it has ended, or is about to
            assert served.ask("Maintenance/Status").header.revision == first
        assert served.process.wait(LONG) == 1
        watched.join()
        assert watched.revisions == [first]
        assert watched.ended
        told = served.process.stderr.read()
        assert told.startswith(f"raft-lab: {tmp_path}")
        assert len(told.splitlines()) == 1
    with Served(tmp_path) as served:
        found = served.ask("KV/Range", key=b"x")
        assert [kv.value for kv in found.kvs] == [b"1"]
        assert found.header.revision == first


@pytest.fixture
def lost(tmp_path):
    """A served cluster of one server, whose folder is removed."""
    folder = tmp_path / "data"
    cluster = Cluster(1, server=KVServer, seed=2, timing=FAST)
    with (
        Journal(folder) as journal,
        serve.etcd(journal.open(cluster), journal=journal) as endpoints,
        grpc.insecure_channel(endpoints[0]) as channel,
    ):
        ask(channel, "KV/Put", key=b"x", value=b"1")
        yield endpoints.live, channel, lambda: shutil.rmtree(folder)


GONE = r"raft_lab: the cluster is paused, since it cannot go on: .*raft-lab\.sqlite3 is gone"


def test_once_the_folder_is_gone_everything_is_refused(lost):
    live, channel, remove = lost
    watched = Watched(channel)
    wait_until(lambda: watched.revisions == [2], "the first event")
    remove()
    with pytest.raises(grpc.RpcError, match=GONE) as refused:
        ask(channel, "KV/Put", key=b"x", value=b"2")
    assert refused.value.code() == grpc.StatusCode.INTERNAL
    for name, fields in {
        "KV/Put": {"key": b"x"},
        "KV/Range": {"key": b"x", "serializable": True},
        "Maintenance/Status": {},
        "Maintenance/HashKV": {},
        "Cluster/MemberList": {},
        "Lease/LeaseLeases": {},
        "Lease/LeaseGrant": {"TTL": 5},
        "Lock/Lock": {"name": b"l"},
    }.items():
        with pytest.raises(grpc.RpcError, match=GONE):
            ask(channel, name, **fields)
    watched.thread.join(LONG)
    watched.join()
    assert watched.revisions == [2]
    assert "is gone" in watched.ended
    late = Watched(channel)
    late.join()
    assert late.revisions == []
    assert "is gone" in late.ended
    with pytest.raises(RaftLabError, match=r"cannot go on.*start it again"):
        live.resume()


@pytest.mark.parametrize(
    ("name", "fields"),
    [
        ("Cluster/MemberAdd", {"peerURLs": ["http://127.0.0.1:1"], "isLearner": True}),
        ("Cluster/MemberUpdate", {"peerURLs": ["http://127.0.0.1:2"]}),
    ],
)
def test_a_change_of_members_that_is_not_kept_is_not_answered_either(lost, name, fields):
    _, channel, remove = lost
    (member,) = ask(channel, "Cluster/MemberList").members
    remove()
    more = {"ID": member.ID} if name == "Cluster/MemberUpdate" else {}
    with pytest.raises(grpc.RpcError, match=GONE):
        ask(channel, name, **fields, **more)


def test_whoever_uses_kubernetes_over_the_same_cluster_is_told_too(lost):
    live, channel, remove = lost
    with serve.kubernetes(live) as k8s:
        leases = f"{k8s.url}/apis/coordination.k8s.io/v1/namespaces/default/leases"
        with urllib.request.urlopen(f"{leases}?watch=true", timeout=LONG) as watch:
            remove()
            with pytest.raises(grpc.RpcError, match=GONE):
                ask(channel, "KV/Put", key=b"x")
            assert [json.loads(line)["type"] for line in watch] == ["ERROR"]
        with pytest.raises(urllib.error.HTTPError, match="503"):
            urllib.request.urlopen(leases, timeout=LONG)


def test_what_somebody_does_by_hand_while_it_is_being_kept_is_answered_only_after_it_is_kept_itself():
    cluster = Cluster(3, server=KVServer, seed=5, timing=Timing(latency_us=(200, 500)))
    cluster.run_until(leader=True)
    kept, told = [], []

    def by_hand():
        for _ in range(60):
            cluster.step()

    def write(world, _):
        kept.append(world)
        if waiting and not waiting[0].done() and len(kept) < 5:
            hand = threading.Thread(target=by_hand)
            hand.start()
            hand.join(LONG)

    def put():
        return (yield Put("x", "1"))

    waiting = []
    with Live(cluster) as live:
        live.pause()
        live.before_answers = write
        waiting.append(live.submit(put()))
        waiting[0].add_done_callback(lambda _: told.append(kept[-1]))
        assert waiting[0].result(LONG).revision == 2
    assert max(state.machine.data.revision for state in told[0].servers.values()) == 2
