"""The prediction questions of the lessons, by name. Their words are in `predictions/`, one file a lesson."""

from __future__ import annotations

import tomllib
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from raft_lab.course.shows import SHOWS
from raft_lab.sim.cluster import Cluster

if TYPE_CHECKING:
    from raft_lab.view.questions import Option, Question
    from raft_lab.view.quiz import Quiz


@cache
def questions() -> dict[str, Question]:
    """Every question of every lesson."""
    lessons = sorted(files(__package__).joinpath("predictions").iterdir(), key=lambda file: file.name)
    tables = [tomllib.loads(file.read_text(encoding="utf-8")) for file in lessons if file.name.endswith(".toml")]
    return {name: _question(entry) for table in tables for name, entry in table.items()}


def _question(entry: dict[str, Any]) -> Question:
    from raft_lab.view.questions import Question

    return Question(_line(entry["question"]), tuple(_option(answer) for answer in entry["answers"]))


def _option(answer: dict[str, Any]) -> Option:
    from raft_lab.view.questions import Option

    run = SHOWS[answer["show"]] if "show" in answer else None
    return Option(_line(answer["text"]), answer.get("right", False), _line(answer["because"]), run)


def _line(text: str) -> str:
    return " ".join(text.split())


def ask(name: str, cluster: Cluster | None = None) -> Quiz:
    """The question of that name, ready to be answered.

    Args:
        name: such as "01-first".
        cluster: where an answer that has a run of its own can show it.

    Raises:
        ValueError: there is none of that name.
    """
    from raft_lab.view.quiz import Quiz

    if name not in questions():
        raise ValueError(f"there is no question {name!r}; there are {', '.join(questions())}")
    return Quiz(questions()[name], cluster)
