"""A run that goes wrong, whatever found it: it can be seen, replayed, told in words and made smaller."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import Any

from raft_lab.raft.errors import HandlerError
from raft_lab.sim.actions import Action
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.tape import Violation
from raft_lab.sim.world import World


@dataclass(frozen=True)
class Counterexample:
    """A run that goes wrong: where it starts, what happens, and what broke at its end.

    Attributes:
        start: the situation that it starts from.
        actions: what happens; after the last one something is broken.
        violation: what.
        shortest: whether there is no shorter run that breaks this, or any other, invariant.
        origin: Python that makes the start, for `Cluster.code()`.
        minimal: whether each of the actions is needed: without any single one, this invariant is not broken.
    """

    start: World
    actions: tuple[Action, ...]
    violation: Violation
    shortest: bool
    origin: str = ""
    minimal: bool = False

    def cluster(self) -> Cluster:
        """A cluster that stands at the end of the run; `back()` leads to its beginning.

        Where a handler fails, it stands before the action at which it does.
        """
        cluster = Cluster.at(self.start, origin=self.origin)
        with contextlib.suppress(HandlerError):
            for action in self.actions:
                cluster.perform(action)
        return cluster

    def lab(self, **options: Any) -> Any:
        """The run on screen, at its beginning and ready to be played."""
        cluster = self.cluster()
        cluster.goto(0)
        return cluster.lab(**options)

    def __str__(self) -> str:
        run = self.cluster().history[1:]
        lines = [f"{self.violation}", f"This is {self._how}, {len(self.actions)} actions:"]
        lines += [f"  {n}. {step.sentence}" for n, step in enumerate(run, start=1)]
        lines += [f"  {n}. {self.actions[n - 1]} fails." for n in range(len(run) + 1, len(self.actions) + 1)]
        return "\n".join(lines)

    __repr__ = __str__

    @property
    def _how(self) -> str:
        if self.shortest:
            return "the shortest such run"
        return "a run of which no single action can be left out" if self.minimal else "a run"
