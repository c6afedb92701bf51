"""The record of a leader election, as it stands in a Lease or in an annotation; in words, if one asks."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from raft_lab.kube.errors import ApiError
from raft_lab.kube.fields import parse_time, print_micro_time, print_time
from raft_lab.raft.errors import RaftLabError

ANNOTATION = "control-plane.alpha.kubernetes.io/leader"
"""The annotation of an Endpoints or ConfigMap object that holds the record (`LeaderElectionRecordAnnotationKey`)."""


class BadRecord(RaftLabError):
    """What stands there is no record of an election."""


@dataclass(frozen=True, slots=True)
class LeaderElectionRecord:
    """Who leads, and since when (client-go's type of this name).

    Attributes:
        holder_identity: who leads; "": nobody, whoever comes may take it at once.
        lease_duration_seconds: how long others wait for a change before they take it.
        acquire_time_us: when the holder took it, by its own wall clock, in microseconds since 1970.
        renew_time_us: when the holder last said that it is still there, likewise. Nobody compares it with a clock.
        leader_transitions: how often it went from one holder to another.
        strategy: how a coordinated election chooses; "": it is none.
        preferred_holder: to whom a coordinated election wants it to go.
    """

    holder_identity: str = ""
    lease_duration_seconds: int = 0
    acquire_time_us: int | None = None
    renew_time_us: int | None = None
    leader_transitions: int = 0
    strategy: str = ""
    preferred_holder: str = ""


# Times


def _printed(us: int | None, how: Callable[[int], str]) -> str | None:
    return None if us is None else how(us)


def _parsed(text: object) -> int | None:
    if text is None:
        return None
    try:
        return parse_time(text if isinstance(text, str) else repr(text))
    except ApiError:
        raise BadRecord(f"{text!r} is no time such as 2019-02-27T18:00:00Z"[:200]) from None


# Leases


def spec_of(record: LeaderElectionRecord) -> dict[str, Any]:
    """The `spec` of a Lease (client-go's LeaderElectionRecordToLeaseSpec)."""
    spec = {
        "holderIdentity": record.holder_identity,
        "leaseDurationSeconds": record.lease_duration_seconds,
        "acquireTime": _printed(record.acquire_time_us, print_micro_time),
        "renewTime": _printed(record.renew_time_us, print_micro_time),
        "leaseTransitions": record.leader_transitions,
    }
    more = {"strategy": record.strategy, "preferredHolder": record.preferred_holder}
    return {**spec, **{name: value for name, value in more.items() if value}}


def of_spec(spec: Mapping[str, Any]) -> LeaderElectionRecord:
    """The record in the `spec` of a Lease; what is not there is empty."""
    return _record(spec, "leaseTransitions")


# Annotations


def annotation_of(record: LeaderElectionRecord) -> str:
    """The record as an annotation: JSON, with client-go's order of keys and whole seconds."""
    parts = {
        "holderIdentity": record.holder_identity,
        "leaseDurationSeconds": record.lease_duration_seconds,
        "acquireTime": _printed(record.acquire_time_us, print_time),
        "renewTime": _printed(record.renew_time_us, print_time),
        "leaderTransitions": record.leader_transitions,
    }
    more = {"strategy": record.strategy, "preferredHolder": record.preferred_holder}
    return json.dumps({**parts, **{name: value for name, value in more.items() if value}}, separators=(",", ":"))


def of_annotation(text: str) -> LeaderElectionRecord:
    """The record in an annotation.

    Raises:
        BadRecord: it is not JSON, or one of its parts is not what it should be.
    """
    try:
        parts = json.loads(text)
    except ValueError as error:
        raise BadRecord(f"the annotation {ANNOTATION} is not JSON: {error}") from None
    if not isinstance(parts, dict):
        raise BadRecord(f"the annotation {ANNOTATION} holds no record but {text!r}"[:200])
    return _record(parts, "leaderTransitions")


def _record(parts: Mapping[str, Any], transitions: str) -> LeaderElectionRecord:
    return LeaderElectionRecord(
        _part(parts, "holderIdentity", ""),
        _part(parts, "leaseDurationSeconds", 0),
        _parsed(parts.get("acquireTime")),
        _parsed(parts.get("renewTime")),
        _part(parts, transitions, 0),
        _part(parts, "strategy", ""),
        _part(parts, "preferredHolder", ""),
    )


def _part(parts: Mapping[str, Any], name: str, usual: Any) -> Any:
    value = parts.get(name)
    if value is None:
        return usual
    if type(value) is not type(usual):
        raise BadRecord(f"{name} must be {'text' if usual == '' else 'a whole number'}, not {value!r}"[:200])
    return value
