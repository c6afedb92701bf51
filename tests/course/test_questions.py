"""The predictions: each can be answered rightly and wrongly, and what an answer shows is what it says."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from raft_lab import Cluster, check_linearizable
from raft_lab.course import ask
from raft_lab.course.questions import questions
from raft_lab.course.shows import SHOWS
from raft_lab.sim import stages

LESSONS = Path(__file__).parents[2] / "lessons"


@pytest.mark.parametrize("name", questions())
def test_every_answer_is_explained_and_exactly_one_is_right(name: str) -> None:
    options = questions()[name].options

    assert [option.right for option in options].count(True) == 1
    assert len(options) >= 3
    assert all(len(option.because) > 20 for option in options)


def test_every_question_is_asked_in_its_lesson() -> None:
    text = {path.name[:2]: path.read_text(encoding="utf-8") for path in LESSONS.glob("*.ipynb")}

    assert [name for name in questions() if f'ask(\\"{name}\\"' not in text.get(name[:2], "")] == []


def test_an_unknown_question_is_refused_with_the_names_that_there_are() -> None:
    with pytest.raises(ValueError, match="there is no question '01-fist'; there are 01-first"):
        ask("01-fist")


WHAT_IT_LEADS_TO: dict[str, tuple[Callable[[], Cluster], Callable[[Cluster], bool]]] = {
    "lost with the leader": (
        stages.led,
        lambda c: c.leader != "S1" and all("set x 1" not in str(c[s].log) for s in ("S2", "S3", "S4", "S5")),
    ),
    "no consistency check": (
        stages.log_conflict,
        lambda c: [broken.invariant for _, broken in c.violations] == ["Log Matching"],
    ),
    "an old term is counted": (
        stages.figure_8,
        lambda c: "Leader Completeness" in {broken.invariant for _, broken in c.violations},
    ),
    "a tail that does not fit": (
        stages.stray_tail,
        lambda c: [broken.invariant for _, broken in c.violations] == ["Log Terms"],
    ),
    "a snapshot without sessions": (
        stages.with_a_session,
        lambda c: "Snapshot Is the Prefix" in {broken.invariant for _, broken in c.violations},
    ),
    "two majorities": (
        stages.half_switched,
        lambda c: "Election Safety" in {broken.invariant for _, broken in c.violations},
    ),
    "a change without a commit": (
        stages.two_single_changes,
        lambda c: "State Machine Safety" in {broken.invariant for _, broken in c.violations},
    ),
    "answers from memory": (stages.deposed, lambda c: check_linearizable(c).linearizable is False),
    "no round of heartbeats": (
        stages.deposed,
        lambda c: "Fresh Reads" in {broken.invariant for _, broken in c.violations},
    ),
    "commands twice": (stages.answer_lost, lambda c: c["S2"].machine.data["x"] == "11"),
    "a majority of the union": (
        stages.half_joint,
        lambda c: "Election Safety" in {broken.invariant for _, broken in c.violations},
    ),
}


@pytest.mark.parametrize("name", SHOWS)
def test_what_an_answer_shows_is_what_it_says(name: str) -> None:
    stage, is_so = WHAT_IT_LEADS_TO[name]
    cluster = stage()

    SHOWS[name](cluster)

    assert is_so(cluster), cluster.history


def test_a_show_can_be_asked_for_on_screen_and_leaves_the_learners_run_as_a_branch() -> None:
    cluster = stages.log_conflict()
    cluster.crash("S3")
    mine = cluster.now
    quiz = ask("02-conflict", cluster)

    quiz._handle_custom_msg({"do": "run", "answer": 0}, [])

    assert cluster.violations
    assert mine in cluster.branches
