"""HTTP as it should not be: every mistake gets one clear Status, nothing stays behind, and the server stays up."""

import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from itertools import islice
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from raft_lab import Cluster, RaftLabError, serve
from raft_lab.kv import KV, KVServer
from raft_lab.kv.errors import EtcdError
from raft_lab.serve.addresses import refuse_foreign
from raft_lab.serve.apiserver import Kubernetes

LEASES = "/apis/coordination.k8s.io/v1/namespaces/default/leases"
MAPS = "/api/v1/namespaces/default/configmaps"
JSON = {"Content-Type": "application/json"}
PROTOBUF = {"Content-Type": "application/vnd.kubernetes.protobuf"}
MERGE = {"Content-Type": "application/merge-patch+json"}
APPLY = {"Content-Type": "application/apply-patch+yaml"}
YAML = {"Content-Type": "application/yaml"}


@pytest.fixture(scope="module")
def k8s() -> Iterator[Kubernetes]:
    with serve.kubernetes(Cluster(3, server=KVServer)) as k8s:
        yield k8s


def connect(k8s: Kubernetes) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(k8s.url).netloc, timeout=120)


def ask(
    k8s: Kubernetes, method: str, path: str, body: object = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, object], http.client.HTTPMessage]:
    """Code, body and headers of an answer."""
    data = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    with closing(connect(k8s)) as connection:
        connection.request(method, path, data, headers if headers is not None else JSON if data else {})
        answer = connection.getresponse()
        text = answer.read()
        return answer.status, json.loads(text) if text[:1] == b"{" else {"text": text.decode()}, answer.headers


def wait_until(so: Callable[[], object]) -> None:
    deadline = time.monotonic() + 60
    while not so():
        assert time.monotonic() < deadline
        time.sleep(0.05)


