"""A record of an election in words, field by field: `print(explain(annotation))`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html import escape
from typing import Any, TypeAlias

from raft_lab.kube.records import ANNOTATION, BadRecord, LeaderElectionRecord, of_annotation, of_spec

Row: TypeAlias = tuple[str, str, str]


@dataclass(frozen=True, slots=True)
class Explanation:
    """What a record says.

    Attributes:
        record: the record.
        rows: its fields: name, value as it stands there, and what it means.
    """

    record: LeaderElectionRecord
    rows: tuple[Row, ...]

    def __str__(self) -> str:
        widths = [max(len(row[column]) for row in self.rows) for column in (0, 1)]
        return "\n".join(f"{name:{widths[0]}}  {value:{widths[1]}}  {words}" for name, value, words in self.rows)

    def _repr_html_(self) -> str:
        cells = (
            f'<tr><th scope="row" style="text-align: left">{escape(name)}</th>'
            f'<td style="text-align: left"><code style="white-space: nowrap">{escape(value)}</code></td>'
            f'<td style="text-align: left">{escape(words)}</td></tr>'
            for name, value, words in self.rows
        )
        return f"<table>{''.join(cells)}</table>"


def explain(given: str | Mapping[str, Any]) -> Explanation:
    """Say what the record of an election means.

    Args:
        given: the annotation's text; or a whole object: a Lease, or an Endpoints or ConfigMap with the annotation.

    Raises:
        BadRecord: there is no record in it.
    """
    if isinstance(given, str):
        return _explained(json.loads(given) if _is_json(given) else {}, of_annotation(given), "leaderTransitions", {})
    if not isinstance(given, Mapping):
        raise BadRecord(f"explain takes an annotation or an object of Kubernetes, not {given!r}"[:200])
    metadata = given.get("metadata") or {}
    if "spec" in given or given.get("kind") == "Lease":
        spec = given.get("spec") or {}
        return _explained(spec, of_spec(spec), "leaseTransitions", metadata)
    text = (metadata.get("annotations") or {}).get(ANNOTATION)
    if not isinstance(text, str):
        raise BadRecord(f"the object has no annotation {ANNOTATION}, so nobody has led yet")
    return _explained(json.loads(text) if _is_json(text) else {}, of_annotation(text), "leaderTransitions", metadata)


def _is_json(text: str) -> bool:
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _explained(
    parts: Mapping[str, Any], record: LeaderElectionRecord, transitions: str, metadata: Mapping[str, Any]
) -> Explanation:
    words = {
        "holderIdentity": _holder(record),
        "leaseDurationSeconds": _duration(record),
        "acquireTime": "since when it leads, by its own wall clock",
        "renewTime": _renewed(record),
        transitions: _transitions(record, transitions),
        "strategy": "how a controller chooses among the candidates (coordinated leader election)",
        "preferredHolder": "whom the controller wants instead: the holder renews no more",
    }
    rows = [(name, json.dumps(parts[name]), words[name]) for name in words if parts.get(name) is not None]
    return Explanation(record, (*rows, *_version(metadata)))


def _holder(record: LeaderElectionRecord) -> str:
    if not record.holder_identity:
        return "nobody leads: the last leader gave the lease back, and whoever comes may take it at once"
    return "who leads: by custom the name of its pod"


def _duration(record: LeaderElectionRecord) -> str:
    seconds = record.lease_duration_seconds
    return f"who has not seen this record change for {seconds} s, by a clock of its own, may take the lease"


def _renewed(record: LeaderElectionRecord) -> str:
    words = "when the holder last said that it is there, by its own wall clock"
    if record.acquire_time_us is not None and record.renew_time_us is not None:
        words += f": {(record.renew_time_us - record.acquire_time_us) / 1e6:.1f} s after it began to lead"
    return f"{words}. Nobody compares it with a clock; it only has to change"


def _transitions(record: LeaderElectionRecord, name: str) -> str:
    words = "how often the lease went from one holder to another"
    if name == "leaderTransitions" and record.leader_transitions == 0:
        words += "; the sidecar leader-elector:0.5 writes 0 with every renewal, so from it 0 says nothing"
    return words


def _version(metadata: Mapping[str, Any]) -> Iterator[Row]:
    if version := metadata.get("resourceVersion"):
        words = "etcd's revision at which the object was written: who writes next must name it, or is refused (409)"
        yield "resourceVersion", json.dumps(version), words
