"""A run as one web page that plays, scrubs and compares its branches offline: no Python, no server, no network."""

from __future__ import annotations

import json
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from raft_lab.sim.cluster import Cluster
from raft_lab.sim.files import write_whole
from raft_lab.view import frames, picture
from raft_lab.view.assets import bundle, styles

_PAGE = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="generator" content="raft_lab">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; script-src 'unsafe-inline'; \
style-src 'unsafe-inline'; img-src data: blob:">
<title>{title}</title>
<style>
:root {{ color-scheme: light dark; }}
body {{ margin: 0; padding: 12px; background: Canvas; color: CanvasText; }}
main {{ max-width: 1280px; margin: auto; }}
{styles}
</style>
<main>
{body}
</main>
{runs}"""

_RUNS = """<script type="application/json" id="tapes">{state}</script>
<script type="module">
{code}
const {{ tapes, options }} = JSON.parse(document.getElementById("tapes").textContent);
function play(el) {{
  const state = {{ tape: tapes[el.dataset.run], options }};
  const model = {{ get: (name) => state[name], set() {{}}, on() {{}}, off() {{}}, send() {{}}, comm_live: false }};
  instrument.render({{ model, el }});
}}
for (const el of document.querySelectorAll("[data-run]")) {{
  const details = el.closest("details");
  if (details === null || details.open) play(el);
  else details.addEventListener("toggle", () => play(el), {{ once: true }});
}}
</script>
"""


def recording(cluster: Cluster, *, title: str = "") -> dict[str, Any]:
    """The whole tape, all branches included, as plain JSON, open at the present step."""
    return {
        "packed": frames.Recording(cluster).packed(),
        "cursor": cluster.now.id,
        "title": title,
        "names": frames.names(cluster.tape),
    }


def with_runs(title: str, body: str, tapes: Sequence[dict[str, Any]], *, style: str = "") -> str:
    """A page of text in which runs play, each in its `<div data-run="0">`, counted from 0; once its details are open.

    Args:
        title: of the page.
        body: HTML, with everything in it escaped that is not the page's own.
        tapes: what `recording` gives, one for each such place.
        style: a style sheet for the text.
    """
    state = {"tapes": list(tapes), "options": {"rules": frames.rule_book(), "recording": True}}
    runs = _RUNS.format(state=_in_script(state), code=_instrument()) if tapes else ""
    sheet = styles() + style if tapes else style
    return _PAGE.format(title=picture.escaped(title), styles=sheet, body=body, runs=runs)


def html(cluster: Cluster, *, title: str = "") -> str:
    """The page: the whole tape, all branches included, open at the present step."""
    body = f'<div data-run="0"><noscript><pre>{picture.escaped(picture.text(cluster))}</pre></noscript></div>'
    return with_runs(title or "A run of Raft", body, [recording(cluster, title=title)])


def _in_script(state: dict[str, Any]) -> str:
    return json.dumps(state, ensure_ascii=False).replace("<", "\\u003c")


def _instrument() -> str:
    """The browser's half, as `instrument`."""
    return bundle("lab.js").replace("export default {", "const instrument = {").replace("</script", "<\\/script")


def save(path: str | PathLike[str], cluster: Cluster, *, title: str = "") -> Path:
    """Write the page. The file appears whole or not at all."""
    return write_whole(path, html(cluster, title=title))
