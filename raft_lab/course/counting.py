"""Lesson 06: a counter that several clients count up at the same time, and none of them in vain."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from raft_lab.course.exercises import Verdict
from raft_lab.course.printing import prints_little
from raft_lab.kv.clients import Clients, Pause, Program
from raft_lab.kv.requests import Range, RangeResponse, TxnResponse
from raft_lab.kv.server import KVServer
from raft_lab.raft.errors import RaftLabError
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.errors import ActionRefused
from raft_lab.sim.schedule import draw

KEY = "visits"
Increment = Callable[[str], Program]
"""A program (see `raft_lab.kv.clients`) that adds 1 to the number at a key."""


@dataclass(frozen=True)
class Stage:
    """Some clients, how often each counts, and whether the leader is lost meanwhile."""

    clients: int
    times: int
    crash: bool = False


STAGES = (Stage(1, 2), Stage(2, 1), Stage(3, 4), Stage(3, 4, crash=True))
SEEDS = 5
MOST_STEPS = 6_000
"""Steps of the cluster, after which a program that is not done will not be."""


class CountingExercise:
    """Write `increment(key)` so that no count is lost.

    Args:
        points: what a right answer is worth to a course.
    """

    def __init__(self, points: float = 5.0) -> None:
        self.points = points

    @prints_little
    def check(self, increment: Increment, *, seed: int = 0) -> Verdict:
        """Let clients count at the same time, in clusters of three, and see what the counter says in the end.

        Args:
            increment: the program.
            seed: chooses the runs.
        """
        if not inspect.isgeneratorfunction(increment):
            return Verdict(False, "increment must be a function with yield in it: each request is yielded.")
        for stage in STAGES:
            for number in range(seed * SEEDS, (seed + 1) * SEEDS):
                refusal, told = _run(stage, number, increment)
                if refusal:
                    return Verdict(False, refusal, looked=told)
        runs = len(STAGES) * SEEDS
        looked = f"Looked at {runs} runs of 1 to 3 clients on three servers; in {SEEDS} of them the leader was lost."
        return Verdict(True, "No count is lost.", looked=looked, points=self.points)


INCREMENT = CountingExercise()


def _run(stage: Stage, seed: int, increment: Increment) -> tuple[str, str]:
    """What is wrong in one run, and what the clients asked in it; two empty texts if nothing is."""
    cluster = Cluster(3, server=KVServer, seed=seed)
    cluster.run_until(leader=True)
    clients = Clients(cluster)

    def counting(number: int) -> Program:
        for count in range(stage.times):
            yield from increment(KEY)
            yield Pause(1 + draw("counting", seed, number, count) % 40_000)

    try:
        running = [clients.start(counting(number)) for number in range(stage.clients)]
        if stage.crash:
            clients.run(150)
            cluster.crash(cluster.leader or "S1")
        clients.run_until(lambda: all(process.done for process in running), MOST_STEPS)
    except ActionRefused:
        return "It does not come to an end: after a refused transaction, read again and try again.", _told(clients)
    except RaftLabError as error:
        return f"It fails: {error}", _told(clients)
    except Exception as error:
        return f"It fails: {type(error).__name__}: {error}", _told(clients)
    failed = next((process.error for process in running if process.error is not None), None)
    if failed is not None:
        return f"It fails: {failed}", _told(clients)
    told = _told(clients)
    reader = clients.start(_read())
    clients.run_until(lambda: reader.done)
    found, wanted = reader.result, stage.clients * stage.times
    if found == str(wanted):
        return "", ""
    who = "One client" if stage.clients == 1 else f"{stage.clients} clients"
    times = {1: "once", 2: "twice"}.get(stage.times, f"{stage.times} times")
    each = "" if stage.clients == 1 else " each"
    says = f"{who} counted {times}{each}, and the counter says {found or 'nothing'} instead of {wanted}."
    return says, told


def _read() -> Program:
    response = yield Range(KEY.encode())
    return response.kvs[0].value.decode(errors="replace") if response.kvs else ""


def _told(clients: Clients) -> str:
    """What was asked and told, in order; the first dozen."""
    lines = [f"{asked.client}: {asked.call.request} gave {_short(asked.call.outcome)}" for asked in clients.asked[:12]]
    more = f"; and {len(clients.asked) - 12} more" if len(clients.asked) > 12 else ""
    return "; ".join(lines) + more


def _short(outcome: Any) -> str:
    match outcome:
        case RangeResponse(_, kvs):
            return kvs[0].value.decode(errors="replace") if kvs else "nothing"
        case TxnResponse():
            return "yes" if outcome.succeeded else "no"
        case None:
            return "no answer"
        case _:
            return f"revision {outcome.revision}" if hasattr(outcome, "revision") else str(outcome)
