"""`raft-lab serve` in a terminal."""

import json
import signal
import subprocess
import sys
import urllib.request

import pytest

from raft_lab import cli


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
