"""The fields of objects, as one table: what they are called, of which type they are, and their protobuf numbers.

From this table come the canonical form of an object (fields in Kubernetes' order, nothing unknown, nothing empty), the
check of types, the OpenAPI schemas, and the reading of protobuf bodies. Types are written as Go writes them; a `*`
marks what may be present and empty ("" or 0). Numbers and order: k8s.io/api and k8s.io/apimachinery, generated.proto.
"""

from __future__ import annotations

import base64
import binascii
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from raft_lab.kube.errors import ApiError, bad_request


@dataclass(frozen=True, slots=True)
class Field:
    """One field of a struct.

    Attributes:
        number: its number in protobuf.
        name: its name in JSON.
        type: its type, such as "*int32", "[]OwnerReference", "map[string]string".
        text: what it is for, in words.
    """

    number: int
    name: str
    type: str
    text: str

    @property
    def pointer(self) -> bool:
        """Whether it can be there and be empty."""
        return self.type.startswith("*")

    @property
    def core(self) -> str:
        """The type without what says pointer or required."""
        return self.type.lstrip("*").rstrip("!")

    @property
    def required(self) -> bool:
        """Whether it is written even if it is empty."""
        return self.type.endswith("!")


def struct(table: str) -> dict[str, Field]:
    """The fields of a struct: a line each, of number, name, type and text."""
    rows = (line.split(None, 3) for line in table.strip().splitlines())
    return {name: Field(int(number), name, kind, text) for number, name, kind, text in rows}


KEPT_OUT = "-"
"""As a type: a field that Kubernetes knows and we do not keep."""

