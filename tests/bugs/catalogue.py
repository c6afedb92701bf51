"""All bugs, in the order of the catalogue."""

from __future__ import annotations

from bugs import clients, election, membership, persistence, replication, snapshots
from bugs.bank import BUGS, OUT_OF_REACH, Bug

FILES = (election, replication, persistence, snapshots, membership, clients)
CATALOGUE: tuple[Bug, ...] = tuple(sorted(BUGS, key=lambda bug: bug.number))

__all__ = ["CATALOGUE", "FILES", "OUT_OF_REACH"]
