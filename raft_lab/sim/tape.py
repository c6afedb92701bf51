"""The tape: every step of a run, kept for good. Acting in the past adds a branch and deletes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from raft_lab.raft.rules import modified as modified_server
from raft_lab.raft.server import Server
from raft_lab.sim.actions import Action, Swap
from raft_lab.sim.narrator import Sentence, narrate, opening
from raft_lab.sim.schedule import Schedule
from raft_lab.sim.world import Behaviour, Transition, World


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

    @property
    def modified(self) -> str:
        """How the run up to here differs from one of Raft, in words, or ''."""
        spans: list[tuple[str, int]] = []
        for step in self.path():
            if step.parent is not None and not isinstance(step.action, Swap):
                continue
            if spans and step.parent is not None:
                spans[-1] = (spans[-1][0], step.id)
            spans.append((modified_words(step.world.behaviour), 0))
        until = {words: f"{words} until step {end}" for words, end in spans[:-1] if words}
        now = spans[-1][0]
        until.pop(now, None)
        return "; ".join([*([now] if now else []), *until.values()])

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
        self.names: dict[int, str] = {}

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

    def add(self, step: Step) -> Step:
        """A new step, numbered as the next one, after its parent."""
        parent = step.parent
        assert parent is not None
        assert step.id == len(self.steps)
        self.steps.append(step)
        self._children.setdefault(parent.id, []).append(step)
        self._latest[parent.id] = step
        return step

    def name(self, step: Step, name: str) -> None:
        """Call the branch that ends with `step`, or passes through it, by a name; '' takes it away."""
        self.names.pop(step.id, None)
        if name:
            self.names[step.id] = name

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


def modified_words(behaviour: Behaviour) -> str:
    """How servers that react like this differ from Raft's, in words, or ''."""
    return modified_server(behaviour) if isinstance(behaviour, type) and issubclass(behaviour, Server) else ""
