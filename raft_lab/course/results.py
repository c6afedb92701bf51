"""What grading came to: one object, from which every table, file and page is made."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from raft_lab.course.graded import title_of
from raft_lab.raft.errors import RaftLabError
from raft_lab.sim.files import Unreadable, read_whole, write_whole

FORMAT, VERSION = "raft_lab grades", 1
UNREAD = "notebook"
"""What stands in place of an exercise where a whole notebook could not be read."""


@dataclass(frozen=True, slots=True)
class Mark:
    """What one answer earned, and why. There is no time in it, so that the same answer gives the same mark.

    Attributes:
        exercise: its name.
        points: what was earned.
        max_points: what could be.
        passed: whether the answer is right, as far as the checks look.
        summary: the verdict in one sentence.
        layer: which layer of the check caught it, or ''.
        states: in how many situations, states or actions.
        property: what it breaks in a run, by its name, or ''.
        rule: the rule that decides, with its section, or ''.
        situation: the smallest situation in which it differs from the rule, or ''.
        expected: what the rule says there.
        found: what the answer does there.
        steps: the minimal run that shows it, a sentence a step.
        run: the same run as the browser plays it, or None.
        looked: how far the checks have looked.
        note: what else should be known, such as that a cell was there twice.
        notebook: in which file the answer stood.
    """

    exercise: str
    points: float
    max_points: float
    passed: bool
    summary: str
    layer: str = ""
    states: int = 0
    property: str = ""
    rule: str = ""
    situation: str = ""
    expected: str = ""
    found: str = ""
    steps: tuple[str, ...] = ()
    run: Mapping[str, Any] | None = None
    looked: str = ""
    note: str = ""
    notebook: str = ""


@dataclass(frozen=True, slots=True)
class Result:
    """One student's marks.

    Attributes:
        student: by what the submission is filed.
        key: differs between different submissions, graders, seeds and sets of exercises.
        marks: one for each exercise, in the order of the lessons.
        unread: what could not be read, and why.
    """

    student: str
    key: str
    marks: tuple[Mark, ...]
    unread: tuple[str, ...] = ()

    @property
    def points(self) -> float:
        """What was earned in all."""
        return sum(mark.points for mark in self.marks)

    @property
    def max_points(self) -> float:
        """What could be."""
        return sum(mark.max_points for mark in self.marks)

    def text(self) -> str:
        """All of it as JSON; equal results are equal texts."""
        content = {"format": FORMAT, "version": VERSION, **dataclasses.asdict(self)}
        return json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n"

    def save(self, path: str | PathLike[str]) -> Path:
        """Write it; the file appears whole or not at all."""
        return write_whole(path, self.text())

    @classmethod
    def load(cls, path: str | PathLike[str]) -> Result:
        """Read a result back.

        Raises:
            RaftLabError: it is none.
        """
        try:
            content = json.loads(read_whole(path))
            if content.pop("format") != FORMAT or content.pop("version") != VERSION:
                raise RaftLabError(f"{path} holds no grades that this raft_lab reads")
            marks = tuple(Mark(**{**mark, "steps": tuple(mark["steps"])}) for mark in content.pop("marks"))
            return cls(marks=marks, unread=tuple(content.pop("unread")), **content)
        except FileNotFoundError:
            raise RaftLabError(f"there is no file {path}") from None
        except (Unreadable, ValueError, KeyError, TypeError, AttributeError) as error:
            raise RaftLabError(f"{path} holds no grades, or is damaged: {error}"[:300]) from None

    def gradescope(self) -> str:
        """The same as Gradescope's `results.json`: a test for each exercise."""
        tests = [
            {
                "name": f"{title_of(mark.exercise)} ({mark.exercise})",
                "score": mark.points,
                "max_score": mark.max_points,
                "status": "passed" if mark.passed else "failed",
                "output": "\n".join(told(mark)),
                "visibility": "visible",
            }
            for mark in self.marks
        ]
        text = "\n".join(self.unread)
        return json.dumps({"score": self.points, "output": text, "tests": tests}, indent=1, ensure_ascii=False) + "\n"


def told(mark: Mark) -> Iterator[str]:
    """A mark in lines of plain text."""
    yield mark.summary
    if mark.situation:
        yield f"{mark.situation} {mark.expected} {mark.found}"
    if mark.rule:
        yield f"Rule: {mark.rule}"
    yield from mark.steps
    yield from (line for line in (mark.note, mark.looked) if line)


@dataclass(frozen=True)
class Results:
    """A whole class."""

    results: tuple[Result, ...]

    @property
    def exercises(self) -> tuple[str, ...]:
        """All that were graded, in the order of the lessons."""
        return tuple(dict.fromkeys(mark.exercise for result in self.results for mark in result.marks))

    def csv(self) -> str:
        """A line for each student: points for each exercise, and in all; and which notebooks could not be read."""
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["student", *self.exercises, "points", "max_points", "total", "unread"])
        for result in self.results:
            points = {mark.exercise: mark.points for mark in result.marks}
            share = result.points / result.max_points if result.max_points else 0.0
            row = [_cell(result.student), *(_number(points.get(name, 0)) for name in self.exercises)]
            row += [_number(result.points), _number(result.max_points), f"{100 * share:.1f}%"]
            table.writerow([*row, _cell(" ".join(result.unread))])
        return out.getvalue()

    def failures(self) -> list[tuple[str, str, str, int]]:
        """Who failed what: exercise, property or rule, layer, and how many students; the most frequent first.

        Notebooks that could not be read come first, each once, under the name `UNREAD`.
        """
        counted = Counter(
            (mark.exercise, why(mark), mark.layer or "–")
            for result in self.results
            for mark in result.marks
            if not mark.passed and mark.summary not in result.unread  # which is told once, by itself
        )
        counted.update((UNREAD, reason, "–") for result in self.results for reason in result.unread)
        order = {name: number for number, name in enumerate((UNREAD, *self.exercises))}
        rows = [(*key, count) for key, count in counted.items()]
        return sorted(rows, key=lambda row: (order[row[0]], -row[3], row[1], row[2]))

    def students_who(self, exercise: str, reason: str) -> list[str]:
        """Whose answer to an exercise failed for a reason of `failures()`."""
        if exercise == UNREAD:
            return [result.student for result in self.results if reason in result.unread]
        return [
            result.student
            for result in self.results
            for mark in result.marks
            if mark.exercise == exercise and not mark.passed and why(mark) == reason
        ]

    def table(self) -> str:
        """Who failed which property, as CSV: exercise, its title, reason, layer, number of students, their names."""
        out = io.StringIO()
        table = csv.writer(out, lineterminator="\n")
        table.writerow(["exercise", "title", "property or rule", "caught by", "students", "who"])
        for exercise, reason, layer, count in self.failures():
            names = ", ".join(self.students_who(exercise, reason))
            table.writerow([exercise, title_of(exercise), _cell(reason), layer, count, _cell(names)])
        return out.getvalue()


def why(mark: Mark) -> str:
    """What was wrong: a property that is broken, else a rule, else the verdict's sentence."""
    return mark.property or mark.rule or mark.summary


def _number(points: float) -> str:
    return f"{points:g}"


def _cell(text: str) -> str:
    """A text that no spreadsheet takes for a formula."""
    return "'" + text if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def load_all(folder: str | PathLike[str], students: Sequence[str]) -> Results:
    """The results of these students, as `grade` has left them in a folder."""
    return Results(tuple(Result.load(Path(folder) / f"{student}.json") for student in students))
