"""Servers under other names: the same situation, as far as Raft is concerned.

Only the reference is known to treat all servers alike; a student's handler may prefer S1.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterable, Mapping
from dataclasses import replace
from functools import singledispatch
from typing import Any, TypeVar

from raft_lab.raft.log import Entry, Log, Snapshot
from raft_lab.raft.membership import Configuration
from raft_lab.raft.messages import MESSAGE_TYPES, AppendEntries, InstallSnapshot, Message, RequestVote
from raft_lab.raft.state import Candidate, Disk, Follower, Leader, PreCandidate, State
from raft_lab.raft.values import FrozenMap
from raft_lab.sim.world import Ghosts, World

T = TypeVar("T")
Names = Mapping[str, str]
"""The new name of each server."""


def renamed(value: T, names: Names) -> T:
    """A state, message, history or world with the servers' names changed.

    Args:
        value: what it is.
        names: the new name of each server; a permutation.

    Raises:
        TypeError: it is of a kind in which nobody has said where the names are.
    """
    changed: T = _renamed(value, names)
    return changed


def symmetries(world: World) -> list[tuple[int, ...]]:
    """The permutations of the servers that leave `world` as it is, the identity first; number i becomes number p[i]."""
    servers = tuple(world.servers)
    orders = itertools.permutations(range(len(servers)))
    return [order for order in orders if renamed(world, _names(servers, order)) == world]


def _names(servers: tuple[str, ...], order: tuple[int, ...]) -> dict[str, str]:
    return {server: servers[order[i]] for i, server in enumerate(servers)}


@singledispatch
def _renamed(value: Any, names: Names) -> Any:
    if isinstance(value, MESSAGE_TYPES):
        return replace(value, src=_server(value.src, names), dst=_server(value.dst, names))
    raise TypeError(f"nobody has said where a {type(value).__name__} holds the names of servers")


def _server(name: Any, names: Names) -> Any:
    return names.get(name, name)


def _all(servers: Iterable[str], names: Names) -> frozenset[str]:
    return frozenset(names.get(name, name) for name in servers)


@_renamed.register
def _(s: State, names: Names) -> State:
    if s.extra:
        raise TypeError("fields that a subclass declares may hold names of servers anywhere")
    return replace(
        s,
        id=_server(s.id, names),
        voted_for=_server(s.voted_for, names),
        log=_renamed(s.log, names),
        role=_renamed(s.role, names),
        disk=None if s.disk is None else _renamed(s.disk, names),
        waiting=_as_sent(_renamed(message, names) for message in s.waiting),
    )


def _as_sent(waiting: Iterable[Message]) -> tuple[Message, ...]:
    """Messages in the order in which they are sent: those of one campaign go round by name."""
    campaigns = itertools.groupby(waiting, lambda m: m.term if isinstance(m, RequestVote) else None)
    return tuple(m for term, sent in campaigns for m in (sent if term is None else sorted(sent, key=lambda m: m.dst)))


@_renamed.register
def _(role: Follower, names: Names) -> Follower:
    return replace(role, leader_id=_server(role.leader_id, names))


@_renamed.register
def _(role: Candidate, names: Names) -> Candidate:
    return Candidate(_all(role.votes, names))


@_renamed.register
def _(role: PreCandidate, names: Names) -> PreCandidate:
    return PreCandidate(_all(role.votes, names))


@_renamed.register
def _(role: Leader, names: Names) -> Leader:
    return replace(
        role,
        progress=FrozenMap({_server(peer, names): known for peer, known in role.progress.items()}),
        in_touch=_all(role.in_touch, names),
        transferee=_server(role.transferee, names),
    )


@_renamed.register
def _(disk: Disk, names: Names) -> Disk:
    return replace(disk, voted_for=_server(disk.voted_for, names), log=_renamed(disk.log, names))


@_renamed.register
def _(log: Log, names: Names) -> Log:
    entries = log.after(log.snapshot.last_included_index)
    return Log(_renamed(log.snapshot, names), [_renamed(entry, names) for entry in entries])


@_renamed.register
def _(snapshot: Snapshot, names: Names) -> Snapshot:
    return replace(snapshot, configuration=_renamed(snapshot.configuration, names))


@_renamed.register
def _(entry: Entry, names: Names) -> Entry:
    if isinstance(entry.value, Configuration):
        return replace(entry, value=_renamed(entry.value, names))
    return entry


@_renamed.register
def _(c: Configuration, names: Names) -> Configuration:
    return Configuration(_all(c.voters, names), _all(c.old, names), _all(c.learners, names))


@_renamed.register
def _(m: AppendEntries, names: Names) -> AppendEntries:
    entries = tuple(_renamed(entry, names) for entry in m.entries)
    return replace(m, src=_server(m.src, names), dst=_server(m.dst, names), entries=entries)


@_renamed.register
def _(m: InstallSnapshot, names: Names) -> InstallSnapshot:
    snapshot = _renamed(m.snapshot, names)
    return replace(m, src=_server(m.src, names), dst=_server(m.dst, names), snapshot=snapshot)


@_renamed.register
def _(g: Ghosts, names: Names) -> Ghosts:
    return replace(
        g,
        committed=_renamed(g.committed, names),
        leader_of=FrozenMap({term: _server(leader, names) for term, leader in g.leader_of.items()}),
        votes=FrozenMap({(_server(n, names), t): _server(vote, names) for (n, t), vote in g.votes.items()}),
    )


@_renamed.register
def _(w: World, names: Names) -> World:
    return replace(
        w,
        servers=FrozenMap({_server(name, names): _renamed(state, names) for name, state in w.servers.items()}),
        ghosts=_renamed(w.ghosts, names),
        network=FrozenMap({_renamed(message, names): copies for message, copies in w.network.items()}),
        crashed=_all(w.crashed, names),
        cuts=frozenset((_server(a, names), _server(b, names)) for a, b in w.cuts),
    )
