"""Lesson 03 in a real JupyterLab, as a student works through it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.jupyter import Jupyter
from browser.walking import Lesson

pytestmark = pytest.mark.xdist_group("jupyterlab")

DRAFT = """\
        self.log = Log(m.snapshot)
        self.commit_index = self.last_applied = index
        self.machine = m.snapshot.machine
"""
SOLUTION = """\
        if index > self.commit_index:
            agrees = self.log.last_index >= index and self.log.matches(index, m.snapshot.last_included_term)
            self.log = self.log.compact(m.snapshot) if agrees else Log(m.snapshot)
            self.commit_index = self.last_applied = index
            self.machine = m.snapshot.machine
"""


def test_a_student_compacts_predicts_and_writes_the_handler(page: Page, jupyter: Jupyter) -> None:
    lesson = Lesson(page, jupyter, "03-log-compaction")

    lesson.expect_wrong_and_right("l3-first-ask", "All three commands", "What they have led to")

    lab = lesson.lab_in("l3-first-lab")
    lab.press("Start")
    lab.expect_step(0)
    lab.server("S3").click()
    lab.root.get_by_role("menuitem", name="Compact").click()
    expect(lab.root.locator(".rl-ledger")).to_contain_text("snapshot 3, term 2")

    said = lesson.answer("l3-tail-ask", "They stay")
    said.get_by_role("button", name="See it happen").click()
    expect(said).to_contain_text("Look at the lab above")
    expect(lesson.lab_in("l3-tail-lab").root).to_contain_text("Log Terms")

    first = lesson.cell("l3-build-answer").locator(".jp-OutputArea-output").first
    expect(first).to_contain_text("Commit Rule is broken")
    verdict = lesson.hand_in("l3-build-answer", DRAFT, SOLUTION)
    expect(verdict).to_contain_text("Your on_install_snapshot does what Figure 13 says.")
    lesson.run_cell("l3-build-lab")
    assert lesson.lab_in("l3-build-lab").press_step() == 1
    assert lesson.errors() == []
