"""Conditions of transactions, as one would write them: `value("x") == "1"`, `version("x") == 0`."""

from __future__ import annotations

from dataclasses import dataclass

from raft_lab.kv.requests import Compare, CompareResult, CompareTarget, as_bytes, prefix_end


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """Something of a key that can be compared; the comparison is a `Compare`, to be asked in a transaction."""

    target: CompareTarget
    key: bytes
    range_end: bytes = b""

    def __eq__(self, other: object) -> Compare:  # type: ignore[override]
        return self._compare(CompareResult.EQUAL, other)

    def __ne__(self, other: object) -> Compare:  # type: ignore[override]
        return self._compare(CompareResult.NOT_EQUAL, other)

    def __gt__(self, other: object) -> Compare:
        return self._compare(CompareResult.GREATER, other)

    def __lt__(self, other: object) -> Compare:
        return self._compare(CompareResult.LESS, other)

    __hash__ = None  # type: ignore[assignment]

    def _compare(self, result: CompareResult, other: object) -> Compare:
        if self.target is CompareTarget.VALUE:
            if not isinstance(other, str | bytes):
                raise TypeError(f"a value is compared with text or bytes, not {other!r}")
            return Compare(self.key, self.target, result, as_bytes(other), self.range_end)
        if type(other) is not int:
            raise TypeError(f"a {self.target.name.lower()} is compared with a whole number, not {other!r}")
        return Compare(self.key, self.target, result, other, self.range_end)

    def __bool__(self) -> bool:
        raise TypeError('compare it with something: value("x") == "1"')


def _field(target: CompareTarget, key: str | bytes, prefix: bool) -> Field:
    return Field(target, as_bytes(key), prefix_end(key) if prefix else b"")


def value(key: str | bytes, *, prefix: bool = False) -> Field:
    """What a key holds. A key that is not there equals nothing, and differs from nothing either."""
    return _field(CompareTarget.VALUE, key, prefix)


def version(key: str | bytes, *, prefix: bool = False) -> Field:
    """How often a key was written since it was created; 0 if it is not there."""
    return _field(CompareTarget.VERSION, key, prefix)


def create_revision(key: str | bytes, *, prefix: bool = False) -> Field:
    """The revision at which a key was created; 0 if it is not there."""
    return _field(CompareTarget.CREATE, key, prefix)


def mod_revision(key: str | bytes, *, prefix: bool = False) -> Field:
    """The revision at which a key was last written; 0 if it is not there."""
    return _field(CompareTarget.MOD, key, prefix)


def lease(key: str | bytes, *, prefix: bool = False) -> Field:
    """The lease of a key; 0 if it has none."""
    return _field(CompareTarget.LEASE, key, prefix)
