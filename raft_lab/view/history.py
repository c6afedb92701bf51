"""A history of concurrent clients as a picture, with the order that explains it or the operation that has no place."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any
from zlib import crc32

from raft_lab.check.clients import EARLIER
from raft_lab.check.histories import History, Operation, value_text
from raft_lab.check.linearizability import Linearizability
from raft_lab.view.lanes import BAR, Bar, Layout, arrange, label
from raft_lab.view.picture import escaped

_STYLE = (Path(__file__).parent / "static" / "history.css").read_text(encoding="utf-8")


def mimebundle(history: History, verdict: Linearizability | None = None) -> dict[str, Any]:
    """What a notebook shows for a history, or for the verdict on it."""
    return {"text/plain": str(verdict or history), "text/html": html(history, verdict)}


def page(history: History, verdict: Linearizability | None = None) -> str:
    """The picture as a page of its own."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>History</title>'
        "<style>:root { color-scheme: light dark; } body { margin: 24px; }</style></head>"
        f"<body>{html(history, verdict)}</body></html>\n"
    )


def html(history: History, verdict: Linearizability | None = None) -> str:
    """The verdict in words, the picture, what its signs mean, and every operation as text."""
    layout = arrange(history, verdict)
    earlier = [str(o) for o in history.operations if o.client == EARLIER]
    notes = [escaped(str(history) if verdict is None else history.source)]
    if layout.hidden:
        notes.append(f"{layout.hidden:,} other operations are not drawn")
    if earlier:
        notes.append(f"in the logs from the beginning: {escaped(', '.join(earlier[:6]))}{' …' * (len(earlier) > 6)}")
    return "".join(
        [
            f'<div class="raft-history"><style>{_STYLE}</style>',
            _headline(verdict),
            f'<p class="rh-note">{" · ".join(note for note in notes if note)}</p>',
            f'<div class="rh-frame">{_names(layout)}<div class="rh-scroll"{" data-at-end" if layout.hidden else ""}>',
            f"{svg(layout, history, verdict)}</div></div>",
            _legend(layout, verdict),
            _in_words(layout, history),
            "</div>",
        ]
    )


def _names(layout: Layout) -> str:
    """Who is in which lane; it stays where it is when the picture is scrolled."""
    size = f'viewBox="0 0 {layout.left:.0f} {layout.height:.0f}" width="{layout.left:.0f}" height="{layout.height:.0f}"'
    names = [("servers", 24.0)] if layout.marks else []
    names += [(client, top + 24) for client, top, _ in layout.lanes]
    words = [f'<text x="4" y="{y:.1f}">{escaped(name)}</text>' for name, y in names]
    return f'<svg class="rh-names" {size} aria-hidden="true">{"".join([*_draw_lanes(layout), *words])}</svg>'


def svg(layout: Layout, history: History, verdict: Linearizability | None = None) -> str:
    """The lanes without their names; the colours are those of the text around it."""
    impossible = verdict.impossible if verdict else None
    left, width = layout.left, layout.width - layout.left
    hatch = _hatch(layout)
    return "".join(
        [
            f'<svg viewBox="{left:.0f} 0 {width:.0f} {layout.height:.0f}" width="{width:.0f}" '
            f'height="{layout.height:.0f}" role="img" aria-label="{escaped(str(verdict or history))}">',
            f'<defs><pattern id="{hatch}" width="7" height="7" patternUnits="userSpaceOnUse" '
            'patternTransform="rotate(45)"><path d="M0 0V7" class="rh-hatch"/></pattern></defs>',
            *_draw_lanes(layout),
            *_draw_marks(layout),
            *(_draw_bar(bar, impossible, hatch) for bar in layout.bars),
            *_draw_order(layout),
            *_draw_ticks(layout),
            "</svg>",
        ]
    )


def _draw_lanes(layout: Layout) -> Iterator[str]:
    for y in [top for _, top, _ in layout.lanes] + [bottom for *_, bottom in layout.lanes[-1:]]:
        yield f'<path class="rh-lane" d="M0 {y:.1f}H{layout.width:.1f}"/>'


def _draw_marks(layout: Layout) -> Iterator[str]:
    for mark, x, y in layout.marks:
        bottom = layout.lanes[-1][2] if layout.lanes else layout.height
        yield f'<g class="rh-mark" data-kind="{escaped(mark.kind)}">'
        yield f'<path class="rh-line" d="M{x:.1f} {y}V{bottom:.1f}"/>'
        yield f'<g transform="translate({x:.1f} {y})">{_SIGNS.get(mark.kind, _SIGNS[""])}</g>'
        yield f'<text x="{x + 11:.1f}" y="{y + 4}">{escaped(mark.text)}</text></g>'


def _hatch(layout: Layout) -> str:
    """A name for this picture's own hatching: that of another one in the notebook may be out of sight."""
    places = repr([(bar.x, bar.y, bar.end) for bar in layout.bars])
    return f"rh-hatch-{crc32(places.encode()):08x}"


