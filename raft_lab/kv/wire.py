"""Between our values and etcd's messages: the protocol without generated code, for clients and servers alike.

The messages live in a pool of their own, so that other libraries may bring etcd's under the same names. Needs the extra
`raft_lab[serve]` (grpcio and protobuf), imported when it is first used.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, fields
from typing import Any

from raft_lab.kv import encoding, requests
from raft_lab.kv.errors import EtcdError
from raft_lab.kv.requests import Compare, CompareTarget, Event, KeyValue
from raft_lab.kv.schema import MESSAGES, METHODS
from raft_lab.raft.errors import RaftLabError

# --- The messages ----------------------------------------------------------------------------------------------------


class MissingLibrary(RaftLabError):
    """What speaks etcd's protocol is not installed."""


def _lines() -> Iterator[tuple[str, str, list[str]]]:
    """Package, message and fields, as `MESSAGES` has them."""
    package = ""
    for line in MESSAGES.replace("\n    ", " ").split("\n"):
        match line.split():
            case ["package", name]:
                package = name
            case [name, *parts]:
                yield package, name, parts


_MAKING = threading.Lock()


def _classes() -> dict[str, Any]:
    """The class of every message, by its name without the package; for all threads the same ones."""
    with _MAKING:
        return _made_classes()


@functools.cache
def _made_classes() -> dict[str, Any]:
    try:
        from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
    except ImportError:
        raise MissingLibrary("etcd's protocol needs grpcio and protobuf: pip install 'raft_lab[serve]'") from None

    kinds = descriptor_pb2.FieldDescriptorProto
    packages = {name: package for package, name, _ in _lines()}
    files: dict[str, Any] = {}
    for package, name, parts in _lines():
        file = files.setdefault(package, descriptor_pb2.FileDescriptorProto(name=f"{package}.proto", syntax="proto3"))
        file.package = package
        made = file.message_type.add(name=name)
        choices: list[str] = []
        for part in parts:
            text, _, choice = part.partition("@")
            field_name, _, rest = text.partition(":")
            kind, _, number = rest.partition("=")
            field = made.field.add(name=field_name, number=int(number))
            field.label = kinds.LABEL_REPEATED if kind[0] == "*" else kinds.LABEL_OPTIONAL
            kind = kind.lstrip("*").rpartition(".")[2]
            if kind in packages:
                field.type, field.type_name = kinds.TYPE_MESSAGE, f".{packages[kind]}.{kind}"
            else:
                field.type = getattr(kinds, f"TYPE_{kind.upper()}")
            if choice:
                if choice not in choices:
                    choices.append(choice)
                    made.oneof_decl.add(name=choice)
                field.oneof_index = choices.index(choice)
    pool = descriptor_pool.DescriptorPool()
    order = ("mvccpb", "etcdserverpb", "v3electionpb", "v3lockpb")
    for place, package in enumerate(order):
        files[package].dependency.extend(f"{earlier}.proto" for earlier in order[:place])
        pool.Add(files[package])
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{package}.{name}"))
        for name, package in packages.items()
    }


def message_class(name: str) -> Any:
    """The class of the message `name`, such as "PutRequest".

    Raises:
        MissingLibrary: protobuf is not installed.
    """
    return _classes()[name]


# --- Values to messages and back -------------------------------------------------------------------------------------

_SPELT = {"id": "ID", "ttl": "TTL", "granted_ttl": "grantedTTL"}
"""Fields that etcd spells in its own way."""
_SPELT_BACK = {theirs: ours for ours, theirs in _SPELT.items()}
_EVENTS = {"PUT": 0, "DELETE": 1}
_OPERANDS = {
    CompareTarget.VERSION: "version",
    CompareTarget.CREATE: "create_revision",
    CompareTarget.MOD: "mod_revision",
    CompareTarget.VALUE: "value",
    CompareTarget.LEASE: "lease",
}
_OPERATIONS = {"Range": "range", "Put": "put", "DeleteRange": "delete_range", "Txn": "txn"}
_VALUES: dict[str, type] = {
    **{name: kind for name, kind in vars(requests).items() if isinstance(kind, type) and hasattr(kind, "__slots__")},
    "HashKV": encoding.HashKV,
    "HashKVResponse": encoding.HashKVResponse,
}


def message_name(value: Any) -> str:
    """What etcd calls the message that `value` is."""
    name = type(value).__name__
    same = isinstance(value, KeyValue | Event | Compare) or name.endswith("Response")
    return name if same else f"{name}Request"


