"""What requests are made of is looked at where they are made: what cannot be sent to an etcd is refused at once."""

from __future__ import annotations

import functools
from dataclasses import fields
from typing import Any

from raft_lab.kv.keys import as_bytes

LARGEST = 2**63 - 1
"""Numbers have 64 bits in etcd's protocol."""


class Checked:
    """A request. Its keys and values may be given as text; it prints as Python without what is usual."""

    __slots__ = ()

    def __post_init__(self) -> None:
        """Take what is given, by the types that the class declares.

        Raises:
            TypeError: something is of another type.
            ValueError: a number is too large.
        """
        made: Any = type(self)
        for name, kind, declared in _declared(made):
            given = getattr(self, name)
            if type(given) is kind and (kind is not int or -LARGEST <= given <= LARGEST):
                continue
            text = kind is bytes and type(given) is str
            object.__setattr__(self, name, given.encode() if text else self._taken(name, given, declared))

    def _taken(self, name: str, given: Any, declared: str) -> Any:
        """What is given in the type that is declared, in which it is not yet."""
        of = f"{name} of {type(self).__name__}"
        whole = isinstance(given, int) and not isinstance(given, bool)
        if whole and not -LARGEST <= given <= LARGEST:
            raise ValueError(f"{of} is a number of 64 bits; {given} is too large")
        match declared:
            case "int" | "int | bytes" if whole:
                return given
            case "bytes" | "int | bytes":
                return as_bytes(given)
            case "tuple[int, ...]" if isinstance(given, tuple | list):
                return tuple(self._taken(name, part, "int") for part in given)
        wanted = {"int": "a whole number", "bool": "True or False"}.get(declared, "a list of whole numbers")
        raise TypeError(f"{of} is {wanted}, not {given!r:.100}")

    def __repr__(self) -> str:
        given = [(field, getattr(self, field.name)) for field in fields(self)]  # type: ignore[arg-type]
        words = [f"{field.name}={value!r}" for field, value in given if value != field.default]
        return f"{type(self).__name__}({', '.join(words)})"


@functools.cache
def _declared(kind: Any) -> tuple[tuple[str, Any, str], ...]:
    """Each field with the type that is right as it is, and what is declared in words."""
    plain = {"bytes": bytes, "int": int, "bool": bool}
    return tuple((field.name, plain.get(str(field.type), Checked), str(field.type)) for field in fields(kind))
