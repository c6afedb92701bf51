"""Processes of an application: programs with a clock of their own, which somebody else lets run.

A program is a generator, as in `raft_lab.kv.clients`: it yields what it wants and is sent what it gets. So one and the
same text runs in a simulated cluster's time, by hand one step after the other, and against a real server.

    def program(context):
        lease = yield Ask(Get("leases", "default", "demo"), context)     # an `ApiError` or `NoAnswer` is raised here
        yield Sleep(2_000_000, context)
"""

from __future__ import annotations

from collections.abc import Callable, Generator
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from raft_lab.raft.errors import RaftLabError


class Clock(Protocol):
    """What a process knows of time."""

    def now_us(self) -> int:
        """Microseconds that never jump and count from no particular moment (Go's monotonic reading)."""

    def wall_us(self) -> int:
        """What the wall clock shows, in microseconds since 1970; it may be wrong, and may jump."""


class NoAnswer(RaftLabError):
    """A request ended without an answer. If it changes something, that may have happened, or may still."""


class Canceled(NoAnswer):
    """The context was canceled."""

    def __init__(self) -> None:
        super().__init__("context canceled")


class DeadlineExceeded(NoAnswer):
    """The context's time was over."""

    def __init__(self) -> None:
        super().__init__("context deadline exceeded")


class ConnectionRefused(NoAnswer):
    """Nobody listens there."""

    def __init__(self, what: str = "connect: connection refused") -> None:
        super().__init__(what)


class Context:
    """How long something may go on: until it is canceled or its time is over, or that of the context it came from.

    It is Go's `context.Context`, as far as it is needed here.
    """

    def __init__(self, clock: Clock, parent: Context | None = None, deadline_us: int | None = None) -> None:
        self.clock = clock
        self._parent = parent
        self._canceled = False
        deadlines = [deadline_us, parent.deadline_us if parent else None]
        self.deadline_us: int | None = min((d for d in deadlines if d is not None), default=None)
        """When its time is over, by its process' own clock."""

    def with_cancel(self) -> Context:
        """A context that ends with this one, and can be canceled by itself."""
        return Context(self.clock, self)

    def with_timeout(self, us: int) -> Context:
        """A context that ends with this one, or after so many microseconds."""
        return Context(self.clock, self, self.clock.now_us() + us)

    def cancel(self) -> None:
        """End it."""
        self._canceled = True

    @property
    def canceled(self) -> bool:
        """Whether it, or one that it came from, was canceled."""
        return self._canceled or (self._parent is not None and self._parent.canceled)

    @property
    def error(self) -> NoAnswer | None:
        """Why it is over; None as long as it is not."""
        if self.canceled:
            return Canceled()
        if self.deadline_us is not None and self.clock.now_us() >= self.deadline_us:
            return DeadlineExceeded()
        return None

    @property
    def done(self) -> bool:
        """Whether it is over."""
        return self.error is not None


@dataclass(frozen=True, slots=True)
class Ask:
    """A process asks a server, and goes on with the answer; or with its context's error when that is over before.

    Attributes:
        request: what it asks for: one of `raft_lab.kube.requests`, or of `raft_lab.kv.requests`.
        context: how long it waits.
    """

    request: Any
    context: Context


@dataclass(frozen=True, slots=True)
class Sleep:
    """A process does nothing for so many microseconds of its own clock, or until the context is over."""

    us: int
    context: Context


Wish: TypeAlias = Ask | Sleep
Program: TypeAlias = Generator[Any, Any, Any]


class HandClock:
    """A clock that stands still until it is told to go on, so that a program can be run by hand.

    Args:
        now_us: what it shows first.
        tick_us: how far it goes on by itself whenever somebody looks at it, as no real clock shows one time twice.
    """

    def __init__(self, now_us: int = 0, tick_us: int = 0) -> None:
        self.time_us = now_us
        self.tick_us = tick_us

    def now_us(self) -> int:
        self.time_us += self.tick_us
        return self.time_us

    def wall_us(self) -> int:
        return self.now_us()

    def go_on(self, us: int) -> None:
        """Let time pass."""
        self.time_us += us


def run_by_hand(program: Program, answer: Callable[[Any], Any], clock: HandClock) -> Any:
    """Run a program to its end: every request is answered at once, and where it sleeps the clock goes on.

    Args:
        program: what runs.
        answer: what a request gets; an error that it raises is raised in the program.
        clock: the clock that the program looks at.

    Returns:
        What the program returns.
    """
    told: Any = None
    try:
        while True:
            wish = program.throw(told) if isinstance(told, Exception) else program.send(told)
            told = None
            match wish:
                case Sleep(us, context):
                    if not context.done:
                        rest = us if context.deadline_us is None else min(us, context.deadline_us - clock.time_us)
                        clock.go_on(max(rest, 0))
                case Ask(request, context):
                    told = context.error
                    if told is None:
                        try:
                            told = answer(request)
                        except RaftLabError as error:
                            told = error
    except StopIteration as end:
        return end.value
