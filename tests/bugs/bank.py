"""The bug bank: Raft with one mistake each, as students and products have made them.

Each bug is a small subclass of `Server` with a line above it that says what it breaks and where a search finds that:

    @safety(1, "Election Safety", three, length=6, term=1)
    class VotesTwice(Server): ...

`number` is that of the catalogue of 56. A bug of safety has a stage from which exploring breadth-first meets the named
invariant after `length` actions, and not before. A bug of liveness has a stage from which a healed cluster, driven by
its clock, never does what `goes_on` asks for; Raft does. `slip` is a bug that costs no run anything for good in this
engine: comparing handlers finds it, and `why` says why no search can. Whatever no layer reaches is in OUT_OF_REACH.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from raft_lab import Cluster, Command, HandlerError, Server

Stage = Callable[[type[Server]], Cluster]


@dataclass(frozen=True)
class Bug:
    """One bug: what it breaks, and where."""

    number: int
    server: type[Server]
    layer: str
    breaks: str
    stage: Stage | None = None
    length: int = 0
    control: type[Server] = Server
    bounds: dict[str, int] = field(default_factory=dict)
    goes_on: Callable[[Cluster], bool] | None = None
    differs: bool = True
    why: str = ""

    @property
    def name(self) -> str:
        return self.server.__name__

    def __repr__(self) -> str:
        return f"{self.number} {self.name}"


BUGS: list[Bug] = []
OUT_OF_REACH: dict[int, str] = {}


def safety(
    number: int,
    breaks: str,
    stage: Stage,
    *,
    length: int,
    control: type[Server] = Server,
    differs: bool = True,
    **bounds: int,
) -> Callable[[Any], Any]:
    """The next class breaks an invariant: exploring from `stage` within `bounds` finds it after `length` actions.

    Args:
        number: in the catalogue.
        breaks: the invariant.
        stage: where to start.
        length: of the shortest run from there.
        control: what is right about it, if it is Raft done in another way.
        differs: whether comparing handlers finds it too.
        **bounds: see `raft_lab.Bounds`.
    """

    def register(server: type[Server]) -> type[Server]:
        BUGS.append(Bug(number, server, "explore", breaks, stage, length, control, bounds, differs=differs))
        return server

    return register


def scene(number: int, breaks: str, stage: Stage, *, length: int) -> Callable[[Any], Any]:
    """The next class breaks an invariant in a run with actions that exploring does not do; it shrinks to `length`."""

    def register(server: type[Server]) -> type[Server]:
        BUGS.append(Bug(number, server, "shrink", breaks, stage, length))
        return server

    return register


def liveness(
    number: int,
    stage: Stage,
    *,
    control: type[Server] = Server,
    goes_on: Callable[[Cluster], bool] | None = None,
    differs: bool = True,
) -> Callable[[Any], Any]:
    """The next class is stuck: from `stage`, healed, it never does what `goes_on` asks for (a command is committed)."""

    def register(server: type[Server]) -> type[Server]:
        asks = goes_on or commits
        BUGS.append(Bug(number, server, "stuck", "liveness", stage, 0, control, {}, asks, differs))
        return server

    return register


def slip(number: int, breaks: str, why: str) -> Callable[[Any], Any]:
    """The next class differs from Raft, but no run shows it; `why` says why."""

    def register(server: type[Server]) -> type[Server]:
        BUGS.append(Bug(number, server, "difference", breaks, why=why))
        return server

    return register


# --- Whether a healed cluster goes on ---------------------------------------------------------------

STEPS = 1200
"""How many steps of timed driving a healed cluster has."""


def commits(cluster: Cluster) -> bool:
    """Whether a client gets a command committed."""
    return within_steps(cluster, lambda: _try_to_commit(cluster))


def _try_to_commit(cluster: Cluster) -> bool:
    committed = [entry.value for _, entry in cluster.world.ghosts.committed]
    if any(isinstance(value, Command) and value.op == "set done yes" for value in committed):
        return True
    if cluster.leader:
        cluster.propose("set done yes")
    return False


def within_steps(cluster: Cluster, is_so: Callable[[], bool], steps: int = STEPS) -> bool:
    """Whether something becomes so; asked now and then."""
    for _ in range(steps // 40):
        if is_so():
            return True
        try:
            cluster.step(40)
        except HandlerError:
            return False  # a server that falls over gets nothing done either
    return is_so()
