"""Up to where a search looks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class Bounds:
    """Up to where to look. Each number limits one thing in every run.

    What goes beyond a bound on the situation (`messages`) is still done and checked, but not gone on from.

    There is no bound for two things. Reads by lease rest on clocks, which stand still in a search: `fuzz` has them.
    And a server that boots waits until somebody adds it, so it might as well be there from the beginning: boot it
    before, and allow `reconfigurations`.

    Attributes:
        term: highest term that a server may start an election for.
        log: longest log to which a client's command or a configuration is still proposed.
        messages: most messages in flight.
        commands: how many commands clients propose to a leader.
        retries: how often a client sends its last command again, for want of an answer: of every session that a
            leader's log knows. The commands above are of no session; propose one of a session before.
        heartbeats: how many heartbeat rounds leaders send.
        crashes: how many crashes there are (restarts are free).
        drops: how many messages are lost. Undelivered is as good as lost, unless `messages` is short.
        duplicates: how many messages are duplicated.
        reads: how many strong reads clients ask a leader for.
        reconfigurations: how often an administrator asks a leader for other learners, or by joint consensus for
            voters of whom one or two are new or gone.
        single_changes: how often an administrator asks a leader for one voter more or less.
        transfers: how often an administrator asks a leader to hand over.
        compactions: how often a server puts a snapshot in place of what it has applied.
        depth: most actions in a run.
        states: most situations looked at in all.
    """

    term: int = 2
    log: int = 3
    messages: int = 8
    commands: int = 0
    retries: int = 0
    heartbeats: int = 0
    crashes: int = 0
    drops: int = 0
    duplicates: int = 0
    reads: int = 0
    reconfigurations: int = 0
    single_changes: int = 0
    transfers: int = 0
    compactions: int = 0
    depth: int = 30
    states: int = 50_000

    def __post_init__(self) -> None:
        for name in self.__dataclass_fields__:
            value = getattr(self, name)
            if type(value) is not int or value < 0:
                raise ValueError(f"the bound {name} must be a whole number from 0 on, not {value!r}")

    def __str__(self) -> str:
        always = ("term", "log", "messages", "depth", "states")
        set_to = {name: getattr(self, name) for name in self.__dataclass_fields__}
        return ", ".join(f"{name} {n:,}" for name, n in set_to.items() if n or name in always)


class Left(NamedTuple):
    """How much of each limited thing a run has left."""

    commands: int
    retries: int
    heartbeats: int
    crashes: int
    drops: int
    duplicates: int
    reads: int
    reconfigurations: int
    single_changes: int
    transfers: int
    compactions: int

    @classmethod
    def of(cls, bounds: Bounds) -> Left:
        """All of it."""
        return cls(*(getattr(bounds, name) for name in cls._fields))

    def less(self, name: str) -> Left:
        """One less."""
        return self._replace(**{name: getattr(self, name) - 1})
