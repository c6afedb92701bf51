"""The Kubernetes API over the store: objects are keys, resource versions are revisions, updates are transactions.

from raft_lab.kube import Create, perform

kv.run(perform(Create("leases", "default", {"metadata": {"name": "x"}}), clock))
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from raft_lab.kube.api import perform
    from raft_lab.kube.electors import Electors
    from raft_lab.kube.errors import ApiError
    from raft_lab.kube.explain import explain
    from raft_lab.kube.requests import Create, Delete, Get, List, Patch, Update, Watch
    from raft_lab.kube.watching import events

__all__ = [
    "ApiError",
    "Create",
    "Delete",
    "Electors",
    "Get",
    "List",
    "Patch",
    "Update",
    "Watch",
    "events",
    "explain",
    "perform",
]

_HOMES = {
    "api": ("perform",),
    "electors": ("Electors",),
    "errors": ("ApiError",),
    "explain": ("explain",),
    "requests": ("Create", "Delete", "Get", "List", "Patch", "Update", "Watch"),
    "watching": ("events",),
}


def __getattr__(name: str) -> Any:
    """What people use, from the module where it lives, imported when it is first asked for."""
    for home, names in _HOMES.items():
        if name in names:
            return getattr(import_module(f"raft_lab.kube.{home}"), name)
    raise AttributeError(f"module 'raft_lab.kube' has no attribute {name!r}")