_META = "1 metadata ObjectMeta! Name, namespace, version, labels and so on."
STRUCTS: dict[str, dict[str, Field]] = {
    "ObjectMeta": struct("""
        1 name string Unique in its namespace and kind.
        2 generateName string The beginning of a name that the server completes.
        3 namespace string Within which names are unique.
        4 selfLink - Deprecated; not kept.
        5 uid string Unique in time: another object of the same name has another uid.
        6 resourceVersion string The revision of the store at which this version was written.
        7 generation int64 How often what is wished was changed.
        8 creationTimestamp Time When it was created, by the server's clock.
        9 deletionTimestamp Time When it will be deleted.
        10 deletionGracePeriodSeconds *int64 How long it has until then.
        11 labels map[string]string Words by which it can be selected.
        12 annotations map[string]string Words that say something about it.
        13 ownerReferences []OwnerReference Objects that it depends on.
        14 finalizers []string What must happen before it is deleted.
        17 managedFields []ManagedFieldsEntry Which client manages which fields.
        """),
    "ManagedFieldsEntry": struct("""
        1 manager string The name of the client.
        2 operation string How it came to that: Apply or Update.
        3 apiVersion string API version of the object then.
        4 time Time When it last changed.
        6 fieldsType string How the next one is written: FieldsV1.
        7 fieldsV1 FieldsV1 The fields, as nested objects.
        8 subresource string The part of the object by which it was written.
        """),
    "OwnerReference": struct("""
        5 apiVersion string! API version of the owner.
        1 kind string! Kind of the owner.
        3 name string! Name of the owner.
        4 uid string! Uid of the owner.
        6 controller *bool Whether the owner controls the object.
        7 blockOwnerDeletion *bool Whether the owner cannot be deleted before it.
        """),
    "Lease": struct(f"{_META}\n 2 spec LeaseSpec! Who holds the lease, since when and for how long."),
    "LeaseSpec": struct("""
        1 holderIdentity *string Who holds the lease. Empty: nobody.
        2 leaseDurationSeconds *int32 How long others must wait after they have seen it change.
        3 acquireTime *MicroTime When the holder acquired it.
        4 renewTime *MicroTime When the holder renewed it last.
        5 leaseTransitions *int32 How often it has gone to another holder.
        6 strategy *string How a coordinated election chooses the leader.
        7 preferredHolder *string To whom the holder shall yield.
        """),
    "Endpoints": struct(
        f"{_META}\n 2 subsets []EndpointSubset All addresses: those of each subset at each of its ports."
    ),
    "EndpointSubset": struct("""
        1 addresses []EndpointAddress Where it can be reached.
        2 notReadyAddresses []EndpointAddress Where it cannot be reached yet.
        3 ports []EndpointPort At which ports.
        """),
    "EndpointAddress": struct("""
        1 ip string! The address.
        3 hostname string Its name.
        4 nodeName *string The node that has it.
        2 targetRef *ObjectReference The object that provides it.
        """),
    "EndpointPort": struct("""
        1 name string Its name.
        2 port int32! Its number.
        3 protocol string UDP, TCP or SCTP; TCP if nothing is said.
        4 appProtocol *string What is spoken there.
        """),
    "ObjectReference": struct("""
        1 kind string Kind of the object.
        2 namespace string Its namespace.
        3 name string Its name.
        4 uid string Its uid.
        5 apiVersion string Its API version.
        6 resourceVersion string Its version.
        7 fieldPath string A part of it.
        """),
    "ConfigMap": struct(f"""{_META}
        4 immutable *bool Whether data and binaryData may never change.
        2 data map[string]string Texts by name.
        3 binaryData map[string][]byte Bytes by name.
        """),
    "Namespace": struct(f"""{_META}
        2 spec NamespaceSpec! How it behaves.
        3 status NamespaceStatus! How it stands.
        """),
    "NamespaceSpec": struct("1 finalizers []string What must be empty before it is deleted."),
    "NamespaceStatus": struct("1 phase string Active or Terminating."),
    "Event": struct(f"""{_META}
        2 involvedObject ObjectReference! What it is about.
        3 reason string Why, in one word.
        4 message string What happened, in words.
        5 source EventSource! Who tells.
        6 firstTimestamp Time When it happened first.
        7 lastTimestamp Time When it happened last.
        8 count int32 How often it happened.
        9 type string Normal or Warning.
        10 eventTime MicroTime When it happened first.
        11 series *EventSeries If it happens again and again.
        12 action string What was done.
        13 related *ObjectReference What else it is about.
        14 reportingComponent string! Which controller tells.
        15 reportingInstance string! Which instance of it.
        """),
    "EventSource": struct("1 component string Which component.\n 2 host string On which node."),
    "EventSeries": struct("1 count int32 How often.\n 2 lastObservedTime MicroTime When last."),
}
_SCALARS = {
    "string": (str, "string"),
    "bool": (bool, "bool"),
    "int32": (int, "int32"),
    "int64": (int, "int64"),
    "Time": (str, "string"),
    "MicroTime": (str, "string"),
    "[]byte": (str, "string"),
    "FieldsV1": (dict, "object"),
}


def canonical(kind: str, given: dict[str, Any], unknown: list[str] | None = None) -> dict[str, Any]:
    """An object (without apiVersion and kind) in the one form in which it is stored.

    Args:
        kind: its kind, a name in `STRUCTS`.
        given: the object as it came.
        unknown: where the paths of fields are put that the kind does not have; they are dropped.

    Raises:
        ApiError: 400, a field has the wrong type.
    """
    try:
        read: dict[str, Any] = _value(kind, given, "", kind, [] if unknown is None else unknown)
    except _WrongType as wrong:
        raise bad_request(f'{kind} in version "v1" cannot be handled as a {kind}: {wrong}') from None
    return read


class _WrongType(Exception):
    """A value that is not of its field's type, in the words of Go's decoder."""


def _value(type: str, given: Any, path: str, owner: str, unknown: list[str]) -> Any:
    if type in STRUCTS:
        return _struct_value(type, _checked(given, dict, path, owner, type), path, unknown)
    if type in _SCALARS:
        return _scalar(type, given, path, owner)
    if type.startswith("[]"):
        items = _checked(given, list, path, owner, type)
        return [_value(type[2:], item, f"{path}[{i}]", owner, unknown) for i, item in enumerate(items)]
    entries = _checked(given, dict, path, owner, type)
    inner = type.removeprefix("map[string]")
    texts = {name: "" if entry is None else entry for name, entry in entries.items()}
    return {name: _value(inner, texts[name], path, owner, unknown) for name in sorted(texts)}


