"""Lesson 08: write an invariant. It must hold in every run of Raft, and be broken where Raft is."""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from raft_lab.check.bounds import Bounds
from raft_lab.check.counterexample import Counterexample
from raft_lab.check.explore import explore
from raft_lab.course.exercises import EXPLORATION, Verdict
from raft_lab.course.printing import prints_little
from raft_lab.course.rehearsal import Rehearsed
from raft_lab.raft.errors import RaftLabError
from raft_lab.raft.messages import RequestVote
from raft_lab.raft.rules import with_rules, without
from raft_lab.raft.server import Server
from raft_lab.sim import scenarios, stages
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.scenarios import Stage
from raft_lab.sim.schedule import draw
from raft_lab.sim.tape import Violation
from raft_lab.sim.world import World

Predicate = Callable[[World], bool]


@dataclass(frozen=True)
class Broken:
    """Raft without one of its rules, from where that soon does harm."""

    rule: str
    stage: Callable[[type[Server]], Cluster]
    bounds: Bounds


def _figure_8(server: type[Server]) -> Cluster:
    """Figure 8 among three servers."""
    cluster = stages.figure_8_of_three()
    cluster.swap(with_rules(server, "one entry a message"))
    return cluster


def _two_candidates(server: type[Server]) -> Cluster:
    """S1 and S3 are candidates of one term, S2 has answered both, and a client asks both for something."""
    cluster = Cluster(3, server=server)
    cluster.timeout("S1")
    cluster.timeout("S3")
    for candidate in ("S1", "S3"):
        Stage(cluster).ask(candidate, "S2", "RequestVote").attempt("propose", f"set x {candidate}", candidate)
    for message in cluster.messages:
        if isinstance(message, RequestVote):
            cluster.drop(message)
    return cluster


def _committed_without_s2(server: type[Server]) -> Cluster:
    """S1 and S3 have committed three entries, of which S2 has others, and S1 has just said so."""
    cluster = stages.log_conflict()
    for _ in range(3):
        Stage(cluster).ask("S1", "S3", "AppendEntries")
    Stage(cluster).lose_all()
    cluster.heartbeat("S1")
    Stage(cluster).lose_to("S3")
    cluster.swap(with_rules(server, "one entry a message"))
    return cluster


def _led_by_three(server: type[Server]) -> Cluster:
    """S1 leads three servers."""
    return stages.led(3, server)


RAFT: tuple[tuple[Callable[[type[Server]], Cluster], Bounds], ...] = (
    (_led_by_three, Bounds(term=2, commands=1, crashes=1, states=1_500)),
    (_figure_8, Bounds(term=5, states=1_500)),
    (stages.log_conflict, Bounds(term=4, states=500)),
    (_two_candidates, Bounds(term=1, commands=1, states=500)),
)
"""Where Raft is looked at, all rules in place."""
BROKEN = (
    Broken("current-term commit", _figure_8, Bounds(term=5, states=9_000)),
    Broken("election restriction", scenarios.committed_without_s3, Bounds(term=2, states=1_000)),
    Broken("log consistency check", stages.log_conflict, Bounds(term=4, heartbeats=1, states=1_000)),
    Broken("log consistency check", _committed_without_s2, Bounds(term=4, states=500)),
    Broken("step down on a higher term", _led_by_three, Bounds(term=2, commands=1, states=6_000)),
    Broken("one vote per term", _two_candidates, Bounds(term=1, states=5_000)),
)


class InvariantExercise:
    """Write State Machine Safety as a predicate over a world; a part of the points for each broken Raft it notices.

    Args:
        points: what it is worth to a course.
    """

    def __init__(self, points: float = 3.0) -> None:
        self.points = points

    @prints_little
    def check(self, answer: Predicate, *, seed: int = 0) -> Verdict:
        """Say whether the predicate holds wherever Raft comes to, and where a rule is missing, whether it is broken.

        Args:
            answer: the predicate.
            seed: chooses random runs in which it must hold, too.
        """
        if not callable(answer) or isinstance(answer, type):
            return Verdict(False, "Give check() your function, agree(world), which returns True or False.")
        says = getattr(answer, "says", None)
        if says is not None and says((rehearsed := _rehearsed(seed)).asked, rehearsed.said):
            return self._passed(rehearsed.states)
        failed: list[str] = []
        watched = _watched(answer, failed)
        try:
            refuted, seen = _legal_run_that_refutes(watched, seed)
            if refuted is not None:
                return Verdict(False, _TOO_MUCH, None, refuted, layer=EXPLORATION, states=seen)
            missed = [one for one in BROKEN if not _notices(watched, one)]
        except RaftLabError as error:
            return Verdict(False, f"Your invariant fails: {failed[0] if failed else error}")
        if not missed:
            return self._passed(seen)
        points = round(self.points * (len(BROKEN) - len(missed)) / len(BROKEN), 2)
        said = _TOO_LITTLE.format(missed[0].rule)
        return Verdict(False, said, looked=_looked(seen), points=points, layer=EXPLORATION, states=seen)

    def _passed(self, seen: int) -> Verdict:
        said = "It holds for Raft, and is broken wherever Raft is."
        return Verdict(True, said, looked=_looked(seen), points=self.points)