APP = {"metadata": {"name": "app"}}
BOMB = b"a: &a [x,x,x,x]\nb: &b [*a,*a,*a,*a]\nc: [*b,*b,*b,*b]\n"
MISTAKES = [
    ("POST", LEASES, b'{"metadata":', JSON, 400, "BadRequest", "is no JSON"),
    ("POST", LEASES, b"\xff\xfe\x00", JSON, 400, "BadRequest", "is no JSON"),
    ("POST", LEASES, b"[" * 100_000, JSON, 400, "BadRequest", "is no JSON"),
    ("POST", LEASES, b'{"spec": {"leaseTransitions": NaN}}', JSON, 400, "BadRequest", "NaN is no number"),
    ("POST", LEASES, b'{"spec": {"leaseTransitions": 1e999}}', JSON, 400, "BadRequest", "cannot unmarshal number"),
    ("POST", LEASES, b"", JSON, 400, "BadRequest", "is no JSON"),
    ("POST", LEASES, ["app"], JSON, 400, "BadRequest", "a Lease is an object"),
    ("POST", LEASES, b"a: [", YAML, 400, "BadRequest", "is no YAML"),
    ("POST", LEASES, BOMB, YAML, 400, "BadRequest", "aliases are not taken"),
    ("POST", LEASES, b"k9s\0", PROTOBUF, 400, "BadRequest", "expected prefix"),
    ("POST", LEASES, b"k8s\0\x0a\xff\xff", PROTOBUF, 400, "BadRequest", "is no protobuf message"),
    ("POST", LEASES, b"k8s\0\x0a\x05\x12\x03Pod", PROTOBUF, 400, "BadRequest", 'no kind "Pod" is registered'),
    (
        "POST",
        LEASES,
        b"k8s\0\x0a\x0b\x12\x09ConfigMap",
        PROTOBUF,
        400,
        "BadRequest",
        "does not match the expected kind",
    ),
    ("POST", LEASES, b"name=app", {"Content-Type": "text/plain"}, 415, "UnsupportedMediaType", "accepted media types"),
    ("PATCH", f"{LEASES}/app", APP, JSON, 415, "UnsupportedMediaType", "application/merge-patch+json"),
    ("PATCH", f"{LEASES}/app", APP, MERGE, 404, "NotFound", "not found"),
    ("POST", MAPS, b"x" * 10_000_000, JSON, 413, "RequestEntityTooLarge", "limit is 3145728"),
    ("POST", MAPS, {**APP, "data": {"a": "x" * 2_000_000}}, JSON, 422, "Invalid", "must have at most 1048576 bytes"),
    ("POST", f"{LEASES}/app", APP, JSON, 405, "MethodNotAllowed", "does not allow this method"),
    ("PUT", LEASES, APP, JSON, 405, "MethodNotAllowed", "does not allow this method"),
    ("POST", "/api/v1/configmaps", APP, JSON, 405, "MethodNotAllowed", "does not allow this method"),
    ("TRACE", LEASES, None, {}, 405, "MethodNotAllowed", "does not allow this method"),
    ("GET", "/favicon.ico", None, {}, 404, "NotFound", "could not find the requested resource"),
    ("GET", "/apis/apps/v1/deployments", None, {}, 404, "NotFound", "could not find the requested resource"),
    ("GET", f"{LEASES}/app/status", None, {}, 404, "NotFound", "could not find the requested resource"),
    ("GET", "/api/v1/namespaces/%2e%2e%2f/configmaps/%00", None, {}, 404, "NotFound", "could not find"),
    ("GET", f"{LEASES}/a%2Fb", None, {}, 404, "NotFound", "could not find the requested resource"),
    ("PATCH", f"{LEASES}/a%2Fb", APP, MERGE, 404, "NotFound", "could not find the requested resource"),
    ("GET", LEASES, None, {"Accept": "text/html"}, 406, "NotAcceptable", "application/json"),
    ("GET", LEASES, None, {"Host": "evil.example"}, 403, "Forbidden", "for programs on the machine"),
    ("GET", LEASES, None, {"Origin": "https://evil.example"}, 403, "Forbidden", "for programs on the machine"),
    ("GET", f"{LEASES}?limit=many", None, {}, 400, "BadRequest", "limit is a whole number"),
    ("GET", f"{LEASES}?timeout=soon", None, {}, 400, "BadRequest", "is no duration"),
    ("GET", f"{LEASES}?watch=1&timeoutSeconds=soon", None, {}, 400, "BadRequest", "timeoutSeconds is a whole number"),
    ("GET", f"{LEASES}?watch=1&resourceVersion=soon", None, {}, 400, "BadRequest", "a resource version is"),
    ("GET", f"{LEASES}?watch=1&labelSelector=%3F%3F", None, {}, 400, "BadRequest", "unable to parse requirement"),
    ("POST", f"{LEASES}?dryRun=Maybe", APP, JSON, 422, "Invalid", "supported values"),
    ("POST", f"{LEASES}?fieldValidation=Maybe", APP, JSON, 422, "Invalid", "supported values"),
    ("PATCH", f"{MAPS}/app", APP, APPLY, 422, "Invalid", "fieldManager: Required value: is required for apply patch"),
    ("PATCH", f"{MAPS}/app?force=true", APP, MERGE, 422, "Invalid", "may not be specified for non-apply patch"),
    ("PATCH", f"{MAPS}/app?fieldManager={'m' * 129}", APP, MERGE, 422, "Invalid", "may not be more than 128 bytes"),
    ("PATCH", f"{MAPS}/app?fieldManager=a%00b", APP, MERGE, 422, "Invalid", "only contain printable characters"),
    ("PATCH", f"{MAPS}/app?fieldManager=me", APP, APPLY, 422, "Invalid", "Required value"),
    ("POST", f"{MAPS}?fieldManager={'%C3%A9' * 65}", APP, JSON, 422, "Invalid", "CreateOptions.meta.k8s.io"),
    ("PUT", f"{MAPS}/app?fieldManager=a%00b", APP, JSON, 422, "Invalid", "UpdateOptions.meta.k8s.io"),
    ("PATCH", f"{MAPS}/app?fieldManager=a%00b", APP, MERGE, 422, "Invalid", "PatchOptions.meta.k8s.io"),
    ("DELETE", f"{MAPS}/app?dryRun=Maybe", None, {}, 422, "Invalid", "DeleteOptions.meta.k8s.io"),
    ("DELETE", f"{LEASES}/app", [], JSON, 400, "BadRequest", "DeleteOptions"),
]


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda m: f"{m[0]} {m[1].rpartition('/')[2]} {m[4]} {m[6]}"[:60])
def test_a_mistake_gets_a_status_that_says_what_is_wrong(
    k8s: Kubernetes, mistake: tuple[str, str, object, dict[str, str], int, str, str]
) -> None:
    method, path, body, headers, code, reason, said = mistake

    status, told, _ = ask(k8s, method, path, body, headers)

    assert (status, told.get("kind"), told.get("code"), told.get("reason")) == (code, "Status", code, reason), told
    assert said in str(told["message"])
    assert ask(k8s, "GET", LEASES)[0] == 200


