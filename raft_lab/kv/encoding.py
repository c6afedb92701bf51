"""Keys and values as etcd writes them (protocol buffers, by hand, for one message), and etcd's checksum of a store."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from raft_lab.kv import errors
from raft_lab.kv.requests import Compare, DeleteRange, Event, KeyValue, Operation, Put, Range, Txn
from raft_lab.kv.store import Store


def encode_kv(kv: KeyValue) -> bytes:
    """`mvccpb.KeyValue`: fields in order, those that are zero or empty left out."""
    numbers = ((0x10, kv.create_revision), (0x18, kv.mod_revision), (0x20, kv.version))
    return b"".join(
        (
            _field(0x0A, kv.key),
            *(bytes([tag]) + varint(number) for tag, number in numbers if number),
            _field(0x2A, kv.value),
            b"\x30" + varint(kv.lease) if kv.lease else b"",
        )
    )


def _field(tag: int, content: bytes) -> bytes:
    return bytes([tag]) + varint(len(content)) + content if content else b""


def varint(number: int) -> bytes:
    """A number as protocol buffers write it."""
    number &= (1 << 64) - 1  # a negative one is written as its two's complement
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


def event_size(event: Event) -> int:
    """About how many bytes an event takes in a response."""
    return sum(len(encode_kv(kv)) + 5 for kv in (event.kv, event.prev_kv) if kv) + 4


def request_size(op: Put | DeleteRange | Txn) -> int:
    """How many bytes etcd writes into its log for a request: what its limit on requests counts.

    Beside the request itself that is a number that the member gives it, of up to 10 bytes: where a real member's own
    number lets it take 9, its limit is a byte higher.
    """
    return 1 + _part(1 + 10) + _message_size(op)  # the number's tag takes two bytes


def _part(size: int) -> int:
    """A part of a message: a tag, how long it is, and so many bytes."""
    return 1 + len(varint(size)) + size


def _message_size(op: Operation | Compare) -> int:
    """With its tag in what encloses it. Fields that are zero or empty are left out, except the operand of a compare."""
    numbers: tuple[int, ...]
    texts: tuple[bytes, ...]
    match op:
        case Compare():
            numbers, texts = (op.result, op.target), (op.key,)
            size = _part(len(op.value)) if isinstance(op.value, bytes) else 1 + len(varint(op.value))
            size += 1 + _part(len(op.range_end)) if op.range_end else 0  # its tag takes two bytes
        case Put():
            numbers, texts = (op.lease, op.prev_kv, op.ignore_value, op.ignore_lease), (op.key, op.value)
            size = 0
        case DeleteRange():
            numbers, texts, size = (op.prev_kv,), (op.key, op.range_end), 0
        case Range():
            bounds = (op.min_mod_revision, op.max_mod_revision, op.min_create_revision, op.max_create_revision)
            shape = (op.limit, op.revision, op.sort_order, op.sort_target, op.serializable)
            numbers, texts, size = (*shape, op.keys_only, op.count_only, *bounds), (op.key, op.range_end), 0
        case Txn():
            size = sum(map(_message_size, op.compare))
            size += sum(_part(_message_size(part)) for part in (*op.success, *op.failure))
            return _part(size)
        case _:
            return 0
    size += sum(1 + len(varint(number)) for number in numbers if number)
    return _part(size + sum(_part(len(text)) for text in texts if text))


# --- The checksum ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class HashKV:
    """Ask a member for the checksum of what it holds up to `revision` (0: now)."""

    revision: int = 0


@dataclass(frozen=True, slots=True)
class HashKVResponse:
    """The checksum of a store, and up to where it was compacted: two members that agree on both hold the same."""

    revision: int = 0
    hash: int = 0
    compact_revision: int = 0


def hash_kv(store: Store, revision: int = 0) -> HashKVResponse:
    """The checksum that etcd makes of all that was written up to `revision` (0: now) and is not compacted away.

    It is the CRC-32C of the records of its database in order: the revision of each, and what it wrote. Of those up to
    the compacted revision only what still stands at `revision` counts; if nothing stands then, all that is left.

    Raises:
        EtcdError: the revision is compacted or in the future.
    """
    if 0 < revision <= store.compacted:
        raise errors.COMPACTED
    if revision > store.revision:
        raise errors.FUTURE_REVISION
    crc = crc32c(b"key")
    for main, sub, event in _records(store, revision or store.revision):
        place = main.to_bytes(8, "big") + b"_" + sub.to_bytes(8, "big")
        if event.type == "DELETE":
            crc = crc32c(place + b"t" + encode_kv(KeyValue(event.kv.key)), crc)
        else:
            crc = crc32c(place + encode_kv(event.kv), crc)
    return HashKVResponse(store.revision, crc, store.compacted)


def _records(store: Store, upto: int) -> Iterator[tuple[int, int, Event]]:
    if upto < 0:
        return
    then = store.at(upto)
    kept = [kv for kv in store.base if not len(then) or then.get(kv.key) == kv]
    base = [(kv.mod_revision, store.base.sub(kv.key), Event("PUT", kv)) for kv in kept]
    yield from sorted(base, key=lambda record: record[:2])
    for revision in range(store.base_revision + 1, upto + 1):
        for sub, event in enumerate(store.events(revision)):
            yield revision, sub, event


def _castagnoli() -> tuple[int, ...]:
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return tuple(table)


_TABLE = _castagnoli()


def crc32c(text: bytes, crc: int = 0) -> int:
    """The CRC-32C (Castagnoli) of `text`, or of what had the checksum `crc` followed by `text`."""
    crc ^= 0xFFFFFFFF
    for byte in text:
        crc = crc >> 8 ^ _TABLE[(crc ^ byte) & 0xFF]
    return crc ^ 0xFFFFFFFF
