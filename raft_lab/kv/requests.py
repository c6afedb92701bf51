"""What clients ask of etcd, as values with etcd's names; what they are told is in responses.py, and found here, too.

A request `Put` is etcd's message `PutRequest`, and so on. Requests print as one would type them for etcdctl.
"""

from __future__ import annotations

from dataclasses import dataclass, fields
from enum import IntEnum
from typing import TypeAlias

from raft_lab.kv.checked import Checked
from raft_lab.kv.keys import FROM_KEY, Event, KeyValue, as_bytes, lease_name, prefix_end, shown, span
from raft_lab.kv.responses import (
    CompactionResponse,
    DeleteRangeResponse,
    LeaseExpireResponse,
    LeaseGrantResponse,
    LeaseKeepAliveResponse,
    LeaseLeasesResponse,
    LeaseRevokeResponse,
    LeaseTimeToLiveResponse,
    PutResponse,
    RangeResponse,
    Response,
    TxnResponse,
    WatchResponse,
)


class SortOrder(IntEnum):
    """In which order a range comes; without one, in that of keys."""

    NONE = 0
    ASCEND = 1
    DESCEND = 2


class SortTarget(IntEnum):
    """By what a range is sorted."""

    KEY = 0
    VERSION = 1
    CREATE = 2
    MOD = 3
    VALUE = 4


class CompareResult(IntEnum):
    """How a compare asks."""

    EQUAL = 0
    GREATER = 1
    LESS = 2
    NOT_EQUAL = 3


class CompareTarget(IntEnum):
    """What a compare asks about."""

    VERSION = 0
    CREATE = 1
    MOD = 2
    VALUE = 3
    LEASE = 4


@dataclass(frozen=True, slots=True, repr=False)
class Range(Checked):
    """Read a key, or all keys in [key, range_end).

    Attributes:
        key: the key, or where the range begins.
        range_end: where it ends; empty: one key only, `FROM_KEY`: nowhere.
        limit: how many keys at most; 0, or less: all.
        revision: as of which revision; 0: now.
        sort_order: a `SortOrder`. An unknown one leaves the order of keys; etcd 3.6 refuses it.
        sort_target: a `SortTarget`. An unknown one with an order leaves that of keys, too; a real etcd 3.4 dies of it.
        serializable: whether whoever is asked may answer at once, from what it has.
        keys_only: without values.
        count_only: only how many there are.
        min_mod_revision: only keys that were last written at this revision or later; so for the next three. They do
            not change the count.
        max_mod_revision: see above.
        min_create_revision: see above.
        max_create_revision: see above.
    """

    key: bytes
    range_end: bytes = b""
    limit: int = 0
    revision: int = 0
    sort_order: int = 0
    sort_target: int = 0
    serializable: bool = False
    keys_only: bool = False
    count_only: bool = False
    min_mod_revision: int = 0
    max_mod_revision: int = 0
    min_create_revision: int = 0
    max_create_revision: int = 0

    def __str__(self) -> str:
        words = ["get", *_span_words(self.key, self.range_end)]
        if self.sort_order or self.sort_target:
            words.append(f"--sort-by={_name(SortTarget, self.sort_target)}")
            words.append(f"--order={_name(SortOrder, self.sort_order)}")
        words += _flags(self, "limit", "keys_only", "count_only")
        words += [f"--rev={self.revision}"] if self.revision else []
        words += ["--consistency=s"] if self.serializable else []
        bounds = ("min_mod_revision", "max_mod_revision", "min_create_revision", "max_create_revision")
        return " ".join(words + _flags(self, *bounds))


@dataclass(frozen=True, slots=True, repr=False)
class Put(Checked):
    """Write a key.

    Attributes:
        key: the key.
        value: what it shall hold.
        lease: the lease that it shall end with; 0 detaches it from the one it had.
        prev_kv: whether to answer with what stood there.
        ignore_value: keep the value; the key must exist.
        ignore_lease: keep the lease; the key must exist.
    """

    key: bytes
    value: bytes = b""
    lease: int = 0
    prev_kv: bool = False
    ignore_value: bool = False
    ignore_lease: bool = False

    def __str__(self) -> str:
        words = ["put", shown(self.key), *([] if self.ignore_value else [shown(self.value)])]
        words += [f"--lease={lease_name(self.lease)}"] if self.lease else []
        return " ".join(words + _flags(self, "prev_kv", "ignore_value", "ignore_lease"))