def test_a_host_or_an_origin_that_is_no_name_is_a_stranger(k8s: Kubernetes) -> None:
    for name in ("Host", "Origin"):
        assert ask(k8s, "GET", LEASES, None, {name: "http://[x"})[0] == 403


def test_who_does_not_say_who_manages_is_called_by_the_printable_start_of_its_user_agent(k8s: Kubernetes) -> None:
    for name, agent in (("short", "me\u00a0too/1.0 (linux)"), ("long", "\u00e9" * 80)):
        asked = {"User-Agent": agent.encode().decode("latin-1"), **JSON}
        ask(k8s, "POST", MAPS, {"metadata": {"name": name}, "data": {"a": "1"}}, asked)

    managers = [ask(k8s, "GET", f"{MAPS}/{name}")[1]["metadata"]["managedFields"] for name in ("short", "long")]
    assert [manager["manager"] for (manager,) in managers] == ["metoo", "\u00e9" * 64]


def test_half_a_character_does_no_harm(k8s: Kubernetes) -> None:
    body = b'{"metadata":{"name":"half"},"data":{"a":"\\ud800"}}'

    assert ask(k8s, "POST", MAPS, body)[1]["data"] == {"a": "?"}


def test_a_lease_in_protobuf_as_go_clients_send_it(k8s: Kubernetes) -> None:
    def part(number: int, data: bytes) -> bytes:
        return bytes([number << 3 | 2, len(data)]) + data

    meta = part(1, b"proto")
    time_ = b"\x08\x90\xce\xbd\xd0\x06\x10\xe8\x07"  # seconds 1779394320, nanos 1000
    spec = part(1, b"a") + b"\x10\x0f" + part(4, time_) + b"\x28\x00"
    lease = part(1, meta) + part(2, spec)
    body = b"k8s\0" + part(1, part(1, b"coordination.k8s.io/v1") + part(2, b"Lease")) + part(2, lease)

    code, told, _ = ask(k8s, "POST", LEASES, body, PROTOBUF)

    assert (code, told["spec"]) == (
        201,
        {
            "holderIdentity": "a",
            "leaseDurationSeconds": 15,
            "renewTime": "2026-05-21T20:12:00.000001Z",
            "leaseTransitions": 0,
        },
    )


def test_unknown_fields_are_warned_of(k8s: Kubernetes) -> None:
    code, _, headers = ask(k8s, "POST", LEASES, {"metadata": {"name": "warned"}, "spec": {"bogus": 1}})

    assert (code, headers["Warning"]) == (201, '299 - "unknown field \\"spec.bogus\\""')


def test_all_of_a_kind_can_be_deleted_at_once(k8s: Kubernetes) -> None:
    for name in ("red", "green", "blue"):
        ask(k8s, "POST", MAPS, {"metadata": {"name": name, "labels": {"colour": "yes"}}})

    code, _, _ = ask(k8s, "DELETE", f"{MAPS}?labelSelector=colour")

    assert code == 200
    assert ask(k8s, "GET", f"{MAPS}?labelSelector=colour")[1]["items"] == []


def test_only_the_metadata_if_one_asks_for_it(k8s: Kubernetes) -> None:
    ask(k8s, "POST", MAPS, {"metadata": {"name": "partial"}, "data": {"a": "1"}})
    accept = {"Accept": "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"}

    _, told, _ = ask(k8s, "GET", f"{MAPS}?fieldSelector=metadata.name=partial", None, accept)

    assert told["kind"] == "PartialObjectMetadataList"
    assert [sorted(item) for item in told["items"]] == [["apiVersion", "kind", "metadata"]]  # type: ignore[attr-defined]


def test_discovery_at_one_go(k8s: Kubernetes) -> None:
    accept = {"Accept": "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList,application/json"}

    _, core, headers = ask(k8s, "GET", "/api", None, accept)

    assert headers["Content-Type"].startswith("application/json;g=apidiscovery.k8s.io")
    (group,) = core["items"]  # type: ignore[misc]
    assert [resource["resource"] for resource in group["versions"][0]["resources"]] == [
        "endpoints",
        "configmaps",
        "namespaces",
        "events",
    ]


