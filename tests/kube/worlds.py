"""Clusters with electors on them."""

from __future__ import annotations

from typing import Any

from raft_lab import Cluster
from raft_lab.kube.electors import Electors
from raft_lab.kv import KVServer
from raft_lab.sim.schedule import Timing

SECOND = 1_000_000
QUIET = Timing(election_timeout_us=(20 * SECOND, 40 * SECOND), heartbeat_us=10 * SECOND)
"""One server that leads at once and has little to say: for all that is not about Raft."""
QUICK = {"lease_duration": 6, "renew_deadline": 4, "retry_period": 1}
TIGHT = {"lease_duration": 4, "renew_deadline": 3.9, "retry_period": 3}
"""What NewLeaderElector accepts, although the lease ends before its holder gives up."""


def quiet(seed: int = 1, **options: Any) -> Electors:
    """Electors on a store of one server."""
    cluster = Cluster(1, server=KVServer, seed=seed, timing=QUIET)
    cluster.timeout("S1")
    cluster.run_until(leader=True)
    return Electors(cluster, **options)


def with_raft(seed: int = 1, servers: int = 3, timing: Timing | None = None, **options: Any) -> Electors:
    """Electors on a store of three servers."""
    cluster = Cluster(servers, server=KVServer, seed=seed, timing=timing)
    cluster.run_until(leader=True)
    return Electors(cluster, **options)


def started(electors: Electors, *names: str, seconds: float = 5, **settings: Any) -> Electors:
    """Pods that have elected a leader; the first of them."""
    electors.start(names[0], **settings)
    electors.run(0.5)
    for name in names[1:]:
        electors.start(name, **settings)
    electors.run(seconds)
    assert electors.leader == names[0]
    return electors


def when(electors: Electors, who: str, what: str) -> float:
    """When this happened to a pod for the last time, in seconds."""
    times = [
        event.us / SECOND for event in electors.timeline.events if event.who == who and event.what.startswith(what)
    ]
    assert times, f"{what} did not happen to {who}: {[str(event) for event in electors.timeline.events]}"
    return times[-1]


def last_renewal(electors: Electors, who: str) -> float:
    """When a pod last heard that it has renewed, in seconds."""
    calls = [c for c in electors.wires.calls if c.pod == who and type(c.request).__name__ == "Update"]
    return max(c.received_us for c in calls if c.received_us and isinstance(c.outcome, dict)) / SECOND
