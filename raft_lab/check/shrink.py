"""Making a run that goes wrong smaller, until no single action can be left out (A. Zeller's delta debugging).

Every candidate is done again from the start, and counts only if the same invariant breaks, as the first one. An
action that has become impossible is passed over. A message is known by its content, which changes when something
before it is left out: then the most similar one of its kind between the same two servers takes its place.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from raft_lab.check.counterexample import Counterexample
from raft_lab.check.liveness import PROGRESS, Recovery
from raft_lab.check.stepper import LINEARIZABILITY, Stepper
from raft_lab.sim import actions as act
from raft_lab.sim.actions import Action, OnMessage
from raft_lab.sim.arguments import first_world
from raft_lab.sim.tape import Violation
from raft_lab.sim.world import World

BUDGET = 3000
"""How many candidates are done again, unless another number is given."""
PLAIN = "x"
"""What a client asks for, where it does not matter what."""


def shrink(found: Counterexample, *, replays: int = BUDGET, alone: bool = False) -> Counterexample:
    """A smaller run that breaks the same invariant.

    Args:
        found: a run that goes wrong.
        replays: how many candidates may be tried.
        alone: whether only what `found` breaks counts, so that something else may be broken before it.

    Returns:
        A run in which, if `minimal`, no single action can be left out; else the budget ran out before.

    Raises:
        ValueError: `found` does not break what it says, or `replays` is not a positive number.
    """
    if not isinstance(found, Counterexample):
        raise TypeError(f"shrink takes the Counterexample of a report, not {found!r}"[:200])
    if not isinstance(replays, int) or replays < 1:
        raise ValueError(f"replays must be a whole number above 0, not {replays!r}")
    search = _Search(found, replays, alone)
    if not search.attempt(found.actions):
        raise ValueError(f"this run does not break {found.violation.invariant}, or something else before it")
    try:
        search.leave_out()
        while search.simplify():
            search.leave_out()
    except _OutOfBudgetError:
        return search.best
    return replace(search.best, minimal=True)


class _OutOfBudgetError(Exception):
    """The budget of replays is used up."""


class _Search:
    """The smallest run so far, and how many more candidates may be tried."""

    def __init__(self, found: Counterexample, replays: int, alone: bool) -> None:
        self.left = replays
        self.alone = alone
        self.best = found

    def attempt(self, actions: Iterable[Action], start: World | None = None) -> bool:
        """Try a candidate; if it breaks the same, it is the smallest run from now on."""
        if not self.left:
            raise _OutOfBudgetError
        self.left -= 1
        done = replay(self.best, self.best.start if start is None else start, actions, self.alone)
        self.best = done or self.best
        return done is not None

    def leave_out(self) -> None:
        """Leave out halves, quarters … and single actions, the last ones first, until none can be left out."""
        size = max(1, len(self.best.actions) // 2)
        while True:
            end, gone = len(self.best.actions), False
            while end > 0:
                begin = max(0, end - size)
                actions = self.best.actions
                if self.attempt(actions[:begin] + actions[end:]):
                    gone = True
                end = min(begin, len(self.best.actions))
            if size == 1 and not gone:
                return
            size = max(1, size // 2)

    def simplify(self) -> bool:
        """Fewer servers, and plainer actions in place of what happens; did anything change?"""
        first = self.best
        for name in reversed(tuple(first.start.servers)):
            if (smaller := _without_server(self.best.start, name)) is not None:
                spared = [_spared(action, name) for action in self.best.actions]
                self.attempt([action for action in spared if action is not None], smaller)
        for number in range(len(first.actions)):
            actions = self.best.actions
            for plainer in _plainer(actions[number]) if number < len(actions) else ():
                if self.attempt((*actions[:number], plainer, *actions[number + 1 :])):
                    break
        return self.best is not first


def replay(
    found: Counterexample, start: World, actions: Iterable[Action], alone: bool = False
) -> Counterexample | None:
    """Do `actions` again, as far as they are possible; None unless they break what `found` does.

    Nothing else may be broken before that, unless it `alone` counts.

    Answers with the run that was really taken.
    """
    run, taken, wanted = Stepper(start, found.timing), [], found.violation.invariant
    for action in actions:
        fitting = run.fitting(action)
        if fitting is None:
            continue
        taken.append(fitting)
        done, broken = run.ask(fitting)
        if same := next((violation for violation in broken if violation.invariant == wanted), None):
            return _run(found, start, taken, same)
        if done is None or (broken and not alone):
            return None
    last = {PROGRESS: lambda: Recovery(run).violation, LINEARIZABILITY: run.told}.get(wanted)
    wrong = last() if last is not None else None
    return _run(found, start, taken, wrong) if wrong is not None and wrong.invariant == wanted else None


def _run(found: Counterexample, start: World, actions: list[Action], violation: Violation) -> Counterexample:
    origin = found.origin if start is found.start else ""
    return replace(found, start=start, actions=tuple(actions), violation=violation, shortest=False, origin=origin)


def _without_server(world: World, name: str) -> World | None:
    """The same beginning with a server less; None if it is more than a beginning."""
    names = tuple(world.servers)
    behaviour: Any = world.behaviour
    if len(names) == 1 or world != first_world(names, behaviour, {}):
        return None
    return first_world(tuple(other for other in names if other != name), behaviour, {})


def _spared(action: Action, name: str) -> Action | None:
    """The same action where there is no server `name`; None if it is about that server."""
    match action:
        case OnMessage(message) if name in (message.src, message.dst):
            return None
        case act.OnLink(src, dst) if name in (src, dst):
            return None
        case act.TransferLeadership(to=to) if name == to:
            return None
        case act.Partition(groups):
            return act.Partition(tuple(group - {name} for group in groups))
        case act.Reconfigure(voters=voters, learners=learners):
            action = replace(action, voters=voters - {name}, learners=learners - {name})
    return None if action.actor == name else action


def _plainer(action: Action) -> Iterator[Action]:
    """Actions that say less."""
    if isinstance(action, act.Propose) and action.op != PLAIN:
        if action.client:
            yield act.Propose(action.server, PLAIN)
        yield replace(action, op=PLAIN)
