"""Exercises whose answer is one plain function: it is tried in one small case after the other."""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from raft_lab.course.exercises import SITUATIONS, Verdict
from raft_lab.course.printing import prints_little
from raft_lab.raft.core import where_it_failed
from raft_lab.raft.errors import HandlerError
from raft_lab.raft.guard import bounded


@dataclass
class FunctionExercise:
    """Write one function.

    Attributes:
        name: of the function.
        cases: makes the cases, the smallest first. Each takes the function and says what is wrong with what it
            gives, or ''. The number chooses what is drawn at random.
        right: the verdict on a right answer, in one sentence.
        points: what it is worth to a course.
    """

    name: str
    cases: Callable[[int], Iterator[Callable[[Callable[..., Any]], str]]]
    right: str
    points: float = 3.0

    @prints_little
    def check(self, answer: Callable[..., Any], *, seed: int = 0) -> Verdict:
        """Say whether the function is right, and if not, show the smallest case in which it is wrong.

        Args:
            answer: the function.
            seed: chooses the cases that are drawn at random.
        """
        if not callable(answer) or isinstance(answer, type):
            return Verdict(False, f"Give check() your function {self.name}.")
        tried = 0
        for case in self.cases(seed):
            tried += 1
            wrong = self._tried(answer, case)
            if wrong:
                return Verdict(False, wrong, layer=SITUATIONS, states=tried)
        return Verdict(True, self.right, looked=f"Looked at {tried:,} cases.", points=self.points)

    def _tried(self, answer: Callable[..., Any], case: Callable[[Callable[..., Any]], str]) -> str:
        watched = type(self.name, (), {self.name: staticmethod(answer), "__module__": "__main__"})
        said: list[str] = []
        asked: list[str] = []

        @functools.wraps(answer)
        def noted(*arguments: Any) -> Any:
            asked[:] = (f"{argument!r:.200}" for argument in arguments)
            return answer(*arguments)

        try:
            bounded(watched, "your function", lambda: said.append(case(noted)))
        except HandlerError as error:
            return str(error)
        except Exception as error:
            return f"{self.name}({', '.join(asked)}) fails: {where_it_failed(error)}"[:600]
        return said[0]
