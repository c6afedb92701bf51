"""Prediction questions as values: what is asked, what one may answer, and what to say to each answer."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from raft_lab.sim.cluster import Cluster


@dataclass(frozen=True, slots=True)
class Option:
    """One possible answer.

    Attributes:
        text: the answer.
        right: whether it is right.
        because: what to say to who chooses it.
        run: shows on a cluster what happens then, or what would have to happen for it to be so.
    """

    text: str
    right: bool
    because: str
    run: Callable[[Cluster], Any] | None = None


@dataclass(frozen=True, slots=True)
class Question:
    """A question with its possible answers, at least one of them right."""

    text: str
    options: tuple[Option, ...]

    def __post_init__(self) -> None:
        if not any(option.right for option in self.options):
            raise ValueError(f"no answer to {self.text!r} is right")
