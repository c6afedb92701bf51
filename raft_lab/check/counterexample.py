"""A run that goes wrong, whatever found it: it can be seen, replayed, told in words and made smaller."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from html import escape
from typing import Any

from raft_lab.raft.errors import HandlerError
from raft_lab.sim.actions import Action
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.schedule import Timing
from raft_lab.sim.tape import Violation
from raft_lab.sim.world import World


class Replayable:
    """What a run can do, whatever it shows."""

    start: World
    actions: tuple[Action, ...]
    origin: str
    timing: Timing | None = None

    def cluster(self) -> Cluster:
        """A cluster that stands at the end of the run; `back()` leads to its beginning.

        Where a handler fails, it stands before the action at which it does.
        """
        cluster = Cluster.at(self.start, timing=self.timing, origin=self.origin)
        with contextlib.suppress(HandlerError):
            for action in self.actions:
                cluster.perform(action)
        return cluster

    def lab(self, **options: Any) -> Any:
        """The run on screen, at its beginning and ready to be played."""
        cluster = self.cluster()
        cluster.goto(0)
        return cluster.lab(**options)

    def sentences(self) -> list[str]:
        """What happens, one numbered line for each action."""
        run = self.cluster().history[1:]
        lines = [f"  {n}. {step.sentence}" for n, step in enumerate(run, start=1)]
        return lines + [f"  {n}. {self.actions[n - 1]} fails." for n in range(len(run) + 1, len(self.actions) + 1)]

    def _repr_html_(self) -> str:
        return in_lines(str(self))


def in_lines(text: str) -> str:
    """Text as HTML that is broken between words; a notebook breaks plain text in the middle of them."""
    style = "white-space: pre-wrap; word-break: normal; margin: 0; padding: 0; font-size: 13px; line-height: 1.3"
    return f'<pre style="{style}">{escape(text)}</pre>'


@dataclass(frozen=True)
class Run(Replayable):
    """A run that leads somewhere: where it starts, and what happens.

    Attributes:
        start: the situation that it starts from.
        actions: what happens.
        origin: Python that makes the start, for `Cluster.code()`.
    """

    start: World
    actions: tuple[Action, ...]
    origin: str = ""

    def __str__(self) -> str:
        return "\n".join([f"A run of {len(self.actions)} actions:", *self.sentences()])

    __repr__ = __str__


@dataclass(frozen=True)
class Counterexample(Replayable):
    """A run that goes wrong: where it starts, what happens, and what broke at its end.

    Attributes:
        start: the situation that it starts from.
        actions: what happens; after the last one something is broken.
        violation: what.
        shortest: whether there is no shorter run that breaks this, or any other, invariant.
        origin: Python that makes the start, for `Cluster.code()`.
        minimal: whether each of the actions is needed: without any single one, this invariant is not broken.
        timing: clocks and their speeds, if time passes in the run.
    """

    start: World
    actions: tuple[Action, ...]
    violation: Violation
    shortest: bool
    origin: str = ""
    minimal: bool = False
    timing: Timing | None = None

    def __str__(self) -> str:
        how = (
            f"This is {self._how}, {len(self.actions)} actions:"
            if self.actions
            else "It is so before anything happens."
        )
        return "\n".join([f"{self.violation}", how, *self.sentences()])

    __repr__ = __str__

    @property
    def _how(self) -> str:
        if self.shortest:
            return "the shortest such run"
        return "a run of which no single action can be left out" if self.minimal else "a run"
