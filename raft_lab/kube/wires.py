"""Calls on their way: from a pod to the API server or to the store, what is done there, and back."""

from __future__ import annotations

import heapq
from collections.abc import Callable
from typing import Any

from raft_lab.kube.api import perform
from raft_lab.kube.errors import ApiError
from raft_lab.kube.network import ERRORS, HANGS, REFUSES, Chance, Faults
from raft_lab.kube.pods import EPOCH_US, Call, Pod
from raft_lab.kube.processes import ConnectionRefused, Program
from raft_lab.kube.requests import Create, Delete, Get, List, Patch, Update, Watch
from raft_lab.kv.calls import Caller, Unknown
from raft_lab.kv.clients import Clients, Pause, Process
from raft_lab.kv.errors import EtcdError

OF_THE_API = (Get, List, Create, Update, Patch, Delete, Watch)
FAILED = ApiError(500, "InternalError", "Internal error occurred: the API server fails")
FOREVER_US = 1 << 60


class Heart:
    """Lets things happen at their times, among everything else that happens in the cluster.

    Args:
        clients: the cluster's clients; it is one of them.
        next_due: what is due besides: when, and what to do.
    """

    def __init__(self, clients: Clients, next_due: Callable[[], tuple[int, Callable[[], None]] | None]) -> None:
        self._clients = clients
        self._next_due = next_due
        self._planned: list[tuple[int, int, Callable[[], None]]] = []
        self._serial = 0
        self._process: Process = clients.start(self._beat(), "electors")

    @property
    def now_us(self) -> int:
        """The cluster's clock."""
        return self._clients.cluster.schedule.now_us

    def plan(self, us: int, act: Callable[[], None]) -> None:
        """Let something happen at this time."""
        self._serial += 1
        heapq.heappush(self._planned, (us, self._serial, act))

    def changed(self) -> None:
        """Something else is due than before."""
        due = self._due()
        self._process.wakes(None if due is None else max(due[0], self.now_us))

    def _due(self) -> tuple[int, Callable[[], None]] | None:
        other = self._next_due()
        if self._planned and (other is None or self._planned[0][0] <= other[0]):
            return self._planned[0][0], self._do_planned
        return other

    def _do_planned(self) -> None:
        heapq.heappop(self._planned)[2]()

    def _beat(self) -> Program:
        yield Pause(FOREVER_US)
        while True:
            while (due := self._due()) is not None and due[0] <= self.now_us:
                due[1]()
            yield Pause(FOREVER_US if due is None else due[0] - self.now_us)


class Wires:
    """Carries calls there and back, and lets the servers do them.

    Args:
        clients: those of the cluster that the API server asks.
        heart: lets things happen later.
        chance: draws how long things take and what fails.
        latency_us: shortest and longest time of one way.
        faults: what the API server fails by itself.
        done: called with a call and its outcome when a server has done it.
    """

    def __init__(
        self,
        clients: Clients,
        heart: Heart,
        chance: Chance,
        latency_us: tuple[int, int],
        faults: Faults,
        done: Callable[[Call, Any], None],
    ) -> None:
        self.clients = clients
        self.heart = heart
        self.chance = chance
        self.latency_us = latency_us
        self.faults = faults
        self.done = done
        self.calls: list[Call] = []
        """Every call, as they were sent."""
        self.fails = ""
        self.fails_until_us = 0
        self._idle: list[Caller] = []

    def wall_us(self) -> int:
        """The API server's clock, which is right."""
        return EPOCH_US + self.heart.now_us

    def send(self, pod: Pod, request: Any) -> Call:
        """A pod asks for something."""
        to = "api" if isinstance(request, OF_THE_API) else "store"
        call = Call(len(self.calls), pod.name, to, request, self.heart.now_us)
        self.calls.append(call)
        self._travel(pod, call, "there", 0)
        return call

    def let_through(self, pod: Pod) -> None:
        """A pod's connections work again: what is stuck goes on, if somebody still waits for it (TCP sends again)."""
        stuck, pod.stuck = pod.stuck, []
        for call in stuck:
            way, call.held = call.held, ""
            if not call.given_up:
                self._travel(pod, call, way, 0)

    def _travel(self, pod: Pod, call: Call, way: str, longer_us: int) -> None:
        takes_us = self.chance.between(f"latency {pod.name} {call.to} {way}", *self.latency_us) + longer_us
        self.heart.plan(self.heart.now_us + takes_us, lambda: self._arrive(pod, call, way))

    def _arrive(self, pod: Pod, call: Call, way: str) -> None:
        if (call.to, way) in pod.cuts:
            call.held = way
            pod.stuck.append(call)
        elif way == "back":
            call.received_us = self.heart.now_us
        else:
            call.arrived_us = self.heart.now_us
            self._serve(pod, call)

    def _serve(self, pod: Pod, call: Call) -> None:
        fault = self._fault(pod) if call.to == "api" else ""
        match fault:
            case "error":
                self._reply(pod, call, FAILED)
            case "refuse":
                self._reply(pod, call, ConnectionRefused())
            case "hang":
                pass
            case _:
                caller = self._idle.pop() if self._idle else self.clients.caller("apiserver")
                self.clients.proceed(caller, self._perform(pod, call, fault, caller))

    def _fault(self, pod: Pod) -> str:
        if self.heart.now_us < self.fails_until_us:
            return {ERRORS: "error", HANGS: "hang", REFUSES: "refuse"}[self.fails]
        return self.chance.fault(f"fault {pod.name}", self.faults)

    def _perform(self, pod: Pod, call: Call, fault: str, caller: Caller) -> Program:
        program = perform(call.request, self.wall_us) if call.to == "api" else _directly(call.request)
        outcome: Any
        try:
            outcome = yield from program
        except (ApiError, EtcdError, Unknown) as error:
            outcome = error
        self._idle.append(caller)
        self.done(call, outcome)
        match fault:
            case "lost_answer":
                return
            case "late_error":
                self._reply(pod, call, FAILED)
            case "slow":
                self._reply(pod, call, outcome, self.chance.between(f"slow {pod.name}", *self.faults.slow_us))
            case _:
                self._reply(pod, call, outcome)

    def _reply(self, pod: Pod, call: Call, outcome: Any, longer_us: int = 0) -> None:
        call.answered_us, call.outcome = self.heart.now_us, outcome
        self._travel(pod, call, "back", longer_us)
        self.heart.changed()


def _directly(request: Any) -> Program:
    return (yield request)
