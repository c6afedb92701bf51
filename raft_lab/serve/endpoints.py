"""etcd's API on loopback: `with etcd(cluster) as endpoints:` gives every server of a cluster a port of its own.

A server that crashes in the lab closes its port and all connections, and opens them again when it restarts; one that
is cut off stays reachable and answers what etcd would. Whoever joins the cluster gets a port, too.
"""

from __future__ import annotations

import asyncio
import contextlib
import random
import warnings
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from raft_lab.kv import wire
from raft_lab.raft.errors import RaftLabError
from raft_lab.serve.addresses import is_loopback, reached_at, refuse_foreign, written
from raft_lab.serve.administration import Maintenance, Members
from raft_lab.serve.auth import Auth
from raft_lab.serve.journal import SNAPSHOT_EVERY, Journal
from raft_lab.serve.keys import Keys, Leases
from raft_lab.serve.live import Live, living
from raft_lab.serve.member import Directory, Member, Service, handlers
from raft_lab.serve.queues import Elections, Locks
from raft_lab.serve.watches import Watches
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.world import World

SERVICES: tuple[type[Service], ...] = (Keys, Watches, Leases, Members, Maintenance, Auth, Locks, Elections)
LARGEST_MESSAGE = 2 * 2**20
"""Bytes: as etcd, its largest request and half a MiB around it."""
OPTIONS = (
    ("grpc.so_reuseport", 0),  # or a second server on the same port would bind silently
    ("grpc.max_receive_message_length", LARGEST_MESSAGE),
    ("grpc.max_send_message_length", -1),
    ("grpc.http2.max_ping_strikes", 0),  # etcd's clients ping every ten seconds, also when nothing is to be said
    ("grpc.keepalive_permit_without_calls", 1),
)
FREE_PORTS = range(20_000, 32_000)
"""Below those that systems give to whoever connects: a port that a crashed server has left is not taken by chance."""
MOST_TRIES = 1_000


class PortTaken(RaftLabError):
    """Somebody listens on that port already."""


class Endpoints(Sequence[str]):
    """The addresses of a served cluster, one a server. `str(endpoints)` is what etcdctl takes: `--endpoints=…`."""

    def __init__(self, live: Live, host: str, ports: Iterator[int], exact: bool, name: str) -> None:
        self.live = live
        self.host = host
        self.directory = Directory(live, name)
        self._ports = ports
        self._exact = exact
        self._doors: dict[str, _Door] = {}
        self._changing = asyncio.Lock()
        self._tasks: set[asyncio.Task[None]] = set()
        self._stop: Callable[[], None] = lambda: None

    @property
    def by_server(self) -> dict[str, str]:
        """The address of each server, by its name."""
        return {name: written(reached_at(self.host), door.port) for name, door in self._doors.items()}

    def __getitem__(self, place: Any) -> Any:
        return list(self.by_server.values())[place]

    def __len__(self) -> int:
        return len(self._doors)

    def __str__(self) -> str:
        return ",".join(self)

    def __repr__(self) -> str:
        return f"<etcd at {self}>"

    # In the live loop

    async def open(self) -> None:
        """Open the ports of all servers.

        Raises:
            PortTaken: one of them is taken; then none is open.
        """
        try:
            for name in self._members(self.live.world):
                await self._admit(name)
        except BaseException:
            await self.close()
            raise
        self._stop = self.live.follow(self._look)

    async def close(self) -> None:
        """Close all ports."""
        self._stop()
        for task in list(self._tasks):
            task.cancel()
        for door in self._doors.values():
            await door.close()

    async def _admit(self, name: str) -> None:
        door = _Door(self.directory, name, self.host)
        for port in self._ports:
            try:
                await door.open(port)
                break
            except PortTaken:
                if self._exact:
                    raise
        if not door.is_open:
            raise PortTaken(f"no port is left for {name}")
        self._doors[name] = door
        self.directory.client_urls[name] = f"http://{written(reached_at(self.host), door.port)}"
        self.directory.unstarted.discard(name)
        if name in self.live.world.crashed:
            await door.close()

    def _look(self, world: World) -> None:
        for door in self._doors.values():
            door.watch(world)
        is_news = any(door.is_open == (name in world.crashed) for name, door in self._doors.items())
        if is_news or self._doors.keys() != set(self._members(world)):
            task = self.live.loop.create_task(self._follow())
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    def _members(self, world: World) -> list[str]:
        """Who runs, and who is awaited by the one that knows most: not who was removed and has stopped."""
        latest = max(world.servers.values(), key=lambda state: (state.log.last_term, state.log.last_index))
        awaited = latest.configuration.members
        return [name for name in world.servers if name not in world.crashed or name in awaited]

    async def _follow(self) -> None:
        """Open and close what the cluster has started and crashed."""
        async with self._changing:
            world = self.live.world
            members = self._members(world)
            for name in self._doors.keys() - set(members):
                await self._doors.pop(name).close()
                self.directory.client_urls.pop(name, None)
            for name in members:
                if name not in self._doors:
                    await self._admit(name)
            for name, door in list(self._doors.items()):
                if door.is_open and name in world.crashed:
                    await door.close()
                elif not door.is_open and name not in world.crashed:
                    with contextlib.suppress(PortTaken):  # somebody has taken it meanwhile: it is tried again
                        await door.open(door.port)