# Watches


class Watching:
    """A watch over HTTP."""

    def __init__(self, k8s: Kubernetes, query: str, path: str = LEASES) -> None:
        self.connection = connect(k8s)
        self.connection.request("GET", f"{path}?watch=1&{query}")
        self.answer = self.connection.getresponse()

    def events(self) -> Iterator[dict[str, object]]:
        for line in self.answer:
            yield json.loads(line)

    def __enter__(self) -> "Watching":
        return self

    def __exit__(self, *_: object) -> None:
        self.answer.close()
        self.connection.close()


def test_a_watch_ends_when_its_time_is_over_with_a_last_bookmark(k8s: Kubernetes) -> None:
    with Watching(k8s, "timeoutSeconds=2&allowWatchBookmarks=true&fieldSelector=metadata.name%3Dnobody") as watching:
        told = list(watching.events())

    assert [event["type"] for event in told] == ["BOOKMARK"]
    assert told[0]["object"]["kind"] == "Lease"  # type: ignore[index]


def test_a_bookmark_tells_how_far_the_store_has_come_whatever_else_was_written(
    k8s: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("raft_lab.serve.streams.BOOKMARK_SECONDS", 0.1)
    with Watching(k8s, "timeoutSeconds=60&allowWatchBookmarks=true&fieldSelector=metadata.name%3Dnobody") as watching:
        _, written, _ = ask(k8s, "POST", MAPS, {"metadata": {"name": "elsewhere"}})
        version = int(written["metadata"]["resourceVersion"])  # type: ignore[index]

        assert any(
            int(told["object"]["metadata"]["resourceVersion"]) >= version  # type: ignore[index]
            for told in watching.events()
        )
    rest = k8s.rest
    assert rest is not None
    wait_until(lambda: rest.watchers == 0)


@pytest.mark.parametrize(("seconds", "most_waiting"), [(3, 10_000), (3600, 5)])
def test_a_watcher_that_never_reads_is_cut_off_when_its_time_is_over_or_too_much_waits(
    k8s: Kubernetes, monkeypatch: pytest.MonkeyPatch, seconds: int, most_waiting: int
) -> None:
    monkeypatch.setattr("raft_lab.serve.streams.MOST_WAITING", most_waiting)
    rest = k8s.rest
    assert rest is not None
    with socket.create_connection((urlsplit(k8s.url).hostname, urlsplit(k8s.url).port)) as silent:
        silent.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        request = f"GET {MAPS}?watch=1&timeoutSeconds={seconds} HTTP/1.1\r\nHost: {urlsplit(k8s.url).netloc}\r\n\r\n"
        silent.sendall(request.encode())
        wait_until(lambda: rest.watchers == 1)
        large = {"metadata": {"name": f"large-{seconds}"}, "data": {"a": "x" * 900_000}}
        assert ask(k8s, "POST", MAPS, large)[0] == 201
        for number in range(20):
            assert ask(k8s, "PATCH", f"{MAPS}/large-{seconds}", {"data": {"b": str(number)}}, MERGE)[0] == 200
        wait_until(lambda: rest.watchers == 0)


def test_a_watch_from_long_ago_is_told_so_in_an_event() -> None:
    cluster = Cluster(1, server=KVServer)
    with serve.kubernetes(cluster) as k8s:
        ask(k8s, "POST", LEASES, APP)
        rest = k8s.rest
        assert rest is not None
        rest.behind.call(rest.behind.ask(compact(5)))
        with Watching(k8s, "resourceVersion=1") as watching:
            (told,) = watching.events()

    assert (watching.answer.status, told["type"]) == (200, "ERROR")
    assert told["object"]["code"] == 410  # type: ignore[index]


def compact(revision: int) -> Iterator[object]:
    from raft_lab.kv.requests import Compaction

    yield Compaction(revision)


def test_a_client_that_vanishes_in_mid_stream_leaves_nothing_behind(k8s: Kubernetes) -> None:
    rest = k8s.rest
    assert rest is not None
    for _ in range(20):
        with Watching(k8s, "resourceVersion=1") as watching:
            assert watching.answer.status == 200

    ask(k8s, "POST", LEASES, {"metadata": {"name": "after"}})

    wait_until(lambda: rest.watchers == 0)


def test_many_watchers_are_all_told(k8s: Kubernetes) -> None:
    watchings = [Watching(k8s, "fieldSelector=metadata.name%3Dnews") for _ in range(100)]
    ask(k8s, "POST", LEASES, {"metadata": {"name": "news"}})

    told = [next(watching.events())["type"] for watching in watchings]
    for watching in watchings:
        watching.__exit__()

    assert told == ["ADDED"] * 100


def test_a_watcher_sees_every_change_once_though_raft_s_leader_crashes() -> None:
    cluster = Cluster(3, server=KVServer)
    with serve.kubernetes(cluster) as k8s, Watching(k8s, "") as watching:
        for name in "abcdefgh":
            if name == "d":
                cluster.crash(cluster.leader)
            wait_until(lambda name=name: ask(k8s, "POST", LEASES, {"metadata": {"name": name}})[0] in (201, 409))  # type: ignore[misc]
        told = [event["object"]["metadata"] for event in islice(watching.events(), 8)]  # type: ignore[index]

    versions = [int(meta["resourceVersion"]) for meta in told]
    assert ("".join(meta["name"] for meta in told), versions) == ("abcdefgh", sorted(set(versions)))


# Beginning and end


def test_nothing_is_left_when_it_is_closed() -> None:
    before = set(threading.enumerate())
    with serve.kubernetes(Cluster(3, server=KVServer)) as k8s:
        url, kubeconfig = urlsplit(k8s.url), k8s.kubeconfig
        assert kubeconfig is not None
        assert json.loads(kubeconfig.read_text())["clusters"][0]["cluster"]["server"] == k8s.url
        watching = Watching(k8s, "")

    with watching:
        assert list(watching.events()) == []
    assert not kubeconfig.exists()
    assert set(threading.enumerate()) <= before
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection((url.hostname, url.port), timeout=60)


def test_a_port_in_use_is_said_to_be_and_nothing_is_started() -> None:
    before = set(threading.enumerate())
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"port {port} of 127.0.0.1 cannot be had: .* Try port=0"):
            serve.kubernetes(Cluster(3, server=KVServer), port=port).start()

    assert set(threading.enumerate()) <= before


