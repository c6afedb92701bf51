"""What an answer to a prediction can show on the learner's own cluster: the run to which it leads.

Each goes to where its question was asked and acts from there. What the learner did before stays, as a branch.
"""

from __future__ import annotations

from collections.abc import Callable

from raft_lab.sim.cluster import Cluster

SHOWS: dict[str, Callable[[Cluster], object]] = {}
"""By the name that stands in `predictions/`."""
