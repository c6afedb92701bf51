"""The lab in a real JupyterLab: what the browser shows and what the kernel holds are one thing."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from playwright.sync_api import expect

from browser.notebook import Notebook, waiting_cell

pytestmark = pytest.mark.xdist_group("jupyterlab")

CLUSTER = "from raft_lab import Cluster\ncluster = Cluster(5, seed=7)"
LAB = "cluster.lab()"

OpenNotebook = Callable[..., Notebook]


def test_a_leader_is_elected_by_clicks_and_the_kernel_agrees_with_the_picture(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CLUSTER, LAB)
    lab = notebook.lab()
    assert (lab.step, lab.leaders()) == (0, [])

    leader = lab.press_step_until_a_leader_shows()

    assert notebook.value("cluster.leader") == leader
    assert notebook.value("cluster.now.id") == lab.step
    terms = {name: notebook.value(f"cluster[{name!r}].current_term") for name in notebook.value("cluster.servers")}
    for name, term in terms.items():
        expect(lab.server(name)).to_have_attribute("data-term", str(term))
    assert notebook.errors() == []


def test_stepping_back_changes_the_picture_and_the_kernel_follows(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CLUSTER, "cluster.run_until(leader=True)", LAB)
    lab = notebook.lab()
    last = lab.step

    lab.press("Back")
    lab.expect_step(last - 1)
    lab.press("Back")
    lab.expect_step(last - 2)

    notebook.await_in_kernel(f"cluster.now.id == {last - 2}")
    lab.press("Forward")
    lab.expect_step(last - 1)
    notebook.await_in_kernel(f"cluster.now.id == {last - 1}")


def test_acting_in_the_past_opens_a_branch_and_loses_nothing(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CLUSTER, "cluster.step(10)", LAB)
    lab = notebook.lab()

    lab.press("Back")
    lab.expect_step(9)
    lab.server("S2").click()
    lab.root.get_by_role("menuitem", name="Crash").click()
    lab.expect_step(11)

    expect(lab.server("S2")).to_have_attribute("data-crashed", "true")
    assert notebook.value("[cluster.now.parent.id, len(cluster.tape), sorted(cluster.world.crashed)]") == [
        9,
        12,
        ["S2"],
    ]


def test_code_in_a_cell_moves_the_picture(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CLUSTER, LAB)
    lab = notebook.lab()

    notebook.kernel("cluster.step(3)")
    lab.expect_step(3)
    notebook.kernel("cluster.crash('S4')")
    lab.expect_step(4)
    expect(lab.server("S4")).to_have_attribute("data-crashed", "true")
    notebook.kernel("cluster.goto(1)")
    lab.expect_step(1)
    expect(lab.server("S4")).not_to_have_attribute("data-crashed", "true")


def test_a_refused_action_is_explained_and_changes_nothing(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CLUSTER, "for name in cluster.servers:\n    cluster.crash(name)", LAB)
    lab = notebook.lab()

    lab.press("Step")

    expect(lab.root.get_by_role("alert")).to_contain_text("restart a server first")
    lab.expect_step(5)
    assert notebook.value("[cluster.now.id, len(cluster.tape)]") == [5, 6]


def test_two_labs_on_one_cluster_stay_in_step(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CLUSTER, "cluster.lab(title='one')", "cluster.lab(title='two')")
    one, two = notebook.lab(0), notebook.lab(1)

    two.expect_step(one.press_step())
    one.expect_step(two.press_step())
    two.press("Back")
    two.expect_step(1)
    one.expect_step(1)


def test_a_click_is_answered_while_a_cell_runs(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CLUSTER, LAB)
    lab = notebook.lab()
    lab.press_step()
    before = lab.press_step()  # two clicks, so that the comm has found its subshell

    notebook.start_in_kernel(waiting_cell(f"cluster.now.id == {before + 1}"))
    lab.press("Step")
    lab.expect_step(before + 1)

    assert notebook.finish_in_kernel() == "it came"


def test_a_reloaded_page_gets_the_whole_lab_back_from_the_living_kernel(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CLUSTER, LAB)
    lab = notebook.lab()
    leader = lab.press_step_until_a_leader_shows()
    last = lab.step
    notebook.save()

    notebook.reload()

    lab = notebook.lab()
    lab.expect_step(last)
    assert lab.leaders() == [leader]
    lab.press("Start")
    lab.expect_step(0)
    lab.press("End")
    lab.expect_step(last)
    assert lab.press_step() == last + 1
    assert notebook.value("cluster.now.id") == last + 1


def test_a_saved_notebook_holds_every_step(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CLUSTER, LAB)
    lab = notebook.lab()
    for _ in range(5):
        lab.press_step()

    def holds_all(saved: dict[str, Any]) -> bool:
        tape = tape_in(saved)
        return ([step["id"] for step in tape["steps"]], tape["cursor"]) == ([0, 1, 2, 3, 4, 5], 5)

    notebook.await_in_file(holds_all)


def tape_in(saved: dict[str, Any]) -> dict[str, Any]:
    """The tape of the one lab in a saved notebook's widget state."""
    models = saved["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"].values()
    [tape] = [model["state"]["tape"] for model in models if "tape" in model["state"]]
    return dict(tape)