def test_the_store_is_compacted_as_by_kubernetes() -> None:
    with serve.kubernetes(Cluster(1, server=KVServer), compaction_seconds=0.2) as k8s:
        ask(k8s, "POST", LEASES, APP)

        wait_until(lambda: ask(k8s, "GET", f"{LEASES}?resourceVersion=1&resourceVersionMatch=Exact")[0] == 410)


def test_two_servers_of_one_cluster_show_the_same() -> None:
    cluster = Cluster(3, server=KVServer)
    with serve.kubernetes(cluster) as one, serve.kubernetes(cluster) as other:
        ask(one, "POST", LEASES, APP)

        assert ask(other, "GET", f"{LEASES}/app")[0] == 200


def test_others_than_this_machine_are_warned_of() -> None:
    k8s = serve.kubernetes(Cluster(1, server=KVServer), host="0.0.0.0")
    with pytest.warns(UserWarning, match="whoever can reach this machine can change everything"):
        k8s.start()

    assert k8s.url.startswith("http://127.0.0.1:")
    assert ask(k8s, "GET", LEASES, None, {"Host": "notebook.example"})[0] == 200
    k8s.close()


def test_an_address_of_another_machine_is_refused() -> None:
    for host in ("192.0.2.1", "no-such-host.invalid"):
        k8s = serve.kubernetes(Cluster(1, server=KVServer), host=host)
        with pytest.raises(RaftLabError, match=f"nothing can listen at {host}"):
            k8s.start()


def test_of_several_addresses_of_a_host_one_that_is_here_is_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    here = socket.getaddrinfo("127.0.0.1", 0, type=socket.SOCK_STREAM)
    elsewhere = socket.getaddrinfo("192.0.2.1", 0, type=socket.SOCK_STREAM)  # as ::1 where nobody speaks IPv6
    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: elsewhere + here)

    refuse_foreign("localhost")

    monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: elsewhere)
    with pytest.raises(RaftLabError, match="nothing can listen at localhost"):
        refuse_foreign("localhost")


