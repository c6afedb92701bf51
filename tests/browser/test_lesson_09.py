"""Lesson 09 in a real JupyterLab, as a student works through it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.jupyter import Jupyter
from browser.walking import Lesson

pytestmark = pytest.mark.xdist_group("jupyterlab")


def test_a_student_judges_eleven_sentences_and_looks_at_the_runs_that_settle_them(page: Page, jupyter: Jupyter) -> None:
    lesson = Lesson(page, jupyter, "09-sounds-right")

    lesson.expect_wrong_and_right("l9-one-ask", "True", "Not always")
    lab = lesson.lab_in("l9-one-lab")
    assert lab.leaders() == ["S1", "S3"]
    lesson.expect_wrong_and_right("l9-same-ask", "Not always", "True")
    lab = lesson.lab_in("l9-majority-lab")
    lab.press("Forward")
    lab.expect_step(47)
    lesson.expect_wrong_and_right("l9-lease-ask", "True", "Not always")
    expect(lesson.cell("l9-lease-lab").locator(".el-sentence")).to_contain_text("work at the same time")
    expect(lesson.cell("l9-clock-run")).to_contain_text("no invariant is broken")
    assert lesson.errors() == []
