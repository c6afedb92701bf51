"""Predictions in the lab: what will happen is asked before it happens, and the run itself says who was right.

The browser judges, by the steps that it has: that works without a kernel where the future is recorded. Nothing is kept
of what somebody answered.
"""

from __future__ import annotations

from typing import Any

from raft_lab.sim.cluster import Cluster
from raft_lab.sim.errors import ActionRefused

WINNER = "which server wins?"
COMMIT = "will this commit?"
OVERWRITTEN = "which entries are overwritten?"
QUESTIONS = (WINNER, COMMIT, OVERWRITTEN)
"""What a lab can ask."""


def asked(cluster: Cluster, question: str) -> dict[str, Any]:
    """What the browser is told: the kind of question, its words, and the step at which it is asked.

    Args:
        cluster: it is asked about what comes after its present step.
        question: one of `QUESTIONS`.

    Raises:
        ValueError: there is no such question.
        ActionRefused: it makes no sense now.
    """
    at = cluster.now.id
    match question:
        case "which server wins?":
            return {"kind": "winner", "at": at, "text": "Which server leads next?"}
        case "will this commit?":
            return {"kind": "commit", "at": at, **_newest_entry(cluster)}
        case "which entries are overwritten?":
            return {"kind": "overwritten", "at": at, "text": "Which entries are overwritten until all logs are equal?"}
    raise ValueError(f"a lab cannot ask {question!r}; it can ask {', '.join(map(repr, QUESTIONS))}")


def _newest_entry(cluster: Cluster) -> dict[str, Any]:
    """The last entry in the leader's log, which must not be committed yet."""
    if cluster.leader is None:
        raise ActionRefused(
            "nobody leads now, so there is no newest entry to ask about: cluster.run_until(leader=True)"
        )
    log, known = cluster[cluster.leader].log, cluster.world.ghosts.committed
    index, term = log.last_index, log.last_term
    if index <= known.last_index and known.term(index) == term:
        raise ActionRefused(f"entry {index} is committed already; propose something first")
    return {"index": index, "term": term, "text": f"Will {log.entry(index)}, entry {index}, be committed?"}
