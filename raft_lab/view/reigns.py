"""The plain face of an election, as text and as SVG: who might lead, believed to and worked."""

from __future__ import annotations

from html import escape
from typing import Any

from raft_lab.kube.electors import Electors
from raft_lab.kube.timeline import BELIEVES, CUT, DOWN, MAY, PAUSED, WORKS, Interval, Overlap, Timeline

KINDS = (MAY, BELIEVES, WORKS)
LABELS = {MAY: "lease valid", BELIEVES: "believes", WORKS: "works"}
COLUMNS = 60
"""Of the text."""
WIDTH, GUTTER, ROW, TOP = 760, 150, 56, 20
_FILLS = {MAY: "none", BELIEVES: "#9ad0f5", WORKS: "#0072b2"}


def mimebundle(electors: Electors) -> dict[str, Any]:
    """Text and SVG, as notebooks want them."""
    return {"text/plain": text(electors), "image/svg+xml": svg(electors)}


def text(electors: Electors) -> str:
    """A line a pod, with a sign for each stretch of time."""
    now_us = electors.now_us
    lines = [summary(electors)]
    if now_us:
        wide = max(map(len, electors.pods), default=0)
        lines += [f"{name:>{wide}} |{_signs(electors.timeline, name, now_us)}|" for name in electors.pods]
        lines.append(f"{'':>{wide}}  0 s{now_us / 1e6:>{COLUMNS - 5}.1f} s")
        lines.append("# works   b believes to lead   p stands still   x down")
        lines += [f"Two work at the same time: {overlap}" for overlap in real_overlaps(electors)]
    return "\n".join(lines)


def summary(electors: Electors) -> str:
    """How it stands, in one line."""
    holder = electors.lease.holder_identity if electors.lease else ""
    working = " and ".join(electors.workers) or "nobody"
    return (
        f"{electors.namespace}/{electors.election} at {electors.now_us / 1e6:.1f} s: "
        f"{working} works; the record names {holder or 'nobody'}"
    )


def real_overlaps(electors: Electors) -> list[Overlap]:
    """When two worked at the same time, neither of them standing still."""
    pieces = [piece for interval in electors.timeline.intervals(WORKS) for piece in awake(electors.timeline, interval)]
    pieces.sort(key=lambda piece: (piece.begin_us, piece.who))
    return list(Timeline._overlaps(pieces, electors.now_us))


def awake(timeline: Timeline, interval: Interval) -> list[Interval]:
    """The parts of an interval in which its pod did not stand still."""
    parts, begin = [], interval.begin_us
    for pause in timeline.intervals(PAUSED, interval.who):
        if pause.end_us is not None and pause.end_us <= begin:
            continue
        if interval.end_us is not None and pause.begin_us >= interval.end_us:
            break
        if begin < pause.begin_us:
            parts.append(Interval(interval.who, interval.what, begin, pause.begin_us))
        if pause.end_us is None:
            return parts
        begin = pause.end_us
    if interval.end_us is None or begin < interval.end_us:
        parts.append(Interval(interval.who, interval.what, begin, interval.end_us))
    return parts


def _signs(timeline: Timeline, name: str, now_us: int) -> str:
    signs = ["·"] * COLUMNS
    for what, sign in ((BELIEVES, "b"), (WORKS, "#"), (PAUSED, "p"), (DOWN, "x")):
        for interval in timeline.intervals(what, name):
            first = interval.begin_us * COLUMNS // now_us
            last = (now_us if interval.end_us is None else interval.end_us) * COLUMNS // now_us
            for column in range(min(first, COLUMNS - 1), min(max(first + 1, last), COLUMNS)):
                signs[column] = sign
    return "".join(signs)


def svg(electors: Electors) -> str:
    """A row a pod: an outline while its lease is valid, pale while it believes to lead, dark while it works."""
    now_us = max(electors.now_us, 1)
    height = TOP + ROW * len(electors.pods) + 24

    def x(us: int) -> float:
        return GUTTER + us / now_us * (WIDTH - GUTTER - 12)

    parts = [f"<title>{escape(summary(electors))}</title>"]
    rows = list(electors.pods)
    for overlap in real_overlaps(electors):
        first, last = sorted((rows.index(overlap.first), rows.index(overlap.second)))
        left, right, top = x(overlap.begin_us), x(overlap.end_us), TOP + first * ROW
        alarm = "fill-opacity='0.25' style='stroke: #d55e00; stroke-width: 2'"
        parts.append(_bar(left, top, right, (last - first + 1) * ROW, "#d55e00", alarm))
        parts.append(_text((left + right) / 2, TOP - 6, "two work", "text-anchor='middle' font-weight='bold'"))
    for row, name in enumerate(electors.pods):
        y = TOP + row * ROW
        parts.append(_text(8, y + 30, name, "font-weight='bold'"))
        for number, what in enumerate(KINDS):
            parts.append(_text(GUTTER - 6, y + 15 + 15 * number, LABELS[what], "text-anchor='end' font-size='10'"))
            for interval in electors.timeline.intervals(what, name):
                for piece in awake(electors.timeline, interval) if what == WORKS else [interval]:
                    end = now_us if piece.end_us is None else piece.end_us
                    parts.append(_bar(x(piece.begin_us), y + 5 + 15 * number, x(end), 12, _FILLS[what]))
        for what, words in ((PAUSED, "paused"), (CUT, "cut off"), (DOWN, "down")):
            for interval in electors.timeline.intervals(what, name):
                end = now_us if interval.end_us is None else interval.end_us
                parts.append(_bar(x(interval.begin_us), y + 1, x(end), ROW - 4, "none", "stroke-dasharray='3 3'"))
                parts.append(_text(x(interval.begin_us) + 4, y + ROW - 7, words, "font-size='10'"))
    parts.append(_text(GUTTER, height - 8, "0 s", "font-size='11'"))
    parts.append(_text(WIDTH - 12, height - 8, f"{now_us / 1e6:.1f} s", "text-anchor='end' font-size='11'"))
    return (
        f"<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 {WIDTH} {height}' width='{WIDTH}' height='{height}' "
        f"role='img' font-family='system-ui, sans-serif' font-size='13'>"
        f"<rect width='100%' height='100%' fill='white'/>{''.join(parts)}</svg>"
    )


def _bar(left: float, top: float, right: float, height: float, fill: str, more: str = "") -> str:
    wide = max(1.5, right - left)
    return f"<rect x='{left:.1f}' y='{top}' width='{wide:.1f}' height='{height}' fill='{fill}' stroke='#333' {more}/>"


def _text(x: float, y: float, words: str, more: str) -> str:
    return f"<text x='{x:.1f}' y='{y}' fill='#111' {more}>{escape(words)}</text>"
