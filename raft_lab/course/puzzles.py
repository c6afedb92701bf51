"""Puzzles: bring a cluster into a certain situation, by clicks or by code. The learner's own run is checked."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, TypeAlias

from raft_lab.sim import share
from raft_lab.sim.actions import Swap, Wait
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.tape import Step

Run: TypeAlias = Sequence[Step]
"""The steps from the start of a puzzle to where the learner stands now."""


@dataclass(frozen=True, slots=True)
class Milestone:
    """One thing that must have come about, in words, and whether it has in a run."""

    words: str
    reached: Callable[[Run], bool]


@dataclass(frozen=True, slots=True)
class Standing:
    """How far a run has come. In a notebook it shows itself.

    Attributes:
        solved: whether everything came about within the budget.
        summary: that in one sentence.
        reached: for each milestone, whether it has come about.
        actions: what the learner has done; letting the clock run is free.
        points: what it is worth to a course.
        way: the run as a line of text, to be handed in; '' if it does not solve the puzzle.
    """

    puzzle: Puzzle
    solved: bool
    summary: str
    reached: tuple[bool, ...] = ()
    actions: int = 0
    points: float = 0.0
    way: str = ""

    def __str__(self) -> str:
        marks = [
            f"  {'✓' if ok else '·'} {m.words}" for ok, m in zip(self.reached, self.puzzle.milestones, strict=False)
        ]
        return "\n".join([("✓ " if self.solved else "… ") + self.summary, *marks])

    __repr__ = __str__

    def _repr_html_(self) -> str:
        colour = "#009E73" if self.solved else "#0072B2"
        rows = "".join(
            f"<li style='list-style:none;margin:2px 0'>{'✓' if ok else '○'} {escape(m.words)}</li>"
            for ok, m in zip(self.reached, self.puzzle.milestones, strict=False)
        )
        return (
            f"<div style='border-left:4px solid {colour};padding:2px 14px;margin:8px 0;max-width:760px'>"
            f"<p style='margin:6px 0'><strong>{'✓ ' if self.solved else ''}{escape(self.summary)}</strong></p>"
            f"<ul style='margin:4px 0;padding:0'>{rows}</ul>{self._to_hand_in()}</div>"
        )

    def _to_hand_in(self) -> str:
        if not self.way:
            return ""
        line = f"<code style='overflow-wrap:anywhere;user-select:all'>{escape(self.way)}</code>"
        return f"<details><summary>To hand it in, in a course</summary>{line}</details>"


@dataclass(frozen=True, slots=True)
class Puzzle:
    """A situation to bring about.

    Attributes:
        task: what to do, in one or two sentences.
        begin: makes a new cluster that stands where the puzzle begins, at step 0.
        milestones: what must have come about on the way, in order; the last one is the goal.
        budget: how many actions of one's own it may take. Letting the clock run is free.
        hint: for who is stuck.
        forbidden: verbs that must not be used; the rules of Raft must not be changed in any puzzle.
        points: what a solution is worth to a course.
    """

    task: str
    begin: Callable[[], Cluster]
    milestones: tuple[Milestone, ...]
    budget: int
    hint: str
    forbidden: frozenset[str] = frozenset()
    points: float = 3.0

    def play(self, cluster: Cluster) -> Any:
        """The lab, with the task above it and how far one has come below, kept up to date."""
        from ipywidgets import HTML, VBox

        board = HTML(self.check(cluster)._repr_html_())

        def update() -> None:
            board.value = self.check(cluster)._repr_html_()

        cluster.on_change(update)
        return VBox([cluster.lab(title=self.task), board])

    def check(self, cluster: Cluster) -> Standing:
        """How far the run that leads to the present step of `cluster` has come."""
        if not isinstance(cluster, Cluster) or cluster.tape.start.world != self.begin().world:
            return Standing(self, False, "This run does not begin where the puzzle does: take a cluster from begin().")
        run = cluster.history
        if refused := self._refused(run):
            return Standing(self, False, refused)
        if self._all_reached(run):
            run = next(run[:end] for end in range(1, len(run) + 1) if self._all_reached(run[:end]))
        reached = tuple(milestone.reached(run) for milestone in self.milestones)
        done = sum(1 for step in run[1:] if not step.timed and not isinstance(step.action, Wait))
        used = f"{done} of {self.budget} actions"
        if not all(reached):
            over = " You have used them up: go back, nothing is lost." if done >= self.budget else ""
            return Standing(self, False, f"Not yet; {used}.{over}", reached, done)
        if done > self.budget:
            return Standing(
                self, False, f"It came about, but took {done} actions; {self.budget} are enough.", reached, done
            )
        return Standing(self, True, f"Solved, with {used}.", reached, done, self.points, share.write_way(run[-1]))

    def _all_reached(self, run: Run) -> bool:
        return all(milestone.reached(run) for milestone in self.milestones)

    def _refused(self, run: Run) -> str:
        for number, step in enumerate(run):
            if isinstance(step.action, Swap):
                return f"Step {number} changes the rules of Raft. This one is to be done with all of them."
            if step.action is not None and step.action.verb in self.forbidden:
                return f"Step {number} is a {step.action.verb}, which this puzzle does not allow."
        return ""
