"""Charts of a run, made with plotly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from raft_lab.sim.cluster import Cluster
from raft_lab.view.picture import term_colour
from raft_lab.view.tables import commit_times

if TYPE_CHECKING:
    import plotly.graph_objects as go

# The term has the lab's colour (Okabe and Ito's), the role a pattern: colour alone says nothing to many.
_PATTERNS = {"follower": "", "precandidate": ".", "candidate": "/", "leader": "x", "crashed": ""}


_GREY = "#7d7d7d"
"""Letters in it are read on white and on black: more than 4 to 1 with both."""


def on_any_page(figure: Any) -> go.Figure:
    """The same figure, without a ground of its own: plotly cannot follow a notebook from light to dark."""
    lines = {"gridcolor": "rgba(128,128,128,0.25)", "zerolinecolor": "rgba(128,128,128,0.5)"}
    figure.update_layout(
        paper_bgcolor="rgba(0,0,0,0)",
        plot_bgcolor="rgba(0,0,0,0)",
        font={"color": _GREY},
        modebar={"bgcolor": "rgba(0,0,0,0)"},
    )
    figure.update_xaxes(lines)
    figure.update_yaxes(lines)
    return cast("go.Figure", figure)


def timeline(cluster: Cluster) -> go.Figure:
    """Who was in which role and term, and when, from the beginning to the present step.

    Time is the cluster's clock in milliseconds; where the clock stood still all along (untimed driving), it is
    the number of steps.
    """
    import plotly.graph_objects as go

    history = cluster.history
    timed = history[-1].schedule.now_us > 0
    places = [step.schedule.now_us / 1000 if timed else float(n) for n, step in enumerate(history)]
    end = max(places[-1], 1.0)
    unit = "ms" if timed else "steps"
    figure: Any = go.Figure()
    spans: dict[tuple[str, int], list[tuple[str, float, float]]] = {}
    for name in history[-1].world.servers:
        begun, shown = 0.0, ("", 0)
        for place, step in [*zip(places, history, strict=True), (end, None)]:
            state = step.world.servers.get(name) if step is not None else None
            role = ""
            if step is not None and state is not None:
                role = "crashed" if name in step.world.crashed else type(state.role).__name__.lower()
            now = (role, state.current_term if state is not None else 0)
            if now == shown and step is not None:
                continue
            if shown[0] and place > begun:
                spans.setdefault(shown, []).append((name, begun, place))
            begun, shown = place, now
    for (role, term), bars in sorted(spans.items(), key=lambda item: (item[0][1], item[0][0])):
        figure.add_bar(
            name=f"term {term}, {role}",
            orientation="h",
            y=[name for name, *_ in bars],
            base=[start for _, start, _ in bars],
            x=[stop - start for _, start, stop in bars],
            text=[str(term) if stop - start < end / 12 else f"{role}, term {term}" for _, start, stop in bars],
            textposition="inside",
            insidetextanchor="middle",
            textangle=0,
            insidetextfont={"color": "black"},
            marker={
                "color": "#d5d9dd" if role == "crashed" else term_colour(term),
                "pattern": {"shape": _PATTERNS[role], "fgcolor": "rgba(0,0,0,0.35)", "size": 6},
                "line": {"color": "#1f2328", "width": 2.5 if role == "leader" else 0.5},
            },
            hovertemplate=f"%{{y}}: {role} in term {term}, from %{{base:.1f}} {unit}<extra></extra>",
            showlegend=False,
        )
    figure.update_layout(
        barmode="overlay",
        title="Roles and terms: a leader has a cross pattern, a candidate stripes",
        xaxis_title="milliseconds" if timed else "steps",
        yaxis={"categoryorder": "array", "categoryarray": list(reversed(cluster.servers))},
        height=120 + 44 * len(cluster.servers),
        margin={"l": 50, "r": 20, "t": 50, "b": 45},
    )
    return on_any_page(figure)


def commit_latency(cluster: Cluster) -> go.Figure:
    """How long each command of this branch took, from the client's request to its commit; open ones are marked."""
    import plotly.graph_objects as go

    commands = commit_times(cluster)
    end = cluster.schedule.now_us
    figure: Any = go.Figure()
    for committed, name, pattern in ((True, "committed", ""), (False, "not committed so far", "/")):
        mine = [(i, op, came, done) for i, _, op, came, done in commands if (done is not None) == committed]
        figure.add_bar(
            name=name,
            x=[came / 1000 for _, _, came, _ in mine],
            y=[((end if done is None else done) - came) / 1000 for *_, came, done in mine],
            width=3,
            marker={
                "color": "#0072B2" if committed else "#D55E00",
                "pattern": {"shape": pattern},
                "line": {"color": "#1f2328", "width": 0.5},
            },
            customdata=[[index, op] for index, op, *_ in mine],
            hovertemplate="%{customdata[1]}, entry %{customdata[0]}<br>%{y:.1f} ms after %{x:.1f} ms<extra></extra>",
        )
    figure.update_layout(
        title="From request to commit",
        xaxis={"title": "milliseconds at which the client asked", "range": [-5, max(end / 1000, 50)]},
        yaxis={"title": "milliseconds until commit", "rangemode": "tozero"},
        height=320,
        margin={"l": 60, "r": 20, "t": 50, "b": 45},
    )
    return on_any_page(figure)
