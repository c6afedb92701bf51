"""The first lesson in a real JupyterLab, as a learner works through it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.jupyter import Jupyter
from browser.notebook import Notebook
from browser.walking import Lesson

pytestmark = pytest.mark.xdist_group("jupyterlab")

FIRST_LAB = (
    "from ipywidgets import Widget\n"
    "from raft_lab.view.lab import Lab\n"
    "from ipywidgets.widgets.widget import _instances\n"
    "_cluster = next(widget for widget in _instances.values() if isinstance(widget, Lab)).cluster"
)


def test_a_learner_elects_a_leader_by_clicks_and_looks_back(page: Page, jupyter: Jupyter) -> None:
    path = jupyter.root / "lessons" / "01-leader-election.ipynb"
    if not path.is_file():
        pytest.skip("the lesson is not written yet")
    notebook = Notebook(page, jupyter, path)
    notebook.run_all()
    assert notebook.errors() == []
    lab = notebook.lab()
    notebook.kernel(FIRST_LAB)

    lab.press("Start")
    lab.expect_step(0)
    leader = lab.press_step_until_a_leader_shows()
    # What the browser holds already it shows at once, and tells the kernel a moment later.
    notebook.await_in_kernel(f"[_cluster.now.id, _cluster.leader] == {[lab.step, leader]!r}")

    lab.press("Back")
    expect(lab.root.locator('[data-server][data-role="leader"]')).to_have_count(0)
    notebook.await_in_kernel(f"_cluster.now.id == {lab.step}")
    assert notebook.value("_cluster.leader") is None
    lab.press("Forward")
    expect(lab.server(leader)).to_have_attribute("data-role", "leader")
    assert notebook.errors() == []


DRAFT = "        granted = True\n"
SOLUTION = """\
        up_to_date = (m.last_log_term, m.last_log_index) >= (self.log.last_term, self.log.last_index)
        granted = m.term >= self.current_term and self.voted_for in (None, m.src) and up_to_date
"""


def test_a_student_predicts_and_writes_the_voting_rule(page: Page, jupyter: Jupyter) -> None:
    lesson = Lesson(page, jupyter, "01-leader-election")

    lab = lesson.lab_in("l1-first-lab")
    lab.press("Start")
    lab.expect_step(0)
    lab.server("S2").click()
    expect(lab.root.locator(".rl-ask-verdict")).to_have_text("Now let it run, and see.")
    leader = lab.press_step_until_a_leader_shows()
    expect(lab.root.locator(".rl-ask-verdict")).to_contain_text(f"{leader} leads term")

    lesson.expect_wrong_and_right("l1-criteria-ask", "Any of the three", "Only S1 or S2")

    lesson.expect_wrong_and_right("l1-away-ask", "S5 becomes leader", "S1 has to step down")
    lab = lesson.lab_in("l1-away-lab")
    expect(lab.server("S1")).not_to_have_attribute("data-role", "leader")  # the cell below has let it run on

    first = lesson.cell("l1-build-answer").locator(".jp-OutputArea-output").first
    expect(first).to_contain_text("is broken")
    verdict = lesson.hand_in("l1-build-answer", DRAFT, SOLUTION)
    expect(verdict).to_contain_text("Your on_request_vote does what Figure 2 says.")
    lesson.run_cell("l1-build-lab")
    assert lesson.lab_in("l1-build-lab").press_step_until_a_leader_shows()
    assert lesson.errors() == []
