"""Arguments that people give, checked and made into values."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from raft_lab.raft.log import Command, Entry, Log, Noop, Snapshot
from raft_lab.raft.machine import Machine
from raft_lab.raft.membership import Configuration
from raft_lab.raft.rules import base
from raft_lab.raft.server import Server
from raft_lab.raft.values import FrozenMap
from raft_lab.sim.actions import MOST_SERVERS, can_be_written, misnamed
from raft_lab.sim.errors import ActionRefused, UnknownName
from raft_lab.sim.schedule import Timing
from raft_lab.sim.world import Ghosts, World

EntryLike = Entry | tuple[int, Any]
"""What `Cluster(logs=…)` takes for an entry."""


def rule_names(names: Iterable[str]) -> tuple[str, ...]:
    """The rules' names, one or several."""
    if isinstance(names, str):
        return (names,)
    if not _are_names(names):
        raise ValueError(f"rules are given by their names, such as ['pre-vote'], not {names!r}")
    return tuple(names)


def server_set(names: Iterable[str]) -> frozenset[str]:
    """The servers' names as a set."""
    if isinstance(names, str):
        return frozenset([names])
    if not _are_names(names):
        raise ActionRefused(f"servers are given by their names, such as {{'S1', 'S2'}}, not {names!r}")
    return frozenset(names)


def _are_names(names: Any) -> bool:
    return isinstance(names, list | tuple | set | frozenset) and all(isinstance(name, str) for name in names)


def step_count(count: int) -> int:
    """A number of steps."""
    if not isinstance(count, int) or isinstance(count, bool) or count < 1:
        raise ActionRefused(f"the number of steps must be a whole number above 0, not {count!r}")
    return count


def servers_given(servers: Sequence[type[Server]]) -> Sequence[type[Server]]:
    """Classes whose handlers a saved run may need."""
    for server in servers:
        if not (isinstance(server, type) and issubclass(server, Server)):
            raise ValueError(f"a run is done again by subclasses of Server, not by {server!r}"[:200])
    return servers


def server_names(servers: int | Iterable[str]) -> tuple[str, ...]:
    """S1, S2 … if a number is given, else the names themselves."""
    if isinstance(servers, int):
        if isinstance(servers, bool) or not 1 <= servers <= MOST_SERVERS:
            raise ValueError(f"a cluster has 1 to {MOST_SERVERS} servers, not {servers}")
        return tuple(f"S{number}" for number in range(1, servers + 1))
    names = (servers,) if isinstance(servers, str) else tuple(servers) if isinstance(servers, Iterable) else ()
    if not names or not all(isinstance(name, str) for name in names) or len(set(names)) != len(names):
        raise ValueError("servers must be a number, or different names such as ['S1', 'S2', 'S3']")
    if len(names) > MOST_SERVERS:
        raise ValueError(f"a cluster has 1 to {MOST_SERVERS} servers, not {len(names)}")
    for name in names:
        if wrong := misnamed(name):
            raise ValueError(wrong)
    return names


def first_world(names: tuple[str, ...], server: type[Server], logs: Mapping[str, Sequence[EntryLike]]) -> World:
    """The world in which a cluster starts."""
    if not (isinstance(logs, Mapping) and all(isinstance(log, Sequence) for log in logs.values())):
        raise ValueError(f"logs must map servers to lists of (term, command) pairs, not {logs!r}")
    if unknown := [name for name in logs if name not in names]:
        raise UnknownName(f"there is no server {unknown[0]!r}; the servers are {', '.join(names)}")
    empty = Log(Snapshot(Configuration(frozenset(names)), machine=Machine(server.first_data)))
    filled = {name: empty.append(*(_entry(entry, server) for entry in logs.get(name, ()))) for name in names}
    for name, log in filled.items():
        terms = [entry.term for _, entry in log]
        if terms != sorted(terms):
            raise ValueError(f"terms never fall along a log, but those of {name} are {terms}")
    for one in names:
        for other in names:
            reach = min(filled[one].last_index, filled[other].last_index)
            same = [n for n in range(1, reach + 1) if filled[one].term(n) == filled[other].term(n)]
            if same and not filled[one].same_prefix(filled[other], same[-1]):
                raise ValueError(
                    f"no run leads to these logs: {one} and {other} have an entry {same[-1]} of the same term, "
                    "so all before it must be the same, too"
                )
    term = max(log.last_term for log in filled.values())
    states = {name: server.initial(name, filled[name], term) for name in names}
    return World(FrozenMap(states), Ghosts(empty), behaviour=server)


def _entry(entry: EntryLike, server: type[Server]) -> Entry:
    if isinstance(entry, Entry):
        return entry
    term, op = entry if isinstance(entry, tuple | list) and len(entry) == 2 else (0, "")
    if type(term) is not int or term < 1 or not isinstance(op, server.commands) or not can_be_written(f"{op}"):
        raise ValueError(f"a log entry is a (term, command) pair such as (1, 'set x 1'), not {entry!r}"[:200])
    return Entry(term, Noop() if op == "no-op" else Command(op))


def origin_code(
    servers: int | Iterable[str],
    names: tuple[str, ...],
    seed: int,
    timing: Timing | None,
    server: type[Server],
    logs: Mapping[str, Sequence[EntryLike]] | None,
) -> str:
    """The Python that makes the cluster."""
    arguments = [str(servers) if isinstance(servers, int) else repr(list(names)), f"seed={seed}"]
    if timing is not None:
        arguments.append(f"timing={timing!r}")
    if base(server) is not Server:
        arguments.append(f"server={server.__name__}")
    for name, switches in (("rules", server.rules_on), ("without", server.rules_off)):
        if switches:
            arguments.append(f"{name}={list(switches)!r}")
    if logs:
        pairs = {name: [e if isinstance(e, Entry) else tuple(e) for e in log] for name, log in logs.items()}
        arguments.append(f"logs={pairs!r}")
    return f"cluster = Cluster({', '.join(arguments)})"
