"""A client's watch: it is told every revision of its range once and in order, whichever member it is connected to."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from raft_lab.kv.requests import Event, WatchCreate, WatchResponse, span
from raft_lab.kv.store import Store
from raft_lab.kv.watch import Stream, create, poll
from raft_lab.sim.world import World

FAR = 200
"""How many revisions back a glance goes."""


class Told:
    """What a watch was told up to now, wherever it watches; iterating gives all changes."""

    server: str | None = None
    """To whom it is connected."""

    def __init__(self, request: WatchCreate) -> None:
        self.request = request
        self.responses: list[WatchResponse] = []
        self.taken = 0
        """How many of them a program has had."""
        self.next_revision = request.start_revision
        """The first revision of which it may still be told something; 0: it was not connected yet."""
        self.ended = False
        """Whether it was canceled: what it asks for is compacted away, or it makes no sense."""

    @property
    def revision(self) -> int:
        """Everything up to this revision was told."""
        return max(self.next_revision - 1, 0)

    @property
    def events(self) -> tuple[Event, ...]:
        """All changes that it was told of."""
        return tuple(event for response in self.responses for event in response.events)

    def __iter__(self) -> Iterator[Event]:
        return iter(self.events)

    def __len__(self) -> int:
        return len(self.events)

    def cancel(self) -> None:
        """Stop watching."""
        self.ended = True

    def take(self, told: Sequence[WatchResponse]) -> int:
        """Keep what says something; answers with how many responses that were."""
        news = 0
        for response in told:
            if response.canceled or response.events:  # before the revision: another thread may look at it
                self.responses.append(response)
                self.ended |= response.canceled
                news += 1
            if response.created and not self.next_revision:
                self.next_revision = response.revision + 1
            if response.events:
                self.next_revision = max(self.next_revision, response.events[-1].kv.mod_revision + 1)
            elif not (response.created or response.canceled):  # progress: nothing was missed up to here
                self.next_revision = max(self.next_revision, response.revision + 1)
        return news

    def __repr__(self) -> str:
        return f"<{self}>"


class Watch(Told):
    """What a client watches, and what it was told up to now.

    It is connected to one member and is told what that member has applied, which may be late. When the member is down
    or knows of no leader, the client goes to another one and asks for all revisions from the first that it was not
    told (as etcd's client does with `--require-leader`).

    Args:
        request: what is watched.
        servers: whom the client knows.
        world: the cluster as it stands.
        server: whom to try first.
    """

    def __init__(self, request: WatchCreate, servers: Sequence[str], world: World, server: str | None = None) -> None:
        super().__init__(request)
        self.servers = tuple(servers)
        self._first = server or self.servers[0]
        self._since = 0
        self._stream = Stream()
        self._store: Store | None = None
        self.look(world)

    @property
    def revision(self) -> int:
        return max(super().revision, self._store.revision if self._store is not None else 0)

    def look(self, world: World) -> int:
        """Take what there is to be told now; answers with how many responses came."""
        if self.ended:
            return 0
        if self.server is None or not serves(world, self.server):
            self._connect(world)
        if self.server is None:
            return 0
        store = world.servers[self.server].machine.data
        if store is self._store:
            return 0
        self._store = store
        self._stream, told = poll(self._stream, store)
        return self.take(told)

    def serving(self, world: World) -> str | None:
        """Who would tell it something in this world: the member it is connected to, or the next one that serves."""
        place = self.servers.index(self.server or self._first)
        turn = self.servers[place:] + self.servers[:place]
        return next((server for server in turn if serves(world, server)), None)

    def latest(self, store: Store, count: int) -> tuple[Event, ...]:
        """The latest changes in a store of which it is told, newest first."""
        begin, end = span(self.request.key or b"\0", self.request.range_end)
        found: list[Event] = []
        first = max(self.request.start_revision, self._since, store.base_revision + 1)
        for revision in range(store.revision, max(first, store.revision - FAR) - 1, -1):
            events = store.events(revision)
            found += [e for e in events if begin <= e.kv.key and (end is None or e.kv.key < end)]
            if len(found) >= count:
                break
        return tuple(found[:count])

    def _connect(self, world: World) -> None:
        self.server = self.serving(world)
        self._store = None
        if self.server is not None:
            store = world.servers[self.server].machine.data
            wanted = replace(self.request, start_revision=self.next_revision)
            self._stream, made = create(Stream(), store, wanted)
            self.take([made])
            self._since = self._since or self.next_revision

    def rewind(self, world: World) -> None:
        """The cluster is in another situation of its history: forget what has not happened there."""
        server = self.server or self._first
        store: Store = world.servers[server].machine.data
        kept = [r for r in self.responses if not r.canceled and happened(r, store)]
        if len(kept) < len(self.responses):
            self.responses, self.ended, self.taken = kept, False, min(self.taken, len(kept))
            last = kept[-1].events[-1].kv.mod_revision if kept else 0
            self.next_revision = last + 1 if kept else self.request.start_revision or store.revision + 1
        self.server = None
        self.look(world)

    def __str__(self) -> str:
        where = f"at {self.server}" if self.server else "not connected"
        return f"{self.request}: {len(self)} event{'s' * (len(self) != 1)}, {where}"


def happened(response: WatchResponse, store: Store) -> bool:
    """Whether what was told is part of this store's history; of what is compacted away nobody knows better."""
    for event in response.events:
        revision = event.kv.mod_revision
        if revision > store.revision:
            return False
        if revision > store.base_revision and event.kv not in [known.kv for known in store.events(revision)]:
            return False
    return True


def serves(world: World, server: str) -> bool:
    """Whether clients stay connected to the server: it runs, and knows of a leader."""
    return server in world.servers and server not in world.crashed and world.servers[server].leader_id is not None