def _draw_bar(bar: Bar, impossible: Operation | None, hatch: str) -> str:
    operation, y, width = bar.operation, bar.y, bar.end - bar.x
    kind = (
        "unknown" if operation.unknown else "failed" if operation.failed else "read" if _reads(operation) else "write"
    )
    wrong = operation is impossible
    shape = f'<rect x="{bar.x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{BAR}" rx="5"/>'
    if operation.unknown:  # open at the right
        edge = f"M{bar.end:.1f} {y:.1f}H{bar.x + 5:.1f}q-5 0-5 5v{BAR - 10}q0 5 5 5H{bar.end:.1f}"
        shape = f'<path d="{edge}" style="fill:url(#{hatch})"/>'
    sign = "✗ " if wrong or operation.failed else ""
    steps = "".join(
        f' data-{name}-step="{step}"'
        for name, step in zip(("called", "returned"), bar.steps, strict=True)
        if step is not None
    )
    return (
        f'<g class="rh-bar" data-kind="{kind}"{" data-impossible" if wrong else ""}{steps}>'
        f"<title>{escaped(f'{operation.client}: {label(operation)}')}</title>{shape}"
        f'<text x="{bar.x + 8:.1f}" y="{y + 16:.1f}">{sign}{escaped(label(operation))}</text></g>'
    )


def _reads(operation: Operation) -> bool:
    return operation.kind == "get" or operation.kind.startswith("read")


def _draw_order(layout: Layout) -> Iterator[str]:
    """The order that was found: a numbered dot on each bar, and a line from one to the next."""
    dots = sorted(
        (bar.number, bar.point, bar.y + BAR + 2) for bar in layout.bars if bar.number and bar.point is not None
    )
    if len(dots) > 1:
        yield f'<path class="rh-order" d="M{"L".join(f"{x:.1f} {y:.1f}" for _, x, y in dots)}"/>'
    for number, x, y in dots:
        half = max(8.0, 4 + 3.2 * len(str(number)))
        yield (
            f'<g class="rh-dot"><rect x="{x - half:.1f}" y="{y - 8:.1f}" width="{2 * half:.1f}" height="16" rx="8"/>'
            f'<text x="{x:.1f}" y="{y + 3.5:.1f}">{number}</text></g>'
        )


def _draw_ticks(layout: Layout) -> Iterator[str]:
    foot = layout.height - 30
    for x, said in layout.ticks:
        yield f'<path class="rh-tick" d="M{x:.1f} {foot:.1f}v5"/>'
        yield f'<text class="rh-time" x="{x:.1f}" y="{foot + 19:.1f}">{escaped(said)}</text>'


def _headline(verdict: Linearizability | None) -> str:
    if verdict is None:
        return ""
    sign, words = {
        True: ("✓", "Linearizable"),
        False: ("✗", "Not linearizable"),
        None: ("?", "Unknown within the budget"),
    }[verdict.linearizable]
    told = {
        True: f"One order explains every answer of this {verdict.model}.",
        False: verdict.reason,
        None: f"After {verdict.steps:,} steps, {len(verdict.order):,} operations could be placed, and the search was "
        "not at its end. Give it a larger budget, or a shorter history.",
    }[verdict.linearizable]
    return f'<p class="rh-verdict" data-verdict="{words.lower()}"><strong>{sign} {words}.</strong> {escaped(told)}</p>'


def _legend(layout: Layout, verdict: Linearizability | None) -> str:
    """What the signs mean; only those that occur."""
    meanings = {
        "write": "changes something",
        "read": "reads",
        "unknown": "no answer: it may have happened, or may still",
        "failed": "✗ refused: it did not happen",
    }
    kinds = dict.fromkeys(
        "unknown" if o.unknown else "failed" if o.failed else "read" if _reads(o) else "write"
        for o in (bar.operation for bar in layout.bars)
    )
    items = [
        f'<span class="rh-swatch" data-kind="{kind}"></span>{meanings[kind]}' for kind in meanings if kind in kinds
    ]
    if any(bar.number for bar in layout.bars):
        items.append('<span class="rh-swatch" data-kind="order">1</span>the order found')
    if verdict is not None and verdict.impossible is not None:
        items.append('<span class="rh-swatch" data-kind="impossible">✗</span>has no place in it')
    items.append("events stand in their order, not to scale")
    return f'<p class="rh-note rh-legend">{"".join(f"<span>{item}</span>" for item in items)}</p>'


def _in_words(layout: Layout, history: History) -> str:
    """Every operation that is drawn, as text."""
    rows = []
    for bar in sorted(layout.bars, key=lambda bar: bar.operation.called):
        o = bar.operation
        if o.unknown or o.returned is None:
            told = "no answer"
        else:
            told = f"{'refused' if o.failed else value_text(o.result)}, {history.when(o.returned)}"
        place = "" if bar.number is None else str(bar.number)
        cells = (o.client, str(o), history.when(o.called), told, place)
        rows.append("<tr>" + "".join(f"<td>{escaped(cell)}</td>" for cell in cells) + "</tr>")
    heads = "".join(f"<th>{head}</th>" for head in ("client", "asked for", "when", "was told", "place in the order"))
    return (
        f"<details><summary>The operations as a table</summary><table><thead><tr>{heads}</tr></thead>"
        f"<tbody>{''.join(rows)}</tbody></table></details>"
    )


_SIGNS = {
    "leader": '<path class="rh-sign" d="M0-7L6-3.5V3.5L0 7L-6 3.5V-3.5Z"/>',
    "crash": '<path class="rh-sign rh-bold" d="M-5-5L5 5M5-5L-5 5"/>',
    "restart": '<circle class="rh-sign" r="5.5"/>',
    "cut": '<path class="rh-sign rh-bold" d="M0-7V-2M0 2V7"/>',
    "heal": '<path class="rh-sign rh-bold" d="M0-7V7"/>',
    "": '<circle class="rh-sign rh-full" r="3"/>',
}
