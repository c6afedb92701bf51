"""A behaviour that asks another one once for each different (state, event)."""

from __future__ import annotations

from typing import Any

from raft_lab.check.purity import ImpureHandler
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.log import Log
from raft_lab.raft.rules import base
from raft_lab.raft.server import Server
from raft_lab.raft.state import Event, Outcome, State
from raft_lab.sim.world import Behaviour, behaviour_name


def is_reference(behaviour: Behaviour) -> bool:
    """Whether nobody but this package wrote it: the reference, perhaps with rules switched."""
    return isinstance(behaviour, type) and issubclass(behaviour, Server) and base(behaviour) is Server


class Remembering:
    """Steps of a server, each worked out once, and twice where somebody else wrote it."""

    def __init__(self, behaviour: Behaviour) -> None:
        self.__name__ = behaviour_name(behaviour)
        self.behaviour = behaviour
        self.known: dict[tuple[State, Event], Outcome] = {}
        self.trusted = is_reference(behaviour)
        self.calls = 0

    def step(self, state: State, event: Event, now: int = 0) -> Outcome:
        """What the behaviour does; see `Server.step`. The clock stands still.

        Raises:
            HandlerError: the handler failed; or, as an `ImpureHandler`, did something else the second time.
        """
        found = self.known.get((state, event))
        if found is None:
            found = self.behaviour.step(state, event, now)
            self.calls += 1
            if not self.trusted:
                self._compare(found, state, event)
            self.known[state, event] = found
        return found

    def recheck(self, limit: int = 2_000) -> None:
        """Ask the first steps again, now that others have happened in between.

        Raises:
            ImpureHandler: one of them gives something else now: something is kept outside of the state.
        """
        if not self.trusted:
            for (state, event), found in list(self.known.items())[:limit]:
                self._compare(found, state, event)

    def _compare(self, found: Outcome, state: State, event: Event) -> None:
        self.calls += 1
        if found != self.behaviour.step(state, event):
            raise ImpureHandler(
                f"{self.__name__} did two different things for the same state and event: a handler may use "
                "nothing but self and the message, no randomness, clock or global, and nothing kept on the class"
            )

    def initial(self, id: str, log: Log, current_term: int = 0, voted_for: str | None = None) -> State:
        """See `Server.initial`."""
        return self.behaviour.initial(id, log, current_term, voted_for)

    def timers(self, state: State) -> tuple[str, ...]:
        """See `Server.timers`."""
        running: tuple[str, ...] = self._ask("timers", state)
        return running

    def crashed(self, state: State) -> State:
        """See `Server.crashed`."""
        left: State = self._ask("crashed", state)
        return left

    def _ask(self, what: str, state: State) -> Any:
        try:
            return getattr(self.behaviour, what)(state)
        except HandlerError:
            raise
        except Exception as error:
            raise HandlerError(
                f"{self.__name__}.{what} failed on {state.id}: {type(error).__name__}: {error}"
            ) from error
