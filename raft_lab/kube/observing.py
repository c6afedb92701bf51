"""What the store says of an election, whoever has written it: who may lead, and what was written to what is guarded."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from raft_lab.kube.elector import SECOND
from raft_lab.kube.guarded import Guarded
from raft_lab.kube.objects import from_store, kind_of
from raft_lab.kube.pods import Call
from raft_lab.kube.records import ANNOTATION, BadRecord, LeaderElectionRecord, of_annotation, of_spec
from raft_lab.kube.requests import Create, Patch, Update
from raft_lab.kube.timeline import MAY, Timeline
from raft_lab.kube.wires import Heart
from raft_lab.kv.clients import Clients, Program
from raft_lab.kv.requests import Event, WatchCreate, as_bytes


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


class Observer:
    """Listens to the store, and hears of what the API server has done, which is sooner.

    Args:
        place: namespace and name of the election.
        resource: the kind of its object: "leases", "endpoints" or "configmaps".
        guarded: the key that only the leader should write.
        timeline: where it is noted who may lead.
        heart: tells it when a lease is over.
    """

    def __init__(
        self, place: tuple[str, str], resource: str, guarded: Guarded, timeline: Timeline, heart: Heart
    ) -> None:
        self.leases: list[Lease] = []
        self._place = place
        self._resource = resource
        self._guarded = guarded
        self._timeline = timeline
        self._heart = heart

    def listen(self, clients: Clients) -> None:
        """Begin to watch both keys."""
        lease = kind_of(self._resource).key(*self._place)
        clients.start(_follow(lease, self._lease_changed), "observer")
        clients.start(_follow(as_bytes(self._guarded.key), self._guarded_changed), "observer")

    def done(self, call: Call, outcome: Any) -> None:
        """A server has done something: is it about what is guarded, or about the lease?"""
        request = call.request
        if call.to == "store":
            self._guarded.answered(request, outcome)
        elif isinstance(request, Create | Update | Patch) and isinstance(outcome, dict):
            metadata = outcome["metadata"]
            if (request.resource, metadata.get("namespace"), metadata["name"]) == (self._resource, *self._place):
                self._lease_is(int(metadata["resourceVersion"]), outcome)

    def _lease_changed(self, event: Event) -> None:
        self._lease_is(event.kv.mod_revision, from_store(event.kv) if event.type == "PUT" else None)

    def _guarded_changed(self, event: Event) -> None:
        if event.type == "PUT":
            self._guarded.accepted(event.kv.value, event.kv.mod_revision)

    def _lease_is(self, revision: int, found: dict[str, Any] | None) -> None:
        if self.leases and self.leases[-1].revision >= revision:
            return
        now, record = self._heart.now_us, _record_in(found) if found else None
        self.leases.append(Lease(now, revision, record))
        for who in self._timeline.now(MAY):
            if record is None or who != record.holder_identity:
                self._timeline.mark(now, who, MAY, False)
        if record is not None and record.holder_identity:
            self._timeline.mark(now, record.holder_identity, MAY, True)
            ends = now + record.lease_duration_seconds * SECOND
            self._heart.plan(ends, lambda: self._lease_over(revision, record.holder_identity))
            self._heart.changed()

    def _lease_over(self, revision: int, holder: str) -> None:
        if self.leases[-1].revision == revision:
            self._timeline.mark(self._heart.now_us, holder, MAY, False)


def _follow(key: bytes, tell: Callable[[Event], None]) -> Program:
    watch = yield WatchCreate(key)
    while True:
        for response in (yield watch):
            for event in response.events:
                tell(event)


def _record_in(found: dict[str, Any]) -> LeaderElectionRecord | None:
    try:
        if "spec" in found:
            return of_spec(found["spec"])
        text = (found["metadata"].get("annotations") or {}).get(ANNOTATION)
        return None if text is None else of_annotation(text)
    except BadRecord:
        return None
