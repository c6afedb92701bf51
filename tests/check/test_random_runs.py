"""Raft keeps its promises in ten thousand random runs, each with its own mixture of faults, and goes on after them."""

import os
from collections import Counter

import pytest

from raft_lab import INVARIANTS, Cluster
from raft_lab.check.invariants import broken_by
from raft_lab.raft.state import Rejected
from sim.walks import Walk, healed

RUNS = int(os.environ.get("RAFT_LAB_RUNS", "10000"))
CHUNK = 500
ACTIONS = 200

MUST_HAPPEN = (
    "leader elected",
    "election repeated",
    "candidate conceded",
    "vote refused by log",
    "committed",
    "older entry committed with a newer one",
    "majority of an older entry not committed",
    "conflict truncated",
    "refused by log",
    "refused by term",
    "stale leader stepped down",
    "candidate ignored",
    "simple configuration",
    "joint configuration",
    "snapshot installed",
    "handed over",
    "pre-vote won",
    "read answered",
    "WriteDisk",
    "Crash",
    "Restart",
    "Drop",
    "Duplicate",
    "Cut",
    "Partition",
    "Heal",
)
"""A search in which one of these never occurs proves less than it seems to."""


@pytest.mark.parametrize("first", range(0, RUNS, CHUNK))
def test_no_invariant_breaks_whatever_the_network_does_and_once_healed_the_cluster_goes_on(first):
    seen = Counter()
    for seed in range(first, first + CHUNK):
        walk = Walk(seed)
        for number, (before, action, done) in enumerate(walk.steps(ACTIONS)):
            broken = broken_by(before, action, done)
            assert not broken, f"seed {seed}, action {number}, {action}: {broken[0]}"
            walk.look(before, action, done)
        seen += walk.seen
        goes_on(Cluster.at(healed(walk.world), seed=seed))
    assert not [what for what in MUST_HAPPEN if not seen[what]], seen


def goes_on(cluster: Cluster) -> None:
    """All servers up and all links whole: a leader comes, commits something new, and everyone learns of it.

    Old messages are still in flight, and one of a later term may depose the leader; hence more than one attempt.
    """
    for attempt in range(5):
        cluster.run_until(leader=True, max_steps=1000)
        proposal = cluster.propose(f"set healed {attempt}")
        if isinstance(proposal.reply, Rejected):  # it is handing over
            cluster.run(500)
            continue
        leader = cluster[proposal.server]
        cluster.run_until(
            lambda c, p=proposal, term=leader.current_term: (
                c.world.ghosts.committed.last_index >= p.reply.index or c[p.server].current_term > term
            ),
            max_steps=1000,
        )
        if proposal.status == "committed":
            break
    assert proposal.status == "committed", cluster
    cluster.run_until(
        lambda c: all(c[name].machine.data.get("healed") == str(attempt) for name in members(c)), max_steps=1000
    )
    assert not cluster.violations


def members(cluster: Cluster) -> tuple[str, ...]:
    """Who belongs to the cluster, as the leader has it; a server that was removed need not learn any more."""
    return cluster[cluster.leader].configuration.members if cluster.leader else cluster.servers


def test_the_invariants_are_asked_in_every_step_that_a_cluster_takes():
    assert Cluster.faces["check"] is broken_by
    assert len(INVARIANTS) >= 18
