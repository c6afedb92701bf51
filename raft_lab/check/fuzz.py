"""Deterministic simulation testing: many random runs with many faults, and each of them can be had again by its seed.

    fuzz(Server)                                # a hundred runs
    fuzz(Mine, seeds=10_000, executor=ProcessPoolExecutor())
    fuzz(Mine, seeds=[4711])                    # that run again

After every action all invariants are asked. At the end of a run just enough servers are healed, and they must make
progress; and there must be an order of the clients' operations that explains what they were told. What goes wrong is
made as small as it gets. The manners are those of FoundationDB and TigerBeetle.
"""

from __future__ import annotations

import itertools
from collections import Counter, deque
from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future
from dataclasses import dataclass, field
from pickle import PicklingError
from typing import Any

from raft_lab.check.counterexample import Counterexample
from raft_lab.check.coverage import behaviour
from raft_lab.check.invariants import INVARIANTS
from raft_lab.check.liveness import PROGRESS, Recovery, healing
from raft_lab.check.mixes import LEASES, MIXES, SWARM, Mix
from raft_lab.check.purity import impurity
from raft_lab.check.shrink import shrink
from raft_lab.check.stepper import LINEARIZABILITY, NO_HANDLER_FAILS
from raft_lab.check.walk import Walk
from raft_lab.raft.errors import RaftLabError
from raft_lab.raft.rules import base
from raft_lab.raft.server import Server
from raft_lab.sim.actions import Action
from raft_lab.sim.schedule import draw
from raft_lab.sim.tape import Violation

TASK = 10
"""So many runs are handed to an executor at a time."""
AHEAD = 32
"""So many tasks are handed out before the first is done."""


