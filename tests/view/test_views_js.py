"""Beside the ring: logs, the space-time diagram, all fields, and what a step changed."""

from __future__ import annotations

from typing import Any

from browser.moments import tape_of
from raft_lab import Cluster
from raft_lab.sim import stages
from view import sample_tapes
from view.lab_page import PAGE, LabPage, Recorded, bundle


def election() -> Cluster:
    """S1 asks; S2 has said yes, the question to S3 is lost."""
    cluster = Cluster(3, seed=1)
    cluster.timeout("S1")
    cluster.deliver("S1", "S2")
    cluster.drop("S1", "S3")
    cluster.deliver("S2", "S1")
    return cluster


def open_view(lab: LabPage, name: str) -> None:
    lab.page.get_by_role("tab", name=name).click()


def classes(lab: LabPage, selector: str) -> list[set[str]]:
    return [set(one.get_attribute("class").split()) for one in lab.page.locator(selector).all()]


# what a step changed


def test_what_changed_is_listed_in_words(lab: LabPage) -> None:
    lab.show(Recorded(election()), cursor=1)
    assert lab.text(".rl-changes") == "Changed: S1: follower → candidate, term 0 → 1, voted for S1 · 2 messages sent"
    lab.button("Forward").click()
    assert lab.text(".rl-changes") == "Changed: S2: term 0 → 1, voted for S1 · 1 message sent"
    lab.button("Forward").click()
    assert lab.text(".rl-changes") == "Changed: 1 message less in flight"


def test_a_step_that_carries_its_whole_frame_has_not_changed_all_logs(lab: LabPage) -> None:
    cluster = Cluster(3, seed=1)
    cluster.run_until(leader=True)
    cluster.run(800)  # nothing but heartbeats
    lab.show(Recorded(cluster), cursor=64)
    assert lab.text(".rl-changes") == "Changed: 1 message less in flight"


def test_of_many_broken_invariants_one_stands_there_and_the_others_on_demand(lab: LabPage) -> None:
    cluster = stages.half_switched()
    for candidate in ("S2", "S4"):
        cluster.timeout(candidate)
        cluster.deliver_all()
    lab.show(Recorded(cluster))
    broken = lab.page.locator(".rl-chip[data-broken]")
    assert [one.split(":")[0] for one in broken.all_inner_texts()] == ["✗ Election Safety"]
    lab.button("✗ 6 of 32 invariants broken, among them").click()
    assert broken.count() == 6


def test_what_changed_is_underlined_in_ring_and_ledger(lab: LabPage) -> None:
    lab.show(Recorded(election()), cursor=2)
    underlined = """() => [...document.querySelectorAll(".rl-ring text, .rl-ledger span")]
      .filter((one) => one.textContent && getComputedStyle(one).textDecorationLine.includes("underline"))
      .map((one) => one.textContent).sort()"""
    assert lab.page.evaluate(underlined) == ["term 1", "term 1", "voted S1"]


def test_every_field_of_every_server_with_what_it_was(lab: LabPage) -> None:
    cluster = Cluster(3, seed=1)
    cluster.run_until(leader=True)
    cluster.propose("set x 1", client="alice", seq=0)
    cluster.deliver_all()
    lab.show(Recorded(cluster))
    open_view(lab, "All fields")
    leader = cluster[str(cluster.leader)]
    rows = {
        row.locator("th").inner_text(): row.locator(f'td[data-about="{leader.id}"] .rl-field-text').inner_text()
        for row in lab.page.locator(".rl-fields tr:has(td)").all()
    }
    known = [f"{peer} {progress.match_index}" for peer, progress in leader.role.progress.items()]
    assert rows["current_term"] == str(leader.current_term)
    assert rows["match_index"].split("\n") == known
    assert rows["commit_index"] == str(leader.commit_index)
    assert rows["sessions"].startswith("alice: command 0")
    lab.button("Start").click()
    lab.button("Forward").click()
    changed = lab.page.locator(".rl-fields td[data-changed] .rl-field-was").all_inner_texts()
    assert changed[:2] == ["was 0", "was nobody"]