class _Door:
    """The port of one server."""

    def __init__(self, directory: Directory, name: str, host: str) -> None:
        self.member = Member(directory, name)
        self.host = host
        self.port = 0
        self._server: Any = None

    @property
    def is_open(self) -> bool:
        return self._server is not None

    async def open(self, port: int) -> None:
        import grpc

        server = grpc.aio.server(options=OPTIONS)
        server.add_generic_rpc_handlers(handlers(service(self.member) for service in SERVICES))
        try:
            self.port = server.add_insecure_port(written(self.host, port))
        except RuntimeError:
            await server.stop(None)
            raise PortTaken(
                f"{written(self.host, port)} is taken: something listens there already (an etcd of its own?). "
                "Stop it, or name another port"
            ) from None
        await server.start()
        self._server = server

    async def close(self) -> None:
        server, self._server = self._server, None
        if server is not None:
            await server.stop(None)

    def watch(self, world: World) -> None:
        self.member.look(world)


def _ports(port: int) -> Iterator[int]:
    """Which ports to try for one server after the other: those from `port` on, or any."""
    yield from range(port, 65_536) if port else random.sample(FREE_PORTS, MOST_TRIES)


@contextlib.contextmanager
def etcd(
    cluster: Cluster | Live,
    *,
    port: int = 0,
    host: str = "127.0.0.1",
    name: str = "raft-lab",
    journal: Journal | None = None,
    **options: Any,
) -> Iterator[Endpoints]:
    """Serve a cluster as etcd v3 over gRPC, from now on and on wall-clock time, until the `with` ends.

    Args:
        cluster: a cluster of `KVServer`s, or a `Live` that others use, too.
        port: of the first server; the others take the ones after it. 0: any that are free.
        host: where to listen. Whoever can reach it can do everything: so it is loopback unless told otherwise.
        name: of the cluster: what its id and those of its members are made of.
        journal: what keeps the cluster on a disk; clients are told nothing that is not there.
        options: those of `Live`: speed, keep, compact_above.

    Raises:
        MissingLibrary: grpcio is not installed.
        PortTaken: one of the ports is taken.
        RaftLabError: nothing can listen at this host.
    """
    try:
        import grpc  # noqa: F401
    except ImportError:
        raise wire.MissingLibrary("to serve etcd's API takes grpcio: pip install 'raft_lab[serve]'") from None
    if not (isinstance(port, int) and not isinstance(port, bool) and 0 <= port <= 65_535):
        raise ValueError(f"a port is a number from 1 to 65535, or 0 for any that is free, not {port!r}")
    refuse_foreign(host)
    if not is_loopback(host):
        warnings.warn(f"everybody who can reach {host} can read and change this cluster", stacklevel=3)
    if journal is not None:
        options = {"compact_above": SNAPSHOT_EVERY, **options}
    with living(cluster, **options) as live:
        endpoints = Endpoints(live, host, _ports(port), port > 0, name)
        if journal is not None:
            peers = endpoints.directory.peer_urls
            peers.update(journal.peers)
            live.before_answers = lambda world, now_us: journal.write(world, now_us, peers)
        live.call(endpoints.open())
        try:
            yield endpoints
        finally:
            live.call(endpoints.close())
            if journal is not None:
                live.before_answers = None
