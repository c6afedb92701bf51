"""A running cluster that real clients can reach: on wall-clock time, over real protocols, on loopback.

with serve.kubernetes(cluster) as k8s:
    print(k8s)                              # export KUBECONFIG=... and then: kubectl get leases -w
"""

from typing import TYPE_CHECKING, Any

from raft_lab.kv.wire import MissingLibrary

if TYPE_CHECKING:
    from raft_lab.serve.apiserver import Kubernetes


def kubernetes(store: Any, **options: Any) -> "Kubernetes":
    """The Kubernetes API over HTTP; see `raft_lab.serve.apiserver.Kubernetes`."""
    try:
        from raft_lab.serve.apiserver import Kubernetes
    except ImportError as error:
        raise MissingLibrary(f"to serve takes {error.name}: pip install 'raft_lab[serve]'") from None
    return Kubernetes(store, **options)


__all__ = ["kubernetes"]