def test_a_watch_that_the_store_does_not_let_begin_ends_with_an_error(
    k8s: Kubernetes, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise EtcdError("UNAVAILABLE", "no answer from any member")

    with serve.etcd(Cluster(1, server=KVServer)) as endpoints, closing(KV.connect(endpoints[0])) as kv:
        monkeypatch.setattr(kv.line, "watch", refuse)
        with serve.kubernetes(kv) as over_etcd:
            code, event, _ = ask(over_etcd, "GET", f"{LEASES}?watch=true")

    assert (code, event["type"]) == (200, "ERROR")
    assert "no answer from any member" in str(event["object"])


def test_connections_that_it_has_made_to_an_etcd_end_with_it() -> None:
    with serve.etcd(Cluster(1, server=KVServer)) as endpoints, pytest.MonkeyPatch.context() as patch:
        made = []
        connect = KV.connect
        patch.setattr(KV, "connect", lambda *address: made.append(connect(*address)) or made[-1])
        with serve.kubernetes(endpoints[0]) as over_etcd:
            assert ask(over_etcd, "GET", LEASES)[0] == 200

        with pytest.raises(RaftLabError, match="was closed"):
            made[0].get("x")


@pytest.mark.parametrize("host", ["::1", "127.0.0.2", "localhost"])
def test_it_listens_at_any_loopback_address(host: str, recwarn: pytest.WarningsRecorder) -> None:
    try:
        socket.create_server((host, 0), family=socket.AF_INET6 if ":" in host else socket.AF_INET).close()
    except OSError as error:
        pytest.skip(f"this machine has no {host}: {error}")
    with serve.kubernetes(Cluster(1, server=KVServer), host=host) as k8s:
        assert urlsplit(k8s.url).hostname == host
        assert ask(k8s, "GET", LEASES)[0] == 200
        assert ask(k8s, "GET", LEASES, None, {"Host": "evil.example"})[0] == 403
    assert not recwarn.list


def test_a_file_for_kubectl_where_one_wants_it(tmp_path: Path) -> None:
    with serve.kubernetes(Cluster(1, server=KVServer), kubeconfig=tmp_path / "config") as k8s:
        assert k8s.kubeconfig == tmp_path / "config"
        assert str(k8s) == f"The Kubernetes API is at {k8s.url}\nexport KUBECONFIG={tmp_path / 'config'}"


@pytest.mark.parametrize("port", [-1, 65536, "80", None, True])
def test_a_port_is_a_number(port: object) -> None:
    with pytest.raises(ValueError, match="a port is a whole number"):
        serve.kubernetes(Cluster(1, server=KVServer), port=port)  # type: ignore[arg-type]


@pytest.mark.parametrize("store", [None, 7, Cluster(3)])
def test_only_a_store_can_be_served(store: object) -> None:
    with pytest.raises(TypeError, match="luster of KVServers"):
        serve.kubernetes(store).start()


def test_without_a_majority_requests_time_out_and_it_goes_on_when_the_cluster_is_healed() -> None:
    cluster = Cluster(3, server=KVServer)
    with serve.kubernetes(cluster) as k8s:
        ask(k8s, "POST", LEASES, APP)
        cluster.partition({"S1"}, {"S2"}, {"S3"})

        code, told, _ = ask(k8s, "GET", f"{LEASES}/app?timeout=1s")
        cluster.heal()
        wait_until(lambda: ask(k8s, "GET", f"{LEASES}/app?timeout=10s")[0] == 200)

    assert (code, told["reason"]) == (504, "Timeout")


def test_without_a_majority_it_is_not_healthy_and_says_why() -> None:
    cluster = Cluster(3, server=KVServer)
    with serve.kubernetes(cluster) as k8s:
        wait_until(lambda: ask(k8s, "GET", "/readyz")[1] == {"text": "ok"})
        cluster.partition({"S1"}, {"S2"}, {"S3"})

        code, told, _ = ask(k8s, "GET", "/livez")
        assert (code, told) == (500, {"text": "[+]ping ok\n[-]etcd failed: reason withheld\nlivez check failed\n"})
        cluster.heal()
        wait_until(lambda: ask(k8s, "GET", "/healthz?verbose")[0] == 200)
        assert ask(k8s, "GET", "/healthz?verbose")[1]["text"] == "[+]ping ok\n[+]etcd ok\nhealthz check passed\n"
