"""A cluster's key-value store in the picture: keys, leases, what was asked last, and who is told of what."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import TYPE_CHECKING, Any

from raft_lab.raft.log import Command
from raft_lab.raft.state import State
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.world import World

if TYPE_CHECKING:
    from raft_lab.kv.store import Store
    from raft_lab.kv.watching import Watch

MOST_KEYS = 40
"""More of them are only counted."""
MOST_EVENTS = 3
MOST_WORDS = 160
"""Of a longer request, such as one that writes an object of Kubernetes, the beginning is shown: keys show the rest."""

Json = dict[str, Any]


def holds_store(world: World) -> bool:
    """Whether the servers' state machine is etcd's store."""
    return hasattr(next(iter(world.servers.values())).machine.data, "revision")


def watches(cluster: Cluster) -> Sequence[Watch]:
    """What the clients of a cluster watch."""
    from raft_lab.kv.clients import clients_of

    return clients_of(cluster).watches


def picture(world: World, watches: Sequence[Watch] = ()) -> Json:
    """What there is to see of the store: as the member has it that has applied most, the leader before others."""
    up = [state for state in world.servers.values() if state.id not in world.crashed] or list(world.servers.values())
    shown = max(up, key=lambda state: (state.last_applied, state.is_leader))
    store: Store = shown.machine.data
    return {
        "member": shown.id,
        "revision": store.revision,
        "compacted": max(store.compacted, 0),
        "revisions": {state.id: state.machine.data.revision for state in world.servers.values()},
        "keys": {_text(kv.key): _key(kv) for kv in islice(store.keys, MOST_KEYS)},
        "hidden": max(0, len(store.keys) - MOST_KEYS),
        "leases": {
            f"{lease.id:x}": {
                "ttl": lease.ttl,
                "deadline_us": lease.deadline_us,
                "keys": ", ".join(_text(key) for key in sorted(lease.keys)),
            }
            for lease in sorted(store.leases.values(), key=lambda lease: lease.id)
        },
        "last": _last(shown),
        "watches": {f"w{number}": _watch(watch, world) for number, watch in enumerate(watches, 1) if not watch.ended},
    }


def _text(text: bytes) -> str:
    return text.decode(errors="backslashreplace")


def _key(kv: Any) -> Json:
    return {
        "value": _text(kv.value),
        "create_revision": kv.create_revision,
        "mod_revision": kv.mod_revision,
        "version": kv.version,
        "lease": f"{kv.lease:x}" if kv.lease else "",
    }


def _last(state: State) -> Json:
    """The request that was applied last, and what its client was told."""
    if not state.log.first_index <= state.last_applied <= state.log.last_index:
        return {"text": "", "outcome": ""}
    command = state.log.entry(state.last_applied).value
    if not isinstance(command, Command):
        return {"text": "", "outcome": ""}
    session = state.machine.sessions.get(command.client)
    reply = session.reply if session is not None and command.seq and session.seq == command.seq else None
    text = str(command)
    return {"text": text if len(text) <= MOST_WORDS else f"{text[:MOST_WORDS]}…", "outcome": _outcome(reply)}


def _outcome(reply: Any) -> str:
    if reply is None:
        return ""
    if not hasattr(reply, "revision"):
        return str(reply)
    branch = {True: "then", False: "else", None: ""}[getattr(reply, "succeeded", None)]
    return f"takes the branch {branch}, revision {reply.revision}" if branch else f"revision {reply.revision}"


def _watch(watch: Watch, world: World) -> Json:
    """What a watcher is told by the member that it would be connected to here."""
    member = watch.serving(world)
    store: Store | None = world.servers[member].machine.data if member else None
    events = watch.latest(store, MOST_EVENTS) if store is not None else ()
    return {
        "what": str(watch.request),
        "member": member or "",
        "revision": store.revision if store is not None else 0,
        "events": [f"{event.kv.mod_revision}: {event}" for event in events],
    }
