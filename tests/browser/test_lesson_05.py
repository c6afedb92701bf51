"""Lesson 05 in a real JupyterLab, as a student works through it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.jupyter import Jupyter
from browser.walking import Lesson

pytestmark = pytest.mark.xdist_group("jupyterlab")

DRAFT = "            fresh = True\n"
SOLUTION = """\
            confirmed = self.quorum_min(self.acked_round) >= read.round
            fresh = confirmed and self.has_committed_in_its_term()
"""


def test_a_student_reads_predicts_and_writes_the_rule(page: Page, jupyter: Jupyter) -> None:
    lesson = Lesson(page, jupyter, "05-client-access")

    lesson.expect_wrong_and_right("l5-unknown-ask", "Failed: it was not committed", "Unknown")
    expect(lesson.cell("l5-stale-run")).to_contain_text("set x new by c1 had already returned")

    said = lesson.answer("l5-first-ask", "old: it is the leader")
    said.get_by_role("button", name="See it happen").click()
    expect(said).to_contain_text("Look at the lab above")
    lab = lesson.lab_in("l5-first-lab")
    expect(lab.root).to_contain_text("S1 answers a read at once with what it has")

    said = lesson.answer("l5-twice-ask", "11: S2 has never heard")
    said.get_by_role("button", name="See it happen").click()
    expect(said).to_contain_text("Look at the lab above")
    lab = lesson.lab_in("l5-twice-lab")
    expect(lab.root).to_contain_text("State Is the Fold")
    lab.press("Start")
    lab.expect_step(0)

    first = lesson.cell("l5-build-answer").locator(".jp-OutputArea-output").first
    expect(first).to_contain_text("Fresh Reads is broken")
    verdict = lesson.hand_in("l5-build-answer", DRAFT, SOLUTION)
    expect(verdict).to_contain_text("Your answer_reads does what section 6.4 of the dissertation says.")
    assert lesson.errors() == []
