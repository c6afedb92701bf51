"""A running cluster that real clients can reach: on wall-clock time, over real protocols, on loopback.

with serve.etcd(Cluster(3, server=KVServer)) as endpoints:
    print(endpoints)                        # etcdctl --endpoints=... put greeting hello

with serve.kubernetes(Cluster(3, server=KVServer)) as k8s:
    print(k8s)                              # export KUBECONFIG=... and then: kubectl get leases -w
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raft_lab.serve.apiserver import kubernetes
    from raft_lab.serve.endpoints import etcd
    from raft_lab.serve.live import Live, living

__all__ = ["Live", "etcd", "kubernetes", "living"]

_HOMES = {"apiserver": ("kubernetes",), "endpoints": ("etcd",), "live": ("Live", "living")}


def __getattr__(name: str) -> Any:
    """What people use, from the module where it lives, imported when it is first asked for."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"raft_lab.serve.{home}"), name)
    raise AttributeError(f"module 'raft_lab.serve' has no attribute {name!r}")