@dataclass(frozen=True, slots=True, repr=False)
class DeleteRange(Checked):
    """Delete a key, or all keys in [key, range_end); see `Range`."""

    key: bytes
    range_end: bytes = b""
    prev_kv: bool = False

    def __str__(self) -> str:
        return " ".join(["del", *_span_words(self.key, self.range_end), *_flags(self, "prev_kv")])


@dataclass(frozen=True, slots=True, repr=False)
class Compare(Checked):
    """A condition of a transaction: of one key, or of all keys in [key, range_end).

    Attributes:
        key: the key, or where the range begins.
        target: a `CompareTarget`.
        result: a `CompareResult`: how what is there must compare with `value`.
        value: a number, or bytes for the target VALUE. What does not fit the target counts as 0 or empty.
        range_end: where the range ends; see `Range`.
    """

    key: bytes
    target: int = CompareTarget.VERSION
    result: int = CompareResult.EQUAL
    value: int | bytes = 0
    range_end: bytes = b""

    def __str__(self) -> str:
        sign = ("=", ">", "<", "!=")[self.result] if 0 <= self.result <= 3 else f"?{self.result}"
        span_end = f", {shown(self.range_end)}" if self.range_end else ""
        value = shown(self.value) if isinstance(self.value, bytes) else self.value
        return f"{_name(CompareTarget, self.target)}({shown(self.key)}{span_end}) {sign} {value}"


@dataclass(frozen=True, slots=True)
class Txn:
    """If all of `compare` hold, do `success`, else `failure`: at one revision, or not at all.

    An operation is a `Range`, `Put`, `DeleteRange` or another `Txn`, whose conditions are also asked before anything
    is done.
    """

    compare: tuple[Compare, ...] = ()
    success: tuple[Operation, ...] = ()
    failure: tuple[Operation, ...] = ()

    def __post_init__(self) -> None:
        for name, kinds, wanted in (
            ("compare", Compare, 'conditions such as value("x") == "1"'),
            ("success", Operation, "Range, Put, DeleteRange or Txn"),
            ("failure", Operation, "Range, Put, DeleteRange or Txn"),
        ):
            given = getattr(self, name)
            if not isinstance(given, tuple | list) or not all(isinstance(part, kinds) for part in given):
                raise TypeError(f"{name} of Txn is a list of {wanted}, not {given!r:.100}")
            object.__setattr__(self, name, tuple(given))

    def __str__(self) -> str:
        asked = " and ".join(str(compare) for compare in self.compare) or "true"
        branches = [
            f"{word} {{{'; '.join(str(op) for op in ops)}}}"
            for word, ops in (("then", self.success), ("else", self.failure))
            if ops
        ]
        return " ".join(["txn if", asked, *branches])


Operation: TypeAlias = Range | Put | DeleteRange | Txn | None
"""One operation of a transaction; None is one that says nothing, which etcd refuses."""


@dataclass(frozen=True, slots=True, repr=False)
class Compaction(Checked):
    """Forget what was before `revision`, except what still stands at it; `physical` waits until it is done."""

    revision: int
    physical: bool = False

    def __str__(self) -> str:
        return " ".join(["compaction", str(self.revision), *_flags(self, "physical")])


@dataclass(frozen=True, slots=True, repr=False)
class LeaseGrant(Checked):
    """Give a lease of `ttl` seconds, called `id`; for 0 the store chooses."""

    ttl: int
    id: int = 0

    def __str__(self) -> str:
        return f"lease grant {self.ttl}" + (f" --id={lease_name(self.id)}" if self.id else "")


@dataclass(frozen=True, slots=True, repr=False)
class LeaseRevoke(Checked):
    """End a lease, and delete its keys at one revision."""

    id: int

    def __str__(self) -> str:
        return f"lease revoke {lease_name(self.id)}"


@dataclass(frozen=True, slots=True, repr=False)
class LeaseKeepAlive(Checked):
    """Let a lease begin anew. (etcd's leader does this in its memory; here it is a command, so every server knows)."""

    id: int

    def __str__(self) -> str:
        return f"lease keep-alive --once {lease_name(self.id)}"


@dataclass(frozen=True, slots=True)
class LeaseExpire:
    """End every lease whose time is over, by the time that this command carries: only the log tells the time.

    Proposed by the leader. (etcd's leader proposes a `LeaseRevoke` for each.)
    """

    def __str__(self) -> str:
        return "lease expire"


