"""Lesson 02 in a real JupyterLab, as a student works through it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.jupyter import Jupyter
from browser.walking import Lesson
from raft_lab.course.solutions import SOLUTIONS

pytestmark = pytest.mark.xdist_group("jupyterlab")

DRAFT = """\
        if m.prev_log_index > self.log.last_index:
            self.refuse_entries(m)
            return
        self.log = self.log.truncate(m.prev_log_index + 1).append(*m.entries)
"""
SOLUTION = """\
        if not self.log.matches(m.prev_log_index, m.prev_log_term):
            self.refuse_entries(m)
            return
        for index, entry in enumerate(m.entries, start=m.prev_log_index + 1):
            if index > self.log.last_index:
                self.log = self.log.append(entry)
            elif self.log.term(index) != entry.term:
                self.log = self.log.truncate(index).append(entry)
"""
COMMIT_DRAFT = "        committed = n > self.commit_index\n"


def test_a_student_replicates_predicts_and_writes_the_handler(page: Page, jupyter: Jupyter) -> None:
    lesson = Lesson(page, jupyter, "02-log-replication")

    lesson.expect_wrong_and_right("l2-first-ask", "As soon as the command", "When a majority")

    said = lesson.answer("l2-conflict-ask", "S2 keeps them")
    said.get_by_role("button", name="See it happen").click()
    expect(said).to_contain_text("Look at the lab above")
    lab = lesson.lab_in("l2-conflict-lab")
    expect(lab.root).to_contain_text("Log Matching")
    lab.press("Start")
    lab.expect_step(0)

    lab = lesson.lab_in("l2-down-puzzle")
    lab.expect_step(0)
    for name in ("S4", "S5"):
        lab.server(name).click()
        lab.root.get_by_role("menuitem", name="Crash").click()
        expect(lab.server(name)).to_have_attribute("data-crashed", "true")
    expect(lesson.cell("l2-down-puzzle")).to_contain_text("✓ Two servers are down.")

    expect(lesson.cell("l2-build-answer").locator(".jp-OutputArea-output").first).to_contain_text(
        "Log Matching is broken"
    )
    verdict = lesson.hand_in("l2-build-answer", DRAFT, SOLUTION)
    expect(verdict).to_contain_text("Your on_append_entries does what Figure 2 says.")
    commits = lesson.cell("l2-commit-answer").locator(".jp-OutputArea-output")
    expect(commits.first).to_contain_text("Leader Completeness is broken")
    expect(commits.first).to_contain_text("older entries with it (§5.3, §5.4.2)")
    expect(lesson.lab_in("l2-commit-answer").root).to_be_visible()
    verdict = lesson.hand_in("l2-commit-answer", COMMIT_DRAFT, f"        {SOLUTIONS['commit-rule']}")
    expect(verdict).to_contain_text("does what Figure 2")
    lesson.run_cell("l2-build-lab")
    lab = lesson.lab_in("l2-build-lab")
    before = lab.step
    assert lab.press_step() == before + 1
    assert lesson.errors() == []
