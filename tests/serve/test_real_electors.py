"""The electors of the lab in real time, over HTTP: on the API of a living cluster, and where nobody answers."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from raft_lab import Cluster, serve
from raft_lab.kube.elector import LeaderCallbacks, LeaderElectionConfig, LeaderElector
from raft_lab.kube.electors import Electors
from raft_lab.kube.errors import ApiError
from raft_lab.kube.locks import LeaseLock
from raft_lab.kube.processes import Ask, Canceled, ConnectionRefused, Context, DeadlineExceeded
from raft_lab.kube.remote import RealClock, Remote, Running, in_a_thread
from raft_lab.kube.requests import Create, Delete, Get, List, Patch, Update
from raft_lab.kv import KVServer
from raft_lab.raft.errors import RaftLabError
from raft_lab.serve.apiserver import Kubernetes

SECOND = 1_000_000
PATIENCE = 60
"""Seconds until a test gives up; nothing here takes as long on a machine that has time."""


@pytest.fixture(scope="module")
def k8s() -> Iterator[Kubernetes]:
    with serve.kubernetes(Cluster(3, server=KVServer)) as k8s:
        yield k8s


class Candidate:
    """An elector that runs in real time, and what it has told."""

    def __init__(self, api: Remote, name: str, identity: str) -> None:
        self.started, self.stopped, self.saw_leader = threading.Event(), threading.Event(), threading.Event()
        self.leaders: list[str] = []
        clock = RealClock()
        callbacks = LeaderCallbacks(lambda work: self.started.set(), self.stopped.set, self.saw)
        lock = LeaseLock("default", name, identity, timeout_us=5 * SECOND)
        config = LeaderElectionConfig(lock, callbacks, retry_period_us=SECOND // 5, release_on_cancel=True)
        self.elector = LeaderElector(config, clock)
        context = Context(clock)
        self.process = api.start(self.elector.run(context), context)

    def saw(self, leader: str) -> None:
        self.leaders.append(leader)
        self.saw_leader.set()


def test_two_electors_follow_each_other_over_http(k8s: Kubernetes) -> None:
    api = Remote(k8s.url)
    first = Candidate(api, "relay", "first")
    assert first.started.wait(PATIENCE)
    second = Candidate(api, "relay", "second")
    assert second.saw_leader.wait(PATIENCE)
    assert not second.elector.is_leader

    first.process.cancel()

    assert second.started.wait(PATIENCE)
    assert first.process.join(PATIENCE)
    assert first.stopped.is_set()
    spec = api.perform(Get("leases", "default", "relay"))["spec"]
    assert (spec["holderIdentity"], spec["leaseTransitions"]) == ("second", 1)
    assert second.leaders[0] == "first"
    assert second.leaders[-1] == "second"
    second.process.cancel()
    assert second.process.join(PATIENCE)
    assert second.process.error is None


def test_a_callback_in_a_thread_of_its_own_holds_up_no_renewal(k8s: Kubernetes) -> None:
    """As client-go's `go`: the leader's work begins, goes on, and the lease is renewed meanwhile."""
    api, clock = Remote(k8s.url), RealClock()
    begun, may_end, ended = threading.Event(), threading.Event(), threading.Event()
    threads: list[threading.Thread] = []

    def work(context: Context) -> None:
        threads.append(threading.current_thread())
        begun.set()
        may_end.wait(PATIENCE)
        ended.set()

    callbacks = LeaderCallbacks(work, lambda: None)
    config = LeaderElectionConfig(LeaseLock("default", "busy", "me"), callbacks, retry_period_us=SECOND // 5)
    context = Context(clock)
    process = api.start(LeaderElector(config, clock, go=in_a_thread).run(context), context)
    assert begun.wait(PATIENCE)

    def renewed() -> str:
        time_of_it: str = api.perform(Get("leases", "default", "busy"))["spec"]["renewTime"]
        return time_of_it

    first = renewed()
    wait_for(lambda: renewed() != first)
    assert not ended.is_set()
    may_end.set()
    assert ended.wait(PATIENCE)
    [thread] = threads
    assert (thread.name, thread.daemon) == ("raft-lab-callback", True)
    process.cancel()
    assert process.join(PATIENCE)
    assert process.error is None


def test_pods_live_on_a_cluster_that_lives_and_whoever_asks_its_api_sees_them() -> None:
    cluster = Cluster(3, server=KVServer)
    with serve.kubernetes(cluster) as k8s:
        electors = Electors(cluster, lease_duration=3, renew_deadline=2, retry_period=0.5)
        electors.start("pod-a")
        wait_for(lambda: electors.leader == "pod-a")
        electors.start("pod-b")
        assert holder(k8s) == "pod-a"

        electors.delete("pod-a")

        wait_for(lambda: electors.leader == "pod-b")
        assert holder(k8s) == "pod-b"
        assert electors.overlaps() == []


def holder(k8s: Kubernetes) -> str:
    identity: str = Remote(k8s.url).perform(Get("leases", "default", "demo"))["spec"]["holderIdentity"]
    return identity


def wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < until, "it has not come about"
        time.sleep(0.05)


def test_it_finds_the_server_in_a_kubeconfig(k8s: Kubernetes) -> None:
    assert k8s.kubeconfig is not None
    names = [item["metadata"]["name"] for item in Remote.of(k8s.kubeconfig).perform(List("namespaces"))["items"]]
    assert "default" in names


def test_every_request_and_what_is_refused(k8s: Kubernetes) -> None:
    api, metadata = Remote(k8s.url), {"name": "page"}
    made = api.perform(Create("configmaps", "default", {"metadata": metadata, "data": {"color": "red"}}))
    api.perform(Update("configmaps", "default", "page", {**made, "data": {"color": "blue"}}))
    assert api.perform(Get("configmaps", "default", "page"))["data"] == {"color": "blue"}
    with pytest.raises(ApiError, match="object has been modified") as error:
        api.perform(Update("configmaps", "default", "page", made))
    assert (error.value.code, error.value.reason) == (409, "Conflict")
    api.perform(Delete("configmaps", "default", "page"))
    with pytest.raises(ApiError) as error:
        api.perform(Get("configmaps", "default", "page"))
    assert (error.value.code, error.value.reason) == (404, "NotFound")
    with pytest.raises(TypeError, match="asked by Get, List, Create, Update and Delete"):
        api.perform(Patch("configmaps", "default", "page", {}))


# Where nobody answers


@pytest.fixture
def deaf() -> Iterator[str]:
    """A server that takes connections and never says anything."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        yield f"http://127.0.0.1:{listening.getsockname()[1]}"