def to_message(value: Any) -> Any:
    """The message that says what `value` says."""
    name = message_name(value)
    message = message_class(name)()
    for field in fields(value):
        content = getattr(value, field.name)
        if content is None or (field.name == "value" and isinstance(value, Compare)):
            continue
        if field.name == "revision" and name.endswith("Response"):
            message.header.revision = content
        elif isinstance(value, Event) and field.name == "type":
            message.type = _EVENTS[content]
        elif field.name == "leases":
            message.leases.extend(message_class("LeaseStatus")(ID=lease) for lease in content)
        elif isinstance(content, tuple):
            getattr(message, field.name).extend(_part(field.name, part) for part in content)
        elif hasattr(content, "__dataclass_fields__"):
            getattr(message, field.name).CopyFrom(to_message(content))
        else:
            setattr(message, _SPELT.get(field.name, field.name), content)
    if isinstance(value, Compare):
        _set_operand(message, value)
    return message


def _part(name: str, part: Any) -> Any:
    if name in ("success", "failure"):
        wrapped = message_class("RequestOp")()
        if part is not None:
            getattr(wrapped, f"request_{_OPERATIONS[type(part).__name__]}").CopyFrom(to_message(part))
        return wrapped
    if name == "responses":
        wrapped = message_class("ResponseOp")()
        kind = _OPERATIONS[type(part).__name__.removesuffix("Response")]
        getattr(wrapped, f"response_{kind}").CopyFrom(to_message(part))
        return wrapped
    return to_message(part) if hasattr(part, "__dataclass_fields__") else part


def _set_operand(message: Any, compare: Compare) -> None:
    name = _OPERANDS.get(compare.target, "version")  # type: ignore[call-overload]
    if isinstance(compare.value, bytes) == (name == "value"):
        setattr(message, name, compare.value)
    elif isinstance(compare.value, bytes):
        message.value = compare.value
    else:
        message.version = compare.value


def to_value(message: Any) -> Any:
    """What a message says, as one of our values. Of the header only the revision is kept."""
    name = message.DESCRIPTOR.name
    if name in ("RequestOp", "ResponseOp"):
        chosen = message.WhichOneof(name.removesuffix("Op").lower())
        return to_value(getattr(message, chosen)) if chosen else None
    kind = _VALUES[name.removesuffix("Request")]
    given: dict[str, Any] = {}
    for field in fields(kind):
        if field.name == "revision" and name.endswith("Response"):
            given["revision"] = message.header.revision
        elif kind is Event and field.name == "type":
            given["type"] = "DELETE" if message.type else "PUT"
        elif kind is Compare and field.name == "value":
            given["value"] = _operand(message)
        elif field.name == "leases":
            given["leases"] = tuple(lease.ID for lease in message.leases)
        else:
            given[field.name] = _content(message, _SPELT.get(field.name, field.name))
    return kind(**given)


def _content(message: Any, name: str) -> Any:
    described = message.DESCRIPTOR.fields_by_name[name]
    content = getattr(message, name)
    if described.is_repeated:
        parts = described.message_type is not None
        return tuple(to_value(part) for part in content) if parts else tuple(content)
    if described.message_type is not None:
        return to_value(content) if message.HasField(name) else None
    return content


def _operand(message: Any) -> int | bytes:
    """What a compare compares with: 0 or empty if what was sent is not of the kind that its target needs."""
    name = _OPERANDS.get(message.target, "version")
    if message.WhichOneof("target_union") == name:
        operand: int | bytes = getattr(message, name)
        return operand
    return b"" if name == "value" else 0


# --- Methods ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Method:
    """A method of etcd's API: how it is called on the wire, what goes in, what comes out, and what is a stream."""

    path: str
    request: str
    response: str
    stream_in: bool
    stream_out: bool


METHOD: dict[str, Method] = {}
"""By "Service/Name", such as "KV/Range"."""
for _line in METHODS.strip().splitlines():
    _service, _name, _request, _response = _line.split()
    METHOD[f"{_service.partition('.')[2]}/{_name}"] = Method(
        f"/{_service}/{_name}", _request.lstrip("*"), _response.lstrip("*"), _request[0] == "*", _response[0] == "*"
    )

_METHOD_OF = {"Compaction": "KV/Compact", "HashKV": "Maintenance/HashKV"}


def method_of(request: Any) -> str:
    """The method that a request is for."""
    name = type(request).__name__
    room = "Lease" if name.startswith("Lease") else "KV"
    return _METHOD_OF.get(name, f"{room}/{name}")


def callable_of(channel: Any, name: str) -> Callable[..., Any]:
    """The method `name` of whoever is at the other end of a gRPC channel: takes and gives messages."""
    method = METHOD[name]
    kind = f"{'stream' if method.stream_in else 'unary'}_{'stream' if method.stream_out else 'unary'}"
    made: Callable[..., Any] = getattr(channel, kind)(
        method.path,
        request_serializer=message_class(method.request).SerializeToString,
        response_deserializer=message_class(method.response).FromString,
    )
    return made


def error_of(error: Any) -> EtcdError:
    """What a gRPC error says."""
    return EtcdError(error.code().name, error.details() or "")
