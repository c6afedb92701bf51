"""Applications that elect a leader by way of the Kubernetes API, on a cluster, in its time.

    cluster = Cluster(3, server=KVServer)
    electors = Electors(cluster, fencing="resourceVersion")
    for name in ("pod-a", "pod-b", "pod-c"):
        electors.start(name)
    electors.run(20)                     # seconds
    electors.pause(electors.leader, 30)
    electors.run(40)
    electors.overlaps()                  # who worked beside whom
    electors.guarded.rejected            # and what fencing has refused

Everything takes place in the cluster's own time, and is the same whenever it begins with the same seed: each draw is a
keyed hash. Durations that people give are seconds, as Kubernetes has them; what is noted down is microseconds.
On a cluster that lives (`raft_lab.serve`) they live, too, and kubectl sees the lease that they hold.
Who goes back on the cluster's tape sees how the pods stood (`seen_at`); they themselves go on where they were.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from itertools import zip_longest
from typing import Any, TypeVar, cast

from raft_lab.kube.api import ALWAYS_THERE, perform
from raft_lab.kube.elector import SECOND
from raft_lab.kube.errors import ApiError
from raft_lab.kube.guarded import NONE, Guarded, Turn, work
from raft_lab.kube.network import FAILURES, Chance, Faults
from raft_lab.kube.observing import Lease, Observer
from raft_lab.kube.pods import CRASHED, DELETED, ENDED, PAUSED, RUNNING, Pod, PodClock, PodView, Thread, view
from raft_lab.kube.processes import Ask, Context, Program
from raft_lab.kube.records import LeaderElectionRecord
from raft_lab.kube.requests import Create
from raft_lab.kube.settings import CLIENT_GO, SIDECAR, Settings, lasting_us, us
from raft_lab.kube.timeline import BELIEVES, CUT, DOWN, WORKS, Overlap, Timeline
from raft_lab.kube.timeline import PAUSED as STANDS_STILL
from raft_lab.kube.wires import Heart, Wires
from raft_lab.kv.client import KV
from raft_lab.kv.clients import clients_of
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.errors import ActionRefused, UnknownName

Method = TypeVar("Method", bound=Callable[..., Any])


def _alone(method: Method) -> Method:
    """A method during which nobody else lets anything happen: the cluster may live in a thread of its own."""

    @wraps(method)
    def held(self: Electors, *args: Any, **options: Any) -> Any:
        with self.cluster.lock:
            return method(self, *args, **options)

    return cast("Method", held)


class Electors:
    """Pods that elect a leader among themselves.

    Args:
        cluster: a cluster of `KVServer`s: the etcd under the API server.
        election: the name of the object that is the lock.
        namespace: where it is; one that does not exist is made.
        fencing: what a write to the guarded key must show: "none", "resourceVersion" or "leaseTransitions".
        latency: shortest and longest time of a message between a pod and a server, in seconds.
        faults: how often the API server fails by itself.
        seed: chooses all draws; None: the cluster's.
        settings: fields of `Settings` for all pods, such as `lease_duration=6, renew_deadline=4, retry_period=1`.

    Attributes:
        pods: by name.
        timeline: who believed, might and worked, when; and what happened.
        guarded: the key that only the leader should write.
        views: how the pods stood, with the numbers of steps of the tape.
        wires: calls on their way; `wires.calls` are all of them.
    """

    def __init__(
        self,
        cluster: Cluster,
        *,
        election: str = "demo",
        namespace: str = "default",
        fencing: str = NONE,
        latency: tuple[float, float] = (0.001, 0.005),
        faults: Faults = Faults(),  # noqa: B008 - an immutable value
        seed: int | None = None,
        **settings: Any,
    ) -> None:
        latency_us = (lasting_us(latency[0]), lasting_us(latency[1]))
        if latency_us[0] > latency_us[1]:
            raise ValueError(f"latency is the shortest and the longest time of a message, not {latency!r}")
        self.kv = KV(cluster, name="kubectl")
        self.cluster = cluster
        self.election = election
        self.namespace = namespace
        self.settings = Settings().but(settings)
        self.guarded = Guarded(f"guarded/{namespace}/{election}", fencing)
        self.pods: dict[str, Pod] = {}
        self.timeline = Timeline()
        self.views: list[tuple[int, tuple[PodView, ...]]] = []
        self._listeners: list[Callable[[], None]] = []
        self._settings: dict[str, Settings] = {}
        self._tip = cluster.now
        self._chance = Chance(cluster.seed if seed is None else seed)
        self._clients = clients_of(cluster)
        self._heart = Heart(self._clients, self._next_due)
        self._observer = Observer(
            (namespace, election), self.settings.resource, self.guarded, self.timeline, self._heart
        )
        self.wires = Wires(self._clients, self._heart, self._chance, latency_us, faults, self._observer.done)
        if namespace not in ALWAYS_THERE:
            with suppress(ApiError):  # it is there
                self.ask(Create("namespaces", "", {"metadata": {"name": namespace}}))
        self._observer.listen(self._clients)

    # What people do

    @_alone
    def start(self, name: str, *, identity: str = "", **settings: Any) -> Pod:
        """Start a pod.

        Args:
            name: the pod's.
            identity: as whom it stands for election; by default its name, as a container's host name is.
            settings: fields of `Settings` that are different for this pod.

        Raises:
            ActionRefused: there is a pod of this name, and it runs.
            BadConfig: its elector cannot be made like this.
        """
        self._go_on_from_here()
        if not (isinstance(name, str) and name):
            raise TypeError(f"a pod has a name such as 'pod-a', not {name!r}"[:100])
        if name in self.pods and self.pods[name].lives:
            raise ActionRefused(f"{name} runs already; electors.crash({name!r}) first, or start another one")
        before = self.pods.get(name)
        mine = self._settings.get(name, self.settings).but(settings)
        if not identity and mine.unique_identity:
            identity = f"{name}_{before.life + 1 if before else 1}"
        pod = self._new_pod(name, identity or (before.identity if before else name), mine, before)
        self._settings[name] = mine
        self.pods[name] = pod
        self.timeline.mark(self.now_us, name, DOWN, False)
        self._note(pod, "starts")
        self._spawn(pod, pod.candidate.run(pod.context))
        self._changed(pod)
        return pod

    @_alone
    def stop(self, name: str) -> None:
        """Tell a pod to end (SIGTERM): its context is canceled; it may give the lease back."""
        pod = self._running(name)
        pod.context.cancel()
        self._note(pod, "is told to stop")
        self._changed(pod)

    @_alone
    def crash(self, name: str) -> None:
        """A pod's process is killed. What it has sent is on its way."""
        self._end(self._running(name), CRASHED, "crashes")

    @_alone
    def delete(self, name: str) -> None:
        """A pod is deleted: its process is killed, and none comes after it (a Deployment gives its pods new names)."""
        pod = self._pod(name)
        self.timeline.mark(self.now_us, name, CUT, False)
        self._end(pod, DELETED, "is deleted")

    @_alone
    def restart(self, name: str, **settings: Any) -> Pod:
        """Start a pod again whose process is gone, under the same identity."""
        pod = self._pod(name)
        if pod.lives:
            raise ActionRefused(f"{name} runs; electors.crash({name!r}) first")
        return self.start(name, **settings)

    @_alone
    def pause(self, name: str, seconds: float) -> None:
        """Let a process stand still: its clock goes on, and what comes for it waits."""
        pod, lasts_us = self._running(name), lasting_us(seconds)
        pod.state, pod.paused_until_us = PAUSED, self.now_us + lasts_us
        self.timeline.mark(self.now_us, name, STANDS_STILL, True)
        self._note(pod, f"stands still for {seconds:g} s")
        self._heart.plan(pod.paused_until_us, lambda: self._resume(pod))
        self._changed(pod)

    @_alone
    def resume(self, name: str) -> None:
        """Let a process that stands still go on now."""
        pod = self._pod(name)
        if pod.state != PAUSED:
            raise ActionRefused(f"{name} does not stand still: it is {pod.state}")
        pod.paused_until_us = self.now_us
        self._resume(pod)

    @_alone
    def cut(self, name: str, server: str = "api", way: str = "both") -> None:
        """Cut a pod's network: what is sent is stuck until `mend`.

        Args:
            name: the pod.
            server: "api", or "store": that from the leader to what it works on.
            way: "there", "back" (what it asks for is done, and it hears nothing), or "both".
        """
        pod = self._pod(name)
        pod.cuts |= _cuts(server, way)
        self.timeline.mark(self.now_us, name, CUT, any(where == "api" for where, _ in pod.cuts))
        self._note(pod, f"is cut off from the {'API server' if server == 'api' else 'store'}")
        self._changed(pod)

    @_alone
    def mend(self, name: str) -> None:
        """A pod's network works again, and what was stuck comes through."""
        pod = self._pod(name)
        pod.cuts.clear()
        self.timeline.mark(self.now_us, name, CUT, False)
        self._note(pod, "is reached again")
        self.wires.let_through(pod)
        self._changed(pod)

    @_alone
    def set_clock(self, name: str, *, speed: float | None = None, step: float = 0.0) -> None:
        """Let a pod's clock run fast or slow from now on, or set its wall clock by so many seconds."""
        pod, step_us = self._pod(name), us(step)
        if speed is not None:
            self._settings[name] = self._settings[name].but({"speed": speed})
            pod.clock.run_at(speed)
        pod.clock.offset_us += step_us
        self._changed(pod)

    @_alone
    def fail_api(self, seconds: float, how: str = "errors") -> None:
        """Let the API server fail all requests for a while.

        Args:
            seconds: for how long.
            how: "errors" (500), "hangs" (no answer ever) or "refuses" (nobody listens).
        """
        if how not in FAILURES:
            raise ActionRefused(f"an API server fails by {', '.join(FAILURES)}, not by {how!r}")
        self.wires.fails_until_us = self.now_us + lasting_us(seconds)
        self.wires.fails = how
        self.timeline.note(self.now_us, "api", f"{how} for {seconds:g} s")
        self._tell()

    def ask(self, request: Any) -> Any:
        """Ask the API for something, as with kubectl; time goes on until the answer comes.

        Raises:
            ApiError: what it answers instead.
        """
        self._go_on_from_here()
        return self.kv.line.run(perform(request, self.wires.wall_us))

    # Time

    @property
    def now_us(self) -> int:
        """The cluster's clock."""
        return self.cluster.schedule.now_us

    @_alone
    def step(self) -> None:
        """Let the next thing happen, in the cluster or in a pod."""
        self._go_on_from_here()
        self._clients.step()

    def run(self, seconds: float) -> None:
        """Let everything go on for so many seconds of the cluster's time."""
        self._go_on_from_here()
        self._clients.run(lasting_us(seconds) / 1000)

    def run_until(self, condition: Callable[[Electors], bool], seconds: float = 120) -> None:
        """Let everything go on until something is so.

        Args:
            condition: a function of these electors.
            seconds: of the cluster's time; after so many it is given up.

        Raises:
            ActionRefused: it did not come about; what happened meanwhile has happened.
        """
        self._go_on_from_here()
        end_us = self.now_us + lasting_us(seconds)
        self._clients.run_until(lambda: condition(self) or self.now_us >= end_us, max_steps=1_000_000)
        if self.now_us >= end_us and not condition(self):
            stand = "; ".join(map(str, self.pods.values()))
            raise ActionRefused(
                f"in {seconds:g} s of the cluster's time it did not come about ({stand}); "
                "do something to a pod first, or give it longer: run_until(condition, seconds=…)"
            )

    # For people

    def lab(self, **options: Any) -> Any:
        """The live picture: pods, API server, etcd and Raft on one axis of time; see `raft_lab.view.electors`."""
        return self.cluster.faces["electors_lab"](self, **options)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if "electors_mimebundle" in self.cluster.faces:
            bundle: dict[str, Any] = self.cluster.faces["electors_mimebundle"](self)
            return bundle
        return {"text/plain": repr(self)}

    def to_present(self) -> None:
        """Take the cluster to where the pods stand, after a look at its past; else nothing can be done to them."""
        if self.now_us < self._tip.schedule.now_us:
            last = self._tip
            for step in self.cluster.tape.steps[last.id + 1 :]:  # what has happened since something was done to them
                last = step if step.parent is last else last
            self.cluster.goto(last)

    def on_change(self, listener: Callable[[], None]) -> Callable[[], None]:
        """Call `listener()` when time has gone on or something was done to a pod; gives a function that stops it."""
        self._listeners.append(listener)
        stop_hearing = self.cluster.on_change(listener)

        def stop() -> None:
            stop_hearing()
            if listener in self._listeners:
                self._listeners.remove(listener)

        return stop

    # What there is

    def __getitem__(self, name: str) -> Pod:
        if name not in self.pods:
            raise UnknownName(f"there is no pod {name!r}: {', '.join(self.pods) or 'none was started'}")
        return self.pods[name]

    @property
    def workers(self) -> tuple[str, ...]:
        """The pods whose work goes on; more than one when it went wrong."""
        return tuple(name for name, pod in self.pods.items() if pod.works)

    @property
    def believers(self) -> tuple[str, ...]:
        """The pods that say of themselves that they lead."""
        return tuple(name for name, pod in self.pods.items() if pod.believes)

    @property
    def leader(self) -> str | None:
        """The pod that works; of several the one that was last to begin."""
        working = [pod for pod in self.pods.values() if pod.works and pod.turn]
        return max(working, key=lambda pod: pod.turn.version if pod.turn else 0).name if working else None

    @property
    def leases(self) -> list[Lease]:
        """What stood at the API, in order."""
        return self._observer.leases

    @property
    def lease(self) -> LeaderElectionRecord | None:
        """The record as it stands at the API."""
        return self.leases[-1].record if self.leases else None

    def overlaps(self, what: str = WORKS) -> list[Overlap]:
        """When two pods at once "works", "believes" or "may"."""
        return self.timeline.overlaps(what, self.now_us)

    def seen_at(self, step: int) -> tuple[PodView, ...]:
        """The pods as they stood when the cluster was at this step of its tape."""
        return next((pods for at, pods in reversed(self.views) if at <= step), ())

    def __repr__(self) -> str:
        return f"<Electors of {self.namespace}/{self.election}: {'; '.join(map(str, self.pods.values())) or 'no pods'}>"

    # Processes

    def _new_pod(self, name: str, identity: str, mine: Settings, before: Pod | None) -> Pod:
        life = before.life + 1 if before else 1
        clock = PodClock(lambda: self.now_us, mine.speed, us(mine.offset))
        pod: Pod
        candidate = mine.candidate(
            (self.namespace, self.election),
            identity,
            clock,
            lambda: self._chance.fraction(f"jitter {name} {life}"),
            lambda work_context: self._leads(pod, work_context),
            lambda text: self._note(pod, text),
        )
        pod = Pod(name, identity, clock, Context(clock), life, candidate.lock, candidate)
        if before:
            pod.cuts = before.cuts
        return pod

    def _leads(self, pod: Pod, work_context: Context) -> None:
        """OnStartedLeading: the work begins, with what it will have to show."""
        pod.work = work_context
        record = pod.elector.observed_record
        pod.turn = Turn(pod.identity, int(pod.lock.resource_version), record.leader_transitions)
        self._note(pod, f"OnStartedLeading, acquired at resourceVersion {pod.turn.version}")
        if every := self._settings[pod.name].work_every:
            self._spawn(pod, work(self.guarded, pod.turn, us(every), work_context))

    def _spawn(self, pod: Pod, program: Program) -> None:
        pod.threads.append(Thread(pod, program))

    def _next_due(self) -> tuple[int, Callable[[], None]] | None:
        now, first, found = self.now_us, 0, None
        for pod in self.pods.values():
            if pod.state == RUNNING:
                for thread in pod.threads:
                    due = thread.due_us(now)
                    if due is not None and (found is None or due < first):
                        first, found = due, thread
        return None if found is None else (first, lambda thread=found: self._go_on(thread))  # type: ignore[misc]

    def _go_on(self, thread: Thread) -> None:
        pod = thread.pod
        if not thread.go_on():
            main = thread is pod.threads[0]
            pod.threads.remove(thread)
            if main:
                self._end(pod, ENDED, f"ends: {thread.result}" if thread.result else "ends")
                return
        elif isinstance(thread.wish, Ask) and not thread.wish.context.done:
            thread.call = self.wires.send(pod, thread.wish.request)
        self._changed(pod)

    def _end(self, pod: Pod, state: str, words: str) -> None:
        for thread in pod.threads:
            if thread.call is not None:
                thread.call.given_up = True
        pod.state, pod.threads = state, []
        self.timeline.mark(self.now_us, pod.name, STANDS_STILL, False)
        self.timeline.mark(self.now_us, pod.name, DOWN, True)
        self._note(pod, words)
        after = self._settings[pod.name].restart_after
        if after is not None and state != DELETED:
            self._heart.plan(self.now_us + us(after), lambda: self._start_again(pod))
        self._changed(pod)

    def _start_again(self, pod: Pod) -> None:
        if self.pods[pod.name] is pod and pod.state != DELETED:
            self.start(pod.name)

    def _resume(self, pod: Pod) -> None:
        if pod.state == PAUSED and self.now_us >= pod.paused_until_us:
            pod.state = RUNNING
            self.timeline.mark(self.now_us, pod.name, STANDS_STILL, False)
            self._note(pod, "goes on")
            self._changed(pod)

    # Evidence

    def _note(self, pod: Pod, what: str) -> None:
        self.timeline.note(self.now_us, pod.name, what)

    def _changed(self, pod: Pod) -> None:
        self.timeline.mark(self.now_us, pod.name, BELIEVES, pod.believes)
        self.timeline.mark(self.now_us, pod.name, WORKS, pod.works)
        before = self.views[-1][1] if self.views else ()
        views = tuple(
            view(other) if other is pod or old is None else old
            for other, old in zip_longest(self.pods.values(), before)
        )
        self.views.append((self.cluster.now.id, views))
        self._tip = self.cluster.now
        self._heart.changed()
        self._tell()

    def _go_on_from_here(self) -> None:
        """Pods do not go back with the cluster, and nothing can be done to them while it has."""
        if self.now_us < self._tip.schedule.now_us:
            raise ActionRefused(
                f"the cluster was taken back to {self.now_us / SECOND:.3f} s; the pods stand at "
                f"{self._tip.schedule.now_us / SECOND:.3f} s and do not go back: cluster.goto({self._tip.id}) first"
            )

    def _tell(self) -> None:
        """Tell the listeners, unless it is while time goes on: then the cluster does, once, at the end."""
        if self.cluster._together == 0:
            for listener in list(self._listeners):
                listener()

    def _pod(self, name: str) -> Pod:
        """A pod to which something is done."""
        self._go_on_from_here()
        return self[name]

    def _running(self, name: str) -> Pod:
        pod = self._pod(name)
        if not pod.lives:
            raise ActionRefused(f"{name} does not run: it is {pod.state}; electors.restart({name!r}) first")
        return pod


def _cuts(server: str, way: str) -> set[tuple[str, str]]:
    ways = ("there", "back") if way == "both" else (way,)
    if server not in ("api", "store") or not set(ways) <= {"there", "back"}:
        raise ActionRefused(f'cut a pod off from "api" or "store", "there", "back" or "both", not {server!r}, {way!r}')
    return {(server, way) for way in ways}


__all__ = ["CLIENT_GO", "SIDECAR", "Electors", "Lease", "Settings"]
