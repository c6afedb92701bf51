"""etcd's errors: the texts and codes that its clients know."""

from __future__ import annotations

from dataclasses import dataclass

from raft_lab.raft.errors import RaftLabError


@dataclass(unsafe_hash=True)
class EtcdError(RaftLabError):
    """What etcd answers instead of a response; nothing has changed then. It is a value, so it can be replicated.

    Attributes:
        code: gRPC's name for the kind of error, such as "INVALID_ARGUMENT".
        text: etcd's own words.
    """

    code: str
    text: str

    def __str__(self) -> str:
        return self.text

    def __reduce__(self) -> tuple[type[EtcdError], tuple[str, str]]:
        return EtcdError, (self.code, self.text)


def _error(code: str, text: str) -> EtcdError:
    return EtcdError(code, f"etcdserver: {text}")


EMPTY_KEY = _error("INVALID_ARGUMENT", "key is not provided")
KEY_NOT_FOUND = _error("INVALID_ARGUMENT", "key not found")
VALUE_PROVIDED = _error("INVALID_ARGUMENT", "value is provided")
LEASE_PROVIDED = _error("INVALID_ARGUMENT", "lease is provided")
TOO_MANY_OPS = _error("INVALID_ARGUMENT", "too many operations in txn request")
DUPLICATE_KEY = _error("INVALID_ARGUMENT", "duplicate key given in txn request")
TOO_LARGE = _error("INVALID_ARGUMENT", "request is too large")
COMPACTED = _error("OUT_OF_RANGE", "mvcc: required revision has been compacted")
FUTURE_REVISION = _error("OUT_OF_RANGE", "mvcc: required revision is a future revision")
TTL_TOO_LARGE = _error("OUT_OF_RANGE", "too large lease TTL")
LEASE_NOT_FOUND = _error("NOT_FOUND", "requested lease not found")
LEASE_EXISTS = _error("FAILED_PRECONDITION", "lease already exists")


def refusal(error: EtcdError) -> EtcdError:
    """The same error as a new object: what was raised holds on to the frames that it went through."""
    return EtcdError(error.code, error.text)
