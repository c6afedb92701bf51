"""The exercises: the right answer passes, and each mistake is told by what it breaks."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

from raft_lab.course import ANSWER_READS, APPEND_ENTRIES, HAS_QUORUM, INSTALL_SNAPSHOT, Exercise

sys.path.insert(0, str(Path(__file__).parent))
import answers

RIGHT: list[tuple[Exercise, Any]] = [
    (APPEND_ENTRIES, answers.Replicates),
    (INSTALL_SNAPSHOT, answers.Installs),
    (HAS_QUORUM, answers.TwoMajorities),
    (ANSWER_READS, answers.AnswersFresh),
]
WRONG: list[tuple[Exercise, Any, str]] = [
    (APPEND_ENTRIES, answers.LooksOnlyAtTheIndex, "Log Matching is broken"),
    (APPEND_ENTRIES, answers.TruncatesAlways, "Commit Rule is broken"),
    (APPEND_ENTRIES, answers.AppendsTwice, "is broken"),
    (APPEND_ENTRIES, answers.KeepsConflicts, "State Machine Safety is broken"),
    (APPEND_ENTRIES, answers.CountsItsOwnTail, "The answer says that the logs match up to 0; yours says 1."),
    (APPEND_ENTRIES, answers.ObeysOldLeaders, "is broken"),
    (APPEND_ENTRIES, answers.SaysNothing, "yours sends nothing"),
    (INSTALL_SNAPSHOT, answers.GoesBackInTime, "Commit Rule is broken"),
    (INSTALL_SNAPSHOT, answers.DropsTheTail, "so what follows that entry is kept (Figure 13, step 6)"),
    (INSTALL_SNAPSHOT, answers.KeepsAnyTail, "Log Terms is broken"),
    (INSTALL_SNAPSHOT, answers.ForgetsTheMachine, "State Is the Fold is broken"),
    (HAS_QUORUM, answers.OnePot, "Election Safety is broken"),
    (HAS_QUORUM, answers.CountsLearners, "Election Safety is broken"),
    (HAS_QUORUM, answers.HalfIsEnough, "configuration is {S1, S2, S3, S4}"),
    (HAS_QUORUM, answers.Fails, "Fails failed on S"),
    (ANSWER_READS, answers.AnswersAtOnce, "Fresh Reads is broken"),
    (ANSWER_READS, answers.ForgetsItsOwnTerm, "Fresh Reads is broken"),
    (ANSWER_READS, answers.AsksAnybody, "Fresh Reads is broken"),
    (ANSWER_READS, answers.WaitsForOneMore, "with yours it gets no answer yet"),
]


@pytest.mark.parametrize(("exercise", "answer"), RIGHT, ids=lambda value: getattr(value, "__name__", ""))
def test_the_right_answer_gets_all_points(exercise: Exercise, answer: Any) -> None:
    verdict = exercise.check(answer)

    assert verdict.passed, str(verdict)
    assert verdict.points == exercise.points


@pytest.mark.parametrize(
    ("exercise", "answer", "said"), WRONG, ids=lambda value: getattr(value, "__name__", "")[:30] or "said"
)
def test_a_mistake_gets_no_points_and_is_told(exercise: Exercise, answer: Any, said: str) -> None:
    verdict = exercise.check(answer)

    assert not verdict.passed
    assert verdict.points == 0
    assert said in str(verdict)
