"""Clients of Kubernetes by different authors, as they are installed from PyPI, at the API of a live cluster."""

import json
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import kubernetes
import lightkube
import pytest
from kubernetes.dynamic import DynamicClient
from lightkube.models.coordination_v1 import LeaseSpec
from lightkube.models.meta_v1 import ObjectMeta
from lightkube.resources.coordination_v1 import Lease

from raft_lab import Cluster, serve
from raft_lab.kube.elector import LeaderCallbacks, LeaderElectionConfig, LeaderElector
from raft_lab.kube.locks import LeaseLock
from raft_lab.kube.processes import Context
from raft_lab.kube.remote import RealClock, Remote
from raft_lab.kv import KVServer
from raft_lab.serve.apiserver import Kubernetes

pytestmark = pytest.mark.xdist_group("kubernetes clients")
CANDIDATE = Path(__file__).parent / "candidate.py"
PATIENCE = 120  # seconds, on a busy machine


@pytest.fixture
def cluster() -> Cluster:
    return Cluster(3, server=KVServer)


@pytest.fixture
def k8s(cluster: Cluster) -> Iterator[Kubernetes]:
    with serve.kubernetes(cluster) as k8s:
        yield k8s


@pytest.fixture
def official(k8s: Kubernetes) -> Iterator[kubernetes.client.ApiClient]:
    with kubernetes.config.new_client_from_config(str(k8s.kubeconfig)) as client:
        yield client


def wait_until(so: Callable[[], object], why: str) -> None:
    deadline = time.monotonic() + PATIENCE
    while not so():
        assert time.monotonic() < deadline, why
        time.sleep(0.1)


class Candidate:
    """A process of its own, as in a pod."""

    def __init__(self, k8s: Kubernetes, kind: str, identity: str) -> None:
        command = [sys.executable, str(CANDIDATE), str(k8s.kubeconfig), kind, "app", identity]
        self.identity = identity
        self.process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
        self.lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stdout is not None
        for line in self.process.stdout:
            self.lines.put(line.strip())

    def says(self, word: str) -> None:
        """Wait until it says so."""
        while self.lines.get(timeout=PATIENCE) != word:
            pass

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(timeout=PATIENCE)
        self._reader.join(timeout=PATIENCE)
        assert self.process.stdout is not None
        self.process.stdout.close()


def record(client: kubernetes.client.ApiClient, kind: str) -> tuple[str, str]:
    """Who holds the lock, and when it was renewed last."""
    if kind == "lease":
        spec = kubernetes.client.CoordinationV1Api(client).read_namespaced_lease("app", "default").spec
        return spec.holder_identity, str(spec.renew_time)
    found = kubernetes.client.CoreV1Api(client).read_namespaced_config_map("app", "default").metadata.annotations
    told = json.loads(found["control-plane.alpha.kubernetes.io/leader"])
    return told["holderIdentity"], told["renewTime"]


@pytest.mark.parametrize("kind", ["lease", "configmap"])
def test_candidates_fail_over_when_a_leader_is_killed_and_when_raft_s_leader_crashes(
    cluster: Cluster, k8s: Kubernetes, official: kubernetes.client.ApiClient, kind: str
) -> None:
    candidates = {"a": Candidate(k8s, kind, "a")}
    try:
        candidates["a"].says("started")
        candidates["b"] = Candidate(k8s, kind, "b")
        candidates["b"].says("ready")
        assert record(official, kind)[0] == "a"

        candidates["a"].kill()  # its lease runs out
        candidates["b"].says("started")
        assert record(official, kind)[0] == "b"

        candidates["c"] = Candidate(k8s, kind, "c")
        crashed, before = cluster.leader, record(official, kind)
        cluster.crash(crashed)  # etcd's cluster elects another, and the lease is renewed by way of that one
        wait_until(
            lambda: record(official, kind)[1] != before[1], "nobody renews the lease after Raft's leader crashed"
        )
        assert cluster.leader not in (None, crashed)

        holder = record(official, kind)[0]
        other = {"b": "c", "c": "b"}[holder]
        candidates[holder].kill()
        wait_until(lambda: record(official, kind)[0] == other, "nobody takes over after the leader was killed")
    finally:
        for candidate in candidates.values():
            candidate.kill()


