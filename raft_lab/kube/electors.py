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
Who goes back on the cluster's tape sees how the pods stood (`seen_at`); they themselves go on where they were.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, fields, replace
from itertools import zip_longest
from typing import Any

from raft_lab.kube.api import ALWAYS_THERE, perform
from raft_lab.kube.elector import SECOND, LeaderCallbacks, LeaderElectionConfig, LeaderElector
from raft_lab.kube.errors import ApiError
from raft_lab.kube.guarded import NONE, Guarded, Turn, work
from raft_lab.kube.locks import lock_of
from raft_lab.kube.network import FAILURES, Chance, Faults
from raft_lab.kube.objects import from_store, kind_of
from raft_lab.kube.pods import CRASHED, DELETED, ENDED, PAUSED, RUNNING, Call, Pod, PodClock, PodView, Thread, view
from raft_lab.kube.processes import Ask, Context, Program
from raft_lab.kube.records import ANNOTATION, BadRecord, LeaderElectionRecord, of_annotation, of_spec
from raft_lab.kube.requests import Create
from raft_lab.kube.sidecar import Sidecar
from raft_lab.kube.timeline import BELIEVES, CUT, DOWN, MAY, WORKS, Overlap, Timeline
from raft_lab.kube.timeline import PAUSED as STANDS_STILL
from raft_lab.kube.wires import Heart, Wires
from raft_lab.kv.client import KV
from raft_lab.kv.clients import clients_of
from raft_lab.kv.requests import Event, WatchCreate, as_bytes
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.errors import ActionRefused, UnknownName

CLIENT_GO, SIDECAR = "client-go", "sidecar"


@dataclass(frozen=True, slots=True)
class Settings:
    """How a pod stands for election; durations are seconds, and by default those of Kubernetes' own components.

    Attributes:
        kind: "client-go", or "sidecar" for the elector of 2016.
        lock: "leases", "endpoints", "configmaps", "endpointsleases" or "configmapsleases"; a sidecar has "endpoints".
        lease_duration: how long others wait after the last change that they saw.
        renew_deadline: how long a leader tries to renew.
        retry_period: how long everybody waits between tries.
        release_on_cancel: give the lease back when told to stop.
        ttl: of a sidecar: its three durations are this, a half and a quarter of it.
        request_timeout: how long a request may take; None: client-go's choice, half of renew_deadline, at least 1 s.
        speed: how fast the pod's clock runs; 1 is right.
        offset: by how much its wall clock is wrong.
        work_every: how often the leader writes to what is guarded; 0: never.
        restart_after: how long after its process has ended the pod starts another one; None: it does not.
        unique_identity: every process has an identity of its own, as Kubernetes' own components have (host name and a
            UUID); else a process that is started again takes the lease of the one before it for its own.
    """

    kind: str = CLIENT_GO
    lock: str = "leases"
    lease_duration: float = 15.0
    renew_deadline: float = 10.0
    retry_period: float = 2.0
    release_on_cancel: bool = False
    ttl: float = 10.0
    request_timeout: float | None = None
    speed: float = 1.0
    offset: float = 0.0
    work_every: float = 1.0
    restart_after: float | None = None
    unique_identity: bool = False

    def __post_init__(self) -> None:
        if self.kind not in (CLIENT_GO, SIDECAR):
            raise ValueError(f"kind is {CLIENT_GO!r} or {SIDECAR!r}, not {self.kind!r}")
        if not 0 < self.speed < 1000:
            raise ValueError(f"speed is a number above 0, such as 1.1, not {self.speed!r}")
        if self.work_every < 0 or (self.restart_after is not None and self.restart_after < 0):
            raise ValueError("work_every and restart_after are seconds, 0 or more")

    @property
    def request_timeout_us(self) -> int:
        """How long a request may take."""
        given = self.request_timeout
        return _us(max(1.0, self.renew_deadline / 2) if given is None else given)


