"""What the API answers instead of an object: a `Status` with Kubernetes' codes, reasons and words."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from raft_lab.raft.errors import RaftLabError

if TYPE_CHECKING:
    from raft_lab.kube.objects import Kind


@dataclass
class ApiError(RaftLabError):
    """A request that the API refused; nothing was changed by it, unless it is a `timeout`.

    Attributes:
        code: HTTP's.
        reason: Kubernetes' name for the kind of error, such as "Conflict".
        message: what is wrong, in words.
        details: of which object, and why, for programs.
        metadata: that of the Status; an expired list has a way to go on here.
    """

    code: int
    reason: str
    message: str
    details: dict[str, Any] = field(default_factory=dict)
    metadata: dict[str, Any] = field(default_factory=dict)

    def status(self) -> dict[str, Any]:
        """The body of the answer."""
        head = {"kind": "Status", "apiVersion": "v1", "metadata": self.metadata, "status": "Failure"}
        parts = {"message": self.message, "reason": self.reason, "details": self.details}
        return {**head, **{name: part for name, part in parts.items() if part}, "code": self.code}

    def __str__(self) -> str:
        return self.message

    def __reduce__(self) -> Any:
        return ApiError, (self.code, self.reason, self.message, self.details, self.metadata)


@dataclass(frozen=True, slots=True)
class Cause:
    """One thing that is wrong with a field of an object.

    Attributes:
        reason: "FieldValueInvalid", "FieldValueRequired", "FieldValueForbidden" and so on.
        field: its path, such as "spec.leaseDurationSeconds".
        message: what is wrong with it.
    """

    reason: str
    field: str
    message: str


def invalid_value(path: str, value: object, why: str) -> Cause:
    """A value that a field cannot have."""
    shown = f'"{value}"' if isinstance(value, str) else str(value).lower() if isinstance(value, bool) else value
    return Cause("FieldValueInvalid", path, f"Invalid value: {shown}: {why}")


def required(path: str, why: str = "") -> Cause:
    """A field that must be there."""
    return Cause("FieldValueRequired", path, "Required value" + (f": {why}" if why else ""))


def forbidden(path: str, why: str) -> Cause:
    """A field that must not be there, or must not change."""
    return Cause("FieldValueForbidden", path, f"Forbidden: {why}")


def not_found(kind: Kind, name: str) -> ApiError:
    """There is no such object."""
    return ApiError(404, "NotFound", f'{kind.qualified} "{name}" not found', kind.details(name))


def already_exists(kind: Kind, name: str) -> ApiError:
    """There is one of that name."""
    return ApiError(409, "AlreadyExists", f'{kind.qualified} "{name}" already exists', kind.details(name))


MODIFIED = "the object has been modified; please apply your changes to the latest version and try again"


def conflict(kind: Kind, name: str, why: str = MODIFIED) -> ApiError:
    """It is not what the request took it for."""
    message = f'Operation cannot be fulfilled on {kind.qualified} "{name}": {why}'
    return ApiError(409, "Conflict", message, kind.details(name))


def invalid(group: str, kind: str, name: str, causes: Sequence[Cause]) -> ApiError:
    """The object makes no sense."""
    told = [f"{cause.field}: {cause.message}" for cause in causes]
    what = f"{kind}.{group}" if group else kind
    message = f'{what} "{name}" is invalid: ' + (told[0] if len(told) == 1 else f"[{', '.join(told)}]")
    listed = [{"reason": cause.reason, "message": cause.message, "field": cause.field} for cause in causes]
    named = {"name": name, "group": group, "kind": kind}
    return ApiError(422, "Invalid", message, {**{k: v for k, v in named.items() if v}, "causes": listed})


def bad_request(message: str) -> ApiError:
    """The request cannot be understood."""
    return ApiError(400, "BadRequest", message)


def expired(message: str, metadata: dict[str, Any] | None = None) -> ApiError:
    """What is asked for was compacted away."""
    return ApiError(410, "Expired", message, metadata=metadata or {})


def too_large_resource_version(wanted: int, current: int) -> ApiError:
    """The store has not come as far yet, and did not in the time that one waits."""
    cause = {"reason": "ResourceVersionTooLarge", "message": "Too large resource version"}
    message = f"Timeout: Too large resource version: {wanted}, current: {current}"
    return ApiError(504, "Timeout", message, {"causes": [cause], "retryAfterSeconds": 1})


def timeout(why: str) -> ApiError:
    """No answer came from the store in time: a request that changes something may have happened, or may still."""
    return ApiError(504, "Timeout", f"Timeout: {why}")


def store_failed(why: str) -> ApiError:
    """What the store says, handed on."""
    return ApiError(500, "", why)
