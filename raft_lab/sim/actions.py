"""Everything that can happen to a world. An action is a value that prints as the call that performs it.

Each has a guard, `refusal(world)`: why it cannot happen now, or None; and an effect, `perform(world, now)`.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields, replace
from typing import Any, ClassVar

from raft_lab.raft import state as events
from raft_lab.raft.log import Log, Snapshot
from raft_lab.raft.machine import Machine
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import MESSAGE_TYPES, Message
from raft_lab.raft.rules import base
from raft_lab.raft.server import Server
from raft_lab.raft.state import State
from raft_lab.raft.values import FrozenMap
from raft_lab.sim.world import Behaviour, Transition, World, behaviour_name

MOST_SERVERS = 25
LONGEST_NAME = 40
LONGEST_SPAN_US = 10**15
"""So many microseconds, some thirty years, may pass at once."""


@dataclass(frozen=True, slots=True)
class Action:
    """Base of all actions."""

    verb: ClassVar[str] = ""

    def refusal(self, world: World) -> str | None:
        """Why this cannot happen in `world`, with what would make it possible; None if it can."""
        raise NotImplementedError

    def perform(self, world: World, now: int = 0) -> Transition:
        """What it does to `world` (which allows it) when the servers' clocks show `now` microseconds."""
        raise NotImplementedError

    @property
    def actor(self) -> str:
        """The server to which it happens, or ''."""
        return ""

    def arguments(self) -> tuple[Any, ...]:
        """What stands between the parentheses of the call."""
        return tuple(getattr(self, field.name) for field in fields(self))

    def __str__(self) -> str:
        return self.call(*map(repr, self.arguments()))

    def call(self, *arguments: str) -> str:
        """The call with these arguments, which are Python already."""
        return f"cluster.{self.verb}({', '.join(arguments)})"


@dataclass(frozen=True, slots=True)
class OnMessage(Action):
    """Something that happens to one copy of a message in flight."""

    message: Message

    def refusal(self, world: World) -> str | None:
        if not isinstance(self.message, MESSAGE_TYPES):
            return f"{self.message!r} is not a message; cluster.messages lists those in flight"
        if self.message not in world.network:
            return (
                f"this {type(self.message).__name__} from {self.message.src} to {self.message.dst} is not in flight "
                "(any more); cluster.messages lists those that are"
            )
        return None


@dataclass(frozen=True, slots=True)
class Deliver(OnMessage):
    """The message arrives."""

    verb: ClassVar[str] = "deliver"

    @property
    def actor(self) -> str:
        return self.message.dst

    def refusal(self, world: World) -> str | None:
        # `super()` without arguments needs the class cell, which dataclass(slots=True) replaces.
        return OnMessage.refusal(self, world) or world.blocked(self.message)

    def perform(self, world: World, now: int = 0) -> Transition:
        return world.minus(self.message).let(self.message.dst, events.Receive(self.message), now)


@dataclass(frozen=True, slots=True)
class Drop(OnMessage):
    """The network loses the message."""

    verb: ClassVar[str] = "drop"

    def perform(self, world: World, now: int = 0) -> Transition:
        return Transition(world.minus(self.message))


@dataclass(frozen=True, slots=True)
class Duplicate(OnMessage):
    """The network makes another copy of the message."""

    verb: ClassVar[str] = "duplicate"

    def perform(self, world: World, now: int = 0) -> Transition:
        return Transition(world.plus([self.message]))


@dataclass(frozen=True, slots=True)
class Hold(OnMessage):
    """Timed driving leaves the message in flight until it is released (or delivered by hand)."""

    verb: ClassVar[str] = "hold"

    def perform(self, world: World, now: int = 0) -> Transition:
        return Transition(world)


@dataclass(frozen=True, slots=True)
class Release(OnMessage):
    """A held message may arrive again by itself."""

    verb: ClassVar[str] = "release"

    def perform(self, world: World, now: int = 0) -> Transition:
        return Transition(world)


@dataclass(frozen=True, slots=True)
class Delay(OnMessage):
    """Timed driving lets the message arrive so many microseconds later than it would have."""

    us: int
    verb: ClassVar[str] = "delay"

    def refusal(self, world: World) -> str | None:
        if _is_no_span(self.us):
            return "a message can only be made later, and not by years: cluster.delay('S1', 'S2', ms=20)"
        return OnMessage.refusal(self, world)

    def call(self, *arguments: str) -> str:
        where = arguments if arguments != tuple(map(repr, self.arguments())) else (repr(self.message),)
        return Action.call(self, *where, f"ms={self.us / 1000:g}")

    def perform(self, world: World, now: int = 0) -> Transition:
        return Transition(world)


