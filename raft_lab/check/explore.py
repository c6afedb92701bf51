"""Breadth-first exploration: every run within stated bounds, shortest first.

What it finds is the shortest run that breaks an invariant. What it does not find is not there within the
bounds; that is all it ever says.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Literal

from raft_lab.check.bounds import Bounds
from raft_lab.check.counterexample import Counterexample, Run, in_lines
from raft_lab.check.engine import Engine
from raft_lab.check.invariants import INVARIANTS, Invariant, broken_by, broken_in
from raft_lab.check.purity import ImpureHandler, impurity, refuse_impure
from raft_lab.check.remembering import is_reference
from raft_lab.check.search import NOWHERE, Found, Search
from raft_lab.check.symmetry import symmetries
from raft_lab.raft.errors import HandlerError, RaftLabError
from raft_lab.sim.actions import Action
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.tape import Violation
from raft_lab.sim.world import World, behaviour_name

__all__ = ["Bounds", "Counterexample", "Report", "Run", "explore"]

Question = Callable[[World], bool]

MOST_RENAMED = 5
"""Of more servers there are too many renamings: 5,040 of 7, and for 25 a search would never begin."""


@dataclass(frozen=True)
class Report:
    """What an exploration saw.

    Attributes:
        states: different situations reached; with symmetry, those that differ in the servers' names only count once.
        transitions: actions tried.
        depth: length of the longest run that was needed to come somewhere new.
        seconds: how long it took.
        bounds: the bounds that were set.
        hit: names of the bounds that kept it from looking further.
        counterexample: the shortest run that breaks an invariant, or None.
        reached: for every question asked with `reach`, whether some run came there.
        failure: what a handler raised, or why its class cannot be trusted, in words; or ''.
        found: the shortest run to what `until` asks for, or None.
        failing: the run at whose end the handler failed, or None.
        interrupted: whether somebody stopped it before it was done.
        symmetry: by how many renamings of the servers it was reduced; 1 is by none.
        handler_calls: how often a handler had to be run for all these transitions.
        bytes_per_state: memory for the states and what is remembered of them, as `sys.getsizeof` has it.
    """

    states: int
    transitions: int
    depth: int
    seconds: float
    bounds: Bounds
    hit: frozenset[str]
    counterexample: Counterexample | None = None
    reached: dict[str, bool] = field(default_factory=dict)
    failure: str = ""
    found: Run | None = None
    failing: Run | None = None
    interrupted: bool = False
    symmetry: int = 1
    handler_calls: int = 0
    bytes_per_state: int = 0

    @property
    def states_per_second(self) -> int:
        """How fast it was."""
        return round(self.states / self.seconds) if self.seconds else 0

    def __str__(self) -> str:
        seen = f"Explored {self.states:,} states and {self.transitions:,} actions, up to {self.depth} deep"
        if self.symmetry > 1:
            seen += ", names of servers aside"
        if self.counterexample is not None:
            return f"{self.counterexample}\n({seen}.)"
        if self.failure:
            return f"{self.failure}\n({seen}.)"
        if self.found is not None:
            return f"{self.found}\n({seen}.)"
        stopped = f" (stopped by: {', '.join(sorted(self.hit))})" if self.hit else ""
        early = "interrupted; " if self.interrupted else ""
        lines = [f"{seen}, within the bounds {self.bounds}{stopped}: {early}no invariant is broken there."]
        if missed := [name for name, came in self.reached.items() if not came]:
            lines.append(f"Never reached: {', '.join(missed)}.")
        return "\n".join(lines)

    __repr__ = __str__

    def _repr_html_(self) -> str:
        return in_lines(str(self))


def explore(
    cluster: Cluster,
    *,
    bounds: Bounds | None = None,
    invariants: Collection[str] | None = None,
    reach: Mapping[str, Question] | None = None,
    until: Question | None = None,
    symmetry: bool | Literal["auto"] = "auto",
    **limits: int,
) -> Report:
    """Look at every run from where `cluster` stands, shortest first, until one breaks an invariant.

    Ctrl-C (or the notebook's stop button) ends it with what it has seen so far.

    One search uses one core. Several use all of them when each has a process of its own:

        def search(start):
            return explore(start(Mine), term=4)

        with ProcessPoolExecutor() as processes:
            reports = list(processes.map(search, [scenarios.figure_8, scenarios.log_conflict]))

    A report can be sent between processes, a cluster cannot; so it is made where it is searched.

    Args:
        cluster: it is not changed.
        bounds: up to where to look.
        invariants: names of the invariants to ask after every action; all of them if None.
        reach: questions about a world, by name; the report says which of them came true somewhere. A search
            that never reaches a leader proves nothing.
        until: stop at the nearest world of which this is true; the report has the run to it.
        symmetry: whether to look at one only of all situations that differ in the servers' names. "auto" does so where
            that is certain to miss nothing: with handlers that treat all servers alike, which is known of the
            reference alone (but for the choice of a successor when the configuration changes), and without
            questions, which may name a server; and only for up to five servers, which have 120 renamings.
        **limits: single bounds by name, `explore(cluster, crashes=1)`.

    Returns:
        A report; the same on every machine.

    Raises:
        ValueError: there is no such invariant or bound, a bound is not a number from 0 on, or symmetry is impossible.
        TypeError: an argument is of another kind than it should be.
        RaftLabError: a question failed.
    """
    asked = _asked(invariants)
    _refuse(cluster, bounds, reach, until, symmetry, limits)
    bounds = replace(bounds or Bounds(), **limits)
    world = cluster.world
    if symmetry == "auto":
        symmetry = (
            len(world.servers) <= MOST_RENAMED
            and is_reference(world.behaviour)
            and not (bounds.reconfigurations or bounds.single_changes or reach or until or _changes(world))
        )
    if symmetry and len(world.servers) > MOST_RENAMED:
        raise ValueError(
            f"symmetry tries every renaming, which are too many for {len(world.servers)} servers: it takes at most "
            f"{MOST_RENAMED}; leave it out, or explore a smaller cluster"
        )
    if symmetry and (own := sorted({name for state in world.servers.values() for name in state.extra})):
        raise ValueError(
            f"symmetry gives servers other names, and nobody has said where {own[0]}, a field of "
            f"{behaviour_name(world.behaviour)}'s own, holds names: leave it out"
        )
    engine = Engine(world, bounds, asked, symmetries(world) if symmetry else ())
    report = _Exploration(engine, Search(engine), dict(reach or {}), until, cluster.code()).report()
    return report if report.failure else _if_pure(world, report)


def _asked(invariants: Any) -> tuple[Invariant, ...]:
    """The invariants of these names; one may be named alone."""
    if invariants is None:
        return tuple(INVARIANTS)
    names = list(invariants) if isinstance(invariants, Iterable) and not isinstance(invariants, str) else [invariants]
    known = {invariant.name for invariant in INVARIANTS}
    if unknown := [name for name in names if not isinstance(name, str) or name not in known]:
        raise ValueError(f"there is no invariant called {unknown[0]!r}; INVARIANTS lists them")
    return tuple(invariant for invariant in INVARIANTS if invariant.name in names)


def _refuse(cluster: Any, bounds: Any, reach: Any, until: Any, symmetry: Any, limits: Mapping[str, Any]) -> None:
    """Say which argument is none."""
    if not isinstance(cluster, Cluster):
        raise TypeError(f"explore looks at the runs of a cluster, explore(Cluster(3)), not of {cluster!r}"[:200])
    if not isinstance(bounds, Bounds | None):
        raise TypeError(f"bounds are Bounds(crashes=1), or just explore(cluster, crashes=1), not {bounds!r}"[:200])
    if unknown := [name for name in limits if name not in Bounds.__dataclass_fields__]:
        raise ValueError(f"there is no bound {unknown[0]!r}; the bounds are {', '.join(Bounds.__dataclass_fields__)}")
    if not (reach is None or (isinstance(reach, Mapping) and all(map(callable, reach.values())))):
        raise TypeError(f"reach maps names to functions of a world, {{'two leaders': lambda world: …}}, not {reach!r}")
    if not (until is None or callable(until)):
        raise TypeError(f"until is a function of a world, not {until!r}"[:200])
    if not (isinstance(symmetry, bool) or symmetry == "auto"):
        raise ValueError(f"symmetry is True, False or 'auto', not {symmetry!r}"[:200])


def _if_pure(world: World, report: Report) -> Report:
    """What was seen counts only if the handlers would do the same again."""
    try:
        refuse_impure(world.behaviour)
    except HandlerError as error:
        return replace(report, counterexample=None, found=None, failure=str(error))
    return report


def _changes(world: World) -> bool:
    """Whether the configuration is anything but everybody as a voter."""
    everybody = frozenset(world.servers)
    return any(
        state.log.configuration_index or state.configuration.voters != everybody for state in world.servers.values()
    )


@dataclass
class _Exploration:
    engine: Engine
    search: Search
    reach: dict[str, Question]
    until: Question | None
    origin: str

    def report(self) -> Report:
        """Search, and say what was seen."""
        begun = time.perf_counter()
        engine, search, bounds = self.engine, self.search, self.engine.bounds
        self.reached = dict.fromkeys(self.reach, False)
        watch = self.watch if self.reach or self.until else None
        failure, failing, counterexample = "", None, self.at_the_start()
        try:
            found = search.found() if counterexample else search.run(bounds.depth, bounds.states, watch)
            if found.stopped != "interrupted":
                engine.behaviour.recheck()
            counterexample = counterexample or self.counterexample(found)
        except HandlerError as error:
            failure, found, counterexample = self.reason(error), search.found(), None
            if engine.doing is not None and search.at != NOWHERE:
                failing = self.run((*search.path(search.at), engine.doing))
        if found.stopped in ("depth", "states"):
            engine.hit.add(found.stopped)
        return Report(
            found.states,
            found.transitions,
            found.depth,
            time.perf_counter() - begun,
            bounds,
            frozenset(engine.hit),
            counterexample,
            self.reached,
            failure,
            self.run(found.path) if found.stopped == "found" else None,
            failing,
            found.stopped == "interrupted",
            len(engine.renamings),
            engine.behaviour.calls,
            search.memory() // max(found.states, 1),
        )

    def reason(self, error: HandlerError) -> str:
        """What failed; of one that did two different things, what it decides by, whether or not it shows each time."""
        why = impurity(self.engine.start.behaviour) if isinstance(error, ImpureHandler) else ""
        return why or str(error)

    def watch(self, state: int) -> bool:
        """Ask the questions about a new state, and whether it is the one that is looked for."""
        world = self.engine.world(*self.search.parts(state))
        for name, asks in self.reach.items():
            if not self.reached[name] and self.ask(f"the question {name!r}", asks, world):
                self.reached[name] = True
        return self.until is not None and self.ask("until", self.until, world)

    def ask(self, name: str, question: Question, world: World) -> bool:
        """What a question says; if it fails, which one it was."""
        try:
            return bool(question(world))
        except Exception as error:
            raise RaftLabError(
                f"{name} failed: {type(error).__name__}: {error}. A question is a function of a World, as in "
                "lambda world: any(state.is_leader for state in world.servers.values())"
            ) from error

    def run(self, actions: tuple[Action, ...]) -> Run:
        """A run from the start."""
        return Run(self.engine.start, actions, self.origin)

    def asked(self, broken: Iterable[Violation]) -> Violation | None:
        """The first of those invariants that count."""
        names = {invariant.name for invariant in self.engine.invariants}
        return next((violation for violation in broken if violation.invariant in names), None)

    def at_the_start(self) -> Counterexample | None:
        """What is broken before anything happens needs no run."""
        start = self.engine.start
        violation = self.asked(broken_in(start))
        return None if violation is None else Counterexample(start, (), violation, True, self.origin)

    def counterexample(self, found: Found) -> Counterexample | None:
        """The run that breaks something, with what it breaks in words."""
        if found.stopped != "broken":
            return None
        world, last = self.engine.start, found.path[-1]
        for action in found.path[:-1]:
            world = action.perform(world).world
        violation = self.asked(broken_by(world, last, last.perform(world)))
        if violation is None:
            raise HandlerError(f"{self.engine.behaviour.__name__} broke something, and did not when it was asked again")
        return Counterexample(self.engine.start, found.path, violation, True, self.origin)