@dataclass(frozen=True, slots=True)
class Plan:
    """What all runs of a campaign have in common.

    Attributes:
        server: how servers react.
        actions: how many actions a run has before it is healed.
        mix: the family of runs; None lets each seed choose.
        invariants: names of the invariants that count; None for all.
    """

    server: type[Server]
    actions: int
    mix: Mix | None
    invariants: frozenset[str] | None

    def mix_of(self, seed: int) -> Mix:
        """The family to which the run of this seed belongs."""
        return self.mix or (LEASES if draw(seed, "mix") % 8 == 0 else SWARM)

    def walk(self, seed: int) -> Walk:
        """The run of this seed, at its beginning."""
        return Walk(seed, self.server, self.mix_of(seed))

    def counts(self, broken: Iterable[Violation]) -> list[Violation]:
        """Those violations that were asked for."""
        return [v for v in broken if self.invariants is None or v.invariant in self.invariants]

    def code(self, seed: int) -> str:
        """Python that does the run of this seed again."""
        rest = "" if self.mix is None else f", mix={self.mix.name!r}"
        rest += "" if self.invariants is None else f", invariants={sorted(self.invariants)!r}"
        return f"fuzz({server_code(self.server)}, seeds=[{seed}], actions={self.actions}{rest})"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one run came to.

    Attributes:
        seed: which run.
        actions: how many actions it had, with those of healing and of going on.
        seen: what happened, and how often.
        violation: what broke at its end, or None.
    """

    seed: int
    actions: int
    seen: Mapping[str, int]
    violation: Violation | None = None


@dataclass(frozen=True)
class Finding:
    """A run that goes wrong.

    Attributes:
        seed: which run.
        violation: what broke.
        actions: how many actions the run had.
        code: Python that does the run again.
        counterexample: the run made small; for the first finding of each kind only.
    """

    seed: int
    violation: Violation
    actions: int
    code: str
    counterexample: Counterexample | None = field(default=None, compare=False)

    def lab(self, **options: Any) -> Any:
        """The small run on screen, at its beginning and ready to be played.

        Raises:
            RaftLabError: this finding was not made small, because another one of its kind was.
        """
        if self.counterexample is None:
            raise RaftLabError(f"only the first finding of its kind was made small; for this one: {self.code}")
        return self.counterexample.lab(**options)

    def __str__(self) -> str:
        small = f" {len(self.counterexample.actions)} do." if self.counterexample is not None else ""
        return f"seed {self.seed}: {self.violation} After {self.actions} actions.{small} Again: {self.code}"


@dataclass(frozen=True)
class FuzzReport:
    """What a campaign saw. It never says "verified".

    Attributes:
        runs: how many runs there were.
        actions: how many actions in all.
        seen: what happened, and how often.
        missing: what should have happened in such runs, and never did.
        findings: the runs that went wrong, in the order of their seeds.
        interrupted: whether it was stopped by hand, so that this is the result so far.
        stopped: whether it ended early because enough runs had gone wrong.
        failure: why nothing was tried: the class may do something else when a run is made again; or ''.
    """

    runs: int
    actions: int
    seen: Mapping[str, int]
    missing: tuple[str, ...]
    findings: tuple[Finding, ...] = ()
    interrupted: bool = False
    stopped: bool = False
    failure: str = ""

    def __str__(self) -> str:
        lines = [self.summary(), *map(str, self.findings)]
        lines += [str(f.counterexample) for f in self.findings if f.counterexample is not None][:1]
        return "\n".join(lines)

    def summary(self) -> str:
        """How much was tried, what came of it, and what happened on the way."""
        if self.failure:
            return f"{self.failure}."
        early = " (interrupted)" if self.interrupted else " (it stopped there)" if self.stopped else ""
        wrong = f"{len(self.findings)} went wrong" if self.findings else "nothing was broken in what they did"
        seen = ", ".join(f"{what} {count:,}" for what, count in self.seen.items())
        lines = [f"{self.runs:,} runs, {self.actions:,} actions{early}: {wrong}.", f"It happened: {seen}."]
        if self.missing:
            lines.append(f"It never happened, so nothing is known of it: {', '.join(self.missing)}.")
        return "\n".join(lines)

    __repr__ = __str__


def fuzz(
    server: type[Server] = Server,
    seeds: int | Iterable[int] = 100,
    actions: int = 400,
    *,
    mix: Mix | str | None = None,
    invariants: Collection[str] | None = None,
    findings: int = 5,
    executor: Executor | None = None,
    progress: bool = True,
) -> FuzzReport:
    """Let many random runs go wrong if they can.

    Args:
        server: how servers react: `Server`, or any subclass of it.
        seeds: which runs, or how many: 100 are those of the seeds 0 to 99.
        actions: how many actions each run has before it is healed.
        mix: the family of runs, or its name (`MIXES` has them); if None each seed chooses.
        invariants: names of the invariants that count; all of them if None. "Progress", "Linearizability" and
            "No Handler Fails" count like the others.
        findings: stop when so many runs have gone wrong.
        executor: where runs are made; here and now if None. Its number of workers changes nothing but the time.
        progress: whether to show how far it is.

    Returns:
        A report; the same on every machine, and with any executor. If it is interrupted (Ctrl-C, or the notebook's
        stop button), the report so far.

    Raises:
        ValueError: an argument makes no sense.
        RaftLabError: the executor's workers cannot be given `server`.
    """
    plan = Plan(server, actions, *_checked(server, actions, mix, invariants, findings, executor))
    numbers = _numbers(seeds)
    if why := impurity(server):
        return FuzzReport(0, 0, {}, (), failure=why)
    results = _here(plan, numbers) if executor is None else _there(plan, numbers, executor)
    done: list[Outcome] = []
    failed: list[Outcome] = []
    interrupted = False
    with _bar(len(numbers), progress) as bar:
        try:
            for outcome in results:
                done.append(outcome)
                bar.update()
                if outcome.violation is not None:
                    failed.append(outcome)
                    bar.set_postfix_str(f"{len(failed)} went wrong")
                    if len(failed) == findings:
                        break
        except KeyboardInterrupt:
            interrupted = True
        finally:
            results.close()
    return _report(plan, done, failed, interrupted, len(done) < len(numbers))


def play(plan: Plan, seed: int) -> Outcome:
    """One run, from its seed to what it came to."""
    return _play(plan, seed)[0]


def counterexample(plan: Plan, seed: int) -> Counterexample:
    """The run of this seed, which goes wrong, as it is.

    Raises:
        ValueError: it does not go wrong.
    """
    outcome, walk, taken = _play(plan, seed)
    if outcome.violation is None:
        raise ValueError(f"nothing goes wrong in the run of seed {seed}")
    return Counterexample(walk.start, tuple(taken), outcome.violation, False, timing=walk.weather.timing)


def server_code(server: type[Server]) -> str:
    """The Python that names `server`."""
    name: str = base(server).__name__
    if base(server) is not server:
        for call, rules in (("without", server.rules_off), ("with_rules", server.rules_on)):
            if rules:
                name = f"{call}({', '.join([name, *map(repr, rules)])})"
    return name


# --- One run -----------------------------------------------------------------------------------------


def _play(plan: Plan, seed: int) -> tuple[Outcome, Walk, list[Action]]:
    walk, taken = plan.walk(seed), []
    seen: Counter[str] = Counter()
    for action in _course(walk, plan.actions):
        before = walk.world
        taken.append(action)
        done, broken = walk.run.ask(action)
        counted = plan.counts(broken)
        if done is None or counted:
            return Outcome(seed, len(taken), seen, counted[0] if counted else None), walk, taken
        walk.heed(done)
        seen.update(behaviour(before, action, done))
    recovery = Recovery(walk.run)
    taken += recovery.actions
    wrong = recovery.violation or walk.run.told()
    counted = plan.counts([wrong] if wrong else [])
    return Outcome(seed, len(taken), seen, counted[0] if counted else None), walk, taken


def _course(walk: Walk, actions: int) -> Iterator[Action]:
    """What is drawn, and what heals a part of the cluster in the end."""
    while walk.number < actions:
        yield walk.next_action()
    yield from healing(walk.world, walk.key)


def _play_all(plan: Plan, seeds: Sequence[int]) -> list[Outcome]:
    """What a worker does."""
    return [play(plan, seed) for seed in seeds]


# --- Many runs ---------------------------------------------------------------------------------------


def _here(plan: Plan, seeds: Sequence[int]) -> Generator[Outcome, None, None]:
    for seed in seeds:
        yield play(plan, seed)


def _there(plan: Plan, seeds: Sequence[int], executor: Executor) -> Generator[Outcome, None, None]:
    """The outcomes in the order of the seeds, whoever is ready first."""
    tasks = (seeds[first : first + TASK] for first in range(0, len(seeds), TASK))
    waiting: deque[Future[list[Outcome]]] = deque()
    try:
        while True:
            waiting += [executor.submit(_play_all, plan, t) for t in itertools.islice(tasks, AHEAD - len(waiting))]
            if not waiting:
                return
            yield from waiting.popleft().result()
    except (PicklingError, AttributeError, BrokenExecutor) as error:
        raise RaftLabError(
            f"the executor's workers cannot run {plan.server.__name__} ({error}): define it in a module that they can "
            "import, not in a cell or a function; or leave the executor out"
        ) from error
    finally:
        for task in waiting:
            task.cancel()


def _report(plan: Plan, done: list[Outcome], failed: list[Outcome], interrupted: bool, incomplete: bool) -> FuzzReport:
    seen: Counter[str] = Counter()
    for outcome in done:
        seen.update(outcome.seen)
    mixes = dict.fromkeys(plan.mix_of(outcome.seed) for outcome in done)
    missing = dict.fromkeys(what for mix in mixes for what in mix.must if not seen[what])
    found: list[Finding] = []
    for outcome in failed:
        assert outcome.violation is not None
        first = all(f.violation.invariant != outcome.violation.invariant for f in found)
        small = None
        if first and not interrupted:
            small = shrink(counterexample(plan, outcome.seed), alone=plan.invariants is not None)
        found.append(Finding(outcome.seed, outcome.violation, outcome.actions, plan.code(outcome.seed), small))
    return FuzzReport(
        len(done),
        sum(outcome.actions for outcome in done),
        dict(sorted(seen.items())),
        tuple(missing),
        tuple(found),
        interrupted,
        incomplete and not interrupted,
    )


# --- Arguments ---------------------------------------------------------------------------------------


def _checked(
    server: Any, actions: Any, mix: Any, invariants: Any, findings: Any, executor: Any
) -> tuple[Mix | None, frozenset[str] | None]:
    if not (isinstance(server, type) and issubclass(server, Server)):
        raise ValueError(f"server must be a subclass of Server, not {server!r}")
    if not isinstance(executor, Executor | None):
        raise ValueError(f"executor is a concurrent.futures.Executor such as ProcessPoolExecutor(2), not {executor!r}")
    for name, number, least in (("actions", actions, 0), ("findings", findings, 1)):
        if not isinstance(number, int) or isinstance(number, bool) or number < least:
            raise ValueError(f"{name} must be a whole number from {least} on, not {number!r}")
    if isinstance(mix, str):
        if mix not in MIXES:
            raise ValueError(f"there is no mix {mix!r}; the mixes are: {', '.join(MIXES)}")
        mix = MIXES[mix]
    elif not isinstance(mix, Mix | None):
        raise ValueError(f"mix must be a Mix or the name of one, not {mix!r}")
    if invariants is None:
        return mix, None
    known = {invariant.name for invariant in INVARIANTS} | {PROGRESS, LINEARIZABILITY, NO_HANDLER_FAILS}
    names = list(invariants) if isinstance(invariants, Iterable) and not isinstance(invariants, str) else [invariants]
    if unknown := [name for name in names if not isinstance(name, str) or name not in known]:
        raise ValueError(f"there is no invariant called {unknown[0]!r}; INVARIANTS lists them")
    return mix, frozenset(names)


def _numbers(seeds: Any) -> Sequence[int]:
    if isinstance(seeds, range) and seeds:
        return seeds
    if isinstance(seeds, int) and not isinstance(seeds, bool):
        if seeds < 1:
            raise ValueError(f"at least one run is needed, not {seeds}")
        return range(seeds)
    numbers = tuple(seeds) if isinstance(seeds, Iterable) and not isinstance(seeds, str) else (None,)
    if not all(isinstance(seed, int) and not isinstance(seed, bool) for seed in numbers):
        raise ValueError(f"seeds are whole numbers, or how many there are to be, not {seeds!r}")
    if not numbers:
        raise ValueError("at least one run is needed, and these seeds are none")
    return numbers


def _bar(total: int, progress: bool) -> Any:
    from tqdm.auto import tqdm

    return tqdm(total=total, unit="run", disable=not progress, leave=False)
