"""Finding a bug: by its layer, and by comparing handlers."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from bugs.bank import Bug
from raft_lab import Cluster, Counterexample, explore
from raft_lab.check.differences import Difference, differences
from raft_lab.check.shrink import shrink


@dataclass(frozen=True)
class Finding:
    """What the bug's own layer has found.

    Attributes:
        states: situations looked at; for a stuck run, steps.
        seconds: how long it took, the stage included.
        counterexample: the run, for a bug of safety.
        goes_on: whether a healed cluster went on, for one of liveness.
    """

    states: int
    seconds: float
    counterexample: Counterexample | None = None
    goes_on: bool | None = None


def find(bug: Bug) -> Finding:
    """Put the bug to its layer."""
    begun = time.perf_counter()
    match bug.layer:
        case "explore":
            report = explore(bug.stage(bug.server), invariants={bug.breaks}, **bug.bounds)
            assert not report.failure, report.failure
            found = Finding(report.states, 0, report.counterexample)
        case "shrink":
            found = Finding(0, 0, shrink(played(bug)))
        case "stuck":
            cluster = healed(bug.stage(bug.server))
            goes_on = bug.goes_on(cluster)
            found = Finding(len(cluster.history), 0, goes_on=goes_on)
        case _:
            found = Finding(1, 0)
    return replace(found, seconds=time.perf_counter() - begun)


def difference(bug: Bug) -> Difference | None:
    """The smallest situation in which its handlers differ from Raft."""
    return differences(bug.server, larger=False)


def played(bug: Bug) -> Counterexample:
    """The run of its stage, up to where it breaks what it breaks."""
    history = bug.stage(bug.server).history
    for number, step in enumerate(history):
        for violation in step.violations:
            if violation.invariant == bug.breaks:
                actions = tuple(step.action for step in history[1 : number + 1])
                return Counterexample(history[0].world, actions, violation, shortest=False)
    raise AssertionError(f"{bug} breaks nothing on its stage")


def healed(cluster: Cluster) -> Cluster:
    """All links work again. Who is down on the stage stays down: a majority is up."""
    if cluster.world.cuts:
        cluster.heal()
    return cluster
