"""Every lesson runs from its first cell to its last, and nothing goes wrong on the way."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

LESSONS = sorted((Path(__file__).parents[2] / "lessons").glob("*.ipynb"))


GRADED = {"schema_version": int, "grade": bool, "solution": bool, "locked": bool, "grade_id": str}


def test_there_are_lessons_each_with_a_number_of_its_own() -> None:
    numbers = [path.stem[:2] for path in LESSONS]
    assert len(set(numbers)) == len(numbers) > 0
    assert numbers[0] == "00"


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_is_stored_clean_and_its_graded_cells_are_as_nbgrader_has_them(path: Path) -> None:
    cells = nbformat.read(path, as_version=4).cells
    graded = [cell.metadata["nbgrader"] for cell in cells if "nbgrader" in cell.metadata]

    assert not any(cell.get("outputs") or cell.get("execution_count") for cell in cells)
    assert len({cell.id for cell in cells}) == len(cells)
    assert [{key: type(cell.get(key)) for key in GRADED} for cell in graded] == [GRADED] * len(graded)
    assert all(cell.keys() <= {*GRADED, "points"} and ("points" in cell) == cell["grade"] for cell in graded)
    assert len({cell["grade_id"] for cell in graded}) == len(graded)


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_without_errors_and_without_a_word_on_stderr(path: Path, tmp_path: Path) -> None:
    book = nbformat.read(path, as_version=4)

    NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()

    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert [output["text"] for output in outputs if output.get("name") == "stderr"] == []
