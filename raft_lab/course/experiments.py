"""The paper's Figure 16 (section 9.3): how long a cluster is without a leader after a crash."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from raft_lab.raft.messages import AppendEntries
from raft_lab.raft.state import Leader
from raft_lab.sim.cluster import Cluster
from raft_lab.sim.schedule import Schedule, Timing, draw
from raft_lab.sim.world import World

if TYPE_CHECKING:
    import plotly.graph_objects as go


NETWORKS: Mapping[str, tuple[tuple[int, int], tuple[int, int]]] = {
    "all of it on the wire": ((5_000, 10_000), (5_000, 10_000)),
    "most of it at the voter's disk": ((500, 1_500), (13_000, 15_000)),
}
"""Shortest and longest time of a request and of its answer, in µs: about 15 ms together, as in the paper's cluster.

The paper does not say how the 15 ms fall. Its section 5.6 counts the recipient's writing to disk among them.
"""


def _leader_gone() -> World:
    """Five servers of term 1. S1 has just sent heartbeats to all and is gone; S4 and S5 lack entries of the others."""
    full = [(1, str(index)) for index in range(1, 6)]
    lengths = {"S1": 5, "S2": 5, "S3": 5, "S4": 4, "S5": 3}
    world = Cluster(5, logs={name: full[:length] for name, length in lengths.items()}).world
    beats = [AppendEntries("S1", name, 1, 3, 1, (), 3) for name in ("S2", "S3", "S4", "S5")]
    return replace(world.plus(beats), crashed=frozenset({"S1"}))


def downtime_us(timing: Timing, seed: int, within_us: int = 60_000_000) -> int:
    """How long a cluster is without a leader, in microseconds, in one trial of the paper's Figure 16.

    The leader crashes at a random moment of its heartbeat interval, right after a synchronised broadcast of
    heartbeats. The interval is half of the shortest election timeout.
    """
    world = _leader_gone()
    schedule = Schedule.begin(world, seed, timing)
    while schedule.now_us < within_us:
        due = schedule.next(world)
        if due is None:
            break
        now, action = max(due[0], schedule.now_us), due[1]
        done = action.perform(world, now)
        world, schedule = done.world, schedule.follow(world, action, done, now)
        if any(isinstance(state.role, Leader) for state in world.servers.values()):
            break
    interval = timing.election_timeout_us[0] // 2
    return schedule.now_us - draw(seed, "moment of the crash") % interval


def downtimes_ms(
    shortest_ms: int, longest_ms: int, trials: int, network: str = "most of it at the voter's disk"
) -> list[float]:
    """Downtimes of many trials, sorted, in milliseconds; `network` is one of `NETWORKS`."""
    request, answer = NETWORKS[network]
    timing = Timing(
        election_timeout_us=(shortest_ms * 1000, longest_ms * 1000),
        heartbeat_us=shortest_ms * 500,
        latency_us=request,
        answer_us=answer,
    )
    return sorted(downtime_us(timing, seed) / 1000 for seed in range(trials))


def figure_16(downtimes: Mapping[str, Sequence[float]]) -> go.Figure:
    """The paper's Figure 16: how many of the trials had a leader again after so long.

    Args:
        downtimes: for each line its name and its sorted downtimes in milliseconds.
    """
    import plotly.graph_objects as go

    from raft_lab.view.charts import on_any_page

    figure = go.Figure()
    for name, sample in downtimes.items():
        shares = [(n + 1) / len(sample) * 100 for n in range(len(sample))]
        figure.add_scatter(x=list(sample), y=shares, mode="lines", name=name)
    figure.update_layout(
        title="Time without a leader, after a crash",
        xaxis={"title": "milliseconds", "type": "log"},
        yaxis={"title": "cumulative percent of trials", "range": [0, 100]},
        legend={"title": "election timeout"},
    )
    return on_any_page(figure)
