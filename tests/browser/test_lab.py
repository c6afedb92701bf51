"""The lab in a real JupyterLab: what the browser shows and what the kernel holds are one thing."""

from __future__ import annotations

import base64
import json
import zlib
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
        steps, cursor = tape_in(saved)
        return ([step["id"] for step in steps], cursor) == ([0, 1, 2, 3, 4, 5], 5)

    notebook.await_in_file(holds_all)


def test_a_notebook_with_2000_steps_is_small_and_its_lab_opens_without_a_kernel(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CLUSTER, "cluster.run_until(leader=True); cluster.step(2000)", LAB)
    last = notebook.lab().step
    notebook.await_in_file(lambda saved: tape_in(saved)[1] == last)
    assert notebook.path.stat().st_size < 2_000_000
    assert len(tape_in(notebook.save())[0]) == last + 1


def test_the_code_so_far_becomes_a_cell_that_leads_here_again(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CLUSTER, LAB)
    lab = notebook.lab()
    lab.press_step()
    lab.server("S2").click()
    lab.root.get_by_role("menuitem", name="Crash").click()
    lab.expect_step(2)

    lab.root.get_by_text("Code so far").click()
    lab.press("Insert as a cell")

    code = "cluster = Cluster(5, seed=7)\ncluster.step()\ncluster.crash('S2')"
    notebook.await_in_file(lambda saved: code in ["".join(cell["source"]) for cell in saved["cells"]])


def test_a_handler_written_in_a_cell_takes_over_in_the_running_cluster(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CLUSTER, "cluster.run_until(leader=True)", LAB)
    lab = notebook.lab()
    before = lab.step

    notebook.kernel(
        "from raft_lab import Server\n"
        "class Mine(Server):\n"
        "    def on_request_vote(self, m):\n"
        "        pass\n"
        "cluster.swap(Mine)"
    )

    lab.expect_step(before + 1)
    expect(lab.root.locator(".rl-sentence")).to_have_text("From now on every server runs Mine.")
    expect(lab.root.locator(".rl-modified")).to_have_text("modified Raft: handlers of Mine")
    assert lab.press_step() == before + 2


def test_quick_steps_are_shown_ahead_and_the_kernel_arrives_at_the_same(open_notebook: OpenNotebook) -> None:
    notebook = open_notebook(CLUSTER, LAB)
    lab = notebook.lab()
    lab.press_step()
    for _ in range(6):
        lab.press("Step")
    lab.expect_step(7)
    notebook.await_in_kernel("(cluster.now.id, len(cluster.tape)) == (7, 8)")
    assert lab.root.locator(".rl-sentence").inner_text() == notebook.value("cluster.now.sentence.text")


def tape_in(saved: dict[str, Any]) -> tuple[list[dict[str, Any]], int]:
    """The steps and the cursor of the one lab in a saved notebook's widget state."""
    models = saved["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"]["state"].values()
    [tape] = [model["state"]["tape"] for model in models if "tape" in model["state"]]
    chunks = [json.loads(zlib.decompress(base64.b64decode(chunk))) for chunk in tape["packed"]]
    return [step for chunk in chunks for step in chunk], tape["cursor"]
