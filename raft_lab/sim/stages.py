"""Stages of the lessons: everything is set, and the next move is the learner's.

Unlike a scenario, which has lived through its story, a stage ends where the story begins.
"""

from __future__ import annotations

from raft_lab.raft.rules import with_rules
from raft_lab.raft.server import Server
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.scenarios import Stage


def led(servers: int = 5, server: type[Server] = Server, leader: str = "S1") -> Cluster:
    """`leader` leads term 1, everyone knows it, and its first entry, a no-op, is committed everywhere."""
    cluster = Cluster(servers, seed=1, server=server)
    cluster.timeout(leader)
    cluster.deliver_all()
    cluster.heartbeat(leader)
    cluster.deliver_all()
    return cluster


# --- Log replication ---------------------------------------------------------------------------------


def log_conflict(server: type[Server] = Server) -> Cluster:
    """The talk's figure: S2 holds Commands 2 and 3 of term 2, where S1, just elected, has Command 2X of term 3.

    Messages carry one entry at a time, as in the figure.
    """
    logs = {
        "S1": [(1, "Command 1"), (3, "Command 2X")],
        "S2": [(1, "Command 1"), (2, "Command 2"), (2, "Command 3")],
        "S3": [(1, "Command 1")],
    }
    cluster = Cluster(3, seed=1, server=with_rules(server, "one entry a message"), logs=logs)
    Stage(cluster).elect("S1", "S3")
    cluster.drop("S1", "S2", "RequestVote")
    return cluster


def figure_8(server: type[Server] = Server) -> Cluster:
    """The paper's Figure 8, just after (b): S2 has S1's entry 2 of term 2, and S5 has its own entry 2 of term 3.

    S5 is down, S1 has just been elected again, for term 4. Entries are the leaders' no-ops; messages carry one each.
    """
    cluster = Cluster(5, seed=8, server=with_rules(server, "one entry a message"), logs={
        name: [(1, "first")] for name in ("S1", "S2", "S3", "S4", "S5")
    })  # fmt: skip
    stage = Stage(cluster)
    stage.elect("S1", "S2", "S3")
    stage.ask("S1", "S2", "AppendEntries").ask("S1", "S2", "AppendEntries").lose_all()
    cluster.crash("S1")
    stage.elect("S5", "S3", "S4").lose_all()
    cluster.crash("S5")
    cluster.restart("S1")
    stage.elect("S1", "S2", "S3")
    return cluster
