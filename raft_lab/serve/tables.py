"""Objects as rows of a table, which is how kubectl asks for them: the server chooses what is shown."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from raft_lab.kube.fields import parse_time
from raft_lab.kube.objects import Kind
from raft_lab.kube.requests import Object

Row = Callable[[Object, int], list[Any]]

COLUMNS: dict[str, tuple[str, ...]] = {
    "Lease": ("Name", "Holder", "Age"),
    "Endpoints": ("Name", "Endpoints", "Age"),
    "ConfigMap": ("Name", "Data", "Age"),
    "Namespace": ("Name", "Status", "Age"),
    "Event": ("Last Seen", "Type", "Reason", "Object", "Message"),
}
_NUMBERS = {"Data"}


def table(kind: Kind, things: list[Object], now_us: int, include: str, meta: Object, header: bool = True) -> Object:
    """A table of objects.

    Args:
        kind: their kind.
        things: the objects.
        now_us: the time, by which their age goes; microseconds since 1970.
        include: what of an object comes with its row: "Metadata", "Object" or "None".
        meta: the metadata of the list.
        header: whether to name the columns.
    """
    rows = [{"cells": _cells(kind, thing, now_us), **_included(kind, thing, include)} for thing in things]
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": meta,
        "columnDefinitions": [_column(name) for name in COLUMNS[kind.name]] if header else None,
        "rows": rows,
    }


def metadata_only(thing: Object) -> Object:
    """An object without all but its metadata."""
    return {"kind": "PartialObjectMetadata", "apiVersion": "meta.k8s.io/v1", "metadata": thing["metadata"]}


def _included(kind: Kind, thing: Object, include: str) -> Object:
    match include:
        case "None":
            return {}
        case "Object":
            return {"object": {"kind": kind.name, "apiVersion": kind.api_version, **thing}}
    return {"object": metadata_only(thing)}


def _column(name: str) -> Object:
    kind, form = "integer" if name in _NUMBERS else "string", "name" if name == "Name" else ""
    return {"name": name, "type": kind, "format": form, "description": name, "priority": 0}


def _cells(kind: Kind, thing: Object, now_us: int) -> list[Any]:
    meta = thing["metadata"]
    name, age = meta.get("name", ""), _since(meta.get("creationTimestamp"), now_us)
    match kind.name:
        case "Lease":
            return [name, thing.get("spec", {}).get("holderIdentity", ""), age]
        case "Endpoints":
            return [name, endpoints_in_short(thing), age]
        case "ConfigMap":
            return [name, len(thing.get("data", {})) + len(thing.get("binaryData", {})), age]
        case "Namespace":
            return [name, thing.get("status", {}).get("phase", ""), age]
    about = thing.get("involvedObject", {})
    last = thing.get("lastTimestamp") or thing.get("eventTime") or thing.get("firstTimestamp")
    return [
        _since(last, now_us),
        thing.get("type", ""),
        thing.get("reason", ""),
        f"{about.get('kind', '').lower()}/{about.get('name', '')}",
        thing.get("message", "").strip(),
    ]


def endpoints_in_short(thing: Object) -> str:
    """The first three addresses with their ports, and how many more there are."""
    found = [
        f"{address['ip']}:{port['port']}" if port else address["ip"]
        for subset in thing.get("subsets", ())
        for port in subset.get("ports", [None])
        for address in subset.get("addresses", ())
    ]
    if not found:
        return "<none>"
    more = f" + {len(found) - 3} more..." if len(found) > 3 else ""
    return ",".join(found[:3]) + more


def _since(time: str | None, now_us: int) -> str:
    return human(now_us - parse_time(time)) if time else "<unknown>"


def human(us: int) -> str:
    """A duration as kubectl prints ages: two digits' worth of it, no more."""
    seconds = us // 1_000_000
    if seconds < -1:
        return "<invalid>"
    seconds = max(seconds, 0)
    minutes, hours, days = seconds // 60, seconds // 3600, seconds // 86400
    years = days // 365
    for limit, whole, part in (
        (seconds < 120, f"{seconds}s", ""),
        (minutes < 10, f"{minutes}m", _rest(seconds % 60, "s")),
        (hours < 3, f"{minutes}m", ""),
        (hours < 8, f"{hours}h", _rest(minutes % 60, "m")),
        (hours < 48, f"{hours}h", ""),
        (days < 8, f"{days}d", _rest(hours % 24, "h")),
        (days < 730, f"{days}d", ""),
        (years < 8, f"{years}y", _rest(days % 365, "d")),
    ):
        if limit:
            return whole + part
    return f"{years}y"


def _rest(number: int, unit: str) -> str:
    return f"{number}{unit}" if number else ""
