"""Raft keeps its promises in ten thousand random runs, each with its own mixture of faults, and goes on after them.

Two thousand more draw the rules that Raft leaves open as well; test_mixes.py has long runs of named mixes.
"""

import os

import pytest

from raft_lab import INVARIANTS, Cluster, Server, fuzz
from raft_lab.check.invariants import broken_by

RUNS = int(os.environ.get("RAFT_LAB_RUNS", "10000"))
CHUNK = 500
ACTIONS = 200


@pytest.mark.parametrize("first", range(0, RUNS, CHUNK))
def test_no_invariant_breaks_whatever_the_network_does_and_once_healed_the_cluster_goes_on(first):
    nothing_goes_wrong(fuzz(Server, range(first, first + CHUNK), ACTIONS, mix="plain", progress=False))


@pytest.mark.parametrize("first", range(0, RUNS // 5, CHUNK))
def test_nor_with_any_of_the_rules_that_raft_leaves_open(first):
    nothing_goes_wrong(fuzz(Server, range(first, first + CHUNK), ACTIONS, mix="swarm", progress=False))


def nothing_goes_wrong(report):
    assert not report.findings, report
    assert not report.missing, report
    assert report.runs == CHUNK
    assert report.actions >= CHUNK * ACTIONS


def test_the_invariants_are_asked_in_every_step_that_a_cluster_takes():
    assert Cluster.faces["check"] is broken_by
    assert len(INVARIANTS) >= 18
