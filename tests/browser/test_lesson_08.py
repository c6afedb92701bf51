"""Lesson 08 in a real JupyterLab, as a student works through it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.jupyter import Jupyter
from browser.walking import Lesson

pytestmark = pytest.mark.xdist_group("jupyterlab")

DRAFT = """\
    def on_append_entries(self, m):
        pass
"""
SOLUTION = """\
    def log_is_up_to_date(self, last_log_index, last_log_term):
        return last_log_term >= self.log.last_term
"""


def test_a_student_breaks_a_rule_finds_the_step_and_hides_a_bug(page: Page, jupyter: Jupyter) -> None:
    lesson = Lesson(page, jupyter, "08-break-it")

    lab = lesson.lab_in("l8-first-lab")
    for _ in range(6):
        lab.press_step()
    expect(lab.root).to_contain_text("Election Safety: S1 and S3 have both become leader of term 1.")

    lesson.expect_wrong_and_right("l8-first-ask", "About 50", "6")
    lesson.expect_wrong_and_right("l8-proof-ask", "That Raft is right", "That within these bounds")
    lesson.expect_wrong_and_right("l8-lacks-ask", "Yes, that is Leader Completeness", "No: there may be an old leader")

    lab = lesson.lab_in("l8-find-lab")
    for _ in range(3):
        lab.press_step()
    lesson.run_cell("l8-find-check")
    expect(lesson.cell("l8-find-check")).to_contain_text("Step 3 it is: here Suspect1 leaves Raft's way.")

    first = lesson.cell("l8-hide-answer").locator(".jp-OutputArea-output").first
    expect(first).to_contain_text("Everybody sees that one")
    verdict = lesson.hand_in("l8-hide-answer", DRAFT, SOLUTION)
    expect(verdict).to_contain_text("Well hidden: in fair weather all goes well")
    assert lesson.errors() == []
