"""What stands in a lesson's cell, as a learner would hand it in."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Any

import nbformat

from raft_lab.course.graded import Graded
from raft_lab.course.solutions import between

LESSONS = Path(__file__).parents[2] / "lessons"


def source(graded: Graded) -> str:
    """The draft in the lesson."""
    return next(cell.source for cell in _cells(graded) if cell.id == graded.cell)


def answer(graded: Graded, cell: str) -> Any:
    """What `cell` defines, run where the draft stands: after the cells that prepare it, and without the check."""
    names: dict[str, Any] = {"__name__": "__main__"}
    setups = [c.source for c in _cells(graded) if c.cell_type == "code" and c.id.endswith("-setup")]
    definitions = ast.parse(cell)
    definitions.body = [node for node in definitions.body if not isinstance(node, ast.Expr)]
    for code in [*setups, definitions]:
        exec(compile(code, f"<{graded.name}>", "exec"), names)
    return names[graded.defines]


def handed_in(graded: Graded, written: str) -> Any:
    """The answer with `written` between the marks, or, if that is a whole definition, in their place."""
    whole = any(line.startswith(("class ", f"def {graded.defines}(")) for line in written.splitlines())
    return answer(graded, written if whole else between(source(graded), written))


def _cells(graded: Graded) -> list[Any]:
    return nbformat.read(LESSONS / f"{graded.lesson}.ipynb", as_version=4).cells
