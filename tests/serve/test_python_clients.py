"""Unmodified clients of etcd for Python, by different authors, are told the same by our cluster and by a real etcd.

Each runs in a process of its own: all of them bring etcd's messages under the same names.
"""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from kv.real_etcd import RealEtcd
from serve.clusters import LONG, OurCluster


def told(script, endpoint):
    host, port = endpoint.split(":")
    done = subprocess.run(
        [sys.executable, str(Path(__file__).with_name(script)), host, port],
        capture_output=True,
        text=True,
        timeout=2 * LONG,
        env={**os.environ, "PROTOCOL_BUFFERS_PYTHON_IMPLEMENTATION": "python"},  # etcd3's messages are of 2020
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout)


@pytest.mark.parametrize("client", ["aetcd", "etcd3"])
def test_a_client_is_told_the_same(tmp_path, client):
    if importlib.util.find_spec(client) is None:
        if os.environ.get("CI"):
            pytest.fail(f"{client} is not installed: pip install {client}")
        pytest.skip(f"needs the client: pip install {client}")
    with RealEtcd(tmp_path) as real:
        expected = told(f"with_{client}.py", real.endpoint)
    with OurCluster() as ours:
        assert told(f"with_{client}.py", ours.endpoints[1]) == expected
