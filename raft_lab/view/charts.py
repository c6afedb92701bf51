"""Charts of a run, made with plotly."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, cast

from raft_lab.sim.cluster import Cluster

if TYPE_CHECKING:
    import plotly.graph_objects as go

# Okabe and Ito's colours, and a pattern for each, since colour alone says nothing to many.
_LOOK = {
    "follower": ("#56B4E9", ""),
    "candidate": ("#E69F00", "/"),
    "leader": ("#009E73", ""),
    "crashed": ("#999999", "x"),
}


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
    figure: Any = go.Figure()
    spans: dict[str, list[tuple[str, float, float, int]]] = {role: [] for role in _LOOK}
    for name in cluster.servers:
        begun, shown = 0.0, ("follower", history[0].world.servers[name].current_term)
        for place, step in [*zip(places, history, strict=True), (end, None)]:
            if step is not None:
                state = step.world.servers[name]
                role = "crashed" if name in step.world.crashed else type(state.role).__name__.lower()
                if (role, state.current_term) == shown:
                    continue
            if place > begun:
                spans[shown[0]].append((name, begun, place, shown[1]))
            if step is not None:
                begun, shown = place, (role, state.current_term)
    for role, (colour, pattern) in _LOOK.items():
        if not spans[role]:
            continue
        figure.add_bar(
            name=role,
            orientation="h",
            y=[name for name, *_ in spans[role]],
            base=[start for _, start, _, _ in spans[role]],
            x=[stop - start for _, start, stop, _ in spans[role]],
            text=[f"term {term}" if (stop - start) > end / 18 else "" for _, start, stop, term in spans[role]],
            textposition="inside",
            insidetextanchor="middle",
            insidetextfont={"color": "black"},
            marker={"color": colour, "pattern": {"shape": pattern}, "line": {"color": "white", "width": 1}},
            customdata=[(term, start, stop) for _, start, stop, term in spans[role]],
            hovertemplate=f"%{{y}}: {role} in term %{{customdata[0]}}, %{{customdata[1]:.1f}} to "
            f"%{{customdata[2]:.1f}} {'ms' if timed else 'steps'}<extra></extra>",
        )
    figure.update_layout(
        barmode="overlay",
        title="Roles and terms",
        xaxis_title="milliseconds" if timed else "steps",
        yaxis={"categoryorder": "array", "categoryarray": list(reversed(cluster.servers))},
        height=120 + 44 * len(cluster.servers),
        margin={"l": 50, "r": 20, "t": 50, "b": 45},
        legend={"orientation": "h", "y": 1.02, "x": 1, "xanchor": "right", "yanchor": "bottom"},
    )
    return cast("go.Figure", figure)
