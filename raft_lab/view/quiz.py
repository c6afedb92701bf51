"""Prediction questions: choose, and be told why. They work without a kernel, and record nothing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import anywidget
import traitlets

from raft_lab.view.lab import STATIC, bundle


@dataclass(frozen=True, slots=True)
class Option:
    """One possible answer, whether it is right, and what to say to who chooses it."""

    text: str
    right: bool
    because: str


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its possible answers, at least one of them right."""

    text: str
    options: tuple[Option, ...]

    def __post_init__(self) -> None:
        if not any(option.right for option in self.options):
            raise ValueError(f"no answer to {self.text!r} is right")


class Quiz(anywidget.AnyWidget):
    """A question on screen. `chosen` is the number of the answer chosen last, counted from 0, or -1."""

    _esm = bundle("quiz.js")
    _css = STATIC / "quiz.css"

    question = traitlets.Unicode().tag(sync=True)
    answers: Any = traitlets.List().tag(sync=True)
    chosen = traitlets.Int(-1).tag(sync=True)

    def __init__(self, question: Question) -> None:
        answers = [{"text": o.text, "right": o.right, "because": o.because} for o in question.options]
        super().__init__(question=question.text, answers=answers)

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        listed = "\n".join(f"  ( ) {answer['text']}" for answer in self.answers)
        words = {"text/plain": f"{self.question}\n{listed}"}
        bundle = super()._repr_mimebundle_(**kwargs)
        if isinstance(bundle, tuple):
            return ({**bundle[0], **words}, *bundle[1:])
        return {**bundle, **words} if isinstance(bundle, dict) else bundle