def _struct_value(type: str, given: dict[str, Any], path: str, unknown: list[str]) -> dict[str, Any]:
    fields = STRUCTS[type]
    at_root = not path
    dot = "" if at_root else f"{path}."
    unknown += [f"{dot}{name}" for name in given if name not in fields and not (at_root and name in _TYPE_META)]
    out = {}
    for name, field in fields.items():
        value = given.get(name)
        if field.type == KEPT_OUT:
            continue
        if value is None and field.required:
            value = {} if field.core in STRUCTS else 0 if field.core.startswith("int") else ""
        if value is None:
            continue
        read = _value(field.core, value, dot + name, type, unknown)
        if read or field.pointer or field.required:
            out[name] = read
    return out


_TYPE_META = ("apiVersion", "kind")


def _scalar(type: str, given: Any, path: str, owner: str) -> Any:
    python, name = _SCALARS[type]
    if python is int and isinstance(given, float) and given.is_integer():
        given = int(given)
    value = _checked(given, python, path, owner, name)
    match type:
        case "int32" | "int64":
            bits = int(type[3:]) - 1
            if not -(1 << bits) <= value < 1 << bits:
                raise _WrongType(
                    f"json: cannot unmarshal number {value} into Go struct field {owner}.{path} of type {type}"
                )
        case "Time":
            return print_time(parse_time(value))
        case "MicroTime":
            return print_micro_time(parse_micro_time(value))
        case "[]byte":
            try:
                return base64.b64encode(base64.b64decode(value, validate=True)).decode()
            except (binascii.Error, ValueError):
                raise _WrongType("illegal base64 data") from None
    return value


def _checked(given: Any, python: type, path: str, owner: str, go: str) -> Any:
    if isinstance(given, python) and (python is not int or not isinstance(given, bool)):
        return given
    words = {dict: "object", list: "array", str: "string", bool: "bool", int: "number", float: "number"}
    told = words.get(type(given), type(given).__name__)
    raise _WrongType(f"json: cannot unmarshal {told} into Go struct field {owner}.{path} of type {go}")


# Times

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?P<fraction>\.\d+)?(Z|[+-]\d\d:\d\d)")
_MICRO = "2006-01-02T15:04:05.000000Z07:00"


def parse_time(text: str) -> int:
    """Microseconds since 1970 of a time such as "2026-11-23T07:44:38Z" (RFC 3339).

    Raises:
        ApiError: 400, it is none.
    """
    return _parse(text, "2006-01-02T15:04:05Z07:00")


def parse_micro_time(text: str) -> int:
    """Microseconds since 1970 of a MicroTime such as "2026-11-23T07:44:38.000000Z": with six digits, no fewer or more.

    Raises:
        ApiError: 400, it is none.
    """
    return _parse(text, _MICRO)


def _parse(text: str, layout: str) -> int:
    found = _TIME.fullmatch(text)
    if found is None or (layout == _MICRO and len(found["fraction"] or "") != 7):
        raise _not_a_time(text, layout)
    try:
        # Python reads up to six digits; Go reads nine and rounds down.
        when = datetime.fromisoformat(re.sub(r"(\.\d{6})\d+", r"\1", text))
        return (when - _EPOCH) // timedelta(microseconds=1)
    except (ValueError, OverflowError):
        raise _not_a_time(text, layout) from None


def _not_a_time(text: str, layout: str) -> ApiError:
    return bad_request(f'parsing time "{text}" as "{layout}": cannot parse "{text}"')


def print_time(us: int) -> str:
    """A time to the second, in UTC."""
    return f"{_EPOCH + timedelta(seconds=us // 1_000_000):%Y-%m-%dT%H:%M:%SZ}"


def print_micro_time(us: int) -> str:
    """A time to the microsecond, in UTC."""
    return f"{_EPOCH + timedelta(microseconds=us):%Y-%m-%dT%H:%M:%S.%fZ}"
