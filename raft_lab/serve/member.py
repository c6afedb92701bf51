"""One server of a live cluster as a member of an etcd cluster: what it is called, what it says of itself, how it asks.

The services (keys, watches, leases, members, maintenance, locks, elections) all speak for one member.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from typing import TYPE_CHECKING, Any

from raft_lab.kv import wire
from raft_lab.kv.calls import NO_LEADER, Unknown
from raft_lab.kv.clients import Program
from raft_lab.kv.errors import EtcdError
from raft_lab.kv.requests import Request, only_reads
from raft_lab.kv.store import Store
from raft_lab.raft.membership import Configuration
from raft_lab.raft.state import State
from raft_lab.serve.live import Live, Stopped
from raft_lab.sim.world import World

if TYPE_CHECKING:
    import grpc

VERSION = "3.4.23+raft-lab"
"""Of the etcd whose behaviour this is."""

TIMED_OUT = EtcdError("UNAVAILABLE", "etcdserver: request timed out")
NEVER_PROPOSED = EtcdError("UNKNOWN", "context deadline exceeded")
"""What etcd says when it had no leader all the time to hand a proposal to."""
NOT_FOR_LEARNERS = EtcdError("UNAVAILABLE", "etcdserver: rpc not supported for learner")
STOPPED = EtcdError("UNAVAILABLE", "etcdserver: server stopped")


def troubled(error: Exception) -> EtcdError:
    """What clients are told when the cluster cannot go on."""
    return EtcdError("INTERNAL", f"raft_lab: the cluster is paused, since it cannot go on: {error}")


def number_of(*parts: object) -> int:
    """A number of 64 bits that depends on nothing but `parts`, as etcd makes its ids; never 0."""
    text = "/".join(map(str, parts))
    return int.from_bytes(hashlib.blake2b(text.encode(), digest_size=8).digest(), "big") | 1


class Directory:
    """What the members know of one another beside the configuration: ids and addresses.

    Args:
        live: the cluster.
        name: of the cluster; what the ids are made of, as etcd's `--initial-cluster-token`.
    """

    def __init__(self, live: Live, name: str) -> None:
        self.live = live
        self.name = name
        self.cluster_id = number_of(name)
        self.client_urls: dict[str, str] = {}
        self.peer_urls: dict[str, tuple[str, ...]] = {}
        """As somebody has set them; or else `http://NAME:2380`, an address of the network inside the lab."""
        self.unstarted: set[str] = set()
        """Who was added but has no endpoint yet."""

    def id_of(self, name: str) -> int:
        """The id of a member."""
        return number_of(self.name, name)

    def name_of(self, id: int) -> str | None:
        """The member that has this id, if there is one."""
        return next((name for name in self.live.world.servers if self.id_of(name) == id), None)

    def peers_of(self, name: str) -> tuple[str, ...]:
        """Where other members reach this one."""
        return self.peer_urls.get(name, (f"http://{name}:2380",))

    def members(self, configuration: Configuration) -> list[Any]:
        """All members of a configuration, as messages, in the order of their ids."""
        kind = wire.message_class("Member")
        there = configuration.voters | configuration.learners
        return [
            kind(
                ID=self.id_of(name),
                name="" if name in self.unstarted else name,
                peerURLs=self.peers_of(name),
                clientURLs=[self.client_urls[name]] if name in self.client_urls and name not in self.unstarted else [],
                isLearner=name in configuration.learners,
            )
            for name in sorted(there, key=self.id_of)
        ]


class Member:
    """One server, as its clients know it."""

    def __init__(self, directory: Directory, name: str) -> None:
        self.directory = directory
        self.live = directory.live
        self.name = name
        self.id = directory.id_of(name)
        self._listeners: list[Callable[[World], None]] = []
        self._seen: tuple[Any, ...] = ()

    def follow(self, look: Callable[[World], None]) -> Callable[[], None]:
        """Call `look(world)` whenever this member has applied something, or knows of another leader."""
        self._listeners.append(look)
        return lambda: self._listeners.remove(look)

    def look(self, world: World) -> None:
        """Something has happened in the cluster: tell those who follow, if it concerns this member."""
        state = world.servers[self.name]
        seen = (state.machine.data, state.leader_id, self.live.lost)
        if self._seen and seen[0] is self._seen[0] and seen[1:] == self._seen[1:] and seen[1] is not None:
            return
        self._seen = seen
        for look in list(self._listeners):
            look(world)

    @property
    def state(self) -> State:
        """The server as it stands, as far as anybody may know."""
        return self.live.world.servers[self.name]

    @property
    def store(self) -> Store:
        """What it has applied."""
        store: Store = self.state.machine.data
        return store

    @property
    def is_learner(self) -> bool:
        """Whether it has no vote."""
        return self.name in self.state.configuration.learners

    # What it says

    def header(self, revision: int = 0) -> Any:
        """The header of a response."""
        return wire.message_class("ResponseHeader")(
            cluster_id=self.directory.cluster_id,
            member_id=self.id,
            revision=revision,
            raft_term=self.state.current_term,
        )

    def signed(self, message: Any) -> Any:
        """A response, with the rest of its header."""
        header = message.header
        header.cluster_id, header.member_id = self.directory.cluster_id, self.id
        header.raft_term = self.state.current_term
        return message

    # How it asks

    async def ask(self, request: Request) -> Any:
        """Do what a client asks for, and give what etcd would.

        Raises:
            EtcdError: it is refused, or no answer came in time.
        """

        def alone() -> Program:
            return (yield request)

        return await self.run(alone(), only_reads(request))

    async def run(self, program: Program, reads: bool = False) -> Any:
        """Run a program by way of this member; see `ask`."""
        try:
            return await self.live.ask(program, self.name)
        except Unknown:
            raise TIMED_OUT from None
        except EtcdError as error:
            raise (NEVER_PROPOSED if error == NO_LEADER and not reads else error) from None
        except Stopped:
            raise STOPPED from None
        except Exception as error:
            if self.live.trouble is error:
                raise troubled(error) from None
            raise

    def refuse_if_lost(self) -> None:
        """Refuse everything once something could not be kept on the disk; an etcd ends itself then.

        Raises:
            EtcdError: so it is.
        """
        if self.live.lost and self.live.trouble is not None:
            raise troubled(self.live.trouble)

    async def until(self, so: Callable[[], bool], seconds: float) -> bool:
        """Wait until something is so of the cluster, in the cluster's time; whether it came about.

        Raises:
            EtcdError: it will never be.
        """
        schedule = self.live.cluster.schedule
        deadline_us = schedule.now_us + round(seconds * 1e6)
        news = asyncio.Event()
        stop = self.live.follow(lambda _: news.set())
        try:
            while not so():
                self.refuse_if_lost()
                if self.live.cluster.schedule.now_us >= deadline_us:
                    return False
                news.clear()
                try:
                    await asyncio.wait_for(news.wait(), 0.1)
                except TimeoutError:
                    continue
        finally:
            stop()
        return True


class Service:
    """A service of etcd for one member. Each of its methods is the method of that name on the wire."""

    name = ""
    """As in `wire.METHOD`, such as "KV"."""
    for_learners: tuple[str, ...] = ()
    """What a learner answers, too."""

    def __init__(self, member: Member) -> None:
        self.member = member

    def refuse(self, method: str, requires_leader: bool) -> None:
        """Refuse what this member cannot do now.

        Raises:
            EtcdError: it cannot.
        """
        self.member.refuse_if_lost()
        if requires_leader and self.member.state.leader_id is None:
            raise NO_LEADER
        if self.member.is_learner and method not in self.for_learners:
            raise NOT_FOR_LEARNERS


def handlers(services: Iterable[Service]) -> list[grpc.GenericRpcHandler]:
    """The services for a gRPC server."""
    import grpc

    made = []
    for service in services:
        methods = {}
        path = ""
        for full, method in wire.METHOD.items():
            room, _, name = full.partition("/")
            if room != service.name:
                continue
            path = method.path.split("/")[1]
            streams = method.stream_in or method.stream_out
            kind = f"{'stream' if method.stream_in else 'unary'}_{'stream' if method.stream_out else 'unary'}"
            methods[name] = getattr(grpc, f"{kind}_rpc_method_handler")(
                (_stream if streams else _unary)(service, name, method),
                response_serializer=wire.message_class(method.response).SerializeToString,
            )
        made.append(grpc.method_handlers_generic_handler(path, methods))
    return [*made, _unknown_methods()]


def _unary(service: Service, name: str, method: wire.Method) -> Callable[..., Any]:
    answer, parse = getattr(service, name), wire.message_class(method.request).FromString

    async def handle(data: bytes, context: Any) -> Any:
        try:
            request = _parsed(parse, data, "error unmarshalling request")
            service.refuse(name, requires_leader(context))
            return await answer(request)
        except EtcdError as error:
            await refuse(context, error)

    return handle


def _stream(service: Service, name: str, method: wire.Method) -> Callable[..., Any]:
    answer, parse = getattr(service, name), wire.message_class(method.request).FromString

    async def each(stream: AsyncIterator[bytes]) -> AsyncIterator[Any]:
        async for data in stream:
            yield _parsed(parse, data, IN_STREAM)

    async def handle(came: Any, context: Any) -> AsyncIterator[Any]:
        try:
            requests = each(came) if method.stream_in else _parsed(parse, came, IN_STREAM)
            service.refuse(name, requires_leader(context))
            async for message in answer(requests, context):
                yield message
        except EtcdError as error:
            await refuse(context, error)

    return handle


IN_STREAM = "failed to unmarshal the received message"


def _parsed(parse: Callable[[bytes], Any], data: bytes, failure: str) -> Any:
    """A message, or the error that a server in Go gives (grpc-go, server.go and rpc_util.go)."""
    from google.protobuf.message import DecodeError

    try:
        return parse(data)
    except DecodeError as error:
        raise EtcdError("INTERNAL", f"grpc: {failure}: {error}") from None


def _unknown_methods() -> grpc.GenericRpcHandler:
    """What is asked for and is not there is refused in the words of a server in Go."""
    import grpc

    known = {method.path.split("/")[1] for method in wire.METHOD.values()}

    class Unknown(grpc.GenericRpcHandler):  # type: ignore[misc]  # grpc has no types
        def service(self, details: Any) -> Any:
            _, service, method = f"{details.method}//".split("/")[:3]
            why = f"unknown method {method} for service {service}" if service in known else f"unknown service {service}"

            async def handle(_: bytes, context: Any) -> Any:
                await refuse(context, EtcdError("UNIMPLEMENTED", why))

            return grpc.unary_unary_rpc_method_handler(handle)

    return Unknown()


def requires_leader(context: Any) -> bool:
    """Whether the client wants to know at once when there is no leader."""
    metadata: Sequence[tuple[str, Any]] = context.invocation_metadata() or ()
    return any(key == "hasleader" and value == "true" for key, value in metadata)


async def refuse(context: Any, error: EtcdError) -> None:
    """End a call with an error."""
    import grpc

    await context.abort(grpc.StatusCode[error.code], error.text)
