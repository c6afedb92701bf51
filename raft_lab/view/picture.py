"""A cluster as text and as a still SVG picture, for places without widgets."""

from __future__ import annotations

import math
import re
from html import escape
from typing import Any

from raft_lab.raft.state import State
from raft_lab.sim.cluster import Cluster

_TERM_COLOURS = ("#56B4E9", "#E69F00", "#009E73", "#F0E442", "#CC79A7", "#D55E00", "#0072B2")
_INK = "#1f2328"
_PAPER = "#ffffff"
_FAINT = "#6a737d"


def mimebundle(cluster: Cluster) -> dict[str, Any]:
    """What a notebook shows for a cluster that stands alone at the end of a cell."""
    return {"text/plain": text(cluster), "image/svg+xml": svg(cluster)}


_NOT_XML = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def escaped(words: str) -> str:
    """Words as SVG and HTML can hold them; what XML cannot hold at all becomes a replacement character."""
    return escape(_NOT_XML.sub("\ufffd", words))


def text(cluster: Cluster) -> str:
    """The present situation as a few lines of text."""
    world, now = cluster.world, cluster.now
    lines = [f"Step {now.id}, {now.schedule.now_us / 1000:.1f} ms. {now.sentence}"]
    if cluster.modified:
        lines.append(f"  modified Raft: {cluster.modified}")
    for state in world.servers.values():
        entries = [
            f"{index}:{entry.value}({entry.term}){'✓' if index <= state.commit_index else ''}"
            for index, entry in state.log
        ]
        shown = ["…", *entries[-6:]] if len(entries) > 6 else entries
        vote = f"vote {state.voted_for}" if state.voted_for else "no vote"
        who = f"{state.id:<4}{_role(cluster, state):<10} term {state.current_term:<3} {vote:<9}"
        lines.append(f"  {who} log {'  '.join(shown) or 'empty'}")
    flights = len(cluster.schedule.flights)
    notes = [f"{flights} messages in flight" if flights != 1 else "1 message in flight"]
    if world.cuts:
        notes.append("links cut: " + ", ".join(f"{src}→{dst}" for src, dst in sorted(world.cuts)))
    notes += [str(violation) for _, violation in cluster.violations]
    return "\n".join([*lines, "  " + "; ".join(notes)])


def _role(cluster: Cluster, state: State) -> str:
    return "crashed" if state.id in cluster.world.crashed else type(state.role).__name__.lower()


def term_colour(term: int) -> str:
    """The colour that a term has in every picture; its number always stands beside it."""
    return _TERM_COLOURS[(term - 1) % len(_TERM_COLOURS)] if term else "#e6e8eb"


def svg(cluster: Cluster) -> str:
    """The present situation as a picture: the ring of servers, and their logs beside it."""
    columns = _columns(cluster)
    rows = len(cluster.servers)
    names = max(84, 8 + 8 * max(map(len, cluster.servers)))
    width = 420 + names + max(4, len(columns)) * 62
    height = max(360, 120 + rows * 46)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        f'role="img" font-family="system-ui, sans-serif" font-size="13" fill="{_INK}">',
        f"<title>{escaped(text(cluster))}</title>",
        f'<rect width="{width}" height="{height}" rx="8" fill="{_PAPER}" stroke="#d0d7de"/>',
        f'<text x="20" y="30" font-size="14">{escaped(_clip(str(cluster.now.sentence), width // 7))}</text>',
        *_mark(cluster, width),
        *_ring(cluster, 200, 60 + (height - 60) / 2, min(130, (height - 150) / 2)),
        *_ledger(cluster, columns, 420, 420 + names, 80),
        "</svg>",
    ]
    return "".join(parts)


