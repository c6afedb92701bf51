"""Driving the lab in a browser, without Jupyter: real runs, a fake kernel, and what a person sees and presses."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from raft_lab import Cluster
from raft_lab.view import frames
from view.lab_page import LabPage


@dataclass
class Run:
    """A real run as the kernel hands it to the browser."""

    cluster: Cluster

    def tape(self, cursor: int | None = None) -> dict[str, Any]:
        tape = self.cluster.tape
        return {
            "packed": frames.Recording(self.cluster).packed(),
            "cursor": self.cluster.now.id if cursor is None else cursor,
            "names": frames.names(tape),
        }


def show(lab: LabPage, cluster: Cluster) -> LabPage:
    lab.show(Run(cluster), options={"rules": frames.rule_book()})
    lab.page.locator(".raft-lab[data-step]").wait_for()
    answer(lab, cluster, steps=[])
    return lab


def answer(lab: LabPage, cluster: Cluster, steps: list[Any], **more: Any) -> None:
    lab.kernel_answers(
        type="steps",
        steps=steps,
        cursor=cluster.now.id,
        total=len(cluster.tape),
        names=frames.names(cluster.tape),
        **more,
    )


def elected() -> Cluster:
    """A leader, a committed entry, a crash, and all that by the clock."""
    cluster = Cluster(3, seed=4)
    cluster.run_until(leader=True)
    cluster.propose("set x 1")
    cluster.run_until(committed="set x 1")
    cluster.crash(cluster.leader)
    cluster.run_until(leader=True)
    return cluster


def forked() -> Cluster:
    """Two candidates: S1 first, or S3 first."""
    cluster = Cluster(3, seed=4)
    cluster.timeout("S1")
    cluster.deliver("S1", "S2")
    cluster.name("S1 asks")
    cluster.goto(0)
    cluster.timeout("S3")
    return cluster


def broken() -> Cluster:
    """Two votes in one term: a counterexample, and a step by which one has walked away from it."""
    cluster = Cluster(3, without=["one vote per term"])
    cluster.timeout("S1")
    cluster.timeout("S3")
    cluster.deliver("S1", "S2")
    cluster.deliver("S3", "S2")
    assert cluster.violations
    cluster.goto(2)
    cluster.crash("S1")
    return cluster


def steps_with(mark: str, cluster: Cluster) -> list[int]:
    return [step.id for step in cluster.tape if mark in frames.encode_step(step)["marks"]]


# further than one step


@pytest.mark.parametrize("moment", ["election", "leader", "commit", "term", "crash"])
def test_the_next_and_the_previous_moment_of_a_kind_are_one_click_away(lab: LabPage, moment: str) -> None:
    cluster = elected()
    end = cluster.now.id
    cluster.goto(0)
    show(lab, cluster)
    lab.button("More of the tape").click()
    lab.page.get_by_label("Moment", exact=True).select_option(moment)
    lab.button("Next moment").click()
    assert lab.step == steps_with(moment, cluster)[0]
    lab.button("End").click()
    lab.page.keyboard.press("[")
    assert lab.step == [step for step in steps_with(moment, cluster) if step < end][-1]


def test_where_there_is_no_such_moment_the_button_says_so(lab: LabPage) -> None:
    cluster = elected()
    cluster.goto(0)
    show(lab, cluster)
    lab.button("More of the tape").click()
    lab.page.get_by_label("Moment", exact=True).select_option("violation")
    assert lab.button("Next moment").get_attribute("aria-disabled") == "true"


@pytest.mark.parametrize("goal", ["leader", "commit", "equal", "violation"])
def test_running_until_something_is_so_asks_the_kernel_once(lab: LabPage, goal: str) -> None:
    show(lab, Cluster(3))
    lab.button("More of the tape").click()
    lab.page.get_by_label("Goal").select_option(goal)
    lab.button("Run").click()
    assert lab.sent("run") == [{"do": "run", "at": 0, "until": goal}]


def test_the_lanes_show_who_led_and_when(lab: LabPage) -> None:
    cluster = elected()
    show(lab, cluster)
    lanes = lab.page.locator(".rl-track .rl-lane-leader").get_attribute("d")
    spans = re.findall(r"M([\d.]+) ([\d.]+)H([\d.]+)", lanes)
    assert len(spans) == 2
    assert spans[0][1] != spans[1][1], "another server, another lane"
    assert float(spans[0][2]) < float(spans[1][0]), "the first one crashed before the second one led"


# the tree of branches


def test_every_branch_is_drawn_where_it_parted_and_has_its_name(lab: LabPage) -> None:
    show(lab, forked())
    lab.button("More of the tape").click()
    assert lab.page.locator(".rl-tree-name").all_text_contents() == ["S1 asks", "timeout('S3')"]
    lab.page.locator(".rl-track-of").first.focus()
    lab.page.keyboard.press("Enter")
    assert lab.step == 2


def test_a_step_of_the_tree_shows_its_cluster_in_the_small(lab: LabPage) -> None:
    cluster = forked()
    show(lab, cluster)
    lab.button("More of the tape").click()
    lab.page.locator(".rl-track-of").first.focus()
    assert "S2 gives its vote of term 1 to S1." in lab.text(".rl-tree-tip")
    lab.page.keyboard.press("ArrowLeft")
    assert str(cluster.tape.steps[1].sentence) in lab.text(".rl-tree-tip")
    assert lab.page.locator('.rl-tree-tip [data-role="candidate"]').count() == 1
    lab.page.keyboard.press("ArrowDown")
    assert str(cluster.tape.steps[3].sentence) in lab.text(".rl-tree-tip")
    assert lab.step == 3, "looking is not going"


def test_a_branch_gets_a_name(lab: LabPage) -> None:
    show(lab, forked())
    lab.button("More of the tape").click()
    name = lab.page.get_by_label("Name of this branch")
    name.fill("S3 asks")
    name.press("Enter")
    assert lab.sent("name") == [{"do": "name", "at": 3, "step": 3, "name": "S3 asks"}]


def test_two_branches_are_compared_from_where_they_part_to_their_ends(lab: LabPage) -> None:
    show(lab, forked())
    lab.button("More of the tape").click()
    lab.page.get_by_label("Compare with").select_option("2")
    rows = [row.all_inner_texts() for row in (r.locator("th, td") for r in lab.page.locator(".rl-compare tr").all())]
    assert rows[1][0] == "first step apart"
    assert rows[1][1].startswith("step 3 S3 has heard of no leader")
    assert ["S1 role", "follower", "candidate"] in rows
    assert ["S2 voted for", "nobody", "S1"] in rows
    assert not any(row[0].endswith(" log") for row in rows), "the logs are alike"


# rules and what they protect


def test_a_rule_says_what_it_protects_and_a_click_turns_it_off(lab: LabPage) -> None:
    cluster = Cluster(3)
    show(lab, cluster)
    lab.page.get_by_text("Rules", exact=True).click()
    switch = lab.page.get_by_role("switch", name="durable vote")
    assert switch.get_attribute("aria-checked") == "true"
    assert "protects Election Safety · Figure 2" in lab.text(".rl-rules li:has([aria-label='durable vote'])")
    switch.click()
    assert lab.sent("act") == [{"do": "act", "at": 0, "verb": "switch", "args": ["durable vote", False]}]
    answer(lab, cluster, steps=[frames.encode_step(cluster.switch("durable vote", on=False))])
    assert lab.text(".rl-modified") == "modified Raft: without durable vote"
    assert switch.get_attribute("aria-checked") == "false"
    lab.button("Back").click()
    assert not lab.page.locator(".rl-modified").is_visible()


def test_who_walked_away_from_a_counterexample_finds_the_way_back(lab: LabPage) -> None:
    show(lab, broken())
    lab.button("Back to the counterexample, step 4").click()
    assert lab.step == 4
    assert "In term 1, S2 has voted for S1 and then for S3." in lab.text(".rl-chips")
    assert not lab.page.locator(".rl-culprit").is_visible()


# menus


def test_the_row_of_a_message_has_the_menu_of_the_message(lab: LabPage) -> None:
    cluster = Cluster(3)
    cluster.timeout("S1")
    show(lab, cluster)
    row = lab.page.locator('[aria-label="By time"] .rl-row').first
    key = row.get_attribute("data-row")
    row.click(button="right")
    offered = lab.page.get_by_role("menuitem").all_inner_texts()
    assert offered == ["Deliver", "Drop", "Duplicate", "Hold", "Delay by 20 ms", "Delay by 200 ms"]
    lab.page.get_by_role("menuitem", name="Delay by 20 ms").click()
    assert lab.sent("act") == [{"do": "act", "at": 1, "verb": "delay", "args": [key, 20]}]


def test_one_direction_of_a_link_is_mended_while_the_other_stays_cut(lab: LabPage) -> None:
    cluster = Cluster(3)
    cluster.cut("S1", "S2")
    cluster.cut("S2", "S1")
    show(lab, cluster)
    lab.page.get_by_role("button", name="link S1–S2, cut in both directions").press("Enter")
    offered = lab.page.get_by_role("menuitem").all_inner_texts()
    names = [name.split("\n")[0] for name in offered]
    assert names == ["Mend S1 → S2", "Mend S2 → S1", "Cut both ways", "Mend both ways"]
    lab.page.get_by_role("menuitem", name="Mend S2 → S1").click()
    assert lab.sent("act") == [{"do": "act", "at": 2, "verb": "mend", "args": ["S2", "S1"]}]


def test_a_server_is_removed_from_its_own_menu(lab: LabPage) -> None:
    cluster = Cluster(3, seed=4)
    cluster.run_until(leader=True)
    cluster.deliver_all()
    show(lab, cluster)
    follower = next(name for name in cluster.servers if name != cluster.leader)
    lab.page.locator(f'.rl-row[data-row="{follower}"] .rl-more').click()
    lab.page.get_by_role("menuitem", name="Remove from the cluster").click()
    [act] = lab.sent("act")
    others = [name for name in cluster.servers if name != follower]
    assert (act["verb"], act["args"]) == ("reconfigure", [cluster.leader, others, []])


# what is foretold


def foretold(lab: LabPage) -> tuple[Cluster, list[Any]]:
    cluster = Cluster(3, seed=4)
    show(lab, cluster)
    likely = [frames.encode_step(step) for step in cluster.foresee(2)]
    lab.kernel_says(type="steps", steps=[], cursor=0, total=1, likely=likely, reply_to=0)
    return cluster, likely


def test_a_foretold_step_is_shown_before_the_kernel_has_answered(lab: LabPage) -> None:
    cluster, likely = foretold(lab)
    lab.button("Step").click()
    assert (lab.step, lab.text(".rl-sentence")) == (1, likely[0]["sentence"])
    assert lab.sent("step") == [{"do": "step", "count": 1, "at": 0}]
    lab.button("Step").click()
    assert lab.step == 2
    assert len(lab.sent("step")) == 1, "one question at a time"
    answer(lab, cluster, steps=[frames.encode_step(cluster.step())])
    assert lab.sent("step")[1:] == [{"do": "step", "count": 1, "at": 1}]
    answer(lab, cluster, steps=[frames.encode_step(cluster.step())])
    assert lab.step == 2


def test_a_greeting_answered_late_does_not_take_back_a_step(lab: LabPage) -> None:
    lab.page.mouse.move(0, 0)
    cluster, likely = foretold(lab)
    lab.page.evaluate("const now = performance.now.bind(performance); performance.now = () => now() + 5000")
    lab.button("Step").click()  # whoever comes back to the lab greets the kernel first
    greeting, step = lab.page.evaluate("model.sent.slice(-2)")
    assert (greeting["do"], step["do"]) == ("hello", "step")
    lab.kernel_says(type="steps", steps=[], cursor=0, total=1, likely=likely, reply_to=greeting["n"])
    answer(lab, cluster, steps=[frames.encode_step(cluster.step())])
    assert lab.step == 1


def test_what_comes_otherwise_than_foretold_is_taken_back(lab: LabPage) -> None:
    cluster, _ = foretold(lab)
    lab.button("Step").click()
    other = cluster.crash("S2")
    answer(lab, cluster, steps=[frames.encode_step(other)])
    assert (lab.step, lab.text(".rl-sentence")) == (1, other.sentence.text)
    assert lab.server("S2").get_attribute("data-crashed") == "true"


def test_a_refusal_takes_back_what_was_foretold(lab: LabPage) -> None:
    foretold(lab)
    lab.button("Step").click()
    lab.kernel_answers(type="refused", text="A handler failed.", cursor=0)
    assert lab.step == 0
    assert lab.page.get_by_role("alert").inner_text() == "A handler failed."


def test_an_act_on_a_foretold_step_waits_until_it_is_there(lab: LabPage) -> None:
    cluster, _ = foretold(lab)
    lab.button("Step").click()
    lab.page.locator('.rl-row[data-row="S2"] [data-verb="crash"]').click()
    assert lab.sent("act") == []
    answer(lab, cluster, steps=[frames.encode_step(cluster.step())])
    assert lab.sent("act") == [{"do": "act", "at": 1, "verb": "crash", "args": ["S2"]}]


# out of the notebook


def test_the_line_to_share_leads_here_again(lab: LabPage) -> None:
    cluster = elected()
    cluster.crash("S2") if "S2" not in cluster.world.crashed else cluster.restart("S2")
    show(lab, cluster)
    lab.page.get_by_text("Share", exact=True).click()
    line = lab.text(".rl-share-text:not(:empty)")
    assert cluster.share().startswith(line)
    assert Cluster.from_share(line).world == cluster.world


def test_the_picture_for_slides_needs_no_style_sheet(lab: LabPage, tmp_path: Path) -> None:
    show(lab, broken())
    lab.page.get_by_text("Share", exact=True).click()
    for kind, begins in (("SVG", b"<svg "), ("PNG", b"\x89PNG")):
        with lab.page.expect_download() as download:
            lab.button(f"Picture ({kind})").click()
        download.value.save_as(tmp_path / kind)
        assert (tmp_path / kind).read_bytes().startswith(begins)
    svg = (tmp_path / "SVG").read_text(encoding="utf-8")
    assert "modified Raft: without one vote per term" in svg
    assert [found for found in ("class=", "var(", "color(", "href") if found in svg] == []
    for name in ("S1", "S2", "S3"):
        assert f">{name}</text>" in svg


@pytest.fixture
def offline(browser: Any) -> Iterator[Any]:
    """A page without any network, on which every trouble fails the test."""
    troubles: list[str] = []
    with browser.new_context(offline=True, viewport={"width": 1240, "height": 900}) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda line: troubles.append(line.text))
        page.on("request", lambda ask: ask.url.startswith("file:") or troubles.append(ask.url))
        yield page
    assert troubles == []


def test_an_exported_page_plays_scrubs_and_compares_without_network_or_kernel(offline: Any, tmp_path: Path) -> None:
    cluster = elected()
    cluster.goto(3)
    end = cluster.crash("S1")
    cluster.goto(0)
    offline.goto(cluster.lab(title="Two ends", speed=8).save_html(tmp_path / "run.html").as_uri())
    lab = offline.locator(".raft-lab[data-step]")
    assert lab.get_attribute("data-step") == "0"
    assert "This is a recording" in offline.locator(".rl-silent").inner_text()
    offline.get_by_label("Speed").select_option("8")
    offline.get_by_role("button", name="Play", exact=True).click()
    offline.locator(f'.raft-lab[data-step="{end.id}"]').wait_for()
    offline.get_by_label("Step on this branch").fill("1")
    assert lab.get_attribute("data-step") == "1"
    offline.get_by_role("button", name="More of the tape").click()
    assert offline.locator(".rl-track-of").count() == 2
    for button in ("Run", "Propose"):
        assert offline.get_by_role("button", name=button, exact=True).get_attribute("aria-disabled") == "true"
