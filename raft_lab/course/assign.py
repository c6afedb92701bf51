"""Assignments made of the lessons: students' copies, and instructors', which are sources for nbgrader.

    OUT/students/01-leader-election.ipynb             the lesson as it is, with its drafts; all that leads to it, too
    OUT/source/01-leader-election/….ipynb             for nbgrader: the solutions between its delimiters, hidden seeds
    OUT/nbgrader_config.py

A draft that a student improves would be replaced by nbgrader as a solution is; so in an instructor's copy it is a
comment, and the solution stands behind it.
"""

from __future__ import annotations

import copy
import json
import re
from collections.abc import Collection
from pathlib import Path
from typing import Any

from raft_lab.course.graded import GRADED, Graded
from raft_lab.course.solutions import BEGIN, END, SOLUTIONS
from raft_lab.raft.errors import RaftLabError
from raft_lab.sim.files import refuse_unwritable, write_whole

CONFIG = """\
# Made by `raft-lab assign`. See https://nbgrader.readthedocs.io
c = get_config()
c.CourseDirectory.course_id = "raft"
c.ExecutePreprocessor.timeout = 300  # seconds a cell; the slowest of the lessons takes a few
"""


class CannotAssign(RaftLabError):
    """What was asked for cannot be made, and why."""


def assign(lessons: Path, out: Path, wanted: Collection[str] = (), seed: int = 0) -> list[Path]:
    """Write students' and instructors' copies.

    Args:
        lessons: the folder with the lessons.
        out: where to write; it is made if it is not there. What is there already is not written over.
        wanted: which lessons, by number ("01") or name; if empty, all, and to students also those without exercises.
        seed: chooses what the checks of the instructors' copies draw at random; students' copies have 0.

    Returns:
        What was written of lessons.

    Raises:
        CannotAssign: there is no such lesson, or something is there already, or the seed is below 0.
    """
    if seed < 0:
        raise CannotAssign("the seed is a number from 0 on")
    refuse_unwritable(out, folder=True)
    made: dict[Path, str] = {}
    for name in _chosen(wanted):
        path = lessons / f"{name}.ipynb"
        try:
            notebook = json.loads(path.read_text(encoding="utf-8"))
        except (OSError, ValueError) as error:
            raise CannotAssign(f"the lesson {path} cannot be read: {error}") from None
        made[out / "students" / path.name] = _text(notebook)
        made[out / "source" / name / path.name] = _text(for_instructors(notebook, name, seed))
    for path in () if wanted else sorted((*lessons.glob("*.ipynb"), *lessons.glob("*.md"))):  # without exercises
        made.setdefault(out / "students" / path.name, path.read_text(encoding="utf-8"))
    if there := sorted(str(path) for path in made if path.exists()):
        raise CannotAssign(f"{there[0]} is there already; name another folder, or move it away")
    for path, text in made.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, text)
    if not (out / "nbgrader_config.py").exists():
        write_whole(out / "nbgrader_config.py", CONFIG)
    return list(made)


def _chosen(wanted: Collection[str]) -> list[str]:
    known = list(dict.fromkeys(graded.lesson for graded in GRADED.values()))
    unknown = [one for one in wanted if not any(name == one or name.split("-")[0] == one for name in known)]
    if unknown:
        numbers = ", ".join(name.split("-")[0] for name in known)
        raise CannotAssign(f"there is no lesson {unknown[0]!r} with exercises; there are {numbers}")
    return [name for name in known if not wanted or name in wanted or name.split("-")[0] in wanted]


def for_instructors(notebook: dict[str, Any], lesson: str, seed: int = 0) -> dict[str, Any]:
    """A source for nbgrader: the notebook with solutions between nbgrader's delimiters, and hidden seeds.

    Args:
        notebook: the lesson; it is not changed.
        lesson: its name, without ".ipynb".
        seed: what the checks of graded cells draw their random runs by; hidden from students unless it is 0.
    """
    made = copy.deepcopy(notebook)
    cells = {cell["id"]: cell for cell in made["cells"]}
    for graded in GRADED.values():
        if graded.lesson == lesson:
            answer = cells[graded.cell]
            answer["source"] = _lines(_solved(graded, "".join(answer["source"])))
            points = next(c for c in made["cells"] if _grade_id(c) == f"{graded.name}-points")
            points["source"] = _lines(_seeded("".join(points["source"]), seed))
    return made


def _solved(graded: Graded, cell: str) -> str:
    """The answer's cell: the draft as a comment, then the solution."""
    lines = cell.splitlines()
    first, last = (next(n for n, line in enumerate(lines) if line.strip() == mark) for mark in (BEGIN, END))
    indent = lines[first].removesuffix(BEGIN)
    draft = [line.removeprefix(indent) for line in lines[first + 1 : last] if line.strip()]
    told = ["# A draft:", *(f"#     {line}" for line in draft)] if draft else []
    solution = ["# BEGIN SOLUTION", *SOLUTIONS[graded.name].splitlines(), "# END SOLUTION"]
    written = [(indent + line).rstrip() for line in told + solution]
    return "\n".join([*lines[:first], *written, *lines[last + 1 :]])


def _seeded(cell: str, seed: int) -> str:
    if not seed:
        return cell
    call = re.sub(r"\.check\((\w+)\)", r".check(\1, seed=seed)", cell)
    return f"seed = 0\n# BEGIN HIDDEN TESTS\nseed = {seed}\n# END HIDDEN TESTS\n{call}"


def _grade_id(cell: dict[str, Any]) -> str:
    return str(cell["metadata"].get("nbgrader", {}).get("grade_id", ""))


def _lines(source: str) -> list[str]:
    return source.splitlines(keepends=True)


def _text(notebook: dict[str, Any]) -> str:
    return json.dumps(notebook, indent=1, ensure_ascii=False, sort_keys=True) + "\n"