@dataclass(frozen=True, slots=True)
class OnServer(Action):
    """Something that happens to one running server."""

    server: str

    @property
    def actor(self) -> str:
        return self.server

    def refusal(self, world: World) -> str | None:
        state = world.server(self.server)
        if self.server in world.crashed:
            return f"{self.server} is crashed; restart it first: cluster.restart({self.server!r})"
        return self.refused_by(state)

    def refused_by(self, state: State) -> str | None:
        """Why a running server in this state cannot do it, or None."""
        return None


@dataclass(frozen=True, slots=True)
class Timeout(OnServer):
    """The server's election timer runs out."""

    verb: ClassVar[str] = "timeout"

    def refusal(self, world: World) -> str | None:
        if refusal := OnServer.refusal(self, world):
            return refusal
        state = world.servers[self.server]
        if state.is_leader:
            return f"{state.id} is the leader of term {state.current_term}; a leader has no election timer"
        if "election" not in world.behaviour.timers(state):
            return f"{state.id} is not a voter of the configuration {state.configuration}; it never campaigns"
        return None

    def perform(self, world: World, now: int = 0) -> Transition:
        return world.let(self.server, events.ElectionTimeout(), now)


@dataclass(frozen=True, slots=True)
class Heartbeat(OnServer):
    """The leader's heartbeat interval passes."""

    verb: ClassVar[str] = "heartbeat"

    def refused_by(self, state: State) -> str | None:
        if not state.is_leader:
            return f"{state.id} is a {type(state.role).__name__.lower()}; only a leader sends heartbeats"
        return None

    def perform(self, world: World, now: int = 0) -> Transition:
        return world.let(self.server, events.HeartbeatTimeout(), now)


@dataclass(frozen=True, slots=True)
class Propose(OnServer):
    """A client asks the server for an operation: words, or a value that its state machine takes."""

    op: Any
    client: str = ""
    seq: int = 0
    verb: ClassVar[str] = "propose"

    def __str__(self) -> str:
        session = f", client={self.client!r}, seq={self.seq}" if self.client else ""
        return f"cluster.propose({self.op!r}, {self.server!r}{session})"

    def refusal(self, world: World) -> str | None:
        behaviour: Any = getattr(world.behaviour, "behaviour", world.behaviour)
        taken: tuple[type, ...] = getattr(behaviour, "commands", (str,))
        if isinstance(self.op, taken):
            return OnServer.refusal(self, world)
        if taken == (str,):
            return f"a command is a string such as 'set x 1', not {self.op!r}"
        return f"a command is one of {', '.join(kind.__name__ for kind in taken)}, not {self.op!r}"

    def refused_by(self, state: State) -> str | None:
        if (
            not isinstance(self.client, str)
            or type(self.seq) is not int
            or self.seq < 0
            or (self.seq and not self.client)
        ):
            return "a session has a name, and its commands are numbered from 1: client='alice', seq=1"
        if not can_be_written(f"{self.op}{self.client}"):
            return f"a command is text that can be written as UTF-8, not {self.op!r}"
        return None

    def perform(self, world: World, now: int = 0) -> Transition:
        return world.let(self.server, events.ClientRequest(self.op, self.client, self.seq), now)


@dataclass(frozen=True, slots=True)
class Silence(OnServer):
    """The shortest election timeout passes since the server heard from a leader (stickiness)."""

    verb: ClassVar[str] = "silence"

    def refused_by(self, state: State) -> str | None:
        if isinstance(state.role, events.Follower) and state.role.in_touch:
            return None
        return f"{state.id} does not hold on to a leader: that takes the rule of leader stickiness, and a leader"

    def perform(self, world: World, now: int = 0) -> Transition:
        return world.let(self.server, events.Silence(), now)


@dataclass(frozen=True, slots=True)
class CheckQuorum(OnServer):
    """A whole election timeout passes for a leader: it gives up a transfer, and leadership without a quorum."""

    verb: ClassVar[str] = "check_quorum"

    def refused_by(self, state: State) -> str | None:
        return None if state.is_leader else f"{state.id} does not lead"

    def perform(self, world: World, now: int = 0) -> Transition:
        return world.let(self.server, events.QuorumTimeout(), now)