def test_views_are_changed_by_keys_and_remembered(browser: Any) -> None:
    page = browser.new_page()
    page.route("http://lab.example/", lambda route: route.fulfill(body=PAGE, content_type="text/html"))
    lab = LabPage(page)
    for expected in ("logs", "spacetime"):
        page.goto("http://lab.example/")
        lab.troubles.clear()
        code, css = bundle()
        page.evaluate(
            "([code, css, tape]) => start(code, css, JSON.stringify(tape), 1200, {})", [code, css, tape_of(election())]
        )
        chosen = page.locator('[role="tab"][aria-selected="true"]')
        assert chosen.get_attribute("data-view") == expected
        chosen.press("ArrowRight")
    assert chosen.get_attribute("data-view") == "fields"
    assert page.evaluate("document.activeElement.dataset.view") == "fields"
    lab.leave()
    page.close()


# space and time


def test_each_message_is_an_arrow_and_a_lost_one_ends_in_a_cross(lab: LabPage) -> None:
    lab.show(Recorded(election()))
    open_view(lab, "Space-time")
    titles = lab.page.locator(".rl-st-arrow title").all_text_contents()
    assert [title.split(":")[0] for title in titles] == ["S1 → S2", "S1 → S3", "S2 → S1", "S1 → S2", "S1 → S3"]
    lost = lab.page.locator(".rl-st-lost")
    assert lost.locator("title").all_text_contents() == ["S1 → S3: vote? term 1, empty log (lost)"]
    assert "M-4.5 -4.5 4.5 4.5" in lost.locator(".rl-st-head").get_attribute("d")
    assert [("rl-st-flying" in one) for one in classes(lab, ".rl-st-arrow")] == [False, False, False, True, True]


def test_a_click_on_an_event_goes_to_its_step(lab: LabPage) -> None:
    lab.show(Recorded(election()))
    open_view(lab, "Space-time")
    lab.page.locator('.rl-st-spot[data-depth="2"]').click()
    assert lab.step == 2
    assert "rl-st-later" in classes(lab, '.rl-st-spot[data-depth="3"]')[0]
    assert "rl-st-later" not in classes(lab, '.rl-st-spot[data-depth="2"]')[0]


def test_this_step_shows_what_led_to_it_and_what_came_of_it(lab: LabPage) -> None:
    lab.show(Recorded(election()), cursor=2)
    open_view(lab, "Space-time")
    lab.button("This step").click()
    bright = [
        one.get_attribute("data-depth")
        for one in lab.page.locator(".rl-st-spot").all()
        if "rl-st-dim" not in one.get_attribute("class")
    ]
    assert bright == ["1", "2", "4"]  # the timeout, the question's arrival, the answer's


def test_heartbeats_are_squeezed_until_they_are_asked_for(lab: LabPage) -> None:
    cluster = Cluster(3, seed=1)
    cluster.run_until(leader=True)
    cluster.deliver_all()
    before = cluster.now.id
    cluster.run(160)
    lab.show(Recorded(cluster))
    open_view(lab, "Space-time")
    beats = [m for step in tape_of(cluster)["steps"][before:] for m in step.get("patch", {}).get("messages", {})]
    few = lab.page.locator(".rl-st-arrow").count()
    lab.page.get_by_label("heartbeats").check()
    assert lab.page.locator(".rl-st-arrow").count() - few >= len(set(beats)) // 2 > 5


