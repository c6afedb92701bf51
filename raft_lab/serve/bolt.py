"""A store as a database file of etcd, for `etcdctl snapshot status` and `etcdctl snapshot restore`.

etcd keeps its data in bbolt: pages of 4096 bytes that make B+ trees, one for each bucket; here they are written in one
go, bottom up. (go.etcd.io/bbolt: page.go, bucket.go; etcd's mvcc/backend, lease/leasepb, etcdserver/api/membership.)
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Callable, Iterable
from typing import TypeVar

from raft_lab.kv.encoding import encode_kv, varint
from raft_lab.kv.requests import Event, KeyValue
from raft_lab.kv.store import Store
from raft_lab.raft.state import State

PAGE = 4096
CHUNK = 32 * 1024
"""So many bytes travel in one message, as in etcd."""

_MAGIC, _VERSION = 0xED0CDAED, 2
_BRANCH, _LEAF, _META, _FREELIST = 0x01, 0x02, 0x04, 0x10
_BUCKET = 0x01
_PAGE_HEADER = struct.Struct("<QHHI")  # id, flags, count, overflow
_LEAF_ELEMENT = struct.Struct("<IIII")  # flags, position, key size, value size
_BRANCH_ELEMENT = struct.Struct("<IIQ")  # position, key size, page
_META_CONTENT = struct.Struct("<IIIIQQQQQ")  # magic, version, page size, flags, root, sequence, freelist, pages, txid
_BUCKET_VALUE = struct.Struct("<QQ")  # root, sequence

_BUCKETS = (
    *(b"alarm", b"auth", b"authRoles", b"authUsers", b"cluster", b"key", b"lease", b"members", b"members_removed"),
    b"meta",
)

Item = tuple[bytes, bytes]
T = TypeVar("T")


def snapshot(store: Store, state: State) -> bytes:
    """The file, and after it the checksum that `etcdctl snapshot restore` looks for."""
    whole = database(buckets(store, state.last_applied))
    return whole + hashlib.sha256(whole).digest()


def buckets(store: Store, applied: int) -> dict[bytes, list[Item]]:
    """What etcd 3.4 keeps in which bucket; who the members are is decided anew by whoever restores it."""
    meta = [(b"consistent_index", applied.to_bytes(8, "big"))]
    if store.compacted > 0:
        at = store.compacted.to_bytes(8, "big") + b"_" + bytes(8)
        meta += [(b"finishedCompactRev", at), (b"scheduledCompactRev", at)]
    leases = [
        (lease.id.to_bytes(8, "big", signed=True), b"\x08" + varint(lease.id) + b"\x10" + varint(lease.ttl))
        for lease in store.leases.values()
    ]
    filled = {b"key": list(_records(store)), b"lease": sorted(leases), b"meta": meta}
    return {name: filled.get(name, []) for name in _BUCKETS}


def _records(store: Store) -> Iterable[Item]:
    """Every revision of every key that is not compacted away, as etcd's mvcc writes it."""
    base = ((kv.mod_revision, store.base.sub(kv.key), Event("PUT", kv)) for kv in store.base)
    yield from map(_record, sorted(base, key=lambda record: record[:2]))
    for revision in range(store.base_revision + 1, store.revision + 1):
        for sub, event in enumerate(store.events(revision)):
            yield _record((revision, sub, event))


def _record(record: tuple[int, int, Event]) -> Item:
    main, sub, event = record
    place = main.to_bytes(8, "big") + b"_" + sub.to_bytes(8, "big")
    if event.type == "DELETE":
        return place + b"t", encode_kv(KeyValue(event.kv.key))
    return place, encode_kv(event.kv)


# --- The file --------------------------------------------------------------------------------------------------------


def database(contents: dict[bytes, list[Item]]) -> bytes:
    """A bbolt file with these buckets; items are in the order of their keys."""
    file = _File()
    roots = [(name, _BUCKET_VALUE.pack(file.tree(items), 0)) for name, items in sorted(contents.items())]
    return file.done(file.tree(roots, _BUCKET))


class _File:
    """A file while its pages are written: two for meta, then the freelist, then the trees."""

    def __init__(self) -> None:
        self.pages: list[bytes] = []
        self.next_id = 3

    def tree(self, items: list[Item], flags: int = 0) -> int:
        """Write a tree, and answer with the page of its root."""
        level = [
            (keys[0][0] if keys else b"", self.page(_LEAF, len(keys), _leaf(keys, flags)))
            for keys in _split(items, lambda item: _LEAF_ELEMENT.size + len(item[0]) + len(item[1]))
        ]
        while len(level) > 1:
            level = [
                (part[0][0], self.page(_BRANCH, len(part), _branch(part)))
                for part in _split(level, lambda item: _BRANCH_ELEMENT.size + len(item[0]))
            ]
        return level[0][1]

    def page(self, flags: int, count: int, body: bytes) -> int:
        """Write a page, with as many that overflow as it takes, and answer with its id."""
        page_id, size = self.next_id, _PAGE_HEADER.size + len(body)
        pages = -(-size // PAGE)
        self.next_id += pages
        self.pages.append((_PAGE_HEADER.pack(page_id, flags, count, pages - 1) + body).ljust(pages * PAGE, b"\0"))
        return page_id

    def done(self, root: int) -> bytes:
        """The whole file."""
        metas = []
        for number in (0, 1):
            content = _META_CONTENT.pack(_MAGIC, _VERSION, PAGE, 0, root, 0, 2, self.next_id, number)
            page = _PAGE_HEADER.pack(number, _META, 0, 0) + content + struct.pack("<Q", _fnv(content))
            metas.append(page.ljust(PAGE, b"\0"))
        freelist = _PAGE_HEADER.pack(2, _FREELIST, 0, 0).ljust(PAGE, b"\0")
        return b"".join([*metas, freelist, *self.pages])


def _split(items: list[T], size: Callable[[T], int]) -> list[list[T]]:
    """The items of each page: as many as fit, but at least one, and one page if there are none."""
    parts: list[list[T]] = [[]]
    room = PAGE - _PAGE_HEADER.size
    for item in items:
        if parts[-1] and size(item) > room:
            parts.append([])
            room = PAGE - _PAGE_HEADER.size
        parts[-1].append(item)
        room -= size(item)
    return parts


def _leaf(items: list[Item], flags: int) -> bytes:
    """First all elements, each saying how far behind it its key is; then keys and values."""
    heads, tail = b"", b""
    for number, (key, value) in enumerate(items):
        position = (len(items) - number) * _LEAF_ELEMENT.size + len(tail)
        heads += _LEAF_ELEMENT.pack(flags, position, len(key), len(value))
        tail += key + value
    return heads + tail


def _branch(children: list[tuple[bytes, int]]) -> bytes:
    heads, tail = b"", b""
    for number, (key, page) in enumerate(children):
        position = (len(children) - number) * _BRANCH_ELEMENT.size + len(tail)
        heads += _BRANCH_ELEMENT.pack(position, len(key), page)
        tail += key
    return heads + tail


def _fnv(content: bytes) -> int:
    """FNV-1a, 64 bits."""
    checksum = 0xCBF29CE484222325
    for byte in content:
        checksum = (checksum ^ byte) * 0x100000001B3 & 0xFFFFFFFFFFFFFFFF
    return checksum
