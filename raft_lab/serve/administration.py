"""etcd's services Cluster and Maintenance: members come and go by joint consensus, leaders hand over, and more."""

from __future__ import annotations

import asyncio
import re
from collections.abc import AsyncIterator, Callable
from typing import Any
from urllib.parse import urlsplit

from raft_lab.kv import wire
from raft_lab.kv.encoding import crc32c, event_size, hash_kv
from raft_lab.kv.errors import EtcdError
from raft_lab.kv.requests import Event, Range
from raft_lab.kv.store import Store
from raft_lab.raft.membership import Configuration
from raft_lab.raft.state import Leader, Rejected, State
from raft_lab.serve import bolt
from raft_lab.serve.forwarding import PATIENCE, leader_for
from raft_lab.serve.member import TIMED_OUT, VERSION, Member, Service
from raft_lab.sim.actions import Action, Boot, Crash, Reconfigure, TransferLeadership
from raft_lab.sim.errors import ActionRefused
from raft_lab.sim.world import World


def _error(code: str, text: str) -> EtcdError:
    return EtcdError(code, f"etcdserver: {text}")


UNHEALTHY = _error("UNAVAILABLE", "unhealthy cluster")
MEMBER_NOT_FOUND = _error("NOT_FOUND", "member not found")
BAD_URLS = _error("INVALID_ARGUMENT", "given member URLs are invalid")
PEERS_EXIST = _error("FAILED_PRECONDITION", "Peer URLs already exists")
TOO_MANY_LEARNERS = _error("FAILED_PRECONDITION", "too many learner members in cluster")
NOT_A_LEARNER = _error("FAILED_PRECONDITION", "can only promote a learner member")
NOT_IN_SYNC = _error("FAILED_PRECONDITION", "can only promote a learner member which is in sync with leader")
NOT_ENOUGH_STARTED = _error("UNKNOWN", "re-configuration failed due to not enough started members")
NOT_LEADER = _error("FAILED_PRECONDITION", "not leader")
BAD_TRANSFEREE = _error("FAILED_PRECONDITION", "bad leader transferee")
TRANSFER_TIMED_OUT = _error("UNAVAILABLE", "request timed out, leader transfer took too long")
NO_ALARMS = EtcdError("UNIMPLEMENTED", "raft_lab: there is no quota here, so no alarm that could be raised")
SECONDS = PATIENCE.deadline_us / 1e6
GOES_AFTER_SECONDS = 0.05
"""So long a member that has removed itself can still say so."""


class Administrator:
    """What the two services share: whom to ask, and how to wait for it."""

    def __init__(self, member: Member) -> None:
        self.member = member
        self.live = member.live
        self.cluster = member.live.cluster

    def leader(self) -> State:
        """The leader that this member can reach.

        Raises:
            EtcdError: there is none.
        """
        return self._leader(self.live.world)

    def _leader(self, world: World) -> State:
        name = leader_for(world, self.member.name)
        if name is None or not world.servers[name].is_leader:
            raise UNHEALTHY
        return world.servers[name]

    def reaches(self, leader: str, name: str) -> bool:
        """Whether a leader and another member hear each other."""
        world = self.live.world
        return name not in world.crashed and not {(leader, name), (name, leader)} & world.cuts

    async def perform(self, make: Callable[[State], Action], refused: EtcdError) -> None:
        """Have the leader do something; a change that is under way is waited for.

        Raises:
            EtcdError: `refused` if the leader does not want to; or there is none.
        """
        for _ in range(round(SECONDS / 0.05)):
            self.member.refuse_if_lost()
            with self.cluster.lock:
                try:
                    done = self.cluster.perform(make(self._leader(self.cluster.world)))
                except ActionRefused:
                    raise refused from None
            reply = done.transition.reply
            if not isinstance(reply, Rejected):
                return
            if "not committed yet" not in reply.reason and "handing over" not in reply.reason:
                raise refused
            await asyncio.sleep(0.05)
        raise TIMED_OUT

    async def change(self, wanted: Callable[[Configuration], tuple[frozenset[str], frozenset[str]]]) -> Configuration:
        """Change voters and learners, and wait until the change is committed.

        Raises:
            EtcdError: it cannot be done, or not in time.
        """
        aim: list[tuple[frozenset[str], frozenset[str]]] = []

        def make(leader: State) -> Action:
            aim[:] = [wanted(leader.configuration)]
            return Reconfigure(leader.id, *aim[0], False)

        def done() -> bool:
            world = self.live.world
            states = [state for name, state in world.servers.items() if name not in world.crashed]
            return any(
                (state.configuration.voters, state.configuration.learners) == aim[0]
                and not state.configuration.is_joint
                and state.log.configuration_index <= state.commit_index
                for state in states
            )

        await self.perform(make, NOT_IN_SYNC)
        if not await self.member.until(done, SECONDS):
            raise TIMED_OUT
        return Configuration(aim[0][0], frozenset(), aim[0][1])