def _watched(answer: Predicate, failed: list[str]) -> Predicate:
    """The same, which notes what goes wrong in it before that is told in other words."""

    def asked(world: World) -> bool:
        try:
            said = answer(world)
        except RaftLabError as error:
            failed.append(f"{error}")
            raise
        except Exception as error:
            failed.append(f"{type(error).__name__}: {error}")
            raise
        if not isinstance(said, bool):
            failed.append(f"it gives {said!r:.60}, and not True or False.")
        return said

    return asked


def _looked(seen: int) -> str:
    return f"Looked at {seen:,} states of Raft, and at {len(BROKEN)} situations in which a rule is missing."


RUNS, STEPS = 4, 150
"""Random runs of Raft, and how many steps each has."""
_REFUTED = Violation("Your invariant", "All rules of Raft are kept in this run.")
_TOO_MUCH = "Raft comes to where your invariant does not hold, so it asks for more than Raft promises."
_TOO_LITTLE = (
    'Servers without the rule "{}" commit different entries at the same index, and your invariant holds all the same.'
)


def _breaks(answer: Predicate) -> Predicate:
    def broken(world: World) -> bool:
        said = answer(world)
        if said is not True and said is not False:
            raise RaftLabError(f"it returned {said!r:.60}, and not True or False")
        return not said

    return broken


def _legal_run_that_refutes(answer: Predicate, seed: int) -> tuple[Counterexample | None, int]:
    """A run with all rules kept in which the predicate is broken, rather the nearest; and how much was looked at."""
    seen, breaks = 0, _breaks(answer)
    for stage, bounds in RAFT:
        report = explore(stage(Server), bounds=bounds, until=breaks)
        seen += report.states
        if report.found is not None:
            run = report.found
            return Counterexample(run.start, run.actions, _REFUTED, True, run.origin), seen
    for number in range(RUNS):
        cluster = Cluster(3 + 2 * (number % 2), seed=draw("legal", seed, number))
        for step in range(STEPS):
            _stir(cluster, draw("stir", seed, number, step) % 40, step)
            cluster.step()
            seen += 1
            if breaks(cluster.world):
                actions = tuple(step.action for step in cluster.history if step.action is not None)
                return Counterexample(cluster.history[0].world, actions, _REFUTED, False, cluster.code()), seen
    return None, seen


def _stir(cluster: Cluster, chance: int, number: int) -> None:
    """Now and then a command, a crash, or a restart."""
    if chance < 4 and cluster.leader:
        cluster.propose(f"set x {number}")
    elif chance == 5 and len(cluster.world.crashed) < len(cluster.servers) // 2:
        up = [name for name in cluster.servers if name not in cluster.world.crashed]
        cluster.crash(up[number % len(up)])
    elif chance in (6, 7) and cluster.world.crashed:
        cluster.restart(min(cluster.world.crashed))


def _notices(answer: Predicate, one: Broken) -> bool:
    report = explore(one.stage(without(Server, one.rule)), bounds=one.bounds, invariants=(), until=_breaks(answer))
    return report.found is not None


# --- For a whole class ---------------------------------------------------------------------------------


@functools.lru_cache(maxsize=2)
def _rehearsed(seed: int) -> Rehearsed:
    """All that a right predicate is asked, in order, and what it says.

    What is looked at depends on nothing else, so whatever says the same of all these worlds is as right.
    """
    asked: list[tuple[Any, ...]] = []
    said: list[bool] = []

    def right(world: World) -> bool:
        asked.append((world,))
        pairs = combinations(world.servers.values(), 2)
        said.append(all(a.log.same_prefix(b.log, min(a.commit_index, b.commit_index)) for a, b in pairs))
        return said[-1]

    refuted, seen = _legal_run_that_refutes(right, seed)
    if refuted is not None or not all(_notices(right, one) for one in BROKEN):
        raise RuntimeError("State Machine Safety is not what this exercise asks for")
    return Rehearsed.of(asked, said, seen)


AGREE = InvariantExercise()
