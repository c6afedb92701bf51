"""Lesson 04 in a real JupyterLab, as a student works through it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.jupyter import Jupyter
from browser.walking import Lesson

pytestmark = pytest.mark.xdist_group("jupyterlab")

DRAFT = """\
        everyone = self.configuration.voters | self.configuration.old
        return len(everyone & set(servers)) > len(everyone) / 2
"""
SOLUTION = """\
        halves = (self.configuration.voters, self.configuration.old)
        return all(len(half & set(servers)) > len(half) / 2 for half in halves if half)
"""


def test_a_student_changes_the_members_and_says_what_a_quorum_is(page: Page, jupyter: Jupyter) -> None:
    lesson = Lesson(page, jupyter, "04-membership-changes")

    lesson.expect_wrong_and_right("l4-joint-ask", "Yes: S1, S4 and S5", "No: it takes a majority of the old three")

    lab = lesson.lab_in("l4-first-lab")
    lab.press("Start")
    lab.expect_step(0)
    lab.server("S2").click()
    lab.root.get_by_role("menuitem", name="Election timeout").click()
    expect(lab.server("S2")).to_have_attribute("data-role", "candidate")

    said = lesson.answer("l4-bug-ask", "Yes: its own configuration is committed")
    said.get_by_role("button", name="See it happen").click()
    expect(said).to_contain_text("Look at the lab above")
    expect(lesson.lab_in("l4-bug-lab").root).to_contain_text("State Machine Safety")

    first = lesson.cell("l4-build-answer").locator(".jp-OutputArea-output").first
    expect(first).to_contain_text("Election Safety is broken")
    verdict = lesson.hand_in("l4-build-answer", DRAFT, SOLUTION)
    expect(verdict).to_contain_text("Your has_quorum does what §6 says.")

    lesson.rewrite(
        "l4-move-check",
        'cluster.goto(0)\ncluster.reconfigure(learners={"S4", "S5", "S6"})\ncluster.run(300)\n'
        'cluster.reconfigure(voters={"S4", "S5", "S6"})\n'
        'cluster.run_until(lambda c: c.leader in ("S4", "S5", "S6"))\ncluster.run(300)\n'
        'for old in ("S1", "S2", "S3"):\n    cluster.crash(old)\n'
        'cluster.propose("set y 2")\ncluster.run_until(committed="set y 2")\nMOVE_HOUSE.check(cluster)',
    )
    expect(lesson.cell("l4-move-check")).to_contain_text("does not begin where the puzzle does")
    lesson.run_cell("l4-move-puzzle")
    lesson.run_cell("l4-move-check")
    expect(lesson.cell("l4-move-check")).to_contain_text("Solved")
    assert lesson.errors() == []
