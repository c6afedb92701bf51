"""Real nbgrader, end to end: the instructors' copies are sources as it wants them, and its grades are right.

generate, release, submit, autograde, feedback: each by nbgrader's own command, in a course directory of its own.
"""

from __future__ import annotations

import csv
import os
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import nbformat
import pytest

from raft_lab.course.assign import CannotAssign, assign
from raft_lab.course.graded import GRADED
from raft_lab.course.solutions import SOLUTIONS

pytestmark = pytest.mark.xdist_group("nbgrader")  # one course for all of them

LESSONS = Path(__file__).parents[2] / "lessons"
WITH_EXERCISES = list(dict.fromkeys(graded.lesson for graded in GRADED.values()))
STUB = "# YOUR CODE HERE\nraise NotImplementedError()"


GENERATE = """
import os, sys
from nbgrader.apps import NbGraderAPI
from nbgrader.coursedir import CourseDirectory

api = NbGraderAPI(CourseDirectory(root=os.getcwd()))
for name in sys.argv[1:]:
    done = api.generate_assignment(name)
    if not done["success"]:
        sys.exit(str(done))
"""


def nbgrader(course: Path, *words: str) -> str:
    """Run a command of nbgrader; what it said."""
    return run(course, "-m", "nbgrader", *words)


def run(course: Path, *words: str) -> str:
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"  # it calls alembic by name
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=course, env={**os.environ, "PATH": path}, text=True, capture_output=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def graded_in(lesson: str) -> list[Any]:
    return [graded for graded in GRADED.values() if graded.lesson == lesson]


@pytest.fixture(scope="module")
def course(tmp_path_factory: pytest.TempPathFactory) -> Path:
    if find_spec("nbgrader") is None and not os.environ.get("CI"):
        pytest.skip("nbgrader is not here: pip install nbgrader")
    folder = tmp_path_factory.mktemp("course")
    assign(LESSONS, folder, seed=4711)
    run(folder, "-c", GENERATE, *WITH_EXERCISES)  # the command of that name, once for all of them
    return folder


@pytest.mark.parametrize("lesson", WITH_EXERCISES)
def test_what_students_get_has_neither_solutions_nor_seeds(course: Path, lesson: str) -> None:
    released = nbformat.read(course / "release" / lesson / f"{lesson}.ipynb", as_version=4)
    text = "\n".join(cell.source for cell in released.cells)
    assert "SOLUTION" not in text
    assert "HIDDEN" not in text
    assert "4711" not in text
    assert text.count("raise NotImplementedError()") == len(graded_in(lesson))
    for graded in graded_in(lesson):
        cell = next(cell.source for cell in released.cells if cell.id == graded.cell)
        assert not all(line.strip() in cell for line in SOLUTIONS[graded.name].splitlines())


@pytest.mark.parametrize("lesson", WITH_EXERCISES)
def test_the_sources_pass_validation(course: Path, lesson: str) -> None:
    said = nbgrader(course, "validate", f"source/{lesson}/{lesson}.ipynb")
    assert "Success! Your notebook passes all the tests." in said


def test_a_class_is_graded_from_its_release_to_the_feedback(course: Path) -> None:
    lesson = "04-membership-changes"
    release = course / "release" / lesson / f"{lesson}.ipynb"
    hand_in(course, "nobody", lesson, release, [])
    hand_in(course, "half", lesson, release, ["has-quorum"])
    hand_in(course, "right", lesson, release, ["has-quorum", "leave-joint", "move-house"])

    nbgrader(course, "autograde", lesson)
    nbgrader(course, "generate_feedback", lesson)
    nbgrader(course, "export")

    with (course / "grades.csv").open() as file:
        rows = [row for row in csv.DictReader(file) if row["assignment"] == lesson]
    scores = {row["student_id"]: float(row["score"]) for row in rows}
    full = sum(graded.exercise.points for graded in graded_in(lesson))
    assert scores == {"nobody": 0.0, "half": GRADED["has-quorum"].exercise.points, "right": full}
    feedback = (course / "feedback" / "half" / lesson / f"{lesson}.html").read_text(encoding="utf-8")
    assert "has-quorum-points" in feedback
    assert "stderr" not in feedback


def hand_in(course: Path, student: str, lesson: str, release: Path, solved: list[str]) -> None:
    """What a student submits: the released notebook, with some of the answers written."""
    book = nbformat.read(release, as_version=4)
    for cell in book.cells:
        name = cell.metadata.get("nbgrader", {}).get("grade_id")
        if name in solved:
            at = next(line for line in cell.source.splitlines() if line.strip() == "# YOUR CODE HERE")
            indent = at[: -len("# YOUR CODE HERE")]
            stub = "\n".join(indent + line for line in STUB.splitlines())
            written = "\n".join(indent + line for line in SOLUTIONS[name].splitlines())
            cell.source = cell.source.replace(stub, written)
    folder = course / "submitted" / student / lesson
    folder.mkdir(parents=True)
    nbformat.write(book, folder / f"{lesson}.ipynb")


def test_nothing_is_written_over_and_what_is_no_lesson_is_told(tmp_path: Path) -> None:
    assign(LESSONS, tmp_path, ["01"])
    assert sorted(path.name for path in (tmp_path / "source").iterdir()) == ["01-leader-election"]
    with pytest.raises(CannotAssign, match="is there already"):
        assign(LESSONS, tmp_path, ["01-leader-election"])
    with pytest.raises(CannotAssign, match="no lesson '09' with exercises; there are 01, 02"):
        assign(LESSONS, tmp_path / "more", ["09"])
    assert not (tmp_path / "more").exists()
    shutil.rmtree(tmp_path / "source")
    with pytest.raises(CannotAssign, match="cannot be read"):
        assign(tmp_path, tmp_path / "more", ["01"])
