"""Bad weather, seeded: what fencing holds together, what falls apart without it, and what needs none.

More of it, thousands of storms: python tests/benchmarks/electors.py
"""

import pytest

from kube.storms import Pair, Storm

SEEDS, BATCH = 30, 5


@pytest.mark.parametrize("first", range(0, SEEDS, BATCH))
def test_with_fencing_no_writes_interleave_and_two_lead_only_where_nothing_promises_otherwise(first):
    pairs = {seed: Pair.of(seed) for seed in range(first, first + BATCH)}

    assert {seed: pair.problems for seed, pair in pairs.items() if pair.problems} == {}


def test_on_the_same_seeds_writes_interleave_without_fencing_and_are_refused_with_it():
    pairs = [Pair.of(seed) for seed in (2, 16, 17, 23)]

    assert all(pair.free.interleaved and pair.fenced.rejected for pair in pairs)
    assert all(pair.fenced.interleaved == 0 for pair in pairs)
    assert all(pair.free.worked for pair in pairs)


def test_a_storm_is_its_seed():
    assert Storm(13).go() == Storm(13).go()
