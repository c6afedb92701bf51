"""Results as web pages: one for each student, in which the runs that broke an answer play, and one for the class.

The pages need nothing from anywhere, and hold nothing that a student wrote but as text.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from os import PathLike
from pathlib import Path
from typing import Any
from urllib.parse import quote

from raft_lab.course.exercises import EXPLORATION, SITUATIONS, WALKS
from raft_lab.course.graded import title_of
from raft_lab.course.results import Mark, Result, Results
from raft_lab.sim.files import write_whole

FEW = 5
"""More names than these are folded in the table of the class."""
_STYLE = """
.report { font: 16px/1.5 system-ui, sans-serif; max-width: 960px; margin: auto; }
.report > table { border-collapse: collapse; margin: 12px 0; }
.report > table th, .report > table td { text-align: left; padding: 4px 12px 4px 0; vertical-align: top; }
.report > table th, .report > table td { border-bottom: 1px solid GrayText; }
.report td.points { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap; }
.report > table td.who { min-width: 12em; }
.report > table th { vertical-align: bottom; }
.report > table th.upright { writing-mode: vertical-rl; transform: rotate(180deg); padding: 6px 0 4px 6px; }
.report > section { border-left: 4px solid #0072B2; padding: 2px 16px; margin: 24px 0; }
.report > section.passed { border-color: #009E73; }
.report > section.failed { border-color: #D55E00; }
.report > section > blockquote { margin: 8px 0; padding-left: 12px; border-left: 2px solid GrayText; }
.report .aside { font-size: 14px; opacity: .8; }
.report > section > details > summary { cursor: pointer; padding: 4px 0; }
"""


def student_page(result: Result) -> str:
    """One student's report, as HTML."""
    from raft_lab.view import page

    runs: list[dict[str, Any]] = []
    sections = "\n".join(_section(mark, runs) for mark in result.marks)
    unread = "".join(f"<p><strong>{escape(line)}</strong></p>" for line in result.unread)
    rows = "".join(
        f"<tr><td>{_sign(mark)}</td><td><a href='#{escape(mark.exercise)}'>{escape(title_of(mark.exercise))}</a></td>"
        f"<td class='points'>{_of(mark.points, mark.max_points)}</td></tr>"
        for mark in result.marks
    )
    body = f"""<div class="report">
<h1>{escape(result.student)}: {_of(result.points, result.max_points)} points</h1>
{unread}<table><tr><th></th><th>Exercise</th><th>Points</th></tr>{rows}</table>
{sections}
</div>"""
    return page.with_runs(f"{result.student}: Raft", body, runs, style=_STYLE)


def _section(mark: Mark, runs: list[dict[str, Any]]) -> str:
    name = title_of(mark.exercise)
    parts = [f"<h2>{_sign(mark)} {escape(name)}: {_of(mark.points, mark.max_points)}</h2>"]
    parts.append(f"<p><strong>{escape(mark.summary)}</strong></p>")
    if mark.situation:
        differs = f"{escape(mark.situation)}<br>{escape(mark.expected)} {escape(mark.found)}"
        parts.append(f"<blockquote>{differs}</blockquote>")
    if mark.rule:
        parts.append(f"<p><em>{escape(mark.rule)}</em></p>")
    if mark.steps:
        steps = "".join(f"<li>{escape(step.split('. ', 1)[-1])}</li>" for step in mark.steps)
        parts.append(f"<p>A run that shows it:</p><ol>{steps}</ol>")
    if mark.run is not None:
        parts.append(f'<details><summary>Play it</summary><div data-run="{len(runs)}"></div></details>')
        runs.append(dict(mark.run))
    asides = (mark.looked, mark.note, _caught(mark), mark.notebook and f"From {mark.notebook}.")
    parts += [f"<p class='aside'>{escape(aside)}</p>" for aside in asides if aside]
    kind = "passed" if mark.passed else "failed"
    return f'<section class="{kind}" id="{escape(mark.exercise)}">' + "".join(parts) + "</section>"


def class_page(results: Results, links: Mapping[str, str]) -> str:
    """The class: who has how much, and who failed which property. `links` lead to students' reports."""
    from raft_lab.view import page

    heads = "".join(
        f"<th class='upright' title='{escape(title_of(name))}'>{escape(name)}</th>" for name in results.exercises
    )
    rows = "".join(_row(results, result, links.get(result.student, "")) for result in results.results)
    failures = "".join(
        f"<tr><td>{escape(title_of(exercise))}</td><td>{escape(reason)}</td><td>{escape(layer)}</td>"
        f"<td class='points'>{count}</td><td class='who'>{_who(results.students_who(exercise, reason))}</td></tr>"
        for exercise, reason, layer, count in results.failures()
    )
    body = f"""<div class="report">
<h1>{len(results.results)} submissions</h1>
<h2>Who failed what</h2>
<table>
<tr><th>Exercise</th><th>Property or rule</th><th>Caught by</th><th>Students</th><th>Who</th></tr>
{failures}</table>
<h2>Points</h2>
<table><tr><th>Student</th>{heads}<th>Points</th></tr>{rows}</table>
</div>"""
    return page.with_runs("Grades", body, [], style=_STYLE)


def _who(students: Sequence[str]) -> str:
    names = escape(", ".join(students))
    if len(students) <= FEW:
        return names
    return f"<details><summary>{escape(students[0])} and {len(students) - 1} more</summary>{names}</details>"


def _row(results: Results, result: Result, link: str) -> str:
    name = escape(result.student)
    who = f'<a href="{escape(link)}">{name}</a>' if link else name
    points = {mark.exercise: mark.points for mark in result.marks}
    cells = "".join(f"<td class='points'>{points.get(exercise, 0):g}</td>" for exercise in results.exercises)
    return f"<tr><td>{who}</td>{cells}<td class='points'>{_of(result.points, result.max_points)}</td></tr>"


def _sign(mark: Mark) -> str:
    return "✓" if mark.passed else "✗"


def _of(points: float, most: float) -> str:
    return f"{points:g} of {most:g}"


def _caught(mark: Mark) -> str:
    if mark.passed or not mark.layer:
        return ""
    return f"Caught by {mark.layer}, after {mark.states:,} {_COUNTED.get(mark.layer, 'of them')}."


_COUNTED = {SITUATIONS: "of them", EXPLORATION: "states", WALKS: "actions"}


# --- Files -------------------------------------------------------------------------------------------


def write_reports(results: Results, folder: str | PathLike[str]) -> Path:
    """A page for each student, and index.html for the class. Each file appears whole or not at all."""
    into = Path(folder)
    into.mkdir(parents=True, exist_ok=True)
    for result in results.results:
        write_whole(into / f"{result.student}.html", student_page(result))
    links = {result.student: quote(f"{result.student}.html") for result in results.results}
    return write_whole(into / "index.html", class_page(results, links))


def write_gradescope(results: Results, folder: str | PathLike[str], *, alone: bool = False) -> Path:
    """Gradescope's `results.json`: in a folder for each student, or, of one `alone`, right there."""
    into = Path(folder)
    for result in results.results:
        place = into if alone else into / result.student
        place.mkdir(parents=True, exist_ok=True)
        write_whole(place / "results.json", result.gradescope())
    return into
