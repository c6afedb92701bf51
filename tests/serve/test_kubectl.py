"""The unmodified kubectl against the API: what one types, and what it prints."""

import json
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kv.real_etcd import RealEtcd
from raft_lab import Cluster, serve
from raft_lab.kv import KVServer, Range
from raft_lab.kv.clients import Program
from raft_lab.serve.apiserver import Kubernetes
from serve.kubectl import Kubectl, fits, session

pytestmark = pytest.mark.xdist_group("kubectl")
SESSIONS = Path(__file__).parent / "kubectl_sessions"


@pytest.fixture
def k8s() -> Iterator[Kubernetes]:
    with serve.kubernetes(Cluster(3, server=KVServer)) as k8s:
        yield k8s


@pytest.fixture
def beside_etcd(tmp_path: Path) -> Iterator[Kubernetes]:
    with RealEtcd(tmp_path / "etcd") as etcd, serve.kubernetes(etcd.endpoint) as k8s:
        yield k8s


@pytest.fixture
def kubectl(k8s: Kubernetes, tmp_path: Path) -> Kubectl:
    return at_home(k8s, tmp_path)


def at_home(k8s: Kubernetes, tmp_path: Path) -> Kubectl:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)
    return Kubectl(k8s, tmp_path)


FILES = {
    "endpoints.yaml": """
apiVersion: v1
kind: Endpoints
metadata:
  name: app
  annotations: {control-plane.alpha.kubernetes.io/leader: '{"holderIdentity":"pod-1"}'}
subsets: [{addresses: [{ip: 10.0.0.1}, {ip: 10.0.0.2}], ports: [{port: 80}]}]
""",
}
EVENT = """
apiVersion: v1
kind: Event
metadata: {name: app.1, namespace: default}
involvedObject: {apiVersion: coordination.k8s.io/v1, kind: Lease, name: app, namespace: default, uid: %s}
reason: LeaderElection
message: a became leader
type: Normal
source: {component: elector}
firstTimestamp: "2026-11-28T08:00:00Z"
lastTimestamp: "2026-11-28T08:00:00Z"
count: 1
"""
LEASE = """
apiVersion: coordination.k8s.io/v1
kind: Lease
metadata: {name: app}
spec: {holderIdentity: %s, leaseDurationSeconds: 15}
"""
FILES |= {f"lease-{holder}.yaml": LEASE % holder for holder in "abcdef"}
CONFIG_MAP = """
apiVersion: v1
kind: ConfigMap
metadata: {name: settings, labels: {tier: web}}
data: {%s}
"""
FILES |= {
    "settings.yaml": CONFIG_MAP % 'a: "1", b: "2"',
    "settings-less.yaml": CONFIG_MAP % 'a: "1"',
    "settings-other.yaml": CONFIG_MAP % 'a: "9", b: "8"',
    "plain.yaml": (CONFIG_MAP % 'x: "2"').replace("settings", "plain"),
}
FILES["bogus.yaml"] = (LEASE % "a").replace("spec: {", "spec: {bogus: 1, ")
FILES["odd.yaml"] = FILES["bogus.yaml"].replace("name: app", "name: odd")


@pytest.mark.parametrize("name", ["leases", "others", "apply"])
def test_a_session_is_answered_as_by_a_real_api_server(kubectl: Kubectl, name: str) -> None:
    for words, expected in session(SESSIONS / f"{name}.txt"):
        said = kubectl(words)
        assert fits(said, expected), f"$ kubectl {words}\n{said}\nexpected:\n{expected}"


@pytest.mark.parametrize("name", ["leases", "others", "apply"])
def test_over_a_real_etcd_the_same_session_is_answered_the_same(
    beside_etcd: Kubernetes, tmp_path: Path, name: str
) -> None:
    kubectl = at_home(beside_etcd, tmp_path)
    for words, expected in session(SESSIONS / f"{name}.txt"):
        said = kubectl(words)
        assert fits(said, expected), f"$ kubectl {words}\n{said}\nexpected:\n{expected}"


def test_edit_opens_an_editor_and_sends_what_changed(kubectl: Kubectl) -> None:
    kubectl("create -f lease-a.yaml")

    said = kubectl("edit lease app", KUBE_EDITOR="sed -i 's/holderIdentity: a/holderIdentity: edited/'")

    assert said == "lease.coordination.k8s.io/app edited\n"
    assert kubectl("get lease app -o jsonpath={.spec.holderIdentity}") == "edited"


def test_who_watches_sees_a_leader_come_change_and_go(kubectl: Kubectl) -> None:
    watcher = kubectl.start("get leases -w --output-watch-events")
    assert watcher.stdout is not None
    try:
        # It lists first, and there is nothing; the watch begins after that, from that very version.
        kubectl("create -f lease-a.yaml")
        header, added = watcher.stdout.readline().split(), watcher.stdout.readline().split()
        kubectl("""patch lease app -p '{"spec":{"holderIdentity":"b"}}'""")
        changed = watcher.stdout.readline().split()
        kubectl("delete lease app")
        deleted = watcher.stdout.readline().split()
    finally:
        watcher.kill()
        watcher.communicate(timeout=60)

    assert header == ["EVENT", "NAME", "HOLDER", "AGE"]
    assert [line[:3] for line in (added, changed, deleted)] == [
        ["ADDED", "app", "a"],
        ["MODIFIED", "app", "b"],
        ["DELETED", "app", "b"],
    ]


def test_describe_shows_what_happened_to_a_lease(kubectl: Kubectl) -> None:
    kubectl("create -f lease-a.yaml")
    uid = kubectl("get lease app -o jsonpath={.metadata.uid}")
    (kubectl.home / "event.yaml").write_text(EVENT % uid)
    kubectl("create -f event.yaml")

    told, listed = kubectl("describe lease app").splitlines()[-4:], kubectl("get events").splitlines()[-1].split()

    assert told[0] == "Events:"
    assert (told[3].split()[:2], told[3].split()[-4:]) == (
        ["Normal", "LeaderElection"],
        ["elector", "a", "became", "leader"],
    )
    assert listed[1:] == ["Normal", "LeaderElection", "lease/app", "a", "became", "leader"]


def test_wait_ends_when_the_holder_changes(kubectl: Kubectl) -> None:
    kubectl("create -f lease-a.yaml")
    waiting = kubectl.start("wait lease/app --for=jsonpath={.spec.holderIdentity}=b --timeout=120s")
    time.sleep(1)
    assert waiting.poll() is None

    kubectl("""patch lease app -p '{"spec":{"holderIdentity":"b"}}'""")

    said, _ = waiting.communicate(timeout=120)
    assert (waiting.returncode, said) == (0, "lease.coordination.k8s.io/app condition met\n")


def test_what_kubectl_writes_stands_in_etcd(kubectl: Kubectl, k8s: Kubernetes) -> None:
    kubectl("create cm stored --from-literal=a=1")

    def read() -> Program:
        return (yield Range("/registry/configmaps/default/stored"))

    behind = k8s.rest.behind
    kv = behind.call(behind.ask(read())).kvs[0]

    assert json.loads(kv.value)["data"] == {"a": "1"}
    assert kubectl("get cm stored -o jsonpath={.metadata.resourceVersion}") == str(kv.mod_revision)
