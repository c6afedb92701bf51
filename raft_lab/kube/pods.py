"""Pods of the simulated world: processes with a clock of their own that can be paused, cut off and killed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from math import ceil
from typing import Any

from raft_lab.kube.elector import SECOND, LeaderElector
from raft_lab.kube.guarded import Turn
from raft_lab.kube.locks import Lock
from raft_lab.kube.processes import Ask, Context, DeadlineExceeded, Program, Sleep, Wish
from raft_lab.kube.sidecar import Sidecar, SidecarElector

EPOCH_US = 1_551_286_800 * SECOND
"""What true wall clocks show when the cluster's clock shows 0: 27 February 2019, 17:00 UTC."""

RUNNING, PAUSED, CRASHED, ENDED, DELETED = "running", "paused", "crashed", "ended", "deleted"
"""What can be said of a pod's process. A pod that is deleted starts no other one."""


class PodClock:
    """A clock that may run fast or slow, and show a wrong time of day.

    Args:
        real: the cluster's clock.
        speed: 1 is right; 1.1 is fast.
        offset_us: by how much its wall clock is wrong; that does not matter to anybody who waits.
    """

    def __init__(self, real: Callable[[], int], speed: float = 1.0, offset_us: int = 0) -> None:
        self._real = real
        self._since_us = self._showed_us = real()
        self.speed = speed
        self.offset_us = offset_us

    def now_us(self) -> int:
        return self._showed_us + int((self._real() - self._since_us) * self.speed)

    def wall_us(self) -> int:
        return EPOCH_US + self.now_us() + self.offset_us

    def run_at(self, speed: float) -> None:
        """From now on it runs at this speed."""
        self._showed_us, self._since_us, self.speed = self.now_us(), self._real(), speed

    def real_us(self, us: int) -> int:
        """The cluster's time at which it shows `us`."""
        return self._since_us + ceil((us - self._showed_us) / self.speed)


@dataclass(slots=True)
class Call:
    """A request on its way, at the server, or on its way back.

    Attributes:
        number: calls are numbered as they are sent.
        pod: who asks.
        to: "api", or "store" for what goes to etcd directly.
        request: what is asked for.
        sent_us: when it was sent; the others likewise, None as long as it has not come to that.
        arrived_us: when it came to the server.
        answered_us: when the server answered.
        received_us: when the answer came.
        outcome: the answer, or the error.
        given_up: whether nobody waits for the answer any more.
        held: "there" or "back" while it is stuck in a network that is cut.
    """

    number: int
    pod: str
    to: str
    request: Any
    sent_us: int
    arrived_us: int | None = None
    answered_us: int | None = None
    received_us: int | None = None
    outcome: Any = None
    given_up: bool = False
    held: str = ""

    def __str__(self) -> str:
        what = f"{type(self.request).__name__.lower()} {getattr(self.request, 'resource', self.to)}"
        if isinstance(self.outcome, Exception):
            return f"{self.pod}: {what}: {self.outcome}"
        if self.received_us is None:
            return f"{self.pod}: {what}{': no answer' if self.given_up else ' …'}"
        return f"{self.pod}: {what}"


class Thread:
    """One program that a pod runs."""

    def __init__(self, pod: Pod, program: Program) -> None:
        self.pod = pod
        self.program = program
        self.wish: Wish | None = None
        self.wakes_us: int | None = None
        """Until when it sleeps, by its pod's clock."""
        self.call: Call | None = None
        self.result: Any = None
        """What its program returned, once it is done."""

    def due_us(self, now_us: int) -> int | None:
        """When it goes on by itself, if its pod runs."""
        if self.wish is None or self.wish.context.canceled:
            return now_us
        clock = self.pod.clock
        times = [self.wish.context.deadline_us, self.wakes_us]
        due = [clock.real_us(us) for us in times if us is not None]
        if self.call is not None and self.call.received_us is not None:
            due.append(self.call.received_us)
        return min(due, default=None)

    def go_on(self) -> bool:
        """Let it do what it does until it waits again; answers with whether it does."""
        told = self._told()
        self.call, self.wakes_us = None, None
        try:
            self.wish = self.program.throw(told) if isinstance(told, Exception) else self.program.send(told)
        except StopIteration as end:
            self.result = end.value
            return False
        if isinstance(self.wish, Sleep):
            self.wakes_us = self.pod.clock.now_us() + self.wish.us
        return True

    def _told(self) -> Any:
        if not isinstance(self.wish, Ask):
            return None
        call, deadline = self.call, self.wish.context.deadline_us
        if call is not None and call.received_us is not None:
            in_time = deadline is None or call.received_us <= self.pod.clock.real_us(deadline)
            if in_time:  # what had come before the time was over is there, also for one who was paused in between
                return call.outcome
        if call is not None:
            call.given_up = True
        return self.wish.context.error or DeadlineExceeded()  # it is due, whatever a slow clock rounds to