def test_our_elector_and_the_official_client_take_turns_on_one_lease(k8s: Kubernetes) -> None:
    told: list[str] = []
    ours = Ours(k8s, "ours", told)
    wait_until(lambda: "ours started" in told, "our elector does not lead")
    other = Candidate(k8s, "lease", "other")
    third = None
    try:
        other.says("ready")
        ours.renews(2)
        assert other.lines.empty()  # it waits as long as ours renews

        ours.process.cancel()  # releases the lease, so that the other need not wait until it is over
        assert ours.process.join(PATIENCE)
        other.says("started")
        third = Ours(k8s, "third", told)
        third.renews(1, leading=False)
        assert told == ["ours started", "ours stopped"]

        other.kill()
        wait_until(lambda: "third started" in told, "our elector does not take over from the official client")
        assert third.elector.observed_record.leader_transitions == 1  # the official client does not count
    finally:
        other.kill()
        if third is not None:
            third.process.cancel()
            third.process.join(PATIENCE)


class Ours:
    """client-go's elector as this project has it, in real time, over HTTP."""

    def __init__(self, k8s: Kubernetes, identity: str, told: list[str]) -> None:
        clock = RealClock()
        callbacks = LeaderCallbacks(
            lambda _: told.append(f"{identity} started"), lambda: told.append(f"{identity} stopped")
        )
        lock = LeaseLock("default", "app", identity)
        config = LeaderElectionConfig(lock, callbacks, 4_000_000, 3_000_000, 1_000_000, release_on_cancel=True)
        self.elector = LeaderElector(config, clock)
        context = Context(clock)
        assert k8s.kubeconfig is not None
        self.process = Remote.of(k8s.kubeconfig).start(self.elector.run(context), context)

    def renews(self, times: int, leading: bool = True) -> None:
        """Wait until the record was seen to change so many times."""
        for _ in range(times):
            before = self.elector.observed_record.renew_time_us
            wait_until(lambda before=before: self.elector.observed_record.renew_time_us != before, "nothing is renewed")  # type: ignore[misc]
        assert self.elector.is_leader is leading


def test_the_official_client_reads_watches_and_is_told_of_conflicts(official: kubernetes.client.ApiClient) -> None:
    core = kubernetes.client.CoreV1Api(official)
    body = kubernetes.client.V1ConfigMap(metadata=kubernetes.client.V1ObjectMeta(name="app"), data={"a": "1"})
    created = core.create_namespaced_config_map("default", body)
    core.patch_namespaced_config_map("app", "default", {"data": {"b": "2"}})

    with pytest.raises(kubernetes.client.ApiException) as stale:
        core.replace_namespaced_config_map("app", "default", created)
    watching = kubernetes.watch.Watch()
    version = created.metadata.resource_version
    told = watching.stream(core.list_namespaced_config_map, "default", resource_version=version, timeout_seconds=1)

    assert (stale.value.status, json.loads(stale.value.body)["reason"]) == (409, "Conflict")
    assert [(event["type"], event["object"].data) for event in told] == [("MODIFIED", {"a": "1", "b": "2"})]


def test_the_dynamic_client_finds_out_what_there_is(official: kubernetes.client.ApiClient, tmp_path: Path) -> None:
    dynamic = DynamicClient(official, cache_file=str(tmp_path / "discovery.json"))
    leases = dynamic.resources.get(api_version="coordination.k8s.io/v1", kind="Lease")

    leases.create({"metadata": {"name": "app"}, "spec": {"holderIdentity": "a"}}, namespace="default")

    assert [item.spec.holderIdentity for item in leases.get(namespace="default").items] == ["a"]


def test_lightkube(k8s: Kubernetes) -> None:
    client = lightkube.Client(lightkube.KubeConfig.from_file(k8s.kubeconfig).get())  # type: ignore[arg-type]
    lease = Lease(metadata=ObjectMeta(name="app", namespace="default"), spec=LeaseSpec(holderIdentity="a"))
    created = client.create(lease)
    client.patch(Lease, "app", {"spec": {"holderIdentity": "b"}}, namespace="default")

    with pytest.raises(lightkube.ApiError) as stale:
        client.replace(created)
    mine = Lease.from_dict({**lease.to_dict(), "apiVersion": "coordination.k8s.io/v1", "kind": "Lease"})
    with pytest.raises(lightkube.ApiError, match=r"Apply failed with 1 conflict: .*: \.spec\.holderIdentity"):
        client.apply(mine, field_manager="test")
    client.apply(mine, field_manager="test", force=True)
    version = created.metadata.resourceVersion
    watch = client.watch(Lease, namespace="default", resource_version=version, server_timeout=60)
    told = [next(watch) for _ in range(2)]
    watch.close()
    client.delete(Lease, "app", namespace="default")

    assert (stale.value.status.code, stale.value.status.reason) == (409, "Conflict")
    assert [(kind, seen.spec.holderIdentity) for kind, seen in told] == [("MODIFIED", "b"), ("MODIFIED", "a")]
    assert list(client.list(Lease, namespace="default")) == []
