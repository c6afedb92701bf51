"""Situations that people ask for by name. Each gives a cluster that stands right before the interesting part."""

from __future__ import annotations

from raft_lab.raft.server import Server
from raft_lab.sim.cluster import Cluster


def voting_criteria(server: type[Server] = Server) -> Cluster:
    """S1 and S2 hold Commands 1 to 3, the last of term 2; S3 has only Command 1 of term 1. Who can win?"""
    long = [(1, "Command 1"), (1, "Command 2"), (2, "Command 3")]
    return Cluster(3, server=server, logs={"S1": long, "S2": long, "S3": long[:1]})


def split_vote(server: type[Server] = Server) -> Cluster:
    """Four servers; S1 and S2 have both just started an election for term 1, and nobody has voted for another."""
    cluster = Cluster(4, seed=1, server=server)
    cluster.timeout("S1")
    cluster.timeout("S2")
    return cluster


def stale_leader(server: type[Server] = Server) -> Cluster:
    """Five servers, led by S1 in term 1 and then cut off together with S2; the others still wait for it."""
    cluster = Cluster(5, seed=1, server=server)
    cluster.timeout("S1")
    cluster.deliver_all()
    cluster.heartbeat("S1")
    cluster.deliver_all()
    cluster.partition({"S1", "S2"}, {"S3", "S4", "S5"})
    return cluster


def committed_without_s3(server: type[Server] = Server) -> Cluster:
    """S1 leads term 1 and has committed a command with S2; S3 has heard of the leader, but not of the command."""
    cluster = Cluster(3, seed=1)
    cluster.timeout("S1")
    cluster.deliver_all()
    cluster.propose("set x 1")
    cluster.drop("S1", "S3")
    cluster.deliver_all()
    return cluster if server is Server else _handed_to(cluster, server)


def longer_but_older(server: type[Server] = Server) -> Cluster:
    """S1's log is longer, but of term 1; S2 and S3 have committed entries of later terms, with S2 leading term 3."""
    logs = {
        "S1": [(1, "a"), (1, "b"), (1, "c"), (1, "d"), (1, "e")],
        "S2": [(1, "a"), (2, "f")],
        "S3": [(1, "a"), (2, "f")],
    }
    cluster = Cluster(3, seed=1, logs=logs)
    cluster.partition({"S1"})
    cluster.timeout("S2")
    cluster.drop("S2", "S1")
    cluster.deliver_all()
    cluster.drop("S2", "S1")
    cluster.heal()
    return cluster if server is Server else _handed_to(cluster, server)


def _handed_to(cluster: Cluster, server: type[Server]) -> Cluster:
    cluster.swap(server)
    return cluster
