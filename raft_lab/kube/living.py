"""Pods that live in a cluster's time: how their processes begin, go on and end, and what is noted of it."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from itertools import zip_longest
from typing import Any

from raft_lab.kube.api import ALWAYS_THERE, perform
from raft_lab.kube.errors import ApiError
from raft_lab.kube.guarded import NONE, Guarded, Turn, work
from raft_lab.kube.network import Chance, Faults
from raft_lab.kube.observing import Observer
from raft_lab.kube.pods import DELETED, ENDED, PAUSED, RUNNING, Pod, PodClock, PodView, Thread, view
from raft_lab.kube.processes import Ask, Context, Program
from raft_lab.kube.requests import Create
from raft_lab.kube.settings import Settings, lasting_us, us
from raft_lab.kube.timeline import BELIEVES, DOWN, WORKS, Timeline
from raft_lab.kube.timeline import PAUSED as STANDS_STILL
from raft_lab.kube.wires import Heart, Wires
from raft_lab.kv.client import KV
from raft_lab.kv.clients import clients_of
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.tape import Step


class Living:
    """Pods, and all that is between them and the cluster; what people do to them is in `Electors`."""

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
                self.kv.line.run(
                    perform(Create("namespaces", "", {"metadata": {"name": namespace}}), self.wires.wall_us)
                )
        self._observer.listen(self._clients)

    @property
    def now_us(self) -> int:
        """The cluster's clock."""
        return self.cluster.schedule.now_us

    @property
    def present_us(self) -> int:
        """Where the pods stand, by the cluster's clock: later than `now_us` while somebody looks at its past."""
        return self.now_us if self.now_us >= self._tip.schedule.now_us else self._present().schedule.now_us

    def _present(self) -> Step:
        """The last step of the cluster in which the pods stand: what has happened since something was done to them."""
        last = self._tip
        for step in self.cluster.tape.steps[last.id + 1 :]:
            last = step if step.parent is last else last
        return last

    # Processes

    def _begin(self, name: str, identity: str, settings: dict[str, Any]) -> Pod:
        """A pod's process begins: its first one, or the one after the last."""
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
            self._begin(pod.name, "", {})

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

    def _tell(self) -> None:
        """Tell the listeners, unless it is while time goes on: then the cluster does, once, at the end."""
        if self.cluster._together == 0:
            for listener in list(self._listeners):
                listener()
