"""The world: every server, every message in flight, every broken link, as one value.

It is the protocol's state and nothing else. There is no time in it and no order among messages, so that two
situations which Raft cannot tell apart are equal.
"""

from __future__ import annotations

import functools
import itertools
from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from typing import Any, Protocol

from raft_lab.raft.log import Command, Entry, Log, Snapshot
from raft_lab.raft.machine import Machine
from raft_lab.raft.messages import Message
from raft_lab.raft.server import Server
from raft_lab.raft.state import Accepted, Answer, Event, Leader, Outcome, Rejected, State
from raft_lab.raft.values import Chain, FrozenMap, T, extend
from raft_lab.sim.errors import UnknownName


class Behaviour(Protocol):
    """How servers react to events: the class `Server`, a subclass, or anything that answers like one."""

    def step(self, state: State, event: Event, now: int = 0) -> Outcome:
        """See `Server.step`."""

    def initial(self, id: str, log: Log, current_term: int = 0, voted_for: str | None = None) -> State:
        """See `Server.initial`."""

    def crashed(self, state: State) -> State:
        """See `Server.crashed`."""

    def timers(self, state: State) -> tuple[str, ...]:
        """See `Server.timers`."""


def behaviour_name(behaviour: Behaviour) -> str:
    """What people call it: the name of the class."""
    return str(getattr(behaviour, "__name__", type(behaviour).__name__))


@functools.cache
def _reference(server: Any) -> type[Server]:
    """What a log means: the state machine of `server`, with Raft's own bookkeeping around it."""
    names = ("apply_command", "apply_in_session", "was_applied", "remember", "session_timeout_us")
    kept = {name: getattr(Server, name) for name in names}
    return type("Reference", (server,), kept)


@dataclass(frozen=True, slots=True)
class Ghosts:
    """What has happened and no server needs to remember, but the invariants do.

    Attributes:
        leader_of: who was first to lead each term.
        votes: for whom (server, term) voted first.
        committed: every entry that any server has committed, first come.
        commit_terms: for each of them, the term of the server that committed it first.
        machines: for each of them, the state machine after it, each command applied once.
        reads: for each read that asks for fresh data, what was committed anywhere when it came.
    """

    committed: Log
    commit_terms: Chain[int] | None = None
    machines: Chain[Machine] | None = None
    leader_of: FrozenMap[int, str] = field(default_factory=FrozenMap)
    votes: FrozenMap[tuple[str, int], str] = field(default_factory=FrozenMap)
    reads: FrozenMap[str, int] = field(default_factory=FrozenMap)

    def let_go(self, servers: Iterable[State]) -> Ghosts:
        """Without what hardly any server can be asked about: what all members have in a snapshot, and what is over."""
        servers = tuple(servers)
        members = self.committed.configuration.members
        held = [state.log.snapshot.last_included_index for state in servers if state.id in members]
        lowest = max(min(held, default=0), self.committed.last_index - MOST_COMMITTED)
        term = min(state.current_term for state in servers)
        waiting = {read.id for state in servers if isinstance(state.role, Leader) for read in state.role.reads}
        ghosts = replace(
            self,
            votes=FrozenMap({key: vote for key, vote in self.votes.items() if key[1] >= term}),
            leader_of=FrozenMap({t: leader for t, leader in self.leader_of.items() if t >= term}),
            reads=FrozenMap({read: index for read, index in self.reads.items() if read in waiting}),
        )
        committed = self.committed
        if lowest <= committed.snapshot.last_included_index:
            return ghosts
        kept = committed.last_index - lowest
        there = Snapshot(committed.configuration_at(lowest), lowest, committed.term(lowest), self.machine(lowest))
        return replace(
            ghosts,
            committed=committed.compact(there),
            commit_terms=_latest(self.commit_terms, kept),
            machines=_latest(self.machines, kept),
        )

    def observe(self, after: State, behaviour: Behaviour) -> Ghosts:
        """The ghosts after one server has come to the state `after`."""
        ghosts = self
        term = after.current_term
        if after.voted_for is not None and (after.id, term) not in ghosts.votes:
            ghosts = replace(ghosts, votes=ghosts.votes.with_item((after.id, term), after.voted_for))
        if after.is_leader and term not in ghosts.leader_of:
            ghosts = replace(ghosts, leader_of=ghosts.leader_of.with_item(term, after.id))
        reach = min(after.commit_index, after.log.last_index)
        if reach > ghosts.committed.last_index >= after.log.snapshot.last_included_index:
            ghosts = ghosts.commit(
                after.log.after(ghosts.committed.last_index, reach - ghosts.committed.last_index), term, behaviour
            )
        return ghosts

    def crash(self, before: State) -> Ghosts:
        """The ghosts after a server has crashed: a vote that had not reached its disk was never given."""
        if before.disk is None:
            return self
        term, vote = before.disk.current_term, before.disk.voted_for
        lost = {(name, t) for name, t in self.votes if name == before.id and (t > term or (t == term and vote is None))}
        return replace(self, votes=FrozenMap({key: vote for key, vote in self.votes.items() if key not in lost}))

    def commit(self, entries: tuple[Entry, ...], term: int, behaviour: Behaviour) -> Ghosts:
        """The ghosts after `entries` were committed by a server in `term`."""
        committed, commit_terms, machines = self.committed, self.commit_terms, self.machines
        fold = self._fold(committed.last_index, behaviour)
        for entry in entries:
            committed = committed.append(entry)
            commit_terms = Chain(term, commit_terms)
            if isinstance(entry.value, Command):
                fold.apply_command(entry.value)
            machines = Chain(fold.machine, machines)
        return replace(self, committed=committed, commit_terms=commit_terms, machines=machines)

    def reply(self, index: int, behaviour: Behaviour) -> Any:
        """What the command at `index` answers, if each is applied once."""
        value = self.committed.entry(index).value
        return self._fold(index - 1, behaviour).apply_command(value) if isinstance(value, Command) else None

    def _fold(self, index: int, behaviour: Behaviour) -> Server:
        """A server that has applied the first `index` committed entries, to apply the next ones."""
        server: Any = getattr(behaviour, "behaviour", behaviour)
        known = isinstance(server, type) and issubclass(server, Server)
        reference = _reference(server) if known else Server
        return reference(State("", 0, None, self.committed, machine=self.machine(index)))

    def machine(self, index: int) -> Machine:
        """The state machine after the first `index` committed entries, each command applied once."""
        length = index - self.committed.snapshot.last_included_index
        return self.machines.prefix(length).item if self.machines and length else self.committed.snapshot.machine

    def committed_by_term(self, term: int) -> int:
        """The last index up to which everything was committed in terms up to `term`."""
        if self.commit_terms is None:
            return 0
        low, high = 0, self.commit_terms.length
        while low < high:
            middle = (low + high + 1) // 2
            if self.commit_terms.prefix(middle).item <= term:
                low = middle
            else:
                high = middle - 1
        return self.committed.snapshot.last_included_index + low


