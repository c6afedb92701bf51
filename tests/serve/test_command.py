"""`raft-lab serve` in a terminal."""

import json
import signal
import socket
import subprocess
import sys
import urllib.request
import warnings
from pathlib import Path
from typing import Any

import grpc
import pytest

from raft_lab import cli
from raft_lab.serve import command
from serve.served import ask


def test_kubernetes_is_served_until_ctrl_c() -> None:
    command = [sys.executable, "-c", "from raft_lab.cli import main; raise SystemExit(main(['serve', 'kubernetes']))"]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    try:
        assert process.stdout is not None
        lines = [process.stdout.readline() for _ in range(6)]
        url = lines[0].split(" is at ")[1].split(",")[0]
        with urllib.request.urlopen(f"{url}/api/v1/namespaces", timeout=120) as answer:
            names = [item["metadata"]["name"] for item in json.load(answer)["items"]]
    finally:
        process.send_signal(signal.SIGINT)
        _, trouble = process.communicate(timeout=120)

    assert names == ["default", "kube-node-lease", "kube-public", "kube-system"]
    assert [line.strip() for line in lines[3:]] == ["kubectl get leases --watch", "", "Ctrl-C ends it."]
    assert (trouble, process.returncode) == ("", 0)


def test_where_nothing_answers_it_says_so_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["serve", "kubernetes", "--etcd", "127.0.0.1:1"]) == 1
    assert capsys.readouterr().err.startswith("raft-lab: no etcd answers at 127.0.0.1:1")


def test_what_is_no_address_of_an_etcd_is_said_in_a_line(capsys: pytest.CaptureFixture[str]) -> None:
    for address, words in (("nonsense", "takes host and port"), ("https://127.0.0.1:2379", "TLS is not spoken")):
        assert cli.main(["serve", "kubernetes", "--etcd", address]) == 1
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("raft-lab: --etcd: ")
        assert words in line


COMMAND = "from raft_lab.cli import main; raise SystemExit(main(['serve', 'etcd', '--port', '0', *{words!r}]))"


def started(*words: str) -> "subprocess.Popen[str]":
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen([sys.executable, "-c", COMMAND.format(words=words)], text=True, **pipes)


def test_etcd_is_served_once_there_is_a_leader_until_ctrl_c() -> None:
    process = started("--servers", "1")
    try:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "ETCDCTL_ENDPOINTS=" in line)
        with grpc.insecure_channel(line.split("ETCDCTL_ENDPOINTS=")[1].strip()) as channel:
            assert ask(channel, "Maintenance/Status").leader
            assert len(ask(channel, "Cluster/MemberAdd", peerURLs=["http://127.0.0.1:1"]).members) == 2
    finally:
        process.send_signal(signal.SIGINT)
        _, trouble = process.communicate(timeout=120)
    assert (trouble, process.returncode) == ("", 0)


def test_a_port_that_is_taken_is_said_in_a_line() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        _, trouble = started("--port", str(port)).communicate(timeout=120)
    (line,) = trouble.splitlines()
    assert line.startswith(f"raft-lab: 127.0.0.1:{port} is taken")


def test_in_a_terminal_a_warning_is_a_line(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command.Told, "wait", lambda *_: None)
    for protocol in ("etcd", "kubernetes"):
        with warnings.catch_warnings():
            warnings.simplefilter("always")
            assert cli.main(["serve", protocol, "--port", "0", "--servers", "1", "--host", "0.0.0.0"]) == 0
        (line,) = capsys.readouterr().err.splitlines()
        assert line.startswith("raft-lab: ")
        assert "0.0.0.0" in line


STARTING = """
import signal, sys, threading
from raft_lab import cli
from raft_lab.serve import journal

def opens(self, fresh):
    print("opening", flush=True)
    threading.Event().wait()

journal.Journal.open = opens
raise SystemExit(cli.main(["serve", "etcd", "--port", "0", "--data-dir", sys.argv[1]]))
"""


def test_ctrl_c_is_looked_at_while_a_large_folder_is_read(tmp_path: Path) -> None:
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    process = subprocess.Popen([sys.executable, "-c", STARTING, str(tmp_path)], text=True, **pipes)
    try:
        assert process.stdout is not None
        assert process.stdout.readline() == "opening\n"
        process.send_signal(signal.SIGINT)
        rest, trouble = process.communicate(timeout=120)
    finally:
        process.kill()
    assert (rest, trouble, process.returncode) == ("", "", 0)


def test_kubernetes_runs_on_a_cluster_that_keeps_time_as_etcd_does(monkeypatch: pytest.MonkeyPatch) -> None:
    seen = {}

    def waits(self: command.Told, live: Any, so: Any = None) -> None:
        seen[protocol] = live.cluster

    monkeypatch.setattr(command.Told, "wait", waits)
    for protocol in ("etcd", "kubernetes"):
        assert cli.main(["serve", protocol, "--port", "0", "--servers", "1"]) == 0
    assert seen["kubernetes"].schedule.timing == seen["etcd"].schedule.timing
    assert {cluster.world.behaviour.rules_on for cluster in seen.values()} == {("check-quorum",)}
