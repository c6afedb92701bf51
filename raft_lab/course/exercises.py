"""Exercises: a base class from which the answer is missing, and a check that says at once whether yours is right.

A check asks four questions. Does the handler depend on nothing but its state and the message? Does it do what the
rule says in every small situation? Is there a short run in which it breaks a property of the paper's Figure 3, or a
longer one drawn at random? Does it get anything done at all?
"""

from __future__ import annotations

import dis
import inspect
import sys
from collections.abc import Callable
from dataclasses import dataclass, replace
from html import escape
from itertools import pairwise
from typing import Any

from raft_lab.check.counterexample import Counterexample
from raft_lab.check.differences import Difference, difference, differences
from raft_lab.check.explore import Bounds, explore
from raft_lab.check.fuzz import fuzz
from raft_lab.check.mixes import SWARM
from raft_lab.check.purity import refuse_impure
from raft_lab.check.situations import small
from raft_lab.check.standing import Situation, kind_of
from raft_lab.course.printing import prints_little
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.guard import foreign_functions, used_by
from raft_lab.raft.server import Server
from raft_lab.raft.state import Receive
from raft_lab.sim import scenarios
from raft_lab.sim.actions import Deliver
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.world import World

SAFETY = ("Election Safety", "Log Matching", "Leader Completeness", "State Machine Safety", "Leader Append-Only")
"""The properties of the paper's Figure 3: what Raft promises to those who use it."""

SITUATIONS, EXPLORATION, WALKS = "small situations", "exploration", "random walks"
"""The three layers of a check, in the order in which they are asked."""

WALKING = replace(SWARM, name="exercise", options=("one entry a message",), sizes=(3, 3, 3, 4, 5))
"""Random runs without the optional rules whose handlers may use what is missing from a base, such as pre-vote."""

Stage = tuple[Callable[[type[Server]], Cluster], Bounds]
"""A situation from which to explore, and how far."""


