"""The replicated state machine: its data, and the clients' sessions that make a command happen exactly once."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from raft_lab.raft.values import FrozenMap, freeze


@dataclass(frozen=True, slots=True)
class Session:
    """What the machine remembers of a client (dissertation 6.3).

    Attributes:
        seq: number of the last command that was applied for it.
        reply: what that command gave; a repeated command gets the same.
        active_us: log time at which that was.
    """

    seq: int = 0
    reply: Any = None
    active_us: int = 0


@dataclass(frozen=True, slots=True)
class Machine:
    """All that is replicated besides the log; a snapshot holds exactly this, with the configuration.

    Attributes:
        data: what commands read and change.
        sessions: by client.
        clock_us: log time: the latest time that an applied command carried, so equal on all servers.
    """

    data: Any = field(default_factory=FrozenMap)
    sessions: FrozenMap[str, Session] = field(default_factory=FrozenMap)
    clock_us: int = 0

    def __post_init__(self) -> None:
        if type(self.data) is dict:
            object.__setattr__(self, "data", freeze(self.data))
        if type(self.sessions) is not FrozenMap:
            object.__setattr__(self, "sessions", FrozenMap(self.sessions))
