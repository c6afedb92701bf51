"""Requests as one types them for etcdctl, so that a command can be given in words."""

from __future__ import annotations

import shlex

from raft_lab.kv.requests import (
    FROM_KEY,
    Compaction,
    DeleteRange,
    LeaseGrant,
    LeaseKeepAlive,
    LeaseRevoke,
    Put,
    Range,
    Request,
    as_bytes,
    prefix_end,
)

_FLAGS = ("--prefix", "--from-key", "--prev-kv")


def request_of(line: str) -> Request:
    """The request that a line such as `put app-config/background-color '#ccc'` means.

    It knows put, get, del, compaction and lease grant, revoke and keep-alive; and `set`, as the lab's own state machine
    says for put. A lease is named in hexadecimal, as etcdctl does.

    Raises:
        ValueError: it means none.
    """
    words = shlex.split(line)
    flags = {word for word in words if word in _FLAGS}
    lease = [word.removeprefix("--lease=") for word in words if word.startswith("--lease=")]
    match [word for word in words if not word.startswith("--")]:
        case ["put" | "set", key, value]:
            return Put(as_bytes(key), as_bytes(value), int(lease[0], 16) if lease else 0, "--prev-kv" in flags)
        case ["get", key, *end] if len(end) <= 1:
            return Range(*_span(key, end, flags))
        case ["del", key, *end] if len(end) <= 1:
            return DeleteRange(*_span(key, end, flags), "--prev-kv" in flags)
        case ["compaction" | "compact", revision]:
            return Compaction(int(revision))
        case ["lease", "grant", ttl]:
            return LeaseGrant(int(ttl))
        case ["lease", "revoke", name]:
            return LeaseRevoke(int(name, 16))
        case ["lease", "keep-alive", name]:
            return LeaseKeepAlive(int(name, 16))
    raise ValueError(f"{line!r} is none of put KEY VALUE, get KEY, del KEY, compaction REVISION, lease grant TTL")


def _span(key: str, end: list[str], flags: set[str]) -> tuple[bytes, bytes]:
    if "--prefix" in flags:
        return as_bytes(key) or FROM_KEY, prefix_end(key)
    if "--from-key" in flags:
        return as_bytes(key), FROM_KEY
    return as_bytes(key), as_bytes(end[0]) if end else b""
