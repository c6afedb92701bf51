"""The tape: every step of a run, kept for good. Acting in the past adds a branch and deletes nothing.

Only a cluster that runs for hours lets its oldest steps go (`let_go`). Steps keep their numbers then.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from raft_lab.raft.rules import modified as modified_server
from raft_lab.raft.server import Server
from raft_lab.sim.actions import Action, Swap
from raft_lab.sim.narrator import Sentence, narrate, opening
from raft_lab.sim.schedule import Schedule
from raft_lab.sim.world import Behaviour, Ghosts, Transition, World


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
    """A tree of steps that only grows, unless it lets its oldest ones go."""

    def __init__(self, world: World, schedule: Schedule) -> None:
        self.steps: list[Step] = [Step(0, None, None, False, Transition(world), schedule)]
        """Those that are kept, in order of discovery."""
        self.first = 0
        """The number of the first of them."""
        self._children: dict[int, list[Step]] = {}
        self._latest: dict[int, Step] = {}
        self.names: dict[int, str] = {}

    @property
    def start(self) -> Step:
        """The beginning, or where what is kept begins."""
        return self.steps[0]

    def __getitem__(self, number: int) -> Step:
        """The step of that number.

        Raises:
            IndexError: there is none, or it was let go.
        """
        if not self.first <= number < len(self):
            raise IndexError(f"the tape holds steps {self.first} to {len(self) - 1}")
        return self.steps[number - self.first]

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
        assert step.id == len(self)
        self.steps.append(step)
        self._children.setdefault(parent.id, []).append(step)
        self._latest[parent.id] = step
        return step

    def let_go(self, start: Step, ghosts: Ghosts, now: Step) -> bool:
        """Forget all steps before `start`; from `now` on, ghosts are `ghosts`.

        Nothing is done, and the answer is no, where a later step follows from an earlier one: a branch began there.
        """
        kept = self.steps[start.id - self.first :]
        if any(step.parent is None or step.parent.id < start.id for step in kept[1:]):
            return False
        for known in (self._children, self._latest, self.names):
            for number in [number for number in known if number < start.id]:
                del known[number]
        self.steps, self.first = kept, start.id
        object.__setattr__(start, "parent", None)  # or it would hold on to all before it
        thinner = replace(now.transition, world=replace(now.world, ghosts=ghosts))
        object.__setattr__(now, "transition", thinner)
        return True

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
        """How many steps there were, those that were let go included."""
        return self.first + len(self.steps)


def modified_words(behaviour: Behaviour) -> str:
    """How servers that react like this differ from Raft's, in words, or ''."""
    return modified_server(behaviour) if isinstance(behaviour, type) and issubclass(behaviour, Server) else ""