@dataclass(frozen=True, slots=True)
class Lease:
    """What stood at the API from some moment on.

    Attributes:
        us: the moment.
        revision: of the store: the object's resourceVersion.
        record: who holds it; None: the object was deleted.
    """

    us: int
    revision: int
    record: LeaderElectionRecord | None


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
        leases: what stood at the API, in order.
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
        self.kv = KV(cluster, name="kubectl")
        self.cluster = cluster
        self.election = election
        self.namespace = namespace
        self.settings = _changed(Settings(), settings)
        self.guarded = Guarded(f"guarded/{namespace}/{election}", fencing)
        self.pods: dict[str, Pod] = {}
        self.timeline = Timeline()
        self.leases: list[Lease] = []
        self.views: list[tuple[int, tuple[PodView, ...]]] = []
        self._listeners: list[Callable[[], None]] = []
        self._settings: dict[str, Settings] = {}
        self._chance = Chance(cluster.seed if seed is None else seed)
        self._clients = clients_of(cluster)
        self._heart = Heart(self._clients, self._next_due)
        latency_us = (_us(latency[0]), _us(latency[1]))
        self.wires = Wires(self._clients, self._heart, self._chance, latency_us, faults, self._done)
        self._set_up()

    # What people do

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
        if name in self.pods and self.pods[name].lives:
            raise ActionRefused(f"{name} runs already; electors.crash({name!r}) first, or start another one")
        before = self.pods.get(name)
        mine = _changed(self._settings.get(name, self.settings), settings)
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

    def stop(self, name: str) -> None:
        """Tell a pod to end (SIGTERM): its context is canceled; it may give the lease back."""
        pod = self._running(name)
        pod.context.cancel()
        self._note(pod, "is told to stop")
        self._changed(pod)

    def crash(self, name: str) -> None:
        """A pod's process is killed. What it has sent is on its way."""
        self._end(self._running(name), CRASHED, "crashes")

    def delete(self, name: str) -> None:
        """A pod is deleted: its process is killed, and none comes after it (a Deployment gives its pods new names)."""
        pod = self[name]
        self.timeline.mark(self.now_us, name, CUT, False)
        self._end(pod, DELETED, "is deleted")

    def restart(self, name: str, **settings: Any) -> Pod:
        """Start a pod again whose process is gone, under the same identity."""
        pod = self[name]
        if pod.lives:
            raise ActionRefused(f"{name} runs; electors.crash({name!r}) first")
        return self.start(name, **settings)

    def pause(self, name: str, seconds: float) -> None:
        """Let a process stand still: its clock goes on, and what comes for it waits."""
        pod = self._running(name)
        pod.state, pod.paused_until_us = PAUSED, self.now_us + _us(seconds)
        self.timeline.mark(self.now_us, name, STANDS_STILL, True)
        self._note(pod, f"stands still for {seconds:g} s")
        self._heart.plan(pod.paused_until_us, lambda: self._resume(pod))
        self._changed(pod)

    def resume(self, name: str) -> None:
        """Let a process that stands still go on now."""
        pod = self[name]
        if pod.state != PAUSED:
            raise ActionRefused(f"{name} does not stand still: it is {pod.state}")
        pod.paused_until_us = self.now_us
        self._resume(pod)

    def cut(self, name: str, server: str = "api", way: str = "both") -> None:
        """Cut a pod's network: what is sent is stuck until `mend`.

        Args:
            name: the pod.
            server: "api", or "store": that from the leader to what it works on.
            way: "there", "back" (what it asks for is done, and it hears nothing), or "both".
        """
        pod = self[name]
        pod.cuts |= _cuts(server, way)
        self.timeline.mark(self.now_us, name, CUT, any(where == "api" for where, _ in pod.cuts))
        self._note(pod, f"is cut off from the {'API server' if server == 'api' else 'store'}")
        self._changed(pod)

    def mend(self, name: str) -> None:
        """A pod's network works again, and what was stuck comes through."""
        pod = self[name]
        pod.cuts.clear()
        self.timeline.mark(self.now_us, name, CUT, False)
        self._note(pod, "is reached again")
        self.wires.let_through(pod)
        self._changed(pod)

    def set_clock(self, name: str, *, speed: float | None = None, step: float = 0.0) -> None:
        """Let a pod's clock run fast or slow from now on, or set its wall clock by so many seconds."""
        pod = self[name]
        if speed is not None:
            self._settings[name] = _changed(self._settings[name], {"speed": speed})
            pod.clock.run_at(speed)
        pod.clock.offset_us += _us(step)
        self._changed(pod)

    def fail_api(self, seconds: float, how: str = "errors") -> None:
        """Let the API server fail all requests for a while.

        Args:
            seconds: for how long.
            how: "errors" (500), "hangs" (no answer ever) or "refuses" (nobody listens).
        """
        if how not in FAILURES:
            raise ActionRefused(f"an API server fails by {', '.join(FAILURES)}, not by {how!r}")
        self.wires.fails, self.wires.fails_until_us = how, self.now_us + _us(seconds)
        self.timeline.note(self.now_us, "api", f"{how} for {seconds:g} s")
        self._tell()

    def ask(self, request: Any) -> Any:
        """Ask the API for something, as with kubectl; time goes on until the answer comes.

        Raises:
            ApiError: what it answers instead.
        """
        return self.kv.line.run(perform(request, self.wires.wall_us))

    # Time

    @property
    def now_us(self) -> int:
        """The cluster's clock."""
        return self.cluster.schedule.now_us

    def step(self) -> None:
        """Let the next thing happen, in the cluster or in a pod."""
        self._clients.step()

    def run(self, seconds: float) -> None:
        """Let everything go on for so many seconds of the cluster's time."""
        self._clients.run(seconds * 1000)

    def run_until(self, condition: Callable[[Electors], bool], max_steps: int = 100_000) -> None:
        """Let everything go on until something is so.

        Raises:
            ActionRefused: it did not come about.
        """
        self._clients.run_until(lambda: condition(self), max_steps)

    # For people

    def lab(self, **options: Any) -> Any:
        """The live picture: pods, API server, etcd and Raft on one axis of time; see `raft_lab.view.electors`."""
        return self.cluster.faces["electors_lab"](self, **options)

    def _repr_mimebundle_(self, **_: Any) -> dict[str, Any]:
        if "electors_mimebundle" in self.cluster.faces:
            bundle: dict[str, Any] = self.cluster.faces["electors_mimebundle"](self)
            return bundle
        return {"text/plain": repr(self)}

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
        clock = PodClock(lambda: self.now_us, mine.speed, _us(mine.offset))
        context = Context(clock)
        jitter = f"jitter {name} {life}"
        pod: Pod

        def note(text: str) -> None:
            self._note(pod, text)

        if mine.kind == SIDECAR:
            sidecar = Sidecar(
                self.namespace, self.election, identity, clock, ttl_us=_us(mine.ttl), recorder=note,
                jitter=lambda: self._chance.fraction(jitter), on_started_leading=lambda work: self._leads(pod, work),
            )  # fmt: skip
            pod = Pod(name, identity, clock, context, life, sidecar.lock, sidecar)
        else:
            options = {"recorder": note, "timeout_us": mine.request_timeout_us}
            lock = lock_of(mine.lock, self.namespace, self.election, identity, **options)
            config = LeaderElectionConfig(
                lock,
                LeaderCallbacks(
                    lambda work: self._leads(pod, work),
                    lambda: self._note(pod, "OnStoppedLeading"),
                    lambda leader: self._note(pod, f"OnNewLeader {leader!r}"),
                ),
                _us(mine.lease_duration),
                _us(mine.renew_deadline),
                _us(mine.retry_period),
                release_on_cancel=mine.release_on_cancel,
                name=self.election,
            )
            elector = LeaderElector(config, clock, lambda: self._chance.fraction(jitter))
            pod = Pod(name, identity, clock, context, life, lock, elector)
        if before:
            pod.cuts = before.cuts
        return pod

    def _leads(self, pod: Pod, work_context: Context) -> None:
        """OnStartedLeading: the work begins, with what it will have to show."""
        record = self._observed(pod)
        pod.work = work_context
        pod.turn = Turn(pod.identity, int(pod.lock.resource_version), record.leader_transitions)
        self._note(pod, f"OnStartedLeading, acquired at resourceVersion {pod.turn.version}")
        if every := self._settings[pod.name].work_every:
            self._spawn(pod, work(self.guarded, pod.turn, _us(every), work_context))

    @staticmethod
    def _observed(pod: Pod) -> LeaderElectionRecord:
        elector = pod.candidate.elector if isinstance(pod.candidate, Sidecar) else pod.candidate
        return elector.observed_record

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
            self._heart.plan(self.now_us + _us(after), lambda: self._start_again(pod))
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
        self._heart.changed()
        self._tell()

    def _tell(self) -> None:
        """Tell the listeners, unless it is while time goes on: then the cluster does, once, at the end."""
        if self.cluster._together == 0:
            for listener in list(self._listeners):
                listener()

    def _done(self, call: Call, outcome: Any) -> None:
        """A server has done something: is it about what is guarded, or about the lease?"""
        if call.to == "store":
            self.guarded.answered(call.request, outcome)
            return
        name = getattr(call.request, "name", "") or getattr(call.request, "object", {}).get("metadata", {}).get("name")
        is_write = type(call.request).__name__ in ("Create", "Update", "Patch")
        if is_write and name == self.election and isinstance(outcome, dict):
            self._lease_is(int(outcome["metadata"]["resourceVersion"]), outcome)

    def _set_up(self) -> None:
        """Make the namespace, and listen to the store: to what others write as well, and to what only it knows."""
        if self.namespace not in ALWAYS_THERE:
            with suppress(ApiError):  # it is there
                self.ask(Create("namespaces", "", {"metadata": {"name": self.namespace}}))
        resource = "endpoints" if self.settings.kind == SIDECAR else self.settings.lock
        resource = "leases" if resource.endswith("leases") else resource
        lease = kind_of(resource).key(self.namespace, self.election)
        self._clients.start(self._follow(lease, self._lease_changed), "observer")
        self._clients.start(self._follow(as_bytes(self.guarded.key), self._guarded_changed), "observer")

    def _follow(self, key: bytes, tell: Callable[[Event], None]) -> Program:
        watch = yield WatchCreate(key)
        while True:
            for response in (yield watch):
                for event in response.events:
                    tell(event)

    def _lease_changed(self, event: Event) -> None:
        revision = event.kv.mod_revision
        self._lease_is(revision, from_store(event.kv) if event.type == "PUT" else None)

    def _guarded_changed(self, event: Event) -> None:
        if event.type == "PUT":
            self.guarded.accepted(event.kv.value, event.kv.mod_revision)

    def _lease_is(self, revision: int, found: dict[str, Any] | None) -> None:
        if self.leases and self.leases[-1].revision >= revision:
            return
        record = _record_in(found) if found else None
        self.leases.append(Lease(self.now_us, revision, record))
        for who in self.timeline.now(MAY):
            if record is None or who != record.holder_identity:
                self.timeline.mark(self.now_us, who, MAY, False)
        if record is not None and record.holder_identity:
            self.timeline.mark(self.now_us, record.holder_identity, MAY, True)
            ends = self.now_us + record.lease_duration_seconds * SECOND
            self._heart.plan(ends, lambda: self._lease_over(revision, record.holder_identity))
            self._heart.changed()

    def _lease_over(self, revision: int, holder: str) -> None:
        if self.leases[-1].revision == revision:
            self.timeline.mark(self.now_us, holder, MAY, False)

    def _running(self, name: str) -> Pod:
        pod = self[name]
        if not pod.lives:
            raise ActionRefused(f"{name} does not run: it is {pod.state}; electors.restart({name!r}) first")
        return pod


def _us(seconds: float) -> int:
    return round(seconds * SECOND)


def _changed(settings: Settings, changes: dict[str, Any]) -> Settings:
    known = [field.name for field in fields(Settings)]
    if unknown := sorted(changes.keys() - set(known)):
        raise TypeError(f"there is no setting {unknown[0]!r}; there are {', '.join(known)}")
    return replace(settings, **changes)


def _cuts(server: str, way: str) -> set[tuple[str, str]]:
    ways = ("there", "back") if way == "both" else (way,)
    if server not in ("api", "store") or not set(ways) <= {"there", "back"}:
        raise ActionRefused(f'cut a pod off from "api" or "store", "there", "back" or "both", not {server!r}, {way!r}')
    return {(server, way) for way in ways}


def _record_in(found: dict[str, Any]) -> LeaderElectionRecord | None:
    try:
        if "spec" in found:
            return of_spec(found["spec"])
        text = (found["metadata"].get("annotations") or {}).get(ANNOTATION)
        return None if text is None else of_annotation(text)
    except BadRecord:
        return None


__all__ = ["ApiError", "Electors", "Lease", "Settings"]
