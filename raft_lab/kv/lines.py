"""What connects a client with a store: what a line can do, and the line to a cluster of the lab."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Protocol

from raft_lab.kv.clients import Process, Program, clients_of
from raft_lab.kv.requests import WatchCreate
from raft_lab.kv.watching import Told
from raft_lab.sim.cluster import Cluster


class Line(Protocol):
    """What connects a client with a store."""

    def run(self, program: Program) -> Any:
        """Let a program of the client run to its end; answers with what it returns."""

    def begin(self, program: Program) -> Any:
        """Let a program run while the client does something else; answers with what `stop` takes."""

    def stop(self, begun: Any) -> None:
        """Let a program end that was begun."""

    def watch(self, request: WatchCreate, member: str | None) -> Told:
        """Begin to watch."""

    def follow(self, watch: Any, tell: Callable[[], None]) -> Callable[[], None]:
        """Call `tell` whenever a watch may have been told something; answers with a function that ends it."""

    def wait(self, seconds: float) -> None:
        """Let time pass."""

    def members(self) -> list[dict[str, Any]]:
        """What each member says of itself."""

    def close(self) -> None:
        """Let go of what is open."""


class InCluster:
    """A client inside a cluster's own time."""

    def __init__(self, cluster: Cluster, name: str, member: str | None) -> None:
        self.cluster = cluster
        self.clients = clients_of(cluster)
        self.caller = self.clients.caller(name, member)

    def run(self, program: Program) -> Any:
        with self.cluster.lock:
            process = self.clients.proceed(self.caller, program)
            self.clients.run_until(lambda: process.done)
            if process.error is not None:
                raise process.error
            return process.result

    def begin(self, program: Program) -> Process:
        with self.cluster.lock:
            return self.clients.start(program, self.caller.name)

    def stop(self, begun: Process) -> None:
        with self.cluster.lock:
            self.clients.stop(begun)

    def watch(self, request: WatchCreate, member: str | None) -> Told:
        with self.cluster.lock:
            return self.clients.watch(request, member)

    def follow(self, watch: Any, tell: Callable[[], None]) -> Callable[[], None]:
        def look() -> None:
            self.clients.catch_up()
            tell()

        return self.cluster.on_change(look)

    def wait(self, seconds: float) -> None:
        with self.cluster.lock:
            self.clients.run(seconds * 1000)

    def close(self) -> None:
        pass

    def members(self) -> list[dict[str, Any]]:
        return [_status(self.cluster, name) for name in self.cluster.servers]

    def __str__(self) -> str:
        return f"{self.caller.name} of {self.cluster!r}"


def _status(cluster: Cluster, name: str) -> dict[str, Any]:
    state = cluster[name]
    down = name in cluster.world.crashed
    said = "is down" if down else "" if state.leader_id else "etcdserver: no leader"
    return {
        "member": name,
        "is leader": state.is_leader and not down,
        "is learner": name in state.configuration.learners,
        "raft term": state.current_term,
        "raft index": state.log.last_index,
        "raft applied index": 0 if down else state.last_applied,
        "revision": 0 if down else state.machine.data.revision,
        "errors": said,
    }