@dataclass(frozen=True, slots=True)
class Read(OnServer):
    """A client reads from the server: by "read-index", by "lease", or "local"."""

    id: str
    how: str = "read-index"
    verb: ClassVar[str] = "read"

    def __str__(self) -> str:
        return f"cluster.read({self.server!r}, how={self.how!r}, name={self.id!r})"

    def refusal(self, world: World) -> str | None:
        if isinstance(self.id, str) and self.id in world.ghosts.reads:
            return f"there was a read {self.id!r} before; give this one another name"
        return OnServer.refusal(self, world)

    def refused_by(self, state: State) -> str | None:
        if not isinstance(self.id, str) or not self.id:
            return f"a read has a name such as 'r1', not {self.id!r}"
        if self.how in ("read-index", "lease", "local"):
            return None
        return f"there is no read {self.how!r}; a read is by 'read-index', by 'lease', or 'local'"

    def perform(self, world: World, now: int = 0) -> Transition:
        if self.how != "local":
            ghosts = world.ghosts
            world = replace(
                world, ghosts=replace(ghosts, reads=ghosts.reads.with_item(self.id, ghosts.committed.last_index))
            )
        return world.let(self.server, events.ReadRequest(self.id, self.how), now)


@dataclass(frozen=True, slots=True)
class Reconfigure(OnServer):
    """An administrator asks the server for other voters and learners."""

    voters: frozenset[str]
    learners: frozenset[str] = frozenset()
    single: bool = False
    verb: ClassVar[str] = "reconfigure"

    def __str__(self) -> str:
        voters, learners = _Braces(sorted(self.voters)), _Braces(sorted(self.learners))
        single = ", single=True" if self.single else ""
        return f"cluster.reconfigure({voters}, learners={learners}{single}, server={self.server!r})"

    def refusal(self, world: World) -> str | None:
        for name in sorted(self.voters | self.learners):
            world.server(name)
        return OnServer.refusal(self, world)

    def perform(self, world: World, now: int = 0) -> Transition:
        return world.let(self.server, events.ChangeConfiguration(self.voters, self.learners, self.single), now)


@dataclass(frozen=True, slots=True)
class TransferLeadership(OnServer):
    """An administrator asks the leader to hand over to another server."""

    to: str
    verb: ClassVar[str] = "transfer_leadership"

    def arguments(self) -> tuple[Any, ...]:
        return (self.to, self.server)  # as Cluster.transfer_leadership has them

    def refusal(self, world: World) -> str | None:
        world.server(self.to)
        return OnServer.refusal(self, world)

    def perform(self, world: World, now: int = 0) -> Transition:
        return world.let(self.server, events.TransferLeadership(self.to), now)


@dataclass(frozen=True, slots=True)
class Compact(OnServer):
    """The server replaces what it has applied of its log by a snapshot."""

    verb: ClassVar[str] = "compact"

    def refused_by(self, state: State) -> str | None:
        if state.last_applied > state.log.snapshot.last_included_index:
            return None
        return f"{state.id} has applied nothing since its last snapshot"

    def perform(self, world: World, now: int = 0) -> Transition:
        return world.let(self.server, events.Compact(), now)


@dataclass(frozen=True, slots=True)
class WriteDisk(OnServer):
    """What waited to be written is on disk."""

    verb: ClassVar[str] = "write_disk"

    def refused_by(self, state: State) -> str | None:
        return None if state.disk is not None else f"{state.id} has nothing to write"

    def perform(self, world: World, now: int = 0) -> Transition:
        return world.let(self.server, events.DiskWritten(), now)


@dataclass(frozen=True, slots=True)
class Boot(Action):
    """A new server starts, with nothing on its disk but how the cluster began: it waits for a leader to add it."""

    server: str
    verb: ClassVar[str] = "boot"

    @property
    def actor(self) -> str:
        return self.server

    def refusal(self, world: World) -> str | None:
        if wrong := misnamed(self.server):
            return wrong
        if len(world.servers) >= MOST_SERVERS:
            return f"a cluster has at most {MOST_SERVERS} servers, and so many are there"
        return f"there is a server {self.server} already" if self.server in world.servers else None

    def perform(self, world: World, now: int = 0) -> Transition:
        beginning = world.ghosts.committed.snapshot
        if beginning.last_included_index:  # how the cluster began is forgotten: it waits without any configuration
            data = getattr(world.behaviour, "first_data", FrozenMap())
            beginning = Snapshot(Configuration(frozenset()), machine=Machine(data))
        state = world.behaviour.initial(self.server, Log(beginning))
        return Transition(replace(world, servers=world.servers.with_item(self.server, state)))


