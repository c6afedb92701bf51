"""Where lessons and experiments about elections in Kubernetes begin."""

from __future__ import annotations

from typing import Any

from raft_lab.kube.electors import Electors
from raft_lab.kube.guarded import NONE
from raft_lab.kube.settings import SIDECAR
from raft_lab.kv.requests import Put, Txn
from raft_lab.kv.server import KVServer
from raft_lab.sim.actions import Propose
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.schedule import Timing

PODS = ("pod-a", "pod-b", "pod-c")
CALM = Timing(heartbeat_us=250_000, election_timeout_us=(1_000_000, 2_000_000))
"""Calmer than etcd, whose heartbeats are 100 ms and election timeouts 1 s: minutes go by here."""


def three_pods(*, servers: int = 3, seed: int = 7, fencing: str = NONE, **settings: Any) -> Electors:
    """Three pods that stand for election; they have elected a leader.

    A process that has ended is started again, 20 s later: Kubernetes does so, and waits longer each time.

    Args:
        servers: how many members etcd has, on which the API server stands.
        seed: chooses the whole run.
        fencing: "none", "resourceVersion" or "leaseTransitions"; see `Electors`.
        settings: see `raft_lab.kube.settings.Settings`; durations are seconds.
    """
    cluster = Cluster(servers, server=KVServer, seed=seed, timing=CALM)
    cluster.run_until(leader=True)
    electors = Electors(cluster, fencing=fencing, **{"restart_after": 20.0, **settings})
    for pod in PODS:
        electors.start(pod)
        electors.run(0.2)  # two sidecars that begin in the same moment both want to make the object, and one ends
    return electors


def demo_of_2019(*, seed: int = 7, ttl: float = 10.0) -> Electors:
    """The demo application: three pods, in each the sidecar `leader-elector:0.5`; the record is an annotation.

    Args:
        seed: chooses the whole run.
        ttl: how long a lease lasts, in seconds: the sidecar's `--ttl`.
    """
    return three_pods(seed=seed, kind=SIDECAR, ttl=ttl)


def one_renewal(*, seed: int = 7) -> Cluster:
    """The servers below three pods, just before the leading pod's renewal arrives; what came of it lies ahead."""
    electors = three_pods(seed=seed)
    electors.run(9)
    cluster: Cluster = electors.cluster
    renewals = [step for step in cluster.history if isinstance(step.action, Propose) and _is_renewal(step.action.op)]
    before = renewals[-2].parent
    assert before is not None
    cluster.goto(before)
    return cluster


def _is_renewal(op: object) -> bool:
    return isinstance(op, Txn) and any(isinstance(done, Put) and b"/leases/" in done.key for done in op.success)
