"""Where the record of an election stands: in a Lease, or in an annotation of an Endpoints or ConfigMap object.

The API server knows nothing of elections. All that a lock needs of it is that two who write at the same time cannot
both succeed: a create fails if the object is there (409 AlreadyExists), an update if it is not the version that the
writer has read (409 Conflict).
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Protocol

from raft_lab.kube.errors import ApiError
from raft_lab.kube.processes import Ask, Context, Program
from raft_lab.kube.records import ANNOTATION, LeaderElectionRecord, annotation_of, of_annotation, of_spec, spec_of
from raft_lab.kube.requests import Create, Get, Update
from raft_lab.raft.errors import RaftLabError


class LockError(RaftLabError):
    """A lock cannot be used like this."""


class Lock(Protocol):
    """What an elector needs of a lock (client-go's resourcelock.Interface); the first three are programs."""

    identity: str
    """Who stands in the record as the holder."""

    def get(self, context: Context) -> Program:
        """Read the record; returns it, and it as bytes, which are compared to see whether anything has changed."""

    def create(self, context: Context, record: LeaderElectionRecord) -> Program:
        """Make the object, with this record."""

    def update(self, context: Context, record: LeaderElectionRecord) -> Program:
        """Put this record in place of the one that was read or written last."""

    def record_event(self, text: str) -> None:
        """Make an event known."""

    def describe(self) -> str:
        """Which object it is."""

    @property
    def resource_version(self) -> str:
        """The version of the object that was read or written last; "" before."""


class _ObjectLock(ABC):
    """A lock that is one object of the API.

    Args:
        namespace: of the object.
        name: of the object.
        identity: who stands in the record as the holder.
        labels: set whenever the record is written; other labels stay.
        recorder: is told of events, such as "pod-a became leader".
        timeout_us: how long a request may take; None: as long as its context.
    """

    resource = ""
    what = ""

    def __init__(
        self,
        namespace: str,
        name: str,
        identity: str,
        *,
        labels: Mapping[str, str] | None = None,
        recorder: Callable[[str], None] | None = None,
        timeout_us: int | None = None,
    ) -> None:
        self.namespace = namespace
        self.name = name
        self.identity = identity
        self.labels = dict(labels or {})
        self.recorder = recorder
        self.timeout_us = timeout_us
        self.object: dict[str, Any] | None = None
        """As it was last read or written; an update carries its resourceVersion. A failed one leaves it as it is, so
        that every update fails until it is read again."""

    def get(self, context: Context) -> Program:
        found = yield self._ask(Get(self.resource, self.namespace, self.name), context)
        self.object = found
        return self.read(found)

    def create(self, context: Context, record: LeaderElectionRecord) -> Program:
        metadata = {"name": self.name, "namespace": self.namespace}
        if self.labels:
            metadata["labels"] = dict(self.labels)  # type: ignore[assignment]
        made = self.written({"metadata": metadata}, record)
        self.object = yield self._ask(Create(self.resource, self.namespace, made), context)

    def update(self, context: Context, record: LeaderElectionRecord) -> Program:
        if self.object is None:
            raise LockError(f"{self.what} not initialized, call get or create first")
        changed = self.written(self.object, record)
        if self.labels:
            metadata = changed["metadata"]
            changed["metadata"] = {**metadata, "labels": {**(metadata.get("labels") or {}), **self.labels}}
        self.object = yield self._ask(Update(self.resource, self.namespace, self.name, changed), context)

    def record_event(self, text: str) -> None:
        if self.recorder is not None:
            self.recorder(f"{self.identity} {text}")

    def describe(self) -> str:
        return f"{self.namespace}/{self.name}"

    @property
    def resource_version(self) -> str:
        version: str = self.object["metadata"].get("resourceVersion", "") if self.object else ""
        return version

    @abstractmethod
    def read(self, found: dict[str, Any]) -> tuple[LeaderElectionRecord, bytes]:
        """The record in an object, and its bytes."""

    @abstractmethod
    def written(self, before: dict[str, Any], record: LeaderElectionRecord) -> dict[str, Any]:
        """The object with this record."""

    def _ask(self, request: Any, context: Context) -> Ask:
        return Ask(request, context if self.timeout_us is None else context.with_timeout(self.timeout_us))


class LeaseLock(_ObjectLock):
    """A Lease of coordination.k8s.io/v1: the only lock that client-go still has (since v0.28)."""

    resource = "leases"
    what = "lease"

    def read(self, found: dict[str, Any]) -> tuple[LeaderElectionRecord, bytes]:
        record = of_spec(found.get("spec") or {})
        return record, annotation_of(record).encode()  # whole seconds: two renewals within one look alike

    def written(self, before: dict[str, Any], record: LeaderElectionRecord) -> dict[str, Any]:
        head = {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease"}
        return {**head, **before, "spec": spec_of(record)}


class _AnnotationLock(_ObjectLock):
    """A lock that is an annotation, as all were before there were Leases."""

    kind = ""

    def read(self, found: dict[str, Any]) -> tuple[LeaderElectionRecord, bytes]:
        text = (found["metadata"].get("annotations") or {}).get(ANNOTATION)
        if text is None:
            return LeaderElectionRecord(), b""
        return of_annotation(text), text.encode()

    def written(self, before: dict[str, Any], record: LeaderElectionRecord) -> dict[str, Any]:
        metadata = before["metadata"]
        annotations = {**(metadata.get("annotations") or {}), ANNOTATION: annotation_of(record)}
        return {"apiVersion": "v1", "kind": self.kind, **before, "metadata": {**metadata, "annotations": annotations}}


class EndpointsLock(_AnnotationLock):
    """An annotation of an Endpoints object: the lock of the first electors, in client-go until v0.23."""

    resource = "endpoints"
    what = "endpoint"
    kind = "Endpoints"


class ConfigMapLock(_AnnotationLock):
    """An annotation of a ConfigMap, in client-go until v0.23."""

    resource = "configmaps"
    what = "configmap"
    kind = "ConfigMap"


UNKNOWN_LEADER = "leaderelection.k8s.io/unknown"


class MultiLock:
    """Two locks at once, for the way from one kind to another without a moment of two leaders (v0.17 to v0.27).

    Who holds only one of them does not lead; if two each hold one, nobody does until both records are old.
    """

    def __init__(self, primary: Lock, secondary: Lock) -> None:
        self.primary = primary
        self.secondary = secondary
        self.identity = primary.identity

    def get(self, context: Context) -> Program:
        record, raw = yield from self.primary.get(context)
        try:
            other, other_raw = yield from self.secondary.get(context)
        except ApiError as error:
            if is_not_found(error) and record.holder_identity != self.identity:
                return record, raw  # an old elector that knows only the primary lock holds it
            raise
        if record.holder_identity != other.holder_identity:
            record = replace(record, holder_identity=UNKNOWN_LEADER)
            raw = annotation_of(record).encode()
        return record, raw + b"," + other_raw

    def create(self, context: Context, record: LeaderElectionRecord) -> Program:
        try:
            yield from self.primary.create(context, record)
        except ApiError as error:
            if error.reason != "AlreadyExists":
                raise
        yield from self.secondary.create(context, record)

    def update(self, context: Context, record: LeaderElectionRecord) -> Program:
        yield from self.primary.update(context, record)
        try:
            yield from self.secondary.get(context)
        except ApiError as error:
            if is_not_found(error):
                yield from self.secondary.create(context, record)
                return
        yield from self.secondary.update(context, record)

    def record_event(self, text: str) -> None:
        self.primary.record_event(text)
        self.secondary.record_event(text)

    def describe(self) -> str:
        return self.primary.describe()

    @property
    def resource_version(self) -> str:
        return self.secondary.resource_version


def is_not_found(error: Exception) -> bool:
    """Whether the API says that there is no such object."""
    return isinstance(error, ApiError) and error.reason == "NotFound"


def is_conflict(error: Exception) -> bool:
    """Whether the API says that somebody else has written in between."""
    return isinstance(error, ApiError) and error.reason == "Conflict"


LOCK_TYPES = ("leases", "endpoints", "configmaps", "endpointsleases", "configmapsleases")
"""All that client-go has had."""


def lock_of(lock_type: str, namespace: str, name: str, identity: str, **options: Any) -> Lock:
    """The lock of a type: one of `LOCK_TYPES`.

    Raises:
        LockError: there is none of this name.
    """
    kinds: dict[str, Callable[..., Lock]] = {
        "leases": LeaseLock,
        "endpoints": EndpointsLock,
        "configmaps": ConfigMapLock,
    }
    if lock_type in kinds:
        return kinds[lock_type](namespace, name, identity, **options)
    if lock_type in ("endpointsleases", "configmapsleases"):
        primary = kinds[lock_type.removesuffix("leases")](namespace, name, identity, **options)
        return MultiLock(primary, LeaseLock(namespace, name, identity, **options))
    raise LockError(f"Invalid lock-type {lock_type}")
