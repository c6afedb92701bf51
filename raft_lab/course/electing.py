"""Lesson 07 in runs: pods that elect by somebody's own decision, and what a slow clock does."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from raft_lab.kube import stages
from raft_lab.kube.elector import LeaderElector
from raft_lab.kube.records import LeaderElectionRecord

if TYPE_CHECKING:
    import pandas as pd

SECOND = 1_000_000
MayTakeOver = Callable[[LeaderElectionRecord, int, int], Any]
"""Of a record that is not one's own: the record, when it was last seen to change, and now, by one's own clock."""


def elector_with(may_take_over: MayTakeOver) -> type[LeaderElector]:
    """client-go's elector, which asks `may_take_over` whether it may take the lease of somebody else."""

    class Mine(LeaderElector):
        def may_take(self, record: LeaderElectionRecord, now_us: int) -> bool:
            return self.is_leader or bool(may_take_over(record, self.observed_time_us, now_us))

    return Mine


def in_a_run(seed: int, may_take_over: MayTakeOver) -> str:
    """What goes wrong when three pods elect by it, or ''. One leader dies, the next one leaves in good order."""
    elector = elector_with(may_take_over)
    electors = stages.three_pods(seed=seed, elector=elector, restart_after=None, release_on_cancel=True)
    for pod, step in (("pod-a", 90.0), ("pod-b", -90.0), ("pod-c", 3600.0)):
        electors.set_clock(pod, step=step)
    electors.run(20)
    electors.crash(str(electors.leader))  # the first one has made the lease, and was not asked
    electors.run(22)
    if electors.leader is None:
        return "In a run of three pods the leader dies, and 22 s later nobody has followed it."
    electors.stop(electors.leader)
    electors.run(6)
    if electors.leader is None:
        return "In a run of three pods the leader gives the lease back, and 6 s later nobody has taken it."
    overlaps = electors.overlaps("believes")
    return f"In a run of three pods two led at the same time: {overlaps[0]}." if overlaps else ""


def overlap_by_clock(speeds: tuple[float, ...] = (1.0, 0.8, 0.6, 0.4), runs: int = 2) -> pd.DataFrame:
    """The leader's clock is slow, and it is cut off: for how long do two work at the same time?

    Args:
        speeds: how fast its clock runs.
        runs: how many runs of each, with seeds 0, 1, 2 …

    Returns:
        One row a speed: when the old leader stops and when the next one begins, in seconds after the last renewal,
        and the longest time of two.
    """
    import pandas as pd

    rows = {}
    for speed in speeds:
        found = [_cut_with_a_slow_clock(speed, seed) for seed in range(runs)]
        rows[f"{speed:g}×"] = {
            "old leader stops after (s)": max(stops for stops, _, _ in found),
            "next one begins after (s)": min(begins for _, begins, _ in found),
            "two work for (s)": max(both for _, _, both in found),
        }
    return pd.DataFrame.from_dict(rows, orient="index").rename_axis("leader's clock").round(1)


def _cut_with_a_slow_clock(speed: float, seed: int) -> tuple[float, float, float]:
    electors = stages.three_pods(servers=1, seed=seed, restart_after=None, work_every=0)
    electors.run(5)
    old = str(electors.leader)
    electors.set_clock(old, speed=speed)
    electors.run(10)
    renewed = electors.leases[-1].us
    electors.cut(old)
    electors.run(15 + 15 / speed)
    works = electors.timeline.intervals("works")
    stops = next((i.end_us for i in works if i.who == old), None) or electors.now_us
    begins = next((i.begin_us for i in works if i.who != old), electors.now_us)
    return (stops - renewed) / SECOND, (begins - renewed) / SECOND, max(0.0, (stops - begins) / SECOND)
