"""raft_lab: distributed consensus that you can hold in your hands.

    from raft_lab import Cluster

    cluster = Cluster(5, seed=7)
    cluster.lab()

Nothing heavy is imported here: pandas, plotly and the widgets come in when they are used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

from raft_lab.check.clients import history_of
from raft_lab.check.counterexample import Counterexample
from raft_lab.check.explore import Bounds, Report, explore
from raft_lab.check.fuzz import Finding, FuzzReport, fuzz
from raft_lab.check.histories import History, HistoryError, Operation
from raft_lab.check.invariants import INVARIANTS, broken_by
from raft_lab.check.linearizability import Linearizability, check_linearizable
from raft_lab.check.models import MODELS, Model
from raft_lab.check.shrink import shrink
from raft_lab.raft.errors import HandlerError, RaftLabError
from raft_lab.raft.log import Command, Entry, Log, Noop, Snapshot
from raft_lab.raft.machine import Machine, Session
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import (
    AppendEntries,
    AppendEntriesReply,
    InstallSnapshot,
    InstallSnapshotReply,
    Message,
    PreVote,
    PreVoteReply,
    RequestVote,
    RequestVoteReply,
    TimeoutNow,
)
from raft_lab.raft.rules import RULES, with_rules, without
from raft_lab.raft.server import Server
from raft_lab.raft.state import Candidate, Follower, Leader, Progress, State
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.errors import ActionRefused, TraceError, UnknownName
from raft_lab.sim.handles import Proposal, ReadHandle, Transfer
from raft_lab.sim.schedule import Timing

__version__ = "0.1.0"

__all__ = [
    "INVARIANTS",
    "MODELS",
    "RULES",
    "ActionRefused",
    "AppendEntries",
    "AppendEntriesReply",
    "Bounds",
    "Candidate",
    "Cluster",
    "Command",
    "Configuration",
    "Counterexample",
    "Entry",
    "Finding",
    "Follower",
    "FuzzReport",
    "HandlerError",
    "History",
    "HistoryError",
    "InstallSnapshot",
    "InstallSnapshotReply",
    "Leader",
    "Linearizability",
    "Log",
    "Machine",
    "Message",
    "Model",
    "Noop",
    "Operation",
    "PreVote",
    "PreVoteReply",
    "Progress",
    "Proposal",
    "RaftLabError",
    "ReadHandle",
    "Report",
    "RequestVote",
    "RequestVoteReply",
    "Server",
    "Session",
    "Snapshot",
    "State",
    "TimeoutNow",
    "Timing",
    "TraceError",
    "Transfer",
    "UnknownName",
    "check_linearizable",
    "explore",
    "fuzz",
    "history_of",
    "shrink",
    "with_rules",
    "without",
]


def _later(module: str, name: str) -> Any:
    """A function of a room above, imported when it is first called."""
    return lambda *args, **options: getattr(import_module(module), name)(*args, **options)


Cluster.faces.update(
    check=broken_by,
    lab=_later("raft_lab.view.lab", "Lab"),
    tables=_later("raft_lab.view.tables", "Tables"),
    timeline=_later("raft_lab.view.charts", "timeline"),
    mimebundle=_later("raft_lab.view.picture", "mimebundle"),
    operations=history_of,
    electors_lab=_later("raft_lab.view.electors", "ElectorsLab"),
    electors_mimebundle=_later("raft_lab.view.reigns", "mimebundle"),
)
History.faces.update(picture=_later("raft_lab.view.history", "mimebundle"))
