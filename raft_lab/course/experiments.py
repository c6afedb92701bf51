"""Experiments of the lessons that need more than a line or two."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from raft_lab.sim.cluster import Cluster
from raft_lab.sim.schedule import Timing

if TYPE_CHECKING:
    import pandas as pd


def elections_by_spread(extra_ms: Sequence[int], trials: int = 20, within_ms: int = 2_000) -> pd.DataFrame:
    """How elections end when timeouts are drawn from 150 ms up to so much more.

    Args:
        extra_ms: the widths to try, in milliseconds.
        trials: how many elections of five servers for each width; their seeds are 0, 1, 2 …
        within_ms: how long to wait for a leader.

    Returns:
        One row a width: how many elections were won, and how many terms that took on average.
    """
    import pandas as pd

    rows = {}
    for extra in extra_ms:
        timing = Timing(election_timeout_us=(150_000, 150_000 + extra * 1000))
        terms = [term for seed in range(trials) if (term := _term_won(timing, seed, within_ms * 1000))]
        mean = f"{sum(terms) / len(terms):.1f}" if terms else "–"
        rows[f"150 to {150 + extra} ms"] = {"won": f"{len(terms)} of {trials}", "terms needed": mean}
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("election timeout")


def _term_won(timing: Timing, seed: int, within_us: int) -> int | None:
    cluster = Cluster(5, seed=seed, timing=timing)
    while cluster.leader is None and cluster.schedule.now_us < within_us:
        cluster.step()
    return cluster[cluster.leader].current_term if cluster.leader else None
