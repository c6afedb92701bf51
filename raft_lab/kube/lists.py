"""Reading objects: one, or many, as fresh as one asks for, and page by page."""

from __future__ import annotations

import base64
import binascii
import json
from dataclasses import dataclass
from typing import Any

from raft_lab.kube.errors import (
    Cause,
    bad_request,
    expired,
    forbidden,
    invalid,
    not_found,
    too_large_resource_version,
)
from raft_lab.kube.objects import from_store, kind_of
from raft_lab.kube.requests import Get, List, Object, Watch
from raft_lab.kube.selectors import selector
from raft_lab.kv.clients import Pause, Program
from raft_lab.kv.errors import COMPACTED, FUTURE_REVISION, EtcdError
from raft_lab.kv.requests import Range, RangeResponse, prefix_end

PATIENCE_US, GLANCE_US = 3_000_000, 250_000
"""For how long a version that is not there yet is waited for, and how often one looks."""


def get(request: Get) -> Program:
    """A program that reads one object."""
    kind = kind_of(request.resource)
    found = yield from read(Range(kind.key(request.namespace, request.name)), request.resource_version)
    if not found.kvs:
        raise not_found(kind, request.name)
    return from_store(found.kvs[0])


def read(wanted: Range, resource_version: str) -> Program:
    """A program that reads as fresh as is asked for: "" the newest, "0" what is there, N not older than N."""
    least = version(resource_version)
    if resource_version == "":
        return (yield wanted)
    found = yield _from_anywhere(wanted)
    waited = 0
    while found.revision < least:
        if waited >= PATIENCE_US:
            raise too_large_resource_version(least, found.revision)
        if waited:
            yield Pause(GLANCE_US)
        found = yield wanted
        waited += GLANCE_US
    return found


def _from_anywhere(wanted: Range) -> Range:
    """The same, of whatever member is asked: as from the API server's cache."""
    return Range(wanted.key, wanted.range_end, wanted.limit, serializable=True)


def version(text: str) -> int:
    """The revision that a resourceVersion names; that of none is 0.

    Raises:
        ApiError: 400, it names none.
    """
    if text == "":
        return 0
    if not (text.isascii() and text.isdecimal()) or int(text) >= 1 << 63:
        raise bad_request(f'Invalid value: "{text}": a resource version is a whole number, as the API has given it')
    return int(text)


def span(request: List | Watch) -> tuple[bytes, bytes]:
    """The keys that a list or a watch is about: all of a kind, those in a namespace, or only one."""
    kind = kind_of(request.resource)
    named = [part for part in request.field_selector.split(",") if part.startswith("metadata.name=")]
    if named and (request.namespace or not kind.namespaced):
        return kind.key(request.namespace, named[0].partition("=")[2].removeprefix("=")), b""
    folder = kind.key(request.namespace)
    return folder, prefix_end(folder)


@dataclass(frozen=True, slots=True)
class Place:
    """Where a list goes on.

    Attributes:
        revision: as of which revision; 0: the newest.
        start: the first key, after the prefix of all.
    """

    revision: int
    start: str

    def token(self) -> str:
        """As clients have it."""
        words = {"v": "meta.k8s.io/v1", "rv": self.revision or -1, "start": self.start}
        text = json.dumps(words, separators=(",", ":"))
        return base64.urlsafe_b64encode(text.encode()).rstrip(b"=").decode()

    @classmethod
    def of(cls, token: str) -> Place:
        """What a client brings.

        Raises:
            ApiError: 400, it is not from here.
        """
        try:
            words = json.loads(base64.urlsafe_b64decode(token + "=" * (-len(token) % 4)))
            revision, start = words["rv"], words["start"]
            if words["v"] != "meta.k8s.io/v1" or type(revision) is not int or not start or ".." in start.split("/"):
                raise ValueError
            return cls(max(revision, 0), str(start))
        except (binascii.Error, ValueError, KeyError, TypeError, AttributeError):
            raise bad_request("continue key is not valid: give it as an earlier list has given it") from None


