"""An API server that answers as it is told, and remembers what it was asked; as client-go's own tests have one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raft_lab.kube.elector import LeaderCallbacks, LeaderElectionConfig, LeaderElector
from raft_lab.kube.errors import ApiError
from raft_lab.kube.locks import LeaseLock, lock_of
from raft_lab.kube.processes import Context, HandClock, run_by_hand
from raft_lab.kube.records import ANNOTATION, LeaderElectionRecord, annotation_of, spec_of

SECOND = 1_000_000
BEGIN = 1_700_000_000 * SECOND

NOT_FOUND = ApiError(404, "NotFound", 'leases.coordination.k8s.io "bar" not found')
CONFLICT = ApiError(409, "Conflict", "the object has been modified; please apply your changes to the latest version")


def verb(request: Any) -> str:
    return type(request).__name__.lower()


def object_with(record: LeaderElectionRecord | None, lock_type: str = "leases") -> dict[str, Any]:
    """An object foo/bar as the API would give it; without a record if there is None."""
    metadata: dict[str, Any] = {"namespace": "foo", "name": "bar", "resourceVersion": "1"}
    if lock_type == "leases":
        return {"metadata": metadata, "spec": spec_of(record) if record else {}}
    if record:
        metadata["annotations"] = {ANNOTATION: annotation_of(record)}
    return {"metadata": metadata}


class ScriptedApi:
    """Answers each verb by its function, and keeps the calls."""

    def __init__(self, **answers: Callable[[Any], Any]) -> None:
        self.answers = answers
        self.calls: list[str] = []

    def __call__(self, request: Any) -> Any:
        self.calls.append(verb(request))
        assert verb(request) in self.answers, f"nobody expected {request}"
        answer = self.answers[verb(request)](request)
        if isinstance(answer, Exception):
            raise answer
        return answer


class OneObject(ScriptedApi):
    """One object that can be read, created and updated, with versions as etcd counts them."""

    def __init__(self, found: dict[str, Any] | None = None) -> None:
        super().__init__(get=self.get, create=self.create, update=self.update)
        self.object = found
        self.version = 1

    def get(self, request: Any) -> Any:
        return self.object or NOT_FOUND

    def create(self, request: Any) -> Any:
        return ApiError(409, "AlreadyExists", "already exists") if self.object else self.written(request.object)

    def update(self, request: Any) -> Any:
        if self.object is None:
            return NOT_FOUND
        if request.object["metadata"].get("resourceVersion") != self.object["metadata"]["resourceVersion"]:
            return CONFLICT
        return self.written(request.object)

    def written(self, changed: dict[str, Any]) -> dict[str, Any]:
        self.version += 1
        self.object = {**changed, "metadata": {**changed["metadata"], "resourceVersion": str(self.version)}}
        return self.object


class Told:
    """What an elector has told its callbacks and its recorder."""

    def __init__(self) -> None:
        self.calls: list[str] = []
        self.events: list[str] = []
        self.leading: Context | None = None

    def started(self, context: Context) -> None:
        self.leading = context
        self.calls.append("started")

    def callbacks(self) -> LeaderCallbacks:
        return LeaderCallbacks(
            self.started,
            lambda: self.calls.append("stopped"),
            lambda identity: self.calls.append(f"leader is {identity!r}"),
        )


class Candidate:
    """An elector "baz" of foo/bar, run by hand."""

    def __init__(self, api: Callable[[Any], Any], lock_type: str = "leases", **config: Any) -> None:
        self.api = api
        self.clock = HandClock(BEGIN, tick_us=1)
        self.told = Told()
        self.lock = lock_of(lock_type, "foo", "bar", "baz", recorder=self.told.events.append)
        self.context = Context(self.clock)
        durations = {"lease_duration_us": 10 * SECOND, "renew_deadline_us": 5 * SECOND, "retry_period_us": 2 * SECOND}
        self.elector = LeaderElector(
            LeaderElectionConfig(self.lock, self.told.callbacks(), **{**durations, **config}), self.clock
        )

    def do(self, program: Any) -> Any:
        return run_by_hand(program, self.api, self.clock)

    def observes(self, record: LeaderElectionRecord, time_us: int) -> None:
        self.elector.observed_record = record
        self.elector.observed_raw_record = annotation_of(record).encode()
        self.elector.observed_time_us = time_us


__all__ = ["BEGIN", "CONFLICT", "NOT_FOUND", "SECOND", "Candidate", "LeaseLock", "OneObject", "ScriptedApi", "Told"]
