"""Who may be talked to over TLS, as a kubeconfig says it: each thing that can be wrong has its sentence."""

from __future__ import annotations

import json
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from kube.certificates import Authority, Certificate
from raft_lab.kube.processes import Ask, Context
from raft_lab.kube.remote import NotTrusted, RealClock, Remote
from raft_lab.kube.requests import Get
from raft_lab.raft.errors import RaftLabError

LEASE = Get("leases", "default", "demo")
PATIENCE = 60


class Handler(BaseHTTPRequestHandler):
    """Answers with who asked, by its certificate and by its token."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        peer = self.connection.getpeercert() if isinstance(self.connection, ssl.SSLSocket) else None
        names = dict(pair for [pair] in (peer or {}).get("subject", ()))
        body = json.dumps(
            {"name": names.get("commonName", ""), "token": self.headers.get("Authorization", "")}
        ).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: Any) -> None:
        """Nobody reads it."""


class Quiet(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, *_: Any) -> None:
        """A client that goes away at once is what these tests are about."""


@contextmanager
def serving(certificate: Certificate, clients: Authority | None = None) -> Iterator[str]:
    """A server that shows this certificate; and wants one by this authority, if there is one."""
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(certificate.pem, certificate.key)
    if clients is not None:
        tls.verify_mode = ssl.CERT_REQUIRED
        tls.maximum_version = ssl.TLSVersion.TLSv1_2  # a client of 1.3 hears of a refusal late, or of a reset only
        tls.load_verify_locations(clients.own.pem)
    server = Quiet(("127.0.0.1", 0), Handler)
    server.socket = tls.wrap_socket(server.socket, server_side=True, do_handshake_on_connect=False)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
    thread.start()
    try:
        yield f"https://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join(PATIENCE)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "own", "the cluster's authority")


@pytest.fixture(scope="module")
def other(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("tls") / "other", "another authority")


@pytest.fixture(scope="module")
def server(authority: Authority) -> Iterator[str]:
    with serving(authority.signs("server", "IP:127.0.0.1")) as url:
        yield url


def kubeconfig(folder: Path, url: str, cluster: dict[str, Any], user: dict[str, Any] | None = None) -> Path:
    config = {
        "clusters": [{"name": "c", "cluster": {"server": url, **cluster}}],
        "users": [{"name": "u", "user": user or {}}],
        "contexts": [{"name": "here", "context": {"cluster": "c", "user": "u"}}],
        "current-context": "here",
    }
    (folder / "config").write_text(json.dumps(config))
    return folder / "config"


def trusting(authority: Authority) -> dict[str, Any]:
    return {"certificate-authority-data": authority.own.inline[0]}


def ask(config: Path) -> Any:
    return Remote.of(config).perform(LEASE, timeout=PATIENCE)


def test_a_server_of_the_clusters_own_authority_is_trusted(server: str, authority: Authority, tmp_path: Path) -> None:
    answer = ask(kubeconfig(tmp_path, server, trusting(authority), {"token": "secret"}))
    assert answer == {"name": "", "token": "Bearer secret"}


def test_authority_and_token_may_be_files_beside_the_kubeconfig(
    server: str, authority: Authority, tmp_path: Path
) -> None:
    (tmp_path / "ca.pem").write_bytes(authority.own.pem.read_bytes())
    (tmp_path / "token").write_text("from a file\n")
    answer = ask(kubeconfig(tmp_path, server, {"certificate-authority": "ca.pem"}, {"tokenFile": "token"}))
    assert answer["token"] == "Bearer from a file"


def test_what_stands_in_the_kubeconfig_itself_may_have_several_lines(
    server: str, authority: Authority, tmp_path: Path
) -> None:
    inline = authority.own.inline[0]
    lines = "\n".join(inline[start : start + 64] for start in range(0, len(inline), 64)) + "\n"
    assert ask(kubeconfig(tmp_path, server, {"certificate-authority-data": lines})) == {"name": "", "token": ""}


def test_a_context_may_have_no_user(server: str, authority: Authority, tmp_path: Path) -> None:
    path = kubeconfig(tmp_path, server, trusting(authority))
    config = json.loads(path.read_text())
    del config["contexts"][0]["context"]["user"]
    path.write_text(json.dumps(config))
    assert ask(path) == {"name": "", "token": ""}


def test_a_client_comes_with_its_certificate(authority: Authority, tmp_path: Path) -> None:
    mine = authority.signs("pod-a")
    pem, key = mine.inline
    by_files = {"client-certificate": str(mine.pem), "client-key": str(mine.key)}
    with serving(authority.signs("server", "IP:127.0.0.1"), clients=authority) as url:
        for user in ({"client-certificate-data": pem, "client-key-data": key}, by_files):
            assert ask(kubeconfig(tmp_path, url, trusting(authority), user))["name"] == "pod-a"


def test_who_comes_without_a_certificate_or_with_a_strange_one_is_told_so(
    authority: Authority, other: Authority, tmp_path: Path
) -> None:
    pem, key = other.signs("pod-x").inline
    with serving(authority.signs("server", "IP:127.0.0.1"), clients=authority) as url:
        for user in ({}, {"client-certificate-data": pem, "client-key-data": key}):
            with pytest.raises(NotTrusted, match="does not take our client certificate, or wants one"):
                ask(kubeconfig(tmp_path, url, trusting(authority), user))


def test_a_server_of_another_authority_is_not_trusted(server: str, other: Authority, tmp_path: Path) -> None:
    for cluster in (trusting(other), {}):
        with pytest.raises(
            NotTrusted, match=r"is by nobody who is trusted here .*: give the cluster's certificate-auth"
        ):
            ask(kubeconfig(tmp_path, server, cluster))


def test_an_expired_certificate_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    with (
        serving(authority.signs("server", "IP:127.0.0.1", years=(2020, 2021))) as url,
        pytest.raises(NotTrusted, match=r"is not valid now \(certificate has expired\)"),
    ):
        ask(kubeconfig(tmp_path, url, trusting(authority)))


def test_a_certificate_for_another_host_is_not_trusted(authority: Authority, tmp_path: Path) -> None:
    with serving(authority.signs("server", "IP:192.0.2.7")) as url:
        with pytest.raises(NotTrusted, match=r"is for another address: .*127\.0\.0\.1"):
            ask(kubeconfig(tmp_path, url, trusting(authority)))
        skipping = {"insecure-skip-tls-verify": True}
        assert ask(kubeconfig(tmp_path, url, skipping)) == {"name": "", "token": ""}


def test_an_elector_hears_of_it_and_may_try_again(server: str, other: Authority, tmp_path: Path) -> None:
    """It is like any other request without an answer: nothing was done."""
    api, context = Remote.of(kubeconfig(tmp_path, server, trusting(other))), Context(RealClock())

    def program():
        for _ in range(2):
            with pytest.raises(NotTrusted):
                yield Ask(LEASE, context)
        return "tried twice"

    process = api.start(program(), context)
    assert process.join(PATIENCE)
    assert (process.result, process.error) == ("tried twice", None)


@pytest.mark.parametrize(
    ("cluster", "user", "words"),
    [
        ({"certificate-authority-data": "not base64!"}, {}, "certificate-authority-data is not base64"),
        ({"certificate-authority-data": "bm8gUEVN"}, {}, "its certificate-authority is no certificate in PEM"),
        (
            {"certificate-authority": "nowhere.pem"},
            {},
            "its certificate-authority should be in .*nowhere.pem, and there",
        ),
        ({}, {"client-certificate": "me.pem"}, "its client-certificate should be in .*me.pem, and there"),
        ({}, {"tokenFile": "token"}, "its tokenFile should be in .*token, and there is no such file"),
        ({"tls-server-name": "kubernetes"}, {}, "tls-server-name is not understood here; run `kubectl proxy`"),
    ],
)
def test_what_is_wrong_in_a_kubeconfig_is_said(
    cluster: dict[str, Any], user: dict[str, Any], words: str, tmp_path: Path
) -> None:
    with pytest.raises(RaftLabError, match=words):
        Remote.of(kubeconfig(tmp_path, "https://127.0.0.1:1", cluster, user))


def test_a_key_that_belongs_to_another_certificate_is_refused(authority: Authority, tmp_path: Path) -> None:
    (pem, _), (_, key) = authority.signs("pod-a").inline, authority.signs("pod-b").inline
    user = {"client-certificate-data": pem, "client-key-data": key}
    with pytest.raises(RaftLabError, match="its client-key is not that of its client-certificate"):
        Remote.of(kubeconfig(tmp_path, "https://127.0.0.1:1", trusting(authority), user))
