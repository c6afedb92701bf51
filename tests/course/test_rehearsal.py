"""What is Raft's own is not asked of an answer, and what was found out with Raft is not found out again: same marks."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from textwrap import dedent, indent

import pytest

from raft_lab import Server
from raft_lab.course import REQUEST_VOTE
from raft_lab.course.graded import GRADED
from raft_lab.course.marking import grade_submission, mark_of
from raft_lab.course.rehearsal import rehearsed
from raft_lab.course.sandbox import Sandbox
from raft_lab.course.worker import _is_plain

sys.path.insert(0, str(Path(__file__).parent))
from handed_in import RIGHT, submission

pytestmark = pytest.mark.skipif(os.name != "posix", reason="answers are graded on Linux or macOS")

SAME_CANDIDATE_TWICE = RIGHT["request-vote"].replace("in (None, m.src)", "is None")
"""Differs from Raft in one thing: who has its vote does not get it again."""
WITH_A_FIELD = RIGHT["request-vote"].replace("    def on", '    volatile = {"asked": 0}\n    def on')


@pytest.fixture
def asked(monkeypatch):
    """Every request that is made of an answer's process."""
    requests = []
    ask = Sandbox.ask

    def noting(self, *request):
        requests.append(request)
        return ask(self, *request)

    monkeypatch.setattr(Sandbox, "ask", noting)
    return requests


def mark(answer: str):
    return grade_submission(submission("request-vote", answer), ["request-vote"]).marks[0]


def test_what_was_rehearsed_once_is_not_searched_again_and_the_mark_is_the_same(asked):
    rehearsed.cache_clear()
    first = mark(RIGHT["request-vote"])
    asked.clear()
    assert mark(RIGHT["request-vote"]) == first
    assert rehearsed.cache_info().hits == 1
    assert first.passed
    assert not [request for request in asked if request[0] == "step"]  # all were known beforehand, and asked together


def test_an_answer_that_does_anything_else_is_searched_as_ever():
    space: dict = {}
    exec("from raft_lab import *\nfrom raft_lab.course import *\n" + SAME_CANDIDATE_TWICE, space)
    verdict = REQUEST_VOTE.check(space["Mine"])
    found = mark(SAME_CANDIDATE_TWICE)
    assert not found.passed
    assert (found.summary, found.layer, found.states) == (verdict.summary, verdict.layer, verdict.states)
    assert mark_of(GRADED["request-vote"], verdict).steps == found.steps


def test_a_class_with_fields_of_its_own_is_asked_for_every_step(asked):
    assert mark(WITH_A_FIELD).passed
    assert "ElectionTimeout" in {type(request[3]).__name__ for request in asked if request[0] == "step"}


def also(body: str) -> str:
    """The right answer with something more in its class."""
    return RIGHT["request-vote"] + "\n" + indent(dedent(body), "    ")


STAYS = """
    @property
    def machine(self):
        return self.__dict__["machine"]

    @machine.setter
    def machine(self, value):
        self.__dict__.setdefault("machine", value)
"""
"""Nothing is ever applied, although no method of Raft is another one."""


def test_a_property_that_stands_before_a_field_is_not_overlooked():
    found = mark(also(STAYS))
    assert not found.passed
    assert found.property == "State Is the Fold"


@pytest.mark.parametrize(
    "harmless",
    [
        "def sandbox(self): return 1",
        "def foresee(self): return 1",
        "def does_as_raft(self): return 1",
        "def _rules(self): return 1",
        "volatile = {'base': 0, 'methods': (), 'sandbox': set()}",
        "@classmethod\ndef timers(cls, state): return super().timers(state)",
    ],
)
def test_an_answer_may_use_any_name_that_raft_does_not(harmless: str):
    assert mark(also(harmless)).passed


def test_timers_that_are_none_are_told_in_a_sentence():
    found = mark(also("@classmethod\ndef timers(cls, state): return 5"))
    assert (found.points, found.summary) == (0.0, "Mine.timers gives 5; it must be a tuple of names of timers")


def test_a_metaclass_is_refused_in_a_sentence():
    found = mark("from abc import ABC\n" + RIGHT["request-vote"].replace("base)", "base, ABC)"))
    assert (found.points, found.summary) == (0.0, "Mine has a metaclass, ABCMeta: write it as a class without one.")


class Plain(REQUEST_VOTE.base):
    """It has a method, a helper, and a number that is nobody's business."""

    patience = 3

    def on_request_vote(self, m):
        self.helper()

    def helper(self):
        return self.patience


class WithAField(Plain):
    volatile = {"seen": 0}


class WithAProperty(Plain):
    @property
    def peers(self):
        return ()


class WithAPropertyForAField(Plain):
    @property
    def voted_for(self):
        return None


class WithAMethodForAProperty(Plain):
    def peers(self):
        return ()


class WithAnotherConstant(Plain):
    max_entries_per_message = 1


class WithMagic(Plain):
    def __setattr__(self, name, value):
        super().__setattr__(name, value)


class FromElsewhere(Plain, type("Other", (Server,), {"__module__": "raft_lab.x"})):
    pass


@pytest.mark.parametrize(
    "odd",
    [
        WithAField,
        WithAProperty,
        WithAPropertyForAField,
        WithAMethodForAProperty,
        WithAnotherConstant,
        WithMagic,
        FromElsewhere,
    ],
)
def test_a_class_that_can_change_a_step_without_a_method_is_not_plain(odd: type) -> None:
    def is_plain(cls: type) -> bool:
        mine = [c for c in cls.__mro__ if not c.__module__.startswith("raft_lab.") and c is not object]
        return _is_plain(cls, REQUEST_VOTE.base, mine)

    assert is_plain(Plain)
    assert not is_plain(odd)
