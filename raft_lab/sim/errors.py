"""What can go wrong when people drive a cluster."""

from raft_lab.raft.errors import RaftLabError


class ActionRefused(RaftLabError):
    """The action is not possible now; nothing has changed."""


class UnknownName(RaftLabError):
    """There is no server, message or step of that name."""


class TraceError(RaftLabError):
    """A saved run cannot be loaded; nothing was loaded."""