@dataclass(frozen=True, slots=True)
class Crash(OnServer):
    """The server stops and loses everything that is not durable."""

    verb: ClassVar[str] = "crash"

    def refusal(self, world: World) -> str | None:
        world.server(self.server)
        return f"{self.server} is crashed already" if self.server in world.crashed else None

    def perform(self, world: World, now: int = 0) -> Transition:
        before = world.servers[self.server]
        left = replace(world, ghosts=world.ghosts.crash(before)).with_state(world.behaviour.crashed(before))
        return Transition(replace(left, crashed=world.crashed | {self.server}))


@dataclass(frozen=True, slots=True)
class Restart(OnServer):
    """The server starts again from its durable state."""

    verb: ClassVar[str] = "restart"

    def refusal(self, world: World) -> str | None:
        world.server(self.server)
        return None if self.server in world.crashed else f"{self.server} is running; only a crashed server restarts"

    def perform(self, world: World, now: int = 0) -> Transition:
        return replace(world, crashed=world.crashed - {self.server}).let(self.server, events.Restart(), now)


@dataclass(frozen=True, slots=True)
class OnLink(Action):
    """Something that happens to the link in one direction."""

    src: str
    dst: str

    def refusal(self, world: World) -> str | None:
        world.server(self.src)
        world.server(self.dst)
        return f"{self.src} needs no link to itself" if self.src == self.dst else self.refused_by(world)

    def refused_by(self, world: World) -> str | None:
        """Why it cannot happen to this link, or None."""
        return None


@dataclass(frozen=True, slots=True)
class Cut(OnLink):
    """Nothing gets through from `src` to `dst` any more; the other direction is as it was."""

    verb: ClassVar[str] = "cut"

    def refused_by(self, world: World) -> str | None:
        if (self.src, self.dst) in world.cuts:
            return f"the link from {self.src} to {self.dst} is cut already"
        return None

    def perform(self, world: World, now: int = 0) -> Transition:
        return Transition(replace(world, cuts=world.cuts | {(self.src, self.dst)}))


@dataclass(frozen=True, slots=True)
class Mend(OnLink):
    """The link from `src` to `dst` works again."""

    verb: ClassVar[str] = "mend"

    def refused_by(self, world: World) -> str | None:
        return None if (self.src, self.dst) in world.cuts else f"the link from {self.src} to {self.dst} is not cut"

    def perform(self, world: World, now: int = 0) -> Transition:
        return Transition(replace(world, cuts=world.cuts - {(self.src, self.dst)}))


@dataclass(frozen=True, slots=True)
class Partition(Action):
    """The network falls apart: servers of different groups do not reach each other; within a group all is well."""

    groups: tuple[frozenset[str], ...]
    verb: ClassVar[str] = "partition"

    def arguments(self) -> tuple[Any, ...]:
        return tuple(_Braces(sorted(group)) for group in self.groups)

    def refusal(self, world: World) -> str | None:
        if len(self.groups) < 2 or not all(self.groups):
            return "a partition has at least two sides, each with a server: cluster.partition({'S1'}) cuts off S1"
        named = [name for group in self.groups for name in sorted(group)]
        for name in named:
            world.server(name)
        if len(named) != len(set(named)):
            return "a server can stand on one side of a partition only"
        missing = [name for name in world.servers if name not in named]
        if missing:
            return f"say on which side {' and '.join(missing)} should be: every server belongs to one group"
        return None

    def perform(self, world: World, now: int = 0) -> Transition:
        side = {name: number for number, group in enumerate(self.groups) for name in group}
        cuts = frozenset((a, b) for a in world.servers for b in world.servers if side[a] != side[b])
        return Transition(replace(world, cuts=cuts))


def misnamed(name: Any) -> str | None:
    """Why a server cannot be called that, or None."""
    if not isinstance(name, str) or not name:
        return "a server needs a name such as 'S6'"
    if len(name) > LONGEST_NAME or not name.isprintable() or name != name.strip():
        return (
            f"a server's name is at most {LONGEST_NAME} printable characters, without spaces around them, not {name!r}"
        )[:200]
    return None


