"""Watches: the store's events told as changes of objects.

begun = yield from perform(request, clock)      # of a `Watch`
watch = yield begun.create
while True:
    for response in (yield watch):
        told = events(request, response)
"""

from __future__ import annotations

from dataclasses import dataclass

from raft_lab.kube.errors import ApiError, expired, store_failed
from raft_lab.kube.lists import read, span, version
from raft_lab.kube.objects import from_store, kind_of
from raft_lab.kube.requests import Object, Watch
from raft_lab.kube.selectors import Selector, selector
from raft_lab.kv.clients import Program
from raft_lab.kv.requests import Event, Range, WatchCreate, WatchResponse


@dataclass(frozen=True, slots=True)
class Begun:
    """How a watch begins.

    Attributes:
        told: what is told at once.
        create: what to ask of the store from there on.
    """

    told: tuple[Object, ...]
    create: WatchCreate


def begin(request: Watch) -> Program:
    """A program that returns how a watch begins: after a version, or with all that is there."""
    kind = kind_of(request.resource)
    wanted = selector(kind, request.label_selector, request.field_selector)
    key, end = span(request)
    after = version(request.resource_version)
    told: list[Object] = []
    if after == 0 or request.initial_events:
        found = yield from read(Range(key, end), request.resource_version)
        told = [_change("ADDED", thing) for kv in found.kvs if wanted(thing := from_store(kv))]
        after = found.revision
    if request.initial_events and request.bookmarks:
        told.append(bookmark(request, after, all_told=True))
    return Begun(tuple(told), WatchCreate(key, end, after + 1, prev_kv=True, progress_notify=request.bookmarks))


def events(request: Watch, response: WatchResponse) -> tuple[Object, ...]:
    """What a watcher of objects is told, when the store tells this.

    With selectors, an object that no longer is among those asked for counts as deleted, and one that now is, as added.
    """
    if response.canceled:
        return (_ended(response),)
    wanted = selector(kind_of(request.resource), request.label_selector, request.field_selector)
    told = (_told(event, wanted) for event in response.events)
    return tuple(change for change in told if change is not None)


def bookmark(request: Watch, revision: int, *, all_told: bool = False) -> Object:
    """An event that says only how far one has come."""
    kind = kind_of(request.resource)
    meta: Object = {"resourceVersion": str(revision), "creationTimestamp": None}
    if all_told:
        meta["annotations"] = {"k8s.io/initial-events-end": "true"}
    return _change("BOOKMARK", {"kind": kind.name, "apiVersion": kind.api_version, "metadata": meta})


def failed(error: ApiError) -> Object:
    """The last event of a watch that cannot go on."""
    return _change("ERROR", error.status())


def _told(event: Event, wanted: Selector) -> Object | None:
    revision = event.kv.mod_revision
    now = from_store(event.kv) if event.type == "PUT" else None
    before = from_store(event.prev_kv, revision) if event.prev_kv is not None else None
    if before is None and event.kv.create_revision != revision:
        if now is None:
            return failed(store_failed(f"what was deleted at revision {revision} is compacted away"))
        before = now  # what stood there is compacted away
    is_meant, was_meant = now is not None and wanted(now), before is not None and wanted(before)
    if is_meant:
        return _change("MODIFIED" if was_meant else "ADDED", now)
    return _change("DELETED", before) if was_meant else None


def _ended(response: WatchResponse) -> Object:
    if response.compact_revision:
        return failed(expired("The resourceVersion for the provided watch is too old."))
    return failed(store_failed(response.cancel_reason or "the watch was canceled"))


def _change(type: str, thing: Object | None) -> Object:
    return {"type": type, "object": thing}
