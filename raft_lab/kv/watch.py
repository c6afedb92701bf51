"""Watching: what changed, from any revision on, as pure functions of a store and of what was told already.

A stream holds watchers, as in etcd. Nothing is kept in the store for them: a store knows its history, and a watcher
how far it was told. `poll` a stream whenever the store has moved on.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace

from raft_lab.kv.encoding import event_size
from raft_lab.kv.requests import FROM_KEY, NODELETE, NOPUT, Event, WatchCreate, WatchResponse, span
from raft_lab.kv.store import Store

CATCH_UP = 1000
"""How many revisions that concern it a watcher of the past is told in one response."""
LARGEST_MESSAGE = 2 * 2**20
"""Responses of more bytes are split for watchers that allow it: etcd's largest request, and half a MiB around it."""


@dataclass(frozen=True, slots=True)
class Watcher:
    """What is watched, and how far it was told.

    Attributes:
        id: its name in the stream.
        request: what was asked for.
        begin: where the range begins.
        end: where it ends; None: nowhere.
        next_revision: the first revision of which it was told nothing.
        synced: whether it has caught up with the present: then it is told each revision by itself.
    """

    id: int
    request: WatchCreate
    begin: bytes
    end: bytes | None
    next_revision: int
    synced: bool


@dataclass(frozen=True, slots=True)
class Stream:
    """The watchers of one client.

    Attributes:
        watchers: in order of their creation.
        next_id: what to call the next one. No name is given twice.
        ended: those that ended because of a compaction; their names stay taken until they are canceled, too.
    """

    watchers: tuple[Watcher, ...] = ()
    next_id: int = 0
    ended: tuple[int, ...] = ()


def create(stream: Stream, store: Store, request: WatchCreate) -> tuple[Stream, WatchResponse]:
    """Begin to watch. A refusal comes as a response, too: created and canceled at once, for watcher -1.

    A negative start is told nothing of the past. (Where something was compacted it is below that and ends; etcd 3.6
    refuses it at once.)
    """
    key = request.key or b"\0"
    names = {*stream.ended, *(watcher.id for watcher in stream.watchers)}
    if request.range_end not in (b"", FROM_KEY) and request.range_end <= key:
        return stream, _refused(store, "mvcc: watcher range is empty")
    if request.watch_id and request.watch_id in names:
        return stream, _refused(store, "mvcc: duplicate watch ID provided on the WatchStream")
    name, next_id = request.watch_id, stream.next_id
    if not name:
        while next_id in names:
            next_id += 1
        name, next_id = next_id, next_id + 1
    start, now = request.start_revision, store.revision
    synced = start == 0 or start > now
    watcher = Watcher(name, request, *span(key, request.range_end), max(start, now + 1) if synced else start, synced)
    stream = replace(stream, watchers=(*stream.watchers, watcher), next_id=next_id)
    return stream, WatchResponse(now, name, created=True)


def _refused(store: Store, reason: str) -> WatchResponse:
    return WatchResponse(store.revision, -1, created=True, canceled=True, cancel_reason=reason)


def cancel(stream: Stream, store: Store, watch_id: int) -> tuple[Stream, tuple[WatchResponse, ...]]:
    """Stop a watcher; of one that there is not, nothing is said."""
    left = tuple(watcher for watcher in stream.watchers if watcher.id != watch_id)
    ended = tuple(name for name in stream.ended if name != watch_id)
    if len(left) == len(stream.watchers) and len(ended) == len(stream.ended):
        return stream, ()
    return replace(stream, watchers=left, ended=ended), (WatchResponse(store.revision, watch_id, canceled=True),)


def progress(store: Store) -> WatchResponse:
    """The answer to a request for progress. (etcd 3.5 and later wait until every watcher has caught up)."""
    return WatchResponse(store.revision, -1)


def notices(stream: Stream, store: Store) -> tuple[WatchResponse, ...]:
    """What watchers that asked for it are told from time to time: that they have missed nothing up to now."""
    return tuple(
        WatchResponse(store.revision, watcher.id)
        for watcher in stream.watchers
        if watcher.request.progress_notify and watcher.next_revision == store.revision + 1
    )


def poll(stream: Stream, store: Store) -> tuple[Stream, tuple[WatchResponse, ...]]:
    """Tell every watcher what has happened since it was told last.

    A watcher that has caught up gets one response a revision; one that begins in the past up to 1000 revisions in
    one; one that begins before the last compaction ends.
    """
    told = [(watcher.id, *tell(watcher, store)) for watcher in stream.watchers]
    left = tuple(watcher for _, watcher, _ in told if watcher is not None)
    ended = (*stream.ended, *(name for name, watcher, _ in told if watcher is None))
    return replace(stream, watchers=left, ended=ended), tuple(r for *_, responses in told for r in responses)


def tell(watcher: Watcher, store: Store) -> tuple[Watcher | None, list[WatchResponse]]:
    """See `poll`; the watcher is None if it has ended."""
    now = store.revision
    if watcher.next_revision > now:
        return watcher, []
    if watcher.next_revision < store.compacted:
        ended = WatchResponse(0, watcher.id, canceled=True, compact_revision=store.compacted)
        return None, [ended]
    told: list[WatchResponse] = []
    if watcher.synced:
        for revision in range(watcher.next_revision, now + 1):
            told += _response(watcher, revision, _seen(watcher, store, revision))
    else:
        batch: list[Event] = []
        revisions = 0
        begin = max(watcher.next_revision, store.base_revision) if watcher.next_revision > 0 else now + 1
        for revision in range(begin, now + 1):
            events = _concerning(watcher, store, revision)
            if events:
                if revisions == CATCH_UP:
                    told += _response(watcher, now, batch)
                    batch, revisions = [], 0
                batch += _filtered(watcher, store, revision, events)
                revisions += 1
        told += _response(watcher, now, batch)
    return replace(watcher, next_revision=now + 1, synced=True), told


def _concerning(watcher: Watcher, store: Store, revision: int) -> list[Event]:
    begin, end = watcher.begin, watcher.end
    return [e for e in store.events(revision) if begin <= e.kv.key and (end is None or e.kv.key < end)]


def _seen(watcher: Watcher, store: Store, revision: int) -> list[Event]:
    return _filtered(watcher, store, revision, _concerning(watcher, store, revision))


def _filtered(watcher: Watcher, store: Store, revision: int, events: list[Event]) -> list[Event]:
    unwanted = {{NOPUT: "PUT", NODELETE: "DELETE"}.get(kind) for kind in watcher.request.filters}
    events = [event for event in events if event.type not in unwanted]
    if watcher.request.prev_kv:
        return [replace(event, prev_kv=store.before(revision, event.kv.key)) for event in events]
    return events


def _response(watcher: Watcher, revision: int, events: list[Event]) -> Iterator[WatchResponse]:
    if not events:
        return
    whole = WatchResponse(revision, watcher.id, events=tuple(events))
    yield from fragments(whole) if watcher.request.fragment else (whole,)


def fragments(response: WatchResponse, largest: int = LARGEST_MESSAGE) -> Iterator[WatchResponse]:
    """A response in parts smaller than `largest` bytes, as far as single events allow; all but the last say so."""
    part: list[Event] = []
    size = 0
    for event in response.events:
        more = event_size(event)
        if part and size + more >= largest:
            yield replace(response, events=tuple(part), fragment=True)
            part, size = [], 0
        part.append(event)
        size += more
    yield replace(response, events=tuple(part))