MOST_COMMITTED = 20_000
"""So many committed entries are remembered for the invariants in a run that lets its past go."""


def _latest(chain: Chain[T] | None, count: int) -> Chain[T] | None:
    """The last `count` items, as a chain that holds on to no earlier ones."""
    items = list(itertools.islice(chain.backwards(), count)) if chain else []
    return extend(None, reversed(items))


@dataclass(frozen=True, slots=True)
class World:
    """The whole cluster as a value.

    Attributes:
        servers: every server by name, crashed ones included (with what their disk holds).
        network: the messages in flight, with how many equal copies of each.
        crashed: who is down.
        cuts: the broken links, as (from, to): a link may be cut in one direction only.
        behaviour: how servers react to events.
        ghosts: history for the invariants.
    """

    servers: FrozenMap[str, State]
    ghosts: Ghosts
    network: FrozenMap[Message, int] = field(default_factory=FrozenMap)
    crashed: frozenset[str] = frozenset()
    cuts: frozenset[tuple[str, str]] = frozenset()
    behaviour: Behaviour = Server

    def server(self, name: str) -> State:
        """The server called `name`.

        Raises:
            UnknownName: there is none.
        """
        try:
            return self.servers[name]
        except (KeyError, TypeError):
            if name is None and not any(state.is_leader for state in self.servers.values()):
                raise UnknownName("nobody leads now; cluster.run_until(leader=True) first") from None
            raise UnknownName(f"there is no server {name!r}; the servers are {', '.join(self.servers)}") from None

    def blocked(self, message: Message) -> str | None:
        """Why `message` cannot arrive now, or None."""
        if message.dst not in self.servers:
            return f"there is no server {message.dst!r}: the message goes nowhere"
        if message.dst in self.crashed:
            return f"{message.dst} is crashed; restart it first: cluster.restart({message.dst!r})"
        if (message.src, message.dst) in self.cuts:
            return f"the link from {message.src} to {message.dst} is cut; mend it first: cluster.heal()"
        return None

    def plus(self, messages: Iterable[Message]) -> World:
        """With one more copy of each of `messages` in flight."""
        network = dict(self.network)
        for message in messages:
            network[message] = network.get(message, 0) + 1
        return self._with(self.servers, self.ghosts, FrozenMap(network))

    def minus(self, message: Message) -> World:
        """With one copy of `message` less in flight."""
        network = dict(self.network)
        copies = network[message] - 1
        if copies:
            network[message] = copies
        else:
            del network[message]
        return self._with(self.servers, self.ghosts, FrozenMap(network))

    def let(self, name: str, event: Event, now: int = 0) -> Transition:
        """Let `event` happen to the server `name`, whose clock shows `now` microseconds."""
        before = self.servers[name]
        outcome: Outcome = self.behaviour.step(before, event, now)
        world = self if outcome.state is before else self.with_state(outcome.state)
        if outcome.messages:
            world = world.plus(outcome.messages)
        return Transition(world, outcome.messages, name if outcome.timer_reset else None, outcome.answers)

    def with_state(self, after: State) -> World:
        """With one server in another state, and the ghosts that follow from it."""
        servers = self.servers.with_item(after.id, after)
        return self._with(servers, self.ghosts.observe(after, self.behaviour), self.network)

    def _with(self, servers: FrozenMap[str, State], ghosts: Ghosts, network: FrozenMap[Message, int]) -> World:
        """`replace` in one third of the time; this is done once or twice in every step."""
        return World(servers, ghosts, network, self.crashed, self.cuts, self.behaviour)


@dataclass(frozen=True, slots=True)
class Transition:
    """What an action did: the world after it, the messages sent, whose election timer began anew, any answers."""

    world: World
    sent: tuple[Message, ...] = ()
    timer_reset: str | None = None
    answers: tuple[Answer, ...] = ()

    @property
    def reply(self) -> Accepted | Rejected | None:
        """What the server said at once to whoever asked."""
        return next((answer for answer in self.answers if isinstance(answer, Accepted | Rejected)), None)
