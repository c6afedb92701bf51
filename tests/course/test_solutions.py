"""Every exercise of the lessons: its solution earns all points, and a draft that nobody touched earns none."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from raft_lab.course.graded import GRADED
from raft_lab.course.solutions import SOLUTIONS, with_solution

sys.path.insert(0, str(Path(__file__).parent))
import lessons

each = pytest.mark.parametrize("graded", GRADED.values(), ids=GRADED)


def test_there_is_one_for_each_exercise() -> None:
    assert SOLUTIONS.keys() == GRADED.keys()
    assert len(GRADED) >= 15


@each
def test_the_solution_earns_all_points(graded) -> None:
    verdict = graded.exercise.check(lessons.answer(graded, with_solution(graded.name, lessons.source(graded))))
    assert verdict.passed, verdict
    assert verdict.points == graded.exercise.points > 0


@each
def test_the_draft_earns_nothing_and_is_told_why(graded) -> None:
    verdict = graded.exercise.check(lessons.answer(graded, lessons.source(graded)))
    assert not verdict.passed
    assert verdict.points == 0
    assert len(verdict.summary) > 20


def test_a_cell_without_marks_is_refused() -> None:
    with pytest.raises(ValueError, match="there are 0 of them"):
        with_solution("tally", "pass")
