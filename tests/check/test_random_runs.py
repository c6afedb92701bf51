"""Raft keeps its promises in ten thousand random runs, each with its own mixture of faults, and goes on after them.

Two thousand more draw the rules that Raft leaves open as well; test_mixes.py has long runs of named mixtures.
"""

import os
from collections import Counter

import pytest

from raft_lab import INVARIANTS, Cluster, Server
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
    "conflict truncated",
    "refused by log",
    "refused by term",
    "stale leader stepped down",
    "simple configuration",
    "joint configuration",
    "snapshot installed",
    "handed over",
    "read answered",
    "Crash",
    "Restart",
    "Drop",
    "Duplicate",
    "Cut",
    "Partition",
    "Heal",
)
"""A search in which one of these never occurs proves less than it seems to."""
WITH_RULES = ("majority of an older entry not committed", "candidate ignored", "pre-vote won", "WriteDisk")


@pytest.mark.parametrize("first", range(0, RUNS, CHUNK))
def test_no_invariant_breaks_whatever_the_network_does_and_once_healed_the_cluster_goes_on(first):
    seen = runs(first, Server)
    assert not [what for what in MUST_HAPPEN if not seen[what]], seen


@pytest.mark.parametrize("first", range(0, RUNS // 5, CHUNK))
def test_nor_with_any_of_the_rules_that_raft_leaves_open(first):
    seen = runs(first, None)
    assert not [what for what in MUST_HAPPEN + WITH_RULES if not seen[what]], seen


def runs(first: int, server: type[Server] | None) -> Counter[str]:
    """What happened in a chunk of runs by `server`, or by one with rules that each run draws for itself."""
    seen = Counter()
    for seed in range(first, first + CHUNK):
        walk = Walk(seed, server=server)
        for number, (before, action, done) in enumerate(walk.steps(ACTIONS)):
            broken = broken_by(before, action, done)
            assert not broken, f"seed {seed}, action {number}, {action}: {broken[0]}"
            walk.look(before, action, done)
        seen += walk.seen
        goes_on(Cluster.at(healed(walk.world), seed=seed))
    return seen


def goes_on(cluster: Cluster) -> None:
    """All servers up and all links whole: a leader comes, commits something new, and everyone learns of it.

    Old messages are still in flight: one of a later term may depose the leader, or a change that removes it may be
    committed; hence more than one attempt.
    """
    for attempt in range(5):
        cluster.run_until(leader=True, max_steps=1000)
        proposal = cluster.propose(f"set healed {attempt}")
        if isinstance(proposal.reply, Rejected):  # it is handing over
            cluster.run(500)
            continue
        cluster.run_until(
            lambda c, p=proposal: (
                c.world.ghosts.committed.last_index >= p.reply.index
                or (c[p.server].is_leader, c[p.server].current_term) != (True, p.reply.term)
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
