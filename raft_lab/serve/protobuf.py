"""Protobuf bodies, as kubectl and clients in Go send them: `k8s`, a zero byte, and a message inside a message.

Which fields there are is told by the one table in `raft_lab.kube.fields`. Needs protobuf: `raft_lab[serve]`.
"""

from __future__ import annotations

import base64
import functools
import json
from typing import Any

from raft_lab.kube.errors import bad_request
from raft_lab.kube.fields import KEPT_OUT, STRUCTS, Field, print_micro_time, print_time, struct

MAGIC = b"k8s\0"
_TIMES = {"Time": print_time, "MicroTime": print_micro_time}
_OPTIONS = {  # of requests, not of objects
    "DeleteOptions": struct("2 preconditions *Preconditions -\n 5 dryRun []string -"),
    "Preconditions": struct("1 uid *string -\n 2 resourceVersion *string -"),
    "TypeMeta": struct("1 apiVersion string -\n 2 kind string -"),
    "Unknown": struct("1 typeMeta TypeMeta -\n 2 raw []byte -"),
}
_TABLE = {**STRUCTS, **_OPTIONS}


def read_protobuf(body: bytes) -> dict[str, Any]:
    """What a protobuf body says, as JSON would have it.

    Raises:
        ApiError: 400, it is none, or of a kind that is not known here.
    """
    if not body.startswith(MAGIC):
        raise bad_request("provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]")
    outer = _parsed("Unknown", body[len(MAGIC) :])
    kind = outer.typeMeta.kind
    if kind not in _TABLE:
        raise bad_request(f'no kind "{kind}" is registered for version "{outer.typeMeta.apiVersion}"')
    inner = _plain(kind, _parsed(kind, outer.raw))
    return {"apiVersion": outer.typeMeta.apiVersion, "kind": kind, **inner}


def _parsed(name: str, data: bytes) -> Any:
    from google.protobuf.message import DecodeError

    message = _classes()[name]()
    try:
        message.ParseFromString(data)
    except (DecodeError, UnicodeDecodeError) as error:
        raise bad_request(f"the body of the request is no protobuf message {name}: {error}") from None
    return message


def _plain(type: str, message: Any) -> Any:
    """A message as plain values; what is not in it is left out."""
    values = {field.name: value for field, value in message.ListFields()}
    return {name: _value(field.core, values[name]) for name, field in _TABLE[type].items() if name in values}


def _value(type: str, value: Any) -> Any:
    if type.startswith("map[string]"):
        return {name: _value(type.removeprefix("map[string]"), inner) for name, inner in value.items()}
    if type == "[]byte":
        return base64.b64encode(value).decode()
    if type.startswith("[]"):
        return [_value(type[2:], item) for item in value]
    if type in _TIMES:
        try:
            return _TIMES[type](value.seconds * 1_000_000 + value.nanos // 1000)
        except OverflowError:
            raise bad_request(f"a time {value.seconds} seconds after 1970 is none") from None
    if type == "FieldsV1":
        return _fields(value.Raw)
    return _plain(type, value) if type in _TABLE else value


def _fields(data: bytes) -> Any:
    """What is JSON inside protobuf, too."""
    try:
        return json.loads(data or b"{}")
    except (ValueError, RecursionError) as error:
        raise bad_request(f"managed fields are no JSON: {error}") from None


# The messages

_PACKAGE = "raft_lab.kube"
_SCALARS = {"string": "STRING", "bool": "BOOL", "int32": "INT32", "int64": "INT64", "[]byte": "BYTES"}


@functools.cache
def _classes() -> dict[str, Any]:
    """The class of every message of the table, in a pool of their own."""
    from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

    file = descriptor_pb2.FileDescriptorProto(name="raft_lab/kube.proto", package=_PACKAGE, syntax="proto2")
    for name in _TIMES:
        moment = file.message_type.add(name=name)
        _declare(moment, Field(1, "seconds", "int64", ""))
        _declare(moment, Field(2, "nanos", "int32", ""))
    _declare(file.message_type.add(name="FieldsV1"), Field(1, "Raw", "[]byte", ""))
    for name, fields in _TABLE.items():
        message = file.message_type.add(name=name)
        for field in fields.values():
            if field.type != KEPT_OUT:
                _declare(message, field)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    names = [*_TABLE, *_TIMES]
    return {name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}")) for name in names}


def _declare(message: Any, field: Field) -> None:
    from google.protobuf.descriptor_pb2 import FieldDescriptorProto as Kinds

    go = field.core
    declared = message.field.add(name=field.name, number=field.number, label=Kinds.LABEL_OPTIONAL)
    if go.startswith("map[string]"):
        entry = message.nested_type.add(name=f"{field.name[0].upper()}{field.name[1:]}Entry")
        entry.options.map_entry = True
        _declare(entry, Field(1, "key", "string", ""))
        _declare(entry, Field(2, "value", go.removeprefix("map[string]"), ""))
        declared.label, declared.type = Kinds.LABEL_REPEATED, Kinds.TYPE_MESSAGE
        declared.type_name = f".{_PACKAGE}.{message.name}.{entry.name}"
        return
    if go.startswith("[]") and go not in _SCALARS:
        declared.label, go = Kinds.LABEL_REPEATED, go[2:]
    if go in _SCALARS:
        declared.type = getattr(Kinds, f"TYPE_{_SCALARS[go]}")
    else:
        declared.type, declared.type_name = Kinds.TYPE_MESSAGE, f".{_PACKAGE}.{go}"