class Members(Service):
    """The service Cluster."""

    name = "Cluster"

    def __init__(self, member: Member) -> None:
        super().__init__(member)
        self.directory = member.directory
        self.admin = Administrator(member)

    async def MemberList(self, message: Any) -> Any:  # noqa: N802 - its name on the wire, here and below
        """Who is a member."""
        if message.linearizable:
            await self._hear_a_quorum()
        return self._answer("MemberListResponse", self.member.state.configuration)

    async def MemberAdd(self, message: Any) -> Any:  # noqa: N802
        """Add a member. The lab starts the server at once: it catches up as a learner, whatever it shall be then."""
        urls = tuple(message.peerURLs)
        if not urls or not all(_is_url(url) for url in urls):
            raise BAD_URLS
        configuration = self._healthy()
        if set(urls) & {url for name in configuration.members for url in self.directory.peers_of(name)}:
            raise PEERS_EXIST
        if message.isLearner and configuration.learners:
            raise TOO_MANY_LEARNERS
        name = self._next_name()
        self.directory.peer_urls[name] = urls
        self.directory.unstarted.add(name)
        try:
            with self.admin.cluster.lock:
                self.admin.cluster.perform(Boot(name))
        except ActionRefused as refused:
            raise EtcdError("RESOURCE_EXHAUSTED", f"raft_lab: {refused}") from None
        now = await self.admin.change(lambda old: (old.voters, old.learners | {name}))
        if not message.isLearner:
            if not await self.member.until(lambda: self._has_caught_up(name), SECONDS):
                raise TIMED_OUT
            now = await self.admin.change(lambda old: (old.voters | {name}, old.learners - {name}))
        answer = self._answer("MemberAddResponse", now)
        for added in answer.members:
            if self.directory.id_of(name) == added.ID:  # it is not known yet to have started
                added.name = ""
                del added.clientURLs[:]
                answer.member.CopyFrom(added)
        return answer

    async def MemberRemove(self, message: Any) -> Any:  # noqa: N802
        """Remove a member; its server stops."""
        name = self._named(message.ID)
        configuration = self.admin.leader().configuration
        if name in configuration.voters:
            self._may_lose(name, configuration)
        now = await self.admin.change(lambda old: (old.voters - {name}, old.learners - {name}))
        if name == self.member.name:
            self.member.live.loop.call_later(GOES_AFTER_SECONDS, self._stop, name)
        else:
            self._stop(name)  # before it misses its leader and disturbs the others (dissertation 4.2.3)
        return self._answer("MemberRemoveResponse", now)

    async def MemberUpdate(self, message: Any) -> Any:  # noqa: N802
        """Say where a member is reached: in this lab only words, since all servers are in one process."""
        urls = tuple(message.peerURLs)
        if not urls or not all(_is_url(url) for url in urls):
            raise BAD_URLS
        await self._hear_a_quorum()  # as in etcd
        name = self._named(message.ID)
        others = (other for other in self.admin.leader().configuration.members if other != name)
        if set(urls) & {url for other in others for url in self.directory.peers_of(other)}:
            raise PEERS_EXIST
        self.directory.peer_urls[name] = urls
        await self._hear_a_quorum()  # by which time they are kept
        return self._answer("MemberUpdateResponse", self.member.state.configuration)

    async def MemberPromote(self, message: Any) -> Any:  # noqa: N802
        """Give a learner a vote, once it has caught up."""
        name = self._named(message.ID)
        leader = self.admin.leader()
        if name not in leader.configuration.learners:
            raise NOT_A_LEARNER
        if not self._has_caught_up(name) or not self.admin.reaches(leader.id, name):
            raise NOT_IN_SYNC
        now = await self.admin.change(lambda old: (old.voters | {name}, old.learners - {name}))
        return self._answer("MemberPromoteResponse", now)

    # Inside

    async def _hear_a_quorum(self) -> None:
        await self.member.ask(Range(b"\0", count_only=True))

    def _answer(self, kind: str, configuration: Configuration) -> Any:
        return wire.message_class(kind)(header=self.member.header(), members=self.directory.members(configuration))

    def _named(self, id: int) -> str:
        name = self.directory.name_of(id)
        if name is None or name not in self.admin.leader().configuration.members:
            raise MEMBER_NOT_FOUND
        return name

    def _next_name(self) -> str:
        numbers = [int(name[1:]) for name in self.admin.cluster.servers if re.fullmatch(r"S\d{1,6}", name)]
        return f"S{max(numbers, default=0) + 1}"

    def _healthy(self) -> Configuration:
        """The configuration, if its leader is in touch with all who vote (etcd's strict reconfiguration check)."""
        leader = self.admin.leader()
        if not all(self.admin.reaches(leader.id, name) for name in leader.configuration.voters if name != leader.id):
            raise UNHEALTHY
        return leader.configuration

    def _may_lose(self, name: str, configuration: Configuration) -> None:
        """Who is left must be able to go on without the one that goes."""
        leader, left = self.admin.leader().id, configuration.voters - {name}
        started = [other for other in left if other not in self.admin.live.world.crashed]
        if not left or len(started) < len(left) // 2 + 1:
            raise NOT_ENOUGH_STARTED
        if sum(other == leader or self.admin.reaches(leader, other) for other in left) < len(left) // 2 + 1:
            raise UNHEALTHY

    def _has_caught_up(self, name: str) -> bool:
        """As etcd has it: it has nine tenths of what the leader has."""
        states = self.admin.live.world.servers.values()
        leader = max((s for s in states if s.is_leader), key=lambda s: s.current_term, default=None)
        if leader is None or not isinstance(leader.role, Leader) or name not in leader.role.progress:
            return False
        known = leader.role.progress[name]
        return known.rounds > 0 and known.match_index >= 0.9 * leader.log.last_index

    def _stop(self, name: str) -> None:
        cluster = self.admin.cluster
        with cluster.lock:
            if name not in cluster.world.crashed and cluster.driver is not None:
                cluster.perform(Crash(name))