def _is_no_span(us: Any) -> str | None:
    if type(us) is int and 0 < us <= LONGEST_SPAN_US:
        return None
    return "the clock only moves forward, by a microsecond to some thirty years at a time"


def can_be_written(text: str) -> bool:
    """Whether it is text that a file may hold."""
    try:
        return bool(text.encode()) or not text
    except UnicodeEncodeError:  # half of a pair that makes one character elsewhere
        return False


class _Braces(list[str]):
    """A set that prints in a fixed order."""

    def __repr__(self) -> str:
        return "{" + ", ".join(map(repr, self)) + "}" if self else "set()"


@dataclass(frozen=True, slots=True)
class Heal(Action):
    """All links work again."""

    verb: ClassVar[str] = "heal"

    def refusal(self, world: World) -> str | None:
        return None if world.cuts else "no link is cut, so there is nothing to heal"

    def perform(self, world: World, now: int = 0) -> Transition:
        return Transition(replace(world, cuts=frozenset()))


@dataclass(frozen=True, slots=True)
class Swap(Action):
    """Another `Server` class takes over in the running cluster; all state stays."""

    behaviour: Behaviour
    verb: ClassVar[str] = "swap"

    def __str__(self) -> str:
        server: Any = self.behaviour
        arguments = [behaviour_name(server)]
        if server is not base(server):
            arguments = [] if base(server) is Server else arguments
            switches = (("rules", server.rules_on), ("without", server.rules_off))
            arguments += [f"{name}={list(rules)!r}" for name, rules in switches if rules]
        return self.call(*arguments)

    def refusal(self, world: World) -> str | None:
        if isinstance(self.behaviour, type) and issubclass(self.behaviour, Server):
            return None
        return f"swap takes a subclass of Server, not {self.behaviour!r}"

    def perform(self, world: World, now: int = 0) -> Transition:
        return Transition(replace(world, behaviour=self.behaviour))


@dataclass(frozen=True, slots=True)
class Wait(Action):
    """The clock moves on by so many microseconds, in which nothing is due."""

    us: int
    verb: ClassVar[str] = "wait"

    def arguments(self) -> tuple[Any, ...]:
        return (self.us / 1000,)

    def refusal(self, world: World) -> str | None:
        return _is_no_span(self.us)

    def perform(self, world: World, now: int = 0) -> Transition:
        return Transition(world)


@dataclass(frozen=True, slots=True)
class Stall(Action):
    """The clock moves on by so many microseconds, and nothing happens: whatever was due comes late."""

    us: int
    verb: ClassVar[str] = "stall"

    def arguments(self) -> tuple[Any, ...]:
        return (self.us / 1000,)

    def refusal(self, world: World) -> str | None:
        return _is_no_span(self.us)

    def perform(self, world: World, now: int = 0) -> Transition:
        return Transition(world)


ACTIONS: tuple[type[Action], ...] = (
    Deliver, Drop, Duplicate, Hold, Release, Delay, Timeout, Silence, Heartbeat, CheckQuorum, Propose, Read,
    Reconfigure, TransferLeadership, Compact, WriteDisk, Boot, Crash, Restart, Cut, Mend, Partition, Heal, Wait,
    Stall,
)  # fmt: skip


def every(world: World) -> Iterator[Action]:
    """Every action that people can ask for in `world`, allowed or not, in a fixed order.

    Left out are those without a natural end to their list: other proposals and reads than one, other partitions
    than cuts, changes of the configuration, transfers.
    """
    for message in world.network:
        yield from (Deliver(message), Drop(message), Duplicate(message))
    for name in world.servers:
        yield from (Timeout(name), Silence(name), Heartbeat(name), CheckQuorum(name), Propose(name, "set x 1"))
        yield from (Read(name, "r"), Compact(name), WriteDisk(name), Crash(name), Restart(name))
    for src in world.servers:
        for dst in world.servers:
            if src != dst:
                yield Mend(src, dst) if (src, dst) in world.cuts else Cut(src, dst)
    yield Heal()


def enabled(world: World) -> list[Action]:
    """Every action that is possible in `world` now."""
    return [action for action in every(world) if action.refusal(world) is None]
