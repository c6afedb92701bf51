"""A history of concurrent clients as a picture."""

from __future__ import annotations

from typing import Any

from raft_lab.check.histories import History
from raft_lab.check.linearizability import Linearizability


def mimebundle(history: History, verdict: Linearizability | None = None) -> dict[str, Any]:
    """What a notebook shows for a history, or for the verdict on it."""
    return {"text/plain": str(verdict or history)}
