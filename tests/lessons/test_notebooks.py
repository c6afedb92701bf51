"""Every lesson runs from its first cell to its last, and nothing goes wrong on the way."""

from __future__ import annotations

from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

LESSONS = sorted((Path(__file__).parents[2] / "lessons").glob("*.ipynb"))


def test_there_are_lessons() -> None:
    assert [path.stem[:2] for path in LESSONS] == [f"{number:02}" for number in range(len(LESSONS))]
    assert LESSONS


@pytest.mark.parametrize("path", LESSONS, ids=lambda path: path.stem)
def test_a_lesson_runs_without_errors_and_without_a_word_on_stderr(path: Path, tmp_path: Path) -> None:
    book = nbformat.read(path, as_version=4)

    NotebookClient(book, timeout=300, kernel_name="python3", resources={"metadata": {"path": str(tmp_path)}}).execute()

    outputs = [output for cell in book.cells for output in cell.get("outputs", [])]
    assert [output["text"] for output in outputs if output.get("name") == "stderr"] == []
