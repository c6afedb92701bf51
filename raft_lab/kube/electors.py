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
from functools import wraps
from typing import Any, TypeVar, cast

from raft_lab.kube.api import perform
from raft_lab.kube.elector import SECOND
from raft_lab.kube.living import Living
from raft_lab.kube.network import FAILURES
from raft_lab.kube.observing import Lease
from raft_lab.kube.pods import CRASHED, DELETED, PAUSED, Pod, PodView
from raft_lab.kube.records import LeaderElectionRecord
from raft_lab.kube.settings import CLIENT_GO, SIDECAR, Settings, lasting_us, us
from raft_lab.kube.timeline import CUT, WORKS, Overlap
from raft_lab.kube.timeline import PAUSED as STANDS_STILL
from raft_lab.sim.errors import ActionRefused, UnknownName

Method = TypeVar("Method", bound=Callable[..., Any])


def _alone(method: Method) -> Method:
    """A method during which nobody else lets anything happen: the cluster may live in a thread of its own."""

    @wraps(method)
    def held(self: Electors, *args: Any, **options: Any) -> Any:
        with self.cluster.lock:
            return method(self, *args, **options)

    return cast("Method", held)


class Electors(Living):
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
        return self._begin(name, identity, settings)

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
            self.cluster.goto(self._present())

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

    # What can be done now

    def _go_on_from_here(self) -> None:
        """Pods do not go back with the cluster, and nothing can be done to them while it has."""
        if self.now_us < self._tip.schedule.now_us:
            raise ActionRefused(
                f"the cluster was taken back to {self.now_us / SECOND:.3f} s; the pods stand at "
                f"{self._tip.schedule.now_us / SECOND:.3f} s and do not go back: cluster.goto({self._tip.id}) first"
            )

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
