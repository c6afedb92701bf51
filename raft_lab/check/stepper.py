"""A run in progress: a world in which one action follows another, and everything is asked after each."""

from __future__ import annotations

from dataclasses import fields, replace
from typing import Any

from raft_lab.check.clients import Listener
from raft_lab.check.invariants import broken_by
from raft_lab.check.linearizability import check_linearizable
from raft_lab.check.models import machine
from raft_lab.raft.errors import HandlerError
from raft_lab.sim import actions as act
from raft_lab.sim.actions import Action, OnMessage
from raft_lab.sim.errors import UnknownName
from raft_lab.sim.schedule import Timing
from raft_lab.sim.tape import Violation
from raft_lab.sim.world import Transition, World

NO_HANDLER_FAILS = "No Handler Fails"
"""What is broken when a handler raises, or leaves something behind that is not a value."""

LINEARIZABILITY = "Linearizability"
"""What is broken when no order of the clients' operations explains what they were told."""
JUDGING = 20_000
"""So many steps may go into looking for that order; what is not found out by then is not held against anybody."""


class Stepper:
    """A world, and where time passes, what the clock shows and when each timer may run out.

    Args:
        world: where it starts.
        timing: clocks and their speeds; None if time stands still, and timers may run out whenever they like.
        now_us: what the clock shows at the start.
    """

    def __init__(self, world: World, timing: Timing | None = None, now_us: int = 0) -> None:
        self.world = world
        self.timing = timing
        self.now_us = now_us
        self._since = dict.fromkeys(world.servers, now_us)
        self._clients = Listener(world)

    def refusal(self, action: Action) -> str | None:
        """Why `action` cannot happen now, or None."""
        try:
            refusal = action.refusal(self.world)
        except UnknownName as unknown:
            return str(unknown)
        if refusal is None and isinstance(action, act.Timeout | act.Silence) and self.early_us(action.server) > 0:
            return f"the timer of {action.server} has not run that long"
        return refusal

    def early_us(self, server: str) -> int:
        """How long it is until the shortest election timeout of `server` has passed."""
        if self.timing is None:
            return 0
        return self._since[server] + self.timing.lasts(server, self.timing.election_timeout_us[0]) - self.now_us

    def perform(self, action: Action) -> Transition:
        """Let `action`, which is possible, happen.

        Raises:
            HandlerError: a handler failed.
        """
        timing, before = self.timing, self.world
        if timing is None:
            done = action.perform(self.world)
        else:
            if isinstance(action, act.Stall):
                self.now_us += action.us
            actor = action.actor
            done = action.perform(self.world, timing.local(actor, self.now_us))
            if actor and (done.timer_reset or isinstance(action, act.Restart | act.Boot | act.Timeout)):
                self._since[actor] = self.now_us
        self.world = done.world
        self._clients.hear(before, action, done)
        return done

    def ask(self, action: Action) -> tuple[Transition | None, list[Violation]]:
        """Let `action` happen; answers with what it did (None if a handler failed), and what it has broken."""
        before = self.world
        try:
            done = self.perform(action)
        except HandlerError as error:
            return None, [Violation(NO_HANDLER_FAILS, str(error))]
        return done, broken_by(before, action, done)

    def told(self) -> Violation | None:
        """What is wrong with all that clients were told, or None. Who reads locally has asked for no more than that."""
        history = self._clients.history()
        server: Any = self.world.behaviour
        strong = tuple(o for o in history.operations if not o.kind.endswith("(local)"))
        model = machine(server, history.start)
        verdict = check_linearizable(replace(history, operations=strong), model, budget=JUDGING)
        return Violation(LINEARIZABILITY, verdict.reason) if verdict.linearizable is False else None

    def fitting(self, action: Action) -> Action | None:
        """`action` as it is possible here, or None.

        A message is known by its content. If that very message is not in flight, the most similar one of its kind
        between the same two servers takes its place.
        """
        if isinstance(action, OnMessage) and action.message not in self.world.network:
            m = action.message
            alike = [o for o in self.world.network if (type(o), o.src, o.dst) == (type(m), m.src, m.dst)]
            if not alike:
                return None
            names = [field.name for field in fields(m)]
            closest = max(alike, key=lambda o: sum(getattr(o, name) == getattr(m, name) for name in names))
            action = replace(action, message=closest)
        return action if self.refusal(action) is None else None
