"""A cluster with a leader, and the API over it."""

import pytest

from kube.stores import Server
from raft_lab import Cluster
from raft_lab.kv import KV, KVServer


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster(3, server=KVServer, seed=7)
    cluster.run_until(leader=True)
    return cluster


@pytest.fixture
def api(cluster: Cluster) -> Server:
    return Server(KV(cluster))
