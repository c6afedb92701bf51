"""The tape: every step of a run, kept for good. Acting in the past adds a branch and deletes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from raft_lab.sim.actions import Action
from raft_lab.sim.narrator import Sentence, narrate, opening
from raft_lab.sim.schedule import Schedule
from raft_lab.sim.world import Transition, World


@dataclass(frozen=True, slots=True)
class Violation:
    """An invariant that does not hold: its name, and the reason in words."""

    invariant: str
    reason: str

    def __str__(self) -> str:
        return f"{self.invariant} is broken: {self.reason}"


@dataclass(frozen=True, slots=True)
class Step:
    """One node of the tape: what was done to its parent, and how things stand after it.

    Attributes:
        id: number in order of discovery; 0 is the beginning.
        parent: the step before it, or None.
        action: what was done; None at the beginning.
        timed: whether the clock chose the action, rather than a person.
        transition: what the action did.
        schedule: clock and timers after it.
        violations: invariants that this step has broken.
    """

    id: int
    parent: Step | None
    action: Action | None
    timed: bool
    transition: Transition
    schedule: Schedule
    violations: tuple[Violation, ...] = ()

    @property
    def world(self) -> World:
        """The world after the step."""
        return self.transition.world

    @property
    def sentence(self) -> Sentence:
        """What happened, in words."""
        if self.parent is None or self.action is None:
            return opening(self.world)
        return narrate(self.parent.world, self.action, self.transition)

    def path(self) -> list[Step]:
        """All steps from the beginning to this one."""
        steps = [self]
        while (parent := steps[-1].parent) is not None:
            steps.append(parent)
        return steps[::-1]

    def __str__(self) -> str:
        return f"step {self.id}: {self.sentence}"

    __repr__ = __str__

    def __eq__(self, other: object) -> bool:
        return self is other

    __hash__ = object.__hash__


class Tape:
    """A tree of steps that only grows."""

    def __init__(self, world: World, schedule: Schedule) -> None:
        self.steps: list[Step] = [Step(0, None, None, False, Transition(world), schedule)]
        self._children: dict[int, list[Step]] = {}
        self._latest: dict[int, Step] = {}

    @property
    def start(self) -> Step:
        """The beginning."""
        return self.steps[0]

    def children(self, step: Step) -> list[Step]:
        """What was tried after `step`, in order of first trial."""
        return self._children.get(step.id, [])

    def visited(self, parent: Step, action: Action, timed: bool) -> Step | None:
        """The child of `parent` that did just this, if it was tried before."""
        for child in self.children(parent):
            if child.action == action and child.timed == timed:
                self._latest[parent.id] = child
                return child
        return None

    def add(
        self,
        parent: Step,
        action: Action,
        timed: bool,
        transition: Transition,
        schedule: Schedule,
        violations: tuple[Violation, ...],
    ) -> Step:
        """A new step after `parent`."""
        step = Step(len(self.steps), parent, action, timed, transition, schedule, violations)
        self.steps.append(step)
        self._children.setdefault(parent.id, []).append(step)
        self._latest[parent.id] = step
        return step

    def enter(self, step: Step) -> None:
        """Remember that the way to `step` was taken last, for `onward`."""
        for node in step.path()[1:]:
            assert node.parent is not None
            self._latest[node.parent.id] = node

    def onward(self, step: Step) -> Step | None:
        """The child of `step` that was visited last."""
        return self._latest.get(step.id)

    def branches(self) -> list[Step]:
        """The last step of every branch, in order of discovery."""
        return [step for step in self.steps if step.id not in self._children]

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)