class Maintenance(Service):
    """The service Maintenance."""

    name = "Maintenance"
    for_learners = ("Status",)

    def __init__(self, member: Member) -> None:
        super().__init__(member)
        self.admin = Administrator(member)

    async def Status(self, _: Any) -> Any:  # noqa: N802
        """What this member says of itself."""
        state, store = self.member.state, self.member.store
        size = size_of(store)
        return wire.message_class("StatusResponse")(
            header=self.member.header(store.revision),
            version=VERSION,
            dbSize=size,
            dbSizeInUse=size,
            leader=self.member.directory.id_of(state.leader_id) if state.leader_id else 0,
            raftIndex=state.commit_index,
            raftTerm=state.current_term,
            raftAppliedIndex=state.last_applied,
            errors=[] if state.leader_id else ["etcdserver: no leader"],
            isLearner=self.member.is_learner,
        )

    async def Alarm(self, message: Any) -> Any:  # noqa: N802
        """There are none, and none can be raised; to say so takes a quorum, as in etcd."""
        await self.member.ask(Range(b"\0", count_only=True))
        if message.action == 1:
            raise NO_ALARMS
        return wire.message_class("AlarmResponse")()

    async def Defragment(self, _: Any) -> Any:  # noqa: N802
        """There is nothing to defragment: no file has holes."""
        return wire.message_class("DefragmentResponse")()

    async def Hash(self, _: Any) -> Any:  # noqa: N802
        """A checksum of all that this member holds, leases included."""
        store = self.member.store
        return wire.message_class("HashResponse")(
            header=self.member.header(store.revision), hash=crc32c(repr(store.contents()).encode())
        )

    async def HashKV(self, message: Any) -> Any:  # noqa: N802
        """The checksum of this member's keys: members that agree hold the same history."""
        return self.member.signed(wire.to_message(hash_kv(self.member.store, message.revision)))

    async def Snapshot(self, _: Any, context: Any) -> AsyncIterator[Any]:  # noqa: N802
        """What this member holds, as a database file of etcd."""
        kind = wire.message_class("SnapshotResponse")
        whole = bolt.snapshot(self.member.store, self.member.state)
        for at in range(0, len(whole), bolt.CHUNK):
            blob = whole[at : at + bolt.CHUNK]
            yield kind(remaining_bytes=len(whole) - at - len(blob), blob=blob)

    async def MoveLeader(self, message: Any) -> Any:  # noqa: N802
        """Hand over to another member (TimeoutNow)."""
        state = self.member.state
        if not state.is_leader:
            raise NOT_LEADER
        to = self.member.directory.name_of(message.targetID)
        if to is None or to not in state.configuration.voters:
            raise BAD_TRANSFEREE
        if to == self.member.name:
            return wire.message_class("MoveLeaderResponse")()
        await self.admin.perform(lambda leader: TransferLeadership(leader.id, to), BAD_TRANSFEREE)
        if not await self.member.until(lambda: self.member.state.leader_id == to, SECONDS):
            raise TRANSFER_TIMED_OUT
        return wire.message_class("MoveLeaderResponse")()


def size_of(store: Store) -> int:
    """About how many bytes a store's history takes in a file."""
    size = sum(event_size(Event("PUT", kv)) for kv in store.base)
    for revision in range(store.base_revision + 1, store.revision + 1):
        size += sum(map(event_size, store.events(revision)))
    return size


def _is_url(url: str) -> bool:
    try:
        parts = urlsplit(url)
        return parts.scheme in ("http", "https", "unix", "unixs") and bool(parts.hostname and parts.port)
    except ValueError:
        return False
