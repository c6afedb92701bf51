"""The first lesson in a real JupyterLab, as a learner works through it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.jupyter import Jupyter
from browser.notebook import Notebook

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