def ask(api: Remote, bound: Callable[[Context], Context]) -> tuple[Running, Context]:
    context = Context(RealClock())

    def program():
        yield Ask(Get("leases", "default", "demo"), bound(context))

    return api.start(program(), context), context


def test_a_request_ends_when_its_time_is_over(deaf: str) -> None:
    process, _ = ask(Remote(deaf), lambda context: context.with_timeout(SECOND // 10))
    assert process.join(PATIENCE)
    assert isinstance(process.error, DeadlineExceeded)


def test_who_is_canceled_does_not_wait_for_an_answer(deaf: str) -> None:
    process, _ = ask(Remote(deaf), lambda context: context)
    process.cancel()
    assert process.join(PATIENCE)
    assert isinstance(process.error, Canceled)


def test_where_nobody_listens_the_connection_is_refused() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        port = listening.getsockname()[1]
    with pytest.raises(ConnectionRefused):
        Remote(f"http://127.0.0.1:{port}").perform(Get("leases", "default", "demo"), timeout=PATIENCE)


def test_what_is_no_address_is_refused() -> None:
    with pytest.raises(ValueError, match="an API server is at an address such as"):
        Remote("file:///etc/passwd")


CONFIG = {
    "clusters": [{"name": "c", "cluster": {"server": "http://127.0.0.1:1"}}],
    "users": [{"name": "u", "user": {"token": "secret"}}],
    "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
    "current-context": "here",
}


def test_a_kubeconfig_may_be_yaml(tmp_path: Path) -> None:
    yaml = pytest.importorskip("yaml")
    (tmp_path / "config").write_text(yaml.safe_dump(CONFIG))
    api = Remote.of(tmp_path / "config")
    assert (api.url, api.token) == ("http://127.0.0.1:1", "secret")


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ([], "is no kubeconfig"),
        ({**CONFIG, "current-context": "there"}, "there is no context 'there' in it"),
        ({**CONFIG, "users": []}, "there is no user 'u' in it"),
        (
            {**CONFIG, "users": [{"name": "u", "user": {"exec": {}}}]},
            "exec is not understood here; run `kubectl proxy`",
        ),
    ],
)
def test_a_kubeconfig_that_is_not_understood_is_refused_in_a_sentence(config, words: str, tmp_path: Path) -> None:
    (tmp_path / "config").write_text(json.dumps(config))
    with pytest.raises(RaftLabError, match=words):
        Remote.of(tmp_path / "config")
