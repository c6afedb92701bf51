"""Real time becomes the cluster's: what is due happens when real time reaches it, and no sooner."""

from __future__ import annotations

import time
from collections.abc import Callable

from raft_lab.kv.clients import Clients
from raft_lab.sim.cluster import Cluster

MOST_AT_ONCE_US = 50_000
"""However long nobody let the thread run, time moves on by no more than this: it slows down, and nothing is missed."""
BUDGET_SECONDS = 0.008
"""How long the engine works before somebody else may do something."""
EXACT_US = 1_000
"""The clock is moved on for a request that comes later than this after the latest step."""
IDLE_SECONDS = 0.25
"""How long nothing is due if time stands still, or if nothing will ever happen."""


class Pace:
    """The clock of a live cluster.

    Args:
        cluster: whose time it is.
        clients: those who live in this time.
        speed: seconds of the cluster's time for each second.
    """

    def __init__(self, cluster: Cluster, clients: Clients, speed: float) -> None:
        self.cluster = cluster
        self.clients = clients
        self.speed = speed
        self.paused = False
        self._clock = float(cluster.schedule.now_us)
        self._real = 0.0

    @property
    def speed(self) -> float:
        """Seconds of the cluster's time for each second."""
        return self._speed

    @speed.setter
    def speed(self, speed: float) -> None:
        if not (isinstance(speed, int | float) and not isinstance(speed, bool) and 0 < speed <= 1000):
            raise ValueError(f"a speed is a number above 0 and up to 1000, not {speed!r}")
        self._speed = float(speed)

    def begin(self) -> None:
        """From now on real time counts."""
        self._real = time.monotonic()

    def advance(self, newcomers: Callable[[], None] | None) -> float:
        """Let happen what is due by now; answers with how long nothing is, in seconds (0: there is more to do).

        Args:
            newcomers: lets programs begin that have come since, if there are any.
        """
        real = time.monotonic()
        until = real + BUDGET_SECONDS
        if not self.paused:
            self._clock += min((real - self._real) * 1e6 * self._speed, MOST_AT_ONCE_US * max(1.0, self._speed))
        self._real = real
        self._clock = max(self._clock, self.cluster.schedule.now_us)
        self.clients.catch_up()
        more, due = self._let_happen(until)
        if newcomers is not None:
            ahead_us = int(self._clock) - self.cluster.schedule.now_us
            if not more and not self.paused and ahead_us >= EXACT_US:
                self.cluster.wait(ahead_us / 1000)
            newcomers()
            more, due = self._let_happen(max(until, time.monotonic() + BUDGET_SECONDS / 2))
        if more:
            self._clock = min(self._clock, self.cluster.schedule.now_us + MOST_AT_ONCE_US * max(1.0, self._speed))
            return 0
        if self.paused or due is None:
            return IDLE_SECONDS
        return min(max((due - self._clock) / 1e6 / self._speed, 0.0005), MOST_AT_ONCE_US / 2e6)

    def _let_happen(self, until: float) -> tuple[bool, int | None]:
        """Whether there is more to do than time for it, and if not, when something is due next."""
        cluster, clients = self.cluster, self.clients
        while True:
            now_us = cluster.schedule.now_us
            due = cluster.schedule.next(cluster.world)
            waits = [process for process in clients.processes if process.due_us is not None]
            client = min(waits, key=lambda process: process.due_us or 0, default=None)
            at_us = max(client.due_us or 0, now_us) if client else 0
            if client and (due is None or at_us <= due[0] or at_us == now_us):
                if at_us > (now_us if self.paused else self._clock):
                    return False, at_us
                if at_us > now_us:
                    cluster.wait((at_us - now_us) / 1000)
                clients._act(client)
            elif due is None or due[0] > self._clock or self.paused:
                return False, due[0] if due else None
            else:
                cluster._do(due[1], timed=True, now_us=max(due[0], now_us))
            clients.catch_up()
            if time.monotonic() > until:
                return True, None