def list_objects(request: List) -> Program:
    """A program that reads many objects; it returns the list."""
    kind = kind_of(request.resource)
    wanted = selector(kind, request.label_selector, request.field_selector)
    _check_versions(request)
    begin, end = span(request)
    folder = kind.key(request.namespace)
    revision, start = _where(request, begin, folder)
    items: list[Object] = []
    while True:
        left = request.limit - len(items) if request.limit else 0
        found: RangeResponse = yield from _page(request, Range(start, end, left, revision), folder)
        if not request.continue_ or revision:
            revision = revision or found.revision
        items += [item for kv in found.kvs if wanted(item := from_store(kv))]
        if not found.more or (request.limit and len(items) >= request.limit):
            break
        start = found.kvs[-1].key + b"\0"
    meta: dict[str, Any] = {"resourceVersion": str(revision or found.revision)}
    if found.more:
        last = found.kvs[-1].key + b"\0"
        meta["continue"] = Place(revision or found.revision, last.removeprefix(folder).decode()).token()
        if not wanted:
            meta["remainingItemCount"] = found.count - len(found.kvs)
    return {"kind": f"{kind.name}List", "apiVersion": kind.api_version, "metadata": meta, "items": _bare(items)}


def _bare(items: list[Object]) -> list[Object]:
    """In a list, objects do not say again of which kind they are."""
    return [{name: part for name, part in item.items() if name not in ("kind", "apiVersion")} for item in items]


def _where(request: List, begin: bytes, folder: bytes) -> tuple[int, bytes]:
    """At which revision and key a list begins."""
    if request.continue_:
        if request.resource_version not in ("", "0"):
            raise bad_request("specifying resource version is not allowed when using continue")
        place = Place.of(request.continue_)
        return place.revision, folder + place.start.encode()
    return (version(request.resource_version) if _exact(request) else 0), begin


def _exact(request: List) -> bool:
    """A limit with a version is exact, too, if nothing else is said: pages shall be of one moment."""
    return request.resource_version_match == "Exact" or (
        bool(request.limit) and not request.resource_version_match and request.resource_version not in ("", "0")
    )


def _page(request: List, wanted: Range, folder: bytes) -> Program:
    try:
        if wanted.revision or request.continue_:
            return (yield wanted)
        return (yield from read(wanted, request.resource_version))
    except EtcdError as error:
        if error == COMPACTED:
            raise _too_old(request, wanted, folder) from None
        if error == FUTURE_REVISION:
            raise too_large_resource_version(wanted.revision, 0) from None
        raise


def _too_old(request: List, wanted: Range, folder: bytes) -> Exception:
    if not request.continue_:
        return expired("The resourceVersion for the provided list is too old.")
    message = (
        "The provided continue parameter is too old to display a consistent list result. You can start a new list "
        "without the continue parameter, or use the continue token in this response to retrieve the remainder of the "
        "results. Continuing with the provided token results in an inconsistent list - objects that were created, "
        "modified, or deleted between the time the first chunk was returned and now may show up in the list."
    )
    return expired(message, {"continue": Place(0, wanted.key.removeprefix(folder).decode()).token()})


def _check_versions(request: List) -> None:
    match, given = request.resource_version_match, request.resource_version
    cause = None
    if match and not given:
        why = "resourceVersionMatch is forbidden unless resourceVersion is provided"
        cause = forbidden("resourceVersionMatch", why)
    elif match not in ("", "Exact", "NotOlderThan"):
        why = f'Unsupported value: "{match}": supported values: "Exact", "NotOlderThan"'
        cause = Cause("FieldValueNotSupported", "resourceVersionMatch", why)
    elif match == "Exact" and given == "0":
        why = 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"'
        cause = forbidden("resourceVersionMatch", why)
    elif match and request.continue_:
        cause = forbidden("resourceVersionMatch", "resourceVersionMatch is forbidden for continue")
    if cause is not None:
        raise invalid("meta.k8s.io", "ListOptions", "", [cause])
