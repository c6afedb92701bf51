"""Sweeps: the same experiment under many settings and seeds. Every point can be run again and looked at.

A point is nothing but a setting and a seed, so it is replayed, not stored: `sweep.run(setting, seed).lab()`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

from raft_lab.sim.cluster import Cluster
from raft_lab.sim.errors import ActionRefused, UnknownName
from raft_lab.sim.schedule import Timing

if TYPE_CHECKING:
    import pandas as pd
    import plotly.graph_objects as go

Measure: TypeAlias = Callable[[Cluster], float | None]
"""Drives a new cluster and says what came of it; None if what it waits for did not come about."""


# --- What can be measured ----------------------------------------------------------------------------


def until_led(cluster: Cluster) -> float | None:
    """Milliseconds from the start until some server leads, at most two seconds."""
    while cluster.leader is None:
        if cluster.schedule.now_us >= 2_000_000:
            return None
        cluster.step()
    return cluster.schedule.now_us / 1000


def until_led_again(cluster: Cluster) -> float | None:
    """Milliseconds from the crash of the first leader until there is another one, at most ten seconds."""
    cluster.run_until(leader=True)
    cluster.run(200)
    cluster.crash(cluster.leader or "")
    crashed = cluster.schedule.now_us
    while cluster.leader is None:
        if cluster.schedule.now_us >= crashed + 10_000_000:
            return None
        cluster.step()
    return (cluster.schedule.now_us - crashed) / 1000


def until_committed(cluster: Cluster) -> float | None:
    """Milliseconds from a client's command until it is committed."""
    cluster.run_until(leader=True)
    cluster.run_until(lambda c: not c.messages)
    begun = cluster.schedule.now_us
    cluster.propose("set x 1")
    try:
        cluster.run_until(committed="set x 1", max_steps=2_000)
    except ActionRefused:
        return None
    return (cluster.schedule.now_us - begun) / 1000


# --- A sweep -----------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Trial:
    """One point: under which setting, with which seed, what came of it (None: nothing), and in which term."""

    setting: str
    seed: int
    value: float | None
    term: int


@dataclass(frozen=True)
class Sweep:
    """What came of all trials. In a notebook it shows its summary.

    Attributes:
        settings: each setting by its name.
        measure: what was measured.
        servers: how many servers there were.
        trials: every point.
    """

    settings: Mapping[str, Timing]
    measure: Measure
    servers: int
    trials: tuple[Trial, ...]

    def run(self, setting: str, seed: int) -> Cluster:
        """One point once more, as a cluster that has lived through it: `.lab()` shows it.

        Raises:
            UnknownName: there is no such setting.
        """
        if setting not in self.settings:
            raise UnknownName(f"there is no setting {setting!r}; there are {', '.join(map(repr, self.settings))}")
        cluster = Cluster(self.servers, seed=seed, timing=self.settings[setting])
        self.measure(cluster)
        return cluster

    @property
    def table(self) -> pd.DataFrame:
        """One row a trial, with the code that runs it again."""
        import pandas as pd

        rows = [(t.setting, t.seed, t.value, t.term, _code(t)) for t in self.trials]
        return pd.DataFrame(rows, columns=["setting", "seed", "value", "term", "code"])

    @property
    def summary(self) -> pd.DataFrame:
        """One row a setting: how often it came about, the median and the worst value, and the mean of the terms."""
        import pandas as pd

        rows = {}
        for setting in self.settings:
            mine = [trial for trial in self.trials if trial.setting == setting]
            done = sorted((trial.value, trial.term) for trial in mine if trial.value is not None)
            rows[setting] = {
                "came about": f"{len(done)} of {len(mine)}",
                "median, ms": f"{done[len(done) // 2][0]:.0f}" if done else "–",
                "worst, ms": f"{done[-1][0]:.0f}" if done else "–",
                "terms needed": f"{sum(term for _, term in done) / len(done):.1f}" if done else "–",
            }
        return pd.DataFrame.from_dict(rows, orient="index")

    @property
    def figure(self) -> go.Figure:
        """How many of the trials were done after so long, one line a setting; each point says how to run it again."""
        import plotly.graph_objects as go

        from raft_lab.view.charts import on_any_page

        figure: Any = go.Figure()
        for number, setting in enumerate(self.settings):
            mine = [trial for trial in self.trials if trial.setting == setting]
            done = sorted((t for t in mine if t.value is not None), key=lambda t: (t.value, t.seed))
            figure.add_scatter(
                name=setting,
                x=[trial.value for trial in done],
                y=[(n + 1) / len(mine) * 100 for n in range(len(done))],
                customdata=[[trial.term, _code(trial)] for trial in done],
                mode="lines+markers",
                line={"shape": "hv", "color": _COLOURS[number % len(_COLOURS)], "dash": _DASHES[number % len(_DASHES)]},
                marker={"symbol": _SYMBOLS[number % len(_SYMBOLS)], "size": 7},
                hovertemplate="%{x:.1f} ms, term %{customdata[0]}<br><b>%{customdata[1]}</b><extra></extra>",
            )
        figure.update_layout(
            title=f"{(self.measure.__doc__ or 'What came of it').splitlines()[0]}",
            xaxis={"title": "milliseconds", "rangemode": "tozero"},
            yaxis={"title": "percent of the trials", "range": [0, 103]},
            height=380,
            margin={"l": 60, "r": 20, "t": 50, "b": 45},
        )
        return on_any_page(figure)

    def __repr__(self) -> str:
        return repr(self.summary)

    def _repr_html_(self) -> str:
        return str(self.summary.to_html())


_COLOURS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9")
_DASHES = ("solid", "dash", "dot", "dashdot", "longdash", "longdashdot")
_SYMBOLS = ("circle", "square", "diamond", "cross", "x", "triangle-up")


def _code(trial: Trial) -> str:
    return f"sweep.run({trial.setting!r}, seed={trial.seed}).lab()"


def sweep(settings: Mapping[str, Timing], measure: Measure = until_led, *, servers: int = 5, trials: int = 20) -> Sweep:
    """Measure something under several settings, each with the same seeds, counted from 0.

    Args:
        settings: what to try, by name.
        measure: `until_led`, `until_led_again`, `until_committed`, or a function of one's own.
        servers: how many servers the clusters have.
        trials: how many seeds.

    Raises:
        ValueError: there is nothing to try.
    """
    if not settings or trials < 1:
        raise ValueError("a sweep takes at least one setting and one trial")
    points = []
    for setting, timing in settings.items():
        for seed in range(trials):
            cluster = Cluster(servers, seed=seed, timing=timing)
            value = measure(cluster)
            points.append(Trial(setting, seed, value, max(s.current_term for s in cluster.world.servers.values())))
    return Sweep(dict(settings), measure, servers, tuple(points))


def elections_by_spread(extra_ms: Sequence[int], trials: int = 20) -> Sweep:
    """How long the first election takes when timeouts are drawn from 150 ms up to so many milliseconds more."""
    settings = {
        f"150 to {150 + extra} ms": Timing(election_timeout_us=(150_000, 150_000 + extra * 1000)) for extra in extra_ms
    }
    return sweep(settings, until_led, trials=trials)