def test_what_clients_ask_is_a_bar_with_the_moment_it_takes_effect(lab: LabPage) -> None:
    cluster = Cluster(3, seed=1)
    cluster.run_until(leader=True)
    cluster.deliver_all()
    asked = cluster.now.id + 1
    cluster.propose("set x 1")
    proposal_done = cluster.run_until(committed="set x 1").id
    cluster.read()
    lab.show(Recorded(cluster))
    open_view(lab, "Space-time")
    bars = lab.page.locator(".rl-st-bar title").all_text_contents()
    assert bars[0].startswith(f"set x 1 at {cluster.leader}: 1, entry 2")
    assert bars[1].endswith("no answer yet")
    points = lab.page.locator(".rl-st-point:visible")
    assert points.count() == 1
    x = lab.page.evaluate("(d) => document.querySelector(`.rl-st-spot[data-depth='${d}']`).getCTM().e", proposal_done)
    assert abs(points.evaluate("(one) => one.getCTM().e") - x) < 1
    assert asked < proposal_done


def test_arrows_and_rows_light_up_together(lab: LabPage) -> None:
    lab.show(sample_tapes.election())
    open_view(lab, "Space-time")
    row = lab.page.locator(".rl-row[data-about^=m]").first
    row.hover()
    about = row.get_attribute("data-about")
    assert "rl-lit" in classes(lab, f'.rl-st-arrow[data-about="{about}"]')[0]


def test_a_branch_that_is_left_leaves_no_arrows(lab: LabPage) -> None:
    lab.show(sample_tapes.branches())  # the last of three branches: S2 crashes
    open_view(lab, "Space-time")
    on_last = lab.page.locator(".rl-st-arrow").count()
    lab.button("Previous branch").click()
    lab.button("Previous branch").click()
    lab.button("End").click()
    on_first = lab.page.locator(".rl-st-arrow").count()
    lab.button("Next branch").click()
    lab.button("Next branch").click()
    assert (on_last, on_first, lab.page.locator(".rl-st-arrow").count()) == (2, 4, 2)


def test_of_thousands_of_steps_only_those_in_sight_are_drawn(lab: LabPage) -> None:
    toy = sample_tapes.thousands()
    lab.show(toy)
    open_view(lab, "Space-time")
    drawn = "document.querySelectorAll('.rl-st *').length"
    assert 100 < lab.page.evaluate(drawn) < 4000
    now = lab.page.locator(".rl-st-now").bounding_box()
    pane = lab.page.locator(".rl-st-scroll").bounding_box()
    assert pane["x"] < now["x"] < pane["x"] + pane["width"]
    lab.page.locator(".rl-st-scroll").evaluate("(one) => { one.scrollLeft = 0; }")
    lab.page.wait_for_selector('.rl-st-spot[data-depth="1"]', state="attached")
    assert lab.page.evaluate(drawn) < 4000


# the ledger


def test_configurations_can_be_read_in_their_cells(lab: LabPage) -> None:
    lab.show(sample_tapes.joint())
    assert lab.page.locator('[data-kind="configuration"] .rl-cell-text').all_inner_texts() == ["1–3&3–5"]


def test_a_long_log_goes_to_an_index_to_what_is_committed_and_to_its_end(lab: LabPage) -> None:
    toy = sample_tapes.elected()
    leader = toy.frame["servers"]["S3"]
    for n in range(2, 3001):
        leader["log"][str(n)] = {"term": 1, "text": f"set x {n}", "kind": "command"}
    leader |= {"last_index": 3000, "commit_index": 1200, "last_applied": 1200}
    toy.record("propose", "S3", "", "Many entries.")
    lab.show(toy)
    in_sight = """() => { const pane = document.querySelector(".rl-ledger-scroll").getBoundingClientRect();
      const heads = [...document.querySelectorAll(".rl-slot-head")].filter((one) => {
        const box = one.getBoundingClientRect(); return box.left > pane.left + 144 && box.right < pane.right; });
      return heads.map((one) => Number(one.textContent)); }"""
    lab.page.get_by_label("Go to index").fill("2000")
    lab.page.get_by_label("Go to index").press("Enter")
    assert 2000 in lab.page.evaluate(in_sight)
    lab.button("committed").click()
    assert 1200 in lab.page.evaluate(in_sight)
    lab.button("end").click()
    assert 3000 in lab.page.evaluate(in_sight)
    assert lab.page.locator(".rl-cell").count() < 100
