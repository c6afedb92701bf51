"""etcd's key-value store as a replicated state machine: pure, persistent, and compared with a real etcd.

from raft_lab import Cluster
from raft_lab.kv import KV, KVServer

store = KV(Cluster(3, server=KVServer))     # or KV.connect("127.0.0.1:2379")
store.put("greeting", "hello")
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raft_lab.kv.calls import Unknown
    from raft_lab.kv.client import KV, Election, Lease
    from raft_lab.kv.clients import Clients, Pause
    from raft_lab.kv.conditions import create_revision, lease, mod_revision, value, version
    from raft_lab.kv.errors import EtcdError
    from raft_lab.kv.model import etcd
    from raft_lab.kv.requests import NODELETE, NOPUT, DeleteRange, Event, KeyValue, Put, Range, Txn, WatchCreate
    from raft_lab.kv.server import KVServer
    from raft_lab.kv.watching import Watch

__all__ = [
    "KV",
    "NODELETE",
    "NOPUT",
    "Clients",
    "DeleteRange",
    "Election",
    "EtcdError",
    "Event",
    "KVServer",
    "KeyValue",
    "Lease",
    "Pause",
    "Put",
    "Range",
    "Txn",
    "Unknown",
    "Watch",
    "WatchCreate",
    "create_revision",
    "etcd",
    "lease",
    "mod_revision",
    "value",
    "version",
]

_HOMES = {
    "calls": ("Unknown",),
    "client": ("KV", "Election", "Lease"),
    "clients": ("Clients", "Pause"),
    "conditions": ("create_revision", "lease", "mod_revision", "value", "version"),
    "errors": ("EtcdError",),
    "model": ("etcd",),
    "requests": ("NODELETE", "NOPUT", "DeleteRange", "Event", "KeyValue", "Put", "Range", "Txn", "WatchCreate"),
    "server": ("KVServer",),
    "watching": ("Watch",),
}


def __getattr__(name: str) -> Any:
    """What people use, from the module where it lives, imported when it is first asked for."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"raft_lab.kv.{home}"), name)
    raise AttributeError(f"module 'raft_lab.kv' has no attribute {name!r}")
