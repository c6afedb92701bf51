"""Lesson 08's exercises: hide a bug, and find the step at which somebody else's servers leave Raft's way."""

from __future__ import annotations

from dataclasses import replace

from raft_lab.check.bounds import Bounds
from raft_lab.check.counterexample import Counterexample
from raft_lab.check.differences import Difference, Watched, difference, differences
from raft_lab.check.explore import explore
from raft_lab.check.fuzz import fuzz
from raft_lab.check.purity import refuse_impure
from raft_lab.course.exercises import Stage, Verdict
from raft_lab.course.printing import prints_little
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.server import Server
from raft_lab.sim import scenarios, stages
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.errors import ActionRefused
from raft_lab.sim.tape import Step

# --- Suspects ----------------------------------------------------------------------------------------


class Suspect1(Server):
    """Raft, but for one thing."""

    def log_is_up_to_date(self, last_log_index: int, last_log_term: int) -> bool:
        return last_log_index >= self.log.last_index


class Suspect2(Server):
    """Raft, but for one thing."""

    def conflicts(self, index: int, entry: object) -> bool:
        return True


class Suspect3(Server):
    """Raft, but for one thing."""

    def may_commit(self, index: int) -> bool:
        return True


SUSPECTS: tuple[type[Server], ...] = (Suspect1, Suspect2, Suspect3)
"""Servers with one mistake each. Whoever reads on in this file is told which."""

# --- Hide a bug --------------------------------------------------------------------------------------


class HideABug:
    """Break one rule so that nobody sees it in fair weather, and yet something that Raft promises is lost.

    Args:
        stages: where to look for the harm, and how far.
        points: what it is worth to a course.
    """

    def __init__(self, stages: tuple[Stage, ...], points: float = 5.0) -> None:
        self.stages = stages
        self.points = points

    @prints_little
    def check(self, answer: type[Server], *, seed: int = 0) -> Verdict:
        """Say whether a bug is there, whether it is hidden, and what it leads to.

        Budgets are counted in states and actions, so that the verdict is the same everywhere.

        Args:
            answer: the class.
            seed: chooses the random runs in which harm is looked for.
        """
        if not (isinstance(answer, type) and issubclass(answer, Server)) or answer is Server:
            return Verdict(
                False, "Give check() your class, written as class Mine(Server): with the method that you break."
            )
        try:
            refuse_impure(answer)
            if seen := _seen_in_fair_weather(answer):
                return Verdict(False, seen)
            departs = differences(answer)
            harm = self._harm(answer, seed)
        except HandlerError as error:
            return Verdict(False, str(error))
        if harm is not None:
            steps = len(harm.actions)
            return Verdict(
                True,
                f"Well hidden: in fair weather all goes well, and yet there is a run of {steps} steps after which "
                f"{harm.violation}",
                departs,
                harm,
                points=self.points,
            )
        if departs is not None:
            return Verdict(
                False,
                "Your servers do something else than Raft, but no run that was tried shows that it does harm. Perhaps "
                "it only costs time, or it is Raft done in another way.",
                departs,
            )
        return Verdict(False, f"{answer.__name__} does what Raft does, as far as was looked: where is the bug?")

    def _harm(self, answer: type[Server], seed: int) -> Counterexample | None:
        for stage, bounds in self.stages:
            report = explore(stage(answer), bounds=bounds)
            if report.failure:
                raise HandlerError(report.failure)
            if report.counterexample is not None:
                return report.counterexample
        found = fuzz(answer, range(30 * seed, 30 * seed + 30), actions=150, findings=1, progress=False).findings
        return found[0].counterexample if found else None


def _seen_in_fair_weather(answer: type[Server]) -> str:
    """What everybody would notice at once, with a good network and nobody down; or ''."""
    cluster = Cluster(3, seed=1, server=answer)
    try:
        cluster.run_until(leader=True, max_steps=400)
        for number in (1, 2, 3):
            cluster.propose(f"set x {number}")
            cluster.run_until(committed=f"set x {number}", max_steps=300)
    except ActionRefused:
        return "Everybody sees that one: even in fair weather no leader is elected, or nothing is committed."
    if cluster.violations:
        step, violation = cluster.violations[0]
        return f"Everybody sees that one: in fair weather, at step {step.id}, {violation}"
    return ""


HIDE_A_BUG = HideABug(
    (
        (lambda server: Cluster(3, server=server), Bounds(term=1, crashes=1, states=3_000)),
        (scenarios.committed_without_s3, Bounds(term=2, states=2_000)),
        (scenarios.longer_but_older, Bounds(term=4, states=2_000)),
        (stages.log_conflict, Bounds(term=4, states=2_000)),
        (lambda server: stages.led(3, server), Bounds(term=1, commands=2, heartbeats=1, compactions=1, states=4_000)),
        (stages.figure_8, Bounds(term=5, states=3_000)),
    )
)

# --- Find the step -----------------------------------------------------------------------------------


class FindTheStep:
    """Play with somebody else's servers until they do what Raft would not do, and stop right there."""

    def __init__(self, points: float = 5.0) -> None:
        self.points = points

    def check(self, cluster: Cluster) -> Verdict:
        """Say whether the present step of `cluster` is one at which its servers leave Raft's way."""
        here = cluster.now
        if here.parent is None:
            return Verdict(False, "Nothing has happened yet. Play until something goes wrong, and stop right after it.")
        name = getattr(cluster.world.behaviour, "__name__", "this class")
        number = len(here.path()) - 1
        if departs := departure(here):
            return Verdict(True, f"Step {number} it is: here {name} leaves Raft's way.", departs, points=self.points)
        guilty = [n for n, step in enumerate(here.path()) if departure(step)]
        if guilty:
            return Verdict(
                False, f"Step {number} is as Raft has it. But something went wrong before: look further back."
            )
        return Verdict(
            False, f"Step {number} is as Raft has it, and so is all before it. Go on, or try something else."
        )


def departure(step: Step) -> Difference | None:
    """What a server does at `step` that Raft would not do, or None."""
    if step.parent is None or step.action is None:
        return None
    before = step.parent.world
    server = before.behaviour
    if not (isinstance(server, type) and issubclass(server, Server)):
        return None
    watched = Watched(server)
    now = step.schedule.timing.local(step.action.actor, step.schedule.now_us)
    step.action.perform(replace(before, behaviour=watched), now)
    found = (difference(server, situation) for situation in watched.seen)
    return next((one for one in found if one is not None), None)


FIND_THE_STEP = FindTheStep()
