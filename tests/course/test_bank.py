"""The bank of answers: what is right passes however it is written, and every mistake is caught and told."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from raft_lab.course.graded import GRADED

sys.path.insert(0, str(Path(__file__).parent))
from right import RIGHT
from wrong import WRONG
from wrong_second import MISSED_AT_FIRST, WRONG_TOO

import lessons

ALL_WRONG = {name: WRONG[name] | WRONG_TOO.get(name, {}) for name in WRONG}
PARTLY = {"invariant"}
"""Exercises whose points can be earned in part."""


def each(bank: dict[str, dict[str, str]]):
    rows = [(name, title) for name, titles in bank.items() for title in titles]
    return pytest.mark.parametrize(("name", "title"), rows, ids=[f"{name}: {title}" for name, title in rows])


@each(RIGHT)
def test_a_right_answer_that_looks_different_passes(name: str, title: str) -> None:
    exercise = GRADED[name].exercise
    verdict = exercise.check(lessons.handed_in(GRADED[name], RIGHT[name][title]))
    assert verdict.passed, verdict
    assert verdict.points == exercise.points


@each(ALL_WRONG)
def test_a_wrong_answer_is_caught_and_told(name: str, title: str) -> None:
    exercise = GRADED[name].exercise
    verdict = exercise.check(lessons.handed_in(GRADED[name], ALL_WRONG[name][title]))
    assert not verdict.passed
    assert verdict.points == 0 or (name in PARTLY and verdict.points < exercise.points)
    assert len(verdict.summary) > 10


def test_there_are_enough_of_both_and_for_every_exercise() -> None:
    assert sum(map(len, RIGHT.values())) >= 12
    assert sum(map(len, WRONG.values())) >= 60
    assert WRONG.keys() == GRADED.keys()
    assert sum(map(len, WRONG_TOO.values())) == 30
    assert all(title in WRONG_TOO[name] for name, title in MISSED_AT_FIRST)
    assert not any(WRONG[name].keys() & titles.keys() for name, titles in WRONG_TOO.items())