@dataclass(frozen=True, slots=True, repr=False)
class LeaseTimeToLive(Checked):
    """How long a lease has left, and with `keys` also which keys it holds."""

    id: int
    keys: bool = False

    def __str__(self) -> str:
        return " ".join(["lease timetolive", lease_name(self.id), *_flags(self, "keys")])


@dataclass(frozen=True, slots=True)
class LeaseLeases:
    """Which leases there are, soonest over first."""

    def __str__(self) -> str:
        return "lease list"


@dataclass(frozen=True, slots=True)
class RegisterClient:
    """Open a client's session (dissertation 6.3). It changes nothing in the store; etcd has no such sessions."""

    def __str__(self) -> str:
        return "open a session"


Request: TypeAlias = (
    RegisterClient
    | Range
    | Put
    | DeleteRange
    | Txn
    | Compaction
    | LeaseGrant
    | LeaseRevoke
    | LeaseKeepAlive
    | LeaseExpire
    | LeaseTimeToLive
    | LeaseLeases
)


def only_reads(request: Request) -> bool:
    """Whether a request goes round the log: nothing is changed by it, so it can be repeated at will."""
    match request:
        case Range() | LeaseTimeToLive() | LeaseLeases():
            return True
        case Txn():
            return all(isinstance(op, Range) for op in (*request.success, *request.failure))
    return False


@dataclass(frozen=True, slots=True, repr=False)
class WatchCreate(Checked):
    """Ask to be told of every change of a key, or of all keys in [key, range_end).

    Attributes:
        key: see `Range`; empty: from the first key on.
        range_end: see `Range`.
        start_revision: from which revision on; 0: from now on.
        progress_notify: whether to be told from time to time how far one has come, if nothing else was to tell.
        filters: what not to be told: `NOPUT`, `NODELETE`.
        prev_kv: whether events hold what stood there before.
        watch_id: how to call the watcher; 0: the stream chooses.
        fragment: whether a response that is too large for one message may be split.
    """

    key: bytes
    range_end: bytes = b""
    start_revision: int = 0
    progress_notify: bool = False
    filters: tuple[int, ...] = ()
    prev_kv: bool = False
    watch_id: int = 0
    fragment: bool = False

    def __str__(self) -> str:
        words = ["watch", *_span_words(self.key, self.range_end)]
        words += [f"--rev={self.start_revision}"] if self.start_revision else []
        return " ".join(words + _flags(self, "prev_kv", "progress_notify"))


NOPUT = 0
"""As a filter: no puts."""
NODELETE = 1
"""As a filter: no deletions."""


# --- In words -------------------------------------------------------------------------------------------------------


def _span_words(key: bytes, range_end: bytes) -> list[str]:
    if not range_end:
        return [shown(key)]
    if range_end == FROM_KEY:
        return ["''", "--prefix"] if key == b"\0" else [shown(key), "--from-key"]
    if range_end == prefix_end(key):
        return [shown(key), "--prefix"]
    return [shown(key), shown(range_end)]


def _flags(request: object, *names: str) -> list[str]:
    """Those of the fields that are not as they are by themselves, as options of a command."""
    usual = {field.name: field.default for field in fields(request)}  # type: ignore[arg-type]
    given = {name: getattr(request, name) for name in names if getattr(request, name) != usual[name]}
    return [f"--{name.replace('_', '-')}" + ("" if value is True else f"={value}") for name, value in given.items()]


def _name(kind: type[IntEnum], value: int) -> str:
    return kind(value).name.lower() if value in kind._value2member_map_ else str(value)


__all__ = [
    "FROM_KEY", "NODELETE", "NOPUT", "Compaction", "CompactionResponse", "Compare", "CompareResult", "CompareTarget",
    "DeleteRange", "DeleteRangeResponse", "Event", "KeyValue", "LeaseExpire", "LeaseExpireResponse", "LeaseGrant",
    "LeaseGrantResponse", "LeaseKeepAlive", "LeaseKeepAliveResponse", "LeaseLeases", "LeaseLeasesResponse",
    "LeaseRevoke", "LeaseRevokeResponse", "LeaseTimeToLive", "LeaseTimeToLiveResponse", "Operation", "Put",
    "PutResponse", "Range", "RangeResponse", "RegisterClient", "Request", "Response", "SortOrder", "SortTarget", "Txn",
    "TxnResponse", "WatchCreate", "WatchResponse", "as_bytes", "lease_name", "only_reads", "prefix_end", "shown",
    "span",
]  # fmt: skip
