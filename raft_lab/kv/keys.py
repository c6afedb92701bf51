"""Keys as etcd knows them: what stands at one, what happens to it, what a range of them is."""

from __future__ import annotations

import shlex
from dataclasses import dataclass, fields

FROM_KEY = b"\0"
"""As `range_end`: all keys from `key` on."""


class Brief:
    """A message of etcd's: what it does not say, zeros and nothing, is not printed, as protobuf does not write it."""

    __slots__ = ()

    def __repr__(self) -> str:
        said = [(part.name, getattr(self, part.name)) for part in fields(self)]  # type: ignore[arg-type]
        return f"{type(self).__name__}({', '.join(f'{name}={value!r}' for name, value in said if value)})"


@dataclass(frozen=True, slots=True, repr=False)
class KeyValue(Brief):
    """A key as it stands (`mvccpb.KeyValue`).

    Attributes:
        key: its name.
        value: what it holds.
        create_revision: the revision at which it was created (last, if it was deleted in between).
        mod_revision: the revision at which it was last written.
        version: how often it was written since it was created.
        lease: the lease that takes it along when it ends, or 0.
    """

    key: bytes
    value: bytes = b""
    create_revision: int = 0
    mod_revision: int = 0
    version: int = 0
    lease: int = 0

    def __str__(self) -> str:
        return f"{shown(self.key)} = {shown(self.value)}"


@dataclass(frozen=True, slots=True, repr=False)
class Event(Brief):
    """One change of one key: a put with what was put, or a deletion with only key and revision.

    `prev_kv` is what stood there before, if it was asked for.
    """

    type: str
    kv: KeyValue
    prev_kv: KeyValue | None = None

    def __str__(self) -> str:
        return f"{self.type} {self.kv if self.type == 'PUT' else shown(self.kv.key)}"


def prefix_end(prefix: bytes | str) -> bytes:
    """The `range_end` that makes a range of all keys that begin with `prefix`."""
    head = as_bytes(prefix).rstrip(b"\xff")
    return head[:-1] + bytes([head[-1] + 1]) if head else FROM_KEY


def as_bytes(text: bytes | str) -> bytes:
    """Keys and values are bytes; text is taken as UTF-8.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(text, str):
        return text.encode()
    if isinstance(text, bytes):
        return text
    raise TypeError(f"keys and values are bytes or text, not {text!r}")


def span(key: bytes, range_end: bytes) -> tuple[bytes, bytes | None]:
    """Where a range begins, and where it ends (None: nowhere)."""
    if not range_end:
        return key, key + b"\0"
    return key, None if range_end == FROM_KEY else range_end


def shown(text: bytes) -> str:
    """Bytes as one would type them in a shell."""
    return shlex.quote(text.decode(errors="backslashreplace"))


def lease_name(id: int) -> str:
    """A lease as etcdctl names it: in hexadecimal."""
    return f"{id:x}"