def _mark(cluster: Cluster, width: int) -> list[str]:
    """Whatever is not Raft says so, wherever it is shown."""
    if not cluster.modified:
        return []
    words = escaped(_clip(f"modified Raft: {cluster.modified}", width // 7))
    return [f'<text x="20" y="50" font-weight="600" fill="#b3261e">{words}</text>']


def _clip(words: str, length: int) -> str:
    return words if len(words) <= length else words[: length - 1] + "…"


def _ring(cluster: Cluster, cx: float, cy: float, radius: float) -> list[str]:
    names = cluster.servers
    place = {
        name: (
            cx + radius * math.sin(2 * math.pi * n / len(names)),
            cy - radius * math.cos(2 * math.pi * n / len(names)),
        )
        for n, name in enumerate(names)
    }
    parts = []
    for n, one in enumerate(names):
        for other in names[n + 1 :]:
            (x1, y1), (x2, y2) = place[one], place[other]
            cut = {(one, other), (other, one)} & cluster.world.cuts
            dash = ' stroke-dasharray="3 5"' if cut else ""
            colour = "#D55E00" if cut else "#d0d7de"
            parts.append(f'<path d="M{x1:.1f} {y1:.1f}L{x2:.1f} {y2:.1f}" stroke="{colour}"{dash}/>')
    for n, flight in enumerate(cluster.schedule.flights):
        (x1, y1), (x2, y2) = place[flight.message.src], place[flight.message.dst]
        along = 0.3 + 0.1 * (n % 4)
        x, y = x1 + (x2 - x1) * along, y1 + (y2 - y1) * along
        way = f"{type(flight.message).__name__} {flight.message.src}→{flight.message.dst}"
        parts.append(
            f'<circle cx="{x:.1f}" cy="{y:.1f}" r="5" fill="{_PAPER}" stroke="{_INK}"><title>'
            f"{escaped(way)}</title></circle>"
        )
    for name, (x, y) in place.items():
        state = cluster[name]
        role = _role(cluster, state)
        fill = "#e6e8eb" if role == "crashed" else term_colour(state.current_term)
        dash = ' stroke-dasharray="4 4"' if role == "crashed" else ""
        outline = f'fill="{fill}" stroke="{_INK}" stroke-width="{3.5 if role == "leader" else 1.5}"{dash}'
        if role == "candidate":
            parts.append(
                f'<rect x="{x - 23:.1f}" y="{y - 23:.1f}" width="46" height="46" rx="5" {outline} '
                f'transform="rotate(45 {x:.1f} {y:.1f})"/>'
            )
        elif role == "leader":
            corners = " ".join(
                f"{x + 32 * math.sin(k * math.pi / 3):.1f},{y - 32 * math.cos(k * math.pi / 3):.1f}" for k in range(6)
            )
            parts.append(f'<polygon points="{corners}" {outline}/>')
        else:
            parts.append(f'<circle cx="{x:.1f}" cy="{y:.1f}" r="27" {outline}/>')
        parts.append(
            f'<text x="{x:.1f}" y="{y - 2:.1f}" text-anchor="middle" font-weight="600">{escaped(name)}</text>'
            f'<text x="{x:.1f}" y="{y + 13:.1f}" text-anchor="middle" font-size="11">term {state.current_term}</text>'
            f'<text x="{x:.1f}" y="{y + 46:.1f}" text-anchor="middle" font-size="11">{role}</text>'
        )
    return parts


def _columns(cluster: Cluster) -> list[int]:
    last = max(state.log.last_index for state in cluster.world.servers.values())
    return list(range(max(1, last - 9), last + 1))


def _ledger(cluster: Cluster, columns: list[int], names: float, left: float, top: float) -> list[str]:
    parts = [
        f'<text x="{left + 62 * n + 29}" y="{top - 12}" text-anchor="middle" font-size="11" fill="{_FAINT}">'
        f"{index}</text>"
        for n, index in enumerate(columns)
    ]
    for row, state in enumerate(cluster.world.servers.values()):
        y = top + row * 46
        parts.append(
            f'<text x="{names}" y="{y + 17}" font-weight="600">{escaped(state.id)}</text>'
            f'<text x="{names}" y="{y + 32}" font-size="11" fill="{_FAINT}">{_role(cluster, state)}</text>'
        )
        for n, index in enumerate(columns):
            if not state.log.first_index <= index <= state.log.last_index:
                continue
            entry = state.log.entry(index)
            committed = index <= state.commit_index
            edge = 'stroke-width="2.5"' if committed else 'stroke-dasharray="4 3"'
            x = left + 62 * n
            parts.append(
                f'<rect x="{x}" y="{y}" width="58" height="38" rx="4" fill="{term_colour(entry.term)}" '
                f'fill-opacity="0.45" stroke="{_INK}" {edge}/>'
                f'<text x="{x + 29}" y="{y + 16}" text-anchor="middle" font-size="11">'
                f"{escaped(_clip(str(entry.value), 9))}</text>"
                f'<text x="{x + 29}" y="{y + 31}" text-anchor="middle" font-size="10">term {entry.term}</text>'
            )
    return parts