@dataclass(frozen=True)
class Goal:
    """Something that must come about when nothing stands in its way.

    Attributes:
        otherwise: what to say if it does not.
        stage: where to begin; its clock decides what happens next.
        reached: whether a world is there.
        steps: how many steps of timed driving are enough.
    """

    otherwise: str
    stage: Callable[[type[Server]], Cluster]
    reached: Callable[[World], bool]
    steps: int = 800

    def comes_about(self, answer: type[Server]) -> bool:
        """Whether it does, with these servers."""
        cluster = self.stage(answer)
        for _ in range(self.steps // 20):
            if self.reached(cluster.world):
                return True
            cluster.step(20)
        return self.reached(cluster.world)


@dataclass(frozen=True)
class Verdict:
    """What a check found. In a notebook it shows itself, with the run that breaks the handler ready to be played.

    Attributes:
        passed: whether the handler is right, as far as the check has looked.
        summary: the verdict in one sentence.
        difference: the smallest situation in which it differs from the rule, if any.
        counterexample: the shortest run in which it breaks a property, if any.
        looked: how far the check has looked.
        points: what it is worth to a course.
        layer: which layer of the check caught it: `SITUATIONS`, `EXPLORATION`, `WALKS`, or '' where it is right or
            nothing that could be tried.
        states: how many situations, states or actions that layer had looked at by then.
    """

    passed: bool
    summary: str
    difference: Difference | None = None
    counterexample: Counterexample | None = None
    looked: str = ""
    points: float = 0.0
    layer: str = ""
    states: int = 0

    def __str__(self) -> str:
        parts = [("✓ " if self.passed else "✗ ") + self.summary]
        if self.difference:
            parts.append(str(self.difference))
        if self.counterexample:
            parts.append(str(self.counterexample))
        return "\n\n".join([*parts, self.looked]) if self.looked else "\n\n".join(parts)

    __repr__ = __str__

    def _html(self) -> str:
        colour = "#009E73" if self.passed else "#D55E00"
        lines = [f"<strong>{'✓' if self.passed else '✗'} {escape(self.summary)}</strong>"]
        if self.difference:
            d = self.difference
            lines.append(
                f"{escape(d.situation)}<br>{escape(d.expected)} {escape(d.found)}<br><em>{escape(d.rule)}</em>"
            )
        if self.counterexample:
            n = len(self.counterexample.actions)
            which = "The shortest run that shows it has" if self.counterexample.shortest else "A run that shows it has"
            lines.append(
                f"{which} {n} step{'s' if n > 1 else ''}. Press <b>Step</b> below to walk through it, or <b>Play</b>."
            )
        if self.looked:
            lines.append(f"<small>{escape(self.looked)}</small>")
        body = "".join(f"<p style='margin:6px 0'>{line}</p>" for line in lines)
        return f"<div style='border-left:4px solid {colour};padding:2px 14px;max-width:760px'>{body}</div>"

    def _ipython_display_(self) -> None:
        from IPython.display import display as show

        display: Callable[..., Any] = show
        display({"text/html": self._html(), "text/plain": str(self)}, raw=True)
        if self.counterexample is not None:
            display(self.counterexample.lab(title=str(self.counterexample.violation)))


@dataclass(frozen=True, slots=True)
class Looked:
    """How far a check has looked for a run that breaks something: states explored, actions of random runs."""

    states: int
    actions: int


class Exercise:
    """One task: what is missing from `base`, and how to find out whether a class that fills it in is right.

    Args:
        missing: names of the methods to write; the first is the one asked for.
        kinds: what the handler is compared with Raft about: names from `raft_lab.check.situations.KINDS`.
        stages: situations from which to explore, with the bounds to set.
        points: what a right answer is worth to a course.
        source: where the rule is stated.
        goals: what must come about when nothing stands in its way, besides a leader.
        base: what is to be subclassed, if it is more than a server without these methods.
        invariants: names of the invariants that count; all of them if None.
    """

    walks = 20
    actions = 150
    """How many random runs are tried, and how many actions each has before it is healed."""

    def __init__(
        self,
        missing: tuple[str, ...],
        kinds: tuple[str, ...],
        stages: tuple[Stage, ...],
        points: float = 5.0,
        source: str = "Figure 2",
        goals: tuple[Goal, ...] = (),
        base: type[Server] | None = None,
        invariants: tuple[str, ...] | None = None,
    ) -> None:
        self.missing = missing
        self.kinds = kinds
        self.stages = stages
        self.points = points
        self.source = source
        self.goals = goals
        self.invariants = invariants
        self.base = base or _without(missing)

    @prints_little
    def check(self, answer: type[Server], *, seed: int = 0) -> Verdict:
        """Say whether `answer`, a subclass of `base`, is right; and if not, show why.

        Budgets are counted in states and actions, never in seconds, so that the verdict is the same everywhere.

        Args:
            answer: the class.
            seed: chooses the random walks; an instructor may keep it to themselves.
        """
        if refusal := self.refusal(answer):
            return Verdict(False, refusal)
        layer, states = SITUATIONS, 0
        try:
            refuse_impure(answer)
            odd = self.compared(answer)
            if odd is None and (looked := self._known_to_pass(answer, seed)):
                return self._passed(looked)
            layer, states = (SITUATIONS, odd.tried) if odd else (EXPLORATION, 0)
            broken, explored = self._shortest_run(answer)
            states = states or explored
            stuck = "" if broken else self._stuck(answer)
            if broken is None and odd is None and not stuck:
                layer = WALKS
                broken, states = self._random_run(answer, seed)
        except HandlerError as error:
            return Verdict(False, str(error), layer=layer, states=states)
        found = (self._guilty_step(answer, broken) if broken else None) or odd
        if broken is not None and odd is not None and found is odd:
            found = replace(odd, situation=f"The smallest case: {odd.situation}")
        if broken is not None:
            said = f"With your handler, {broken.violation}"
        elif stuck:
            said = f"With your handler, {stuck}."
        elif found is not None:
            said = f"No short run of yours breaks a property, but it is not yet what {self.source} asks for."
        else:
            return self._passed(Looked(explored, states))
        return Verdict(False, said, found, broken, layer=layer, states=states)

    def _passed(self, looked: Looked) -> Verdict:
        return Verdict(
            True,
            f"Your {self.missing[0]} does what {self.source} says.",
            looked=f"Compared with the rule in {self.compares:,} small situations and in some longer runs; "
            f"explored {looked.states:,} states from {len(self.stages)} starting points, within bounds; and "
            f"{self.walks} random runs of {looked.actions:,} actions in all. That is evidence, not proof.",
            points=self.points,
        )

    def looked_for(self, server: type[Server], seed: int) -> Looked:
        """How far a check looks for a run that breaks something if there is none.

        Raises:
            HandlerError: there is one.
        """
        broken, states = self._shortest_run(server)
        stuck = self._stuck(server)
        random, actions = self._random_run(server, seed)
        if broken or stuck or random:
            raise HandlerError(f"{server.__name__} is not right: {broken or stuck or random}")
        return Looked(states, actions)

    def _known_to_pass(self, answer: type[Server], seed: int) -> Looked | None:
        """A class that is asked for its steps in another process may know what these runs come to."""
        does_as_raft = getattr(answer, "does_as_raft", None)
        return does_as_raft(self, seed) if does_as_raft else None

    @property
    def compares(self) -> int:
        """In how many small situations an answer is compared with the rule."""
        return sum(len(small(kind)) for kind in self.kinds)

    def compared(self, answer: type[Server]) -> Difference | None:
        """The smallest situation in which `answer` does not do what the rule says, or None."""
        return differences(answer, self.kinds)

    def refusal(self, answer: Any) -> str:
        """Why `answer` cannot be an answer, or ''."""
        wanted = self.missing[0]
        if not (isinstance(answer, type) and issubclass(answer, self.base)):
            name = answer.__name__ if isinstance(answer, type) and not issubclass(Server, answer) else "Mine"
            asked = _call(self.base, wanted)
            return f"Give check() your class, as the draft begins it: class {name}(….base): with a method {asked}."
        if type(answer) is not type and not type(answer).__module__.startswith("raft_lab."):
            return f"{answer.__name__} has a metaclass, {type(answer).__name__}: write it as a class without one."
        if getattr(answer, wanted) is getattr(self.base, wanted):
            return f"{answer.__name__} has no {wanted} yet: write one."
        if borrowed := _borrowed(answer, self.missing):
            return f"{answer.__name__} takes {borrowed} from raft_lab itself: write your own."
        return ""

    def _shortest_run(self, answer: type[Server]) -> tuple[Counterexample | None, int]:
        """The shortest run that breaks anything, rather a property of Figure 3; and how many states were seen."""
        explored = 0
        for stage, bounds in self.stages:
            report = explore(stage(answer), bounds=bounds, invariants=self.invariants)
            explored += report.states
            if report.counterexample is not None and report.counterexample.violation.invariant not in SAFETY:
                telling = explore(stage(answer), bounds=bounds, invariants=SAFETY)
                report = telling if telling.counterexample else report
            if report.failure:
                raise HandlerError(report.failure)
            if report.counterexample is not None:
                return report.counterexample, explored
        return None, explored

    def _random_run(self, answer: type[Server], seed: int) -> tuple[Counterexample | None, int]:
        """A random run that breaks something, made small; and how many actions were tried."""
        seeds = range(seed * self.walks, (seed + 1) * self.walks)
        asked = self.invariants and (*self.invariants, "Progress", "Linearizability", "No Handler Fails")
        report = fuzz(answer, seeds, self.actions, mix=WALKING, invariants=asked, findings=1, progress=False)
        return (report.findings[0].counterexample if report.findings else None), report.actions

    def _guilty_step(self, answer: type[Server], broken: Counterexample) -> Difference | None:
        """The first step of the run in which the handler did not do what the rule says, if there is one."""
        for step in broken.cluster().history[1:]:
            if isinstance(step.action, Deliver) and step.parent is not None:
                state = step.parent.world.servers[step.action.message.dst]
                situation = Situation(state, Receive(step.action.message))
                if kind_of(situation) in self.kinds and (found := difference(answer, situation)):
                    number = len(step.path()) - 1
                    return replace(found, situation=f"Step {number} of the run below: {found.situation}")
        return None

    def _stuck(self, answer: type[Server]) -> str:
        """What never comes about, or ''."""
        if not self._elects_a_leader(answer):
            return "no server ever becomes leader, whatever happens"
        return next((goal.otherwise for goal in self.goals if not goal.comes_about(answer)), "")

    @staticmethod
    def _elects_a_leader(answer: type[Server]) -> bool:
        report = explore(Cluster(3, server=answer), bounds=Bounds(term=1, states=4_000), reach={"leader": _has_leader})
        if report.failure:
            raise HandlerError(report.failure)
        return report.reached["leader"]


def _has_leader(world: World) -> bool:
    return any(state.is_leader for state in world.servers.values())


def _without(missing: tuple[str, ...]) -> type[Server]:
    """A `Server` in which the named methods are still to be written. What Raft itself needs of them is there."""

    def blank(name: str) -> Callable[..., Any]:
        right = getattr(Server, name)

        def method(self: Server, *arguments: Any) -> Any:
            if sys._getframe(1).f_globals.get("__name__", "").startswith("raft_lab.raft."):
                return right(self, *arguments)
            raise HandlerError(
                f"{type(self).__name__} uses {name} of the base, which has none: it is part of what you are to write "
                "(remove super())"
            )

        return method

    return type("Base", (Server,), {name: blank(name) for name in missing})


def _call(base: type[Server], method: str) -> str:
    """A method of a server as one writes it."""
    function = getattr(Server, method, None) or getattr(base, method)
    return f"{method}({', '.join(inspect.signature(function).parameters)})"


def _borrowed(answer: type[Server], missing: tuple[str, ...]) -> str:
    """A method that was to be written, and is taken from where it stands in the package; or ''."""
    for cls in answer.__mro__:
        if not cls.__module__.startswith("raft_lab."):
            for name in missing:
                if str(getattr(cls.__dict__.get(name), "__module__", "")).startswith("raft_lab."):
                    return name
    for function in foreign_functions(answer):
        used = used_by(function)
        steps = list(dis.get_instructions(function))
        for one, next_one in pairwise(steps):
            owner = used.get(one.argval) if one.opname == "LOAD_GLOBAL" else None
            if next_one.argval in missing and isinstance(owner, type) and issubclass(Server, owner):
                return f"{owner.__name__}.{next_one.argval}"
    return ""


# --- Lesson 01: RequestVote --------------------------------------------------------------------------

REQUEST_VOTE = Exercise(
    ("on_request_vote", "may_vote_for", "log_is_up_to_date"),
    ("RequestVote",),
    (
        (lambda server: Cluster(3, server=server), Bounds(term=1, crashes=1, states=4_000)),
        (scenarios.committed_without_s3, Bounds(term=2, states=3_000)),
        (scenarios.longer_but_older, Bounds(term=4, states=4_000)),
        (lambda server: Cluster(3, server=server), Bounds(term=2, duplicates=1, states=4_000)),
    ),
)
