"""Which objects are meant: label and field selectors."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from raft_lab.kube.errors import bad_request
from raft_lab.kube.objects import Kind
from raft_lab.kube.requests import Object

Test = Callable[[Object], bool]

_KEY = r"(?P<key>[A-Za-z0-9]([-A-Za-z0-9_./]*[A-Za-z0-9])?)"
_SET = re.compile(_KEY + r"\s+(?P<how>in|notin)\s*\((?P<values>[-A-Za-z0-9_.,\s]*)\)")
_EQUAL = re.compile(_KEY + r"\s*(?P<how>==|=|!=)\s*(?P<value>[-A-Za-z0-9_.]*)")
_EXISTS = re.compile(r"(?P<no>!?)\s*" + _KEY)
_COMMA = re.compile(r",(?![^(]*\))")


@dataclass(frozen=True, slots=True)
class Selector:
    """All tests that an object must pass."""

    tests: tuple[Test, ...] = ()

    def __call__(self, thing: Object) -> bool:
        return all(test(thing) for test in self.tests)

    def __bool__(self) -> bool:
        return bool(self.tests)


def selector(kind: Kind, labels: str, fields: str) -> Selector:
    """What both selectors together ask for.

    Raises:
        ApiError: 400, one of them makes no sense.
    """
    of_labels = [_label_test(part.strip()) for part in _COMMA.split(labels) if part.strip()]
    of_fields = [_field_test(kind, part.strip()) for part in fields.split(",") if part.strip()]
    return Selector((*of_labels, *of_fields))


def _label_test(text: str) -> Test:
    if found := _SET.fullmatch(text):
        values = {value.strip() for value in found["values"].split(",")}
        return _one_of(found["key"], values, found["how"] == "in")
    if found := _EQUAL.fullmatch(text):
        return _one_of(found["key"], {found["value"]}, found["how"] != "!=")
    if found := _EXISTS.fullmatch(text):
        key, there = found["key"], not found["no"]
        return lambda thing: (key in thing["metadata"].get("labels", {})) is there
    raise bad_request(f"unable to parse requirement: {text!r} is none: a=b, a!=b, a in (b,c), a notin (b,c), a or !a")


def _one_of(key: str, values: set[str], wanted: bool) -> Test:
    """A label that is not there is none of them."""
    return lambda thing: (thing["metadata"].get("labels", {}).get(key) in values) is wanted


def _field_test(kind: Kind, text: str) -> Test:
    found = re.fullmatch(r"([^!=]+?)(==|=|!=)(.*)", text)
    if found is None:
        raise bad_request(f"invalid selector: '{text}'; can't understand '{text}'")
    path, how, value = found.groups()
    if path not in FIELDS | _MORE_FIELDS.get(kind.name, frozenset()):
        raise bad_request(f"field label not supported: {path}")
    return lambda thing: (field_of(thing, path) == value) is (how != "!=")


FIELDS = frozenset({"metadata.name", "metadata.namespace"})
_ABOUT = ("kind", "namespace", "name", "uid", "apiVersion", "resourceVersion", "fieldPath")
_MORE_FIELDS = {
    "Namespace": frozenset({"status.phase"}),
    "Event": frozenset(
        {"reason", "reportingComponent", "source", "type", *(f"involvedObject.{part}" for part in _ABOUT)}
    ),
}


def field_of(thing: Object, path: str) -> str:
    """What stands at a path of an object."""
    place: Any = thing
    for part in path.split("."):
        place = place.get(part, "") if isinstance(place, dict) else ""
    if path == "source":
        return str(place.get("component", "")) if isinstance(place, dict) else ""
    return str(place)
