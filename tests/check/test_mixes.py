"""Long random runs of each mix of features, with a count of what happened: where nothing happens, nothing is proved.

Each run leaves some of its faults out (swarm testing), has 250 actions, and ends with a cluster of which just enough is
healed, until it leads and commits again. `pytest tests/check/test_mixes.py -rP` shows the counts.
"""

import pytest

from raft_lab import Server, fuzz
from raft_lab.check.mixes import MIXES

ACTIONS = 250
RUNS = 200
CHUNKS = 2


@pytest.mark.parametrize("chunk", range(CHUNKS))
@pytest.mark.parametrize("name", [name for name in MIXES if name not in ("plain", "swarm")])
def test_no_invariant_breaks_in_any_mix_and_once_healed_the_cluster_goes_on(name, chunk):
    seeds = range(chunk * RUNS // CHUNKS, (chunk + 1) * RUNS // CHUNKS)
    report = fuzz(Server, seeds, ACTIONS, mix=name, progress=False)
    print(name, report)
    assert not report.findings, report
    assert not report.missing, report
    assert report.actions >= len(seeds) * ACTIONS