@dataclass(eq=False)
class Pod:
    """A process that stands for election, and works while it leads.

    Attributes:
        name: the pod's.
        identity: who stands in the lease when it leads.
        clock: its own clock.
        context: ends when it is told to stop.
        life: the how manieth process of this pod it is.
        lock: where its election stands.
        candidate: its elector, or its sidecar.
        threads: what it runs.
        state: "running", "paused", "crashed", "ended" or "deleted".
        paused_until_us: until when it stands still.
        cuts: what it is cut off from: pairs such as ("api", "there") and ("api", "back").
        work: the context of its work; None as long as it has not led.
        turn: the time of leading that it is in, or was in last.
    """

    name: str
    identity: str
    clock: PodClock
    context: Context
    life: int
    lock: Lock
    candidate: LeaderElector | Sidecar
    threads: list[Thread] = field(default_factory=list)
    state: str = RUNNING
    paused_until_us: int = 0
    cuts: set[tuple[str, str]] = field(default_factory=set)
    work: Context | None = None
    turn: Turn | None = None
    stuck: list[Call] = field(default_factory=list)

    @property
    def lives(self) -> bool:
        """Whether there is a process, paused or not."""
        return self.state in (RUNNING, PAUSED)

    @property
    def elector(self) -> LeaderElector | SidecarElector:
        """Its elector, that in the sidecar if it has one."""
        return self.candidate.elector if isinstance(self.candidate, Sidecar) else self.candidate

    @property
    def believes(self) -> bool:
        """Whether it says of itself that it leads: `IsLeader` of client-go; what the sidecar answers."""
        if not self.lives:
            return False
        if isinstance(self.candidate, Sidecar):
            return self.candidate.name == self.identity
        return self.candidate.is_leader

    @property
    def works(self) -> bool:
        """Whether the context of its work has not been canceled."""
        return self.lives and self.work is not None and not self.work.canceled

    @property
    def leader(self) -> str:
        """Who leads, as far as it knows."""
        return self.candidate.name if isinstance(self.candidate, Sidecar) else self.candidate.leader

    @property
    def answer(self) -> str | None:
        """What the sidecar answers over HTTP; None: nothing, since it does not run, or is none."""
        return self.candidate.answer() if self.state == RUNNING and isinstance(self.candidate, Sidecar) else None

    def __str__(self) -> str:
        so = [word for word, is_so in (("believes to lead", self.believes), ("works", self.works)) if is_so]
        return f"{self.name}: {', '.join([self.state, *so])}"


@dataclass(frozen=True, slots=True)
class PodView:
    """A pod as it stood after a step of the cluster.

    Attributes:
        name: the pod's.
        identity: as which it stands for election.
        state: "running", "paused", "crashed", "ended" or "deleted".
        believes: whether it says of itself that it leads.
        works: whether its work goes on.
        leader: who leads, as far as it knows.
        observed_us: the cluster's time at which it last saw the record change; None: never, or it cannot be said.
        waits: what it does: "asks: update leases", "sleeps", or nothing.
        wakes_us: until when, in the cluster's time.
        cut: whether it is cut off from the API server.
        answer: what its sidecar answers.
    """

    name: str
    identity: str
    state: str
    believes: bool
    works: bool
    leader: str
    observed_us: int | None
    waits: str
    wakes_us: int | None
    cut: bool
    answer: str | None


def view(pod: Pod) -> PodView:
    """The pod as it stands."""
    elector = pod.elector
    observed, waits, wakes = None, "", None
    if elector.observed_time_us > 0:
        observed = pod.clock.real_us(elector.observed_time_us)
    if pod.lives and pod.threads:
        main = pod.threads[0]
        match main.wish:
            case Sleep():
                waits = "sleeps"
            case Ask(request):
                waits = f"asks: {type(request).__name__.lower()} {getattr(request, 'resource', '')}".strip()
        wakes = main.due_us(0) if main.wish is not None and not main.wish.context.canceled else None
    cut = any(where == "api" for where, _ in pod.cuts)
    return PodView(
        pod.name, pod.identity, pod.state, pod.believes, pod.works, pod.leader, observed, waits, wakes, cut, pod.answer
    )
