"""The lab in a browser, without Jupyter: a blank page, a fake model, and tapes written by a toy Raft."""

from __future__ import annotations

import base64
import json
import zlib

import pytest

from view import sample_tapes
from view.lab_page import DARK, LIGHT, LabPage, bundle

# what is seen


def test_frames_unfolded_from_patches_are_the_frames_of_the_kernel(lab: LabPage) -> None:
    toys = [sample_tapes.branches(), sample_tapes.long_log()]
    code = bundle("tape.js")[0] + "\nexport { Tape };"
    unfold = """async ([code, tapes]) => {
      const { Tape } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
      return tapes.map(({ steps }) => {
        const tape = new Tape(steps);
        return steps.map(({ id }) => tape.frame(id)); }); }"""
    assert lab.page.evaluate(unfold, [code, [toy.tape() for toy in toys]]) == [toy.frames for toy in toys]


def test_what_a_patch_leaves_alone_is_the_same_object(lab: LabPage) -> None:
    code = bundle("tape.js")[0] + "\nexport { merged };"
    same = lab.page.evaluate(
        """async (code) => {
      const { merged } = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
      const base = { kept: { a: [1] }, gone: 1, changed: { x: 1, y: { z: 2 } } };
      const next = merged(base, { gone: null, changed: { x: 2 } });
      return [next.kept === base.kept, next.changed.y === base.changed.y, "gone" in next, base.gone, base.changed.x];
    }""",
        code,
    )
    assert same == [True, True, False, 1, 1]


def test_a_role_is_told_by_shape_and_in_words(lab: LabPage) -> None:
    lab.show(sample_tapes.stale_leader())
    outlines = {lab.server(name).locator(".rl-shape").get_attribute("d") for name in ("S1", "S2")}
    assert len(outlines) == 2
    assert lab.server("S1").get_attribute("aria-label") == "S1, leader, term 2"
    assert lab.server("S3").get_attribute("aria-label") == "S3, stale leader, term 1"
    assert lab.server("S3").locator(".rl-node-role").text_content() == "stale leader"
    assert lab.page.locator(".rl-walls").is_visible()


def test_a_crashed_server_is_crossed_out(lab: LabPage) -> None:
    lab.show(sample_tapes.split_vote())
    assert lab.server("S3").locator(".rl-cross").is_visible()
    assert lab.server("S3").get_attribute("aria-label") == "S3, crashed, term 1"


def test_ballots_of_a_candidate_stand_on_the_side_of_each_peer(lab: LabPage) -> None:
    toy = sample_tapes.election()
    vote = next(
        m for m, body in toy.frame["messages"].items() if body["kind"] == "RequestVoteReply" and body["src"] == "S2"
    )
    toy.deliver(vote)
    lab.show(toy)
    assert lab.server("S3").locator(".rl-ballot").count() == 4
    assert lab.server("S3").locator(".rl-granted").get_attribute("data-peer") == "S2"
    assert lab.server("S3").locator(".rl-node-votes").text_content() == "2/3 votes"


def test_forty_messages_can_each_be_hit(lab: LabPage) -> None:
    lab.show(sample_tapes.busy())
    lab.page.wait_for_timeout(350)
    hit = lab.page.evaluate("""() => [...document.querySelectorAll("[data-message]")].map((dot) => {
      const box = dot.querySelector(".rl-hit").getBoundingClientRect();
      const top = document.elementFromPoint(box.x + box.width / 2, box.y + box.height / 2);
      return [box.width >= 24, top?.closest("[data-message]") === dot]; })""")
    assert len(hit) == 40
    assert all(big and top for big, top in hit)


def test_the_ledger_marks_what_differs_from_the_leader(lab: LabPage) -> None:
    lab.show(sample_tapes.stale_leader())
    differing = lab.page.locator('.rl-ledger-row[data-about="S3"] .rl-differs')
    assert [cell.get_attribute("title") for cell in differing.all()] == [
        "index 3, term 1: set x 2 (uncommitted, differs from the leader)",
        "index 4, term 1: set y 9 (uncommitted, differs from the leader)",
    ]


def test_a_broken_invariant_leads_back_to_the_step_that_broke_it(lab: LabPage) -> None:
    toy = sample_tapes.broken()
    lab.show(toy)
    assert "S1 and S3 both lead term 1." in lab.text(".rl-chip[data-broken]")
    lab.button("Go to the step").click()
    assert lab.step == toy.cursor - 1


def test_code_so_far_ends_at_the_step_on_screen(lab: LabPage) -> None:
    lab.show(sample_tapes.branches(), cursor=2)
    lab.page.get_by_text("Code so far").click()
    assert lab.page.locator(".rl-code-lines li").all_inner_texts() == [
        "cluster = Cluster(3, seed=1)",
        "cluster.timeout('S1')",
        "cluster.deliver('m1')",
    ]


# moving about needs no kernel


def test_back_and_forward_change_the_picture_before_the_kernel_hears_of_it(lab: LabPage) -> None:
    toy = sample_tapes.election()
    lab.show(toy)
    seen = lab.page.evaluate("""() => {
      const root = document.querySelector(".raft-lab"), seen = [];
      for (const name of ["Back", "Back", "Forward"]) {
        root.querySelector(`[aria-label="${name}"]`).click();
        seen.push([root.dataset.step, root.querySelector(".rl-sentence").textContent, model.sent.length]);
      }
      return seen; }""")
    assert seen == [[str(step), toy.steps[step]["sentence"], 1] for step in (3, 2, 3)]
    lab.page.wait_for_function("model.sent.length > 1")
    assert lab.sent("goto") == [{"do": "goto", "step": 3}]


def test_scrubbing_says_in_words_where_one_is(lab: LabPage) -> None:
    toy = sample_tapes.election()
    lab.show(toy)
    lab.page.get_by_label("Step on this branch").fill("1")
    assert lab.step == 1
    assert (
        lab.page.get_by_label("Step on this branch").get_attribute("aria-valuetext")
        == f"step 1, 153.2 ms: {toy.steps[1]['sentence']}"
    )


def test_branches_are_kept_and_can_be_changed(lab: LabPage) -> None:
    lab.show(sample_tapes.branches())
    assert lab.text(".rl-branch") == "branch 3 of 3"
    lab.button("Previous branch").click()
    assert (lab.step, lab.text(".rl-branch")) == (4, "branch 2 of 3")
    lab.button("Back").click()
    assert (lab.step, lab.text(".rl-branch")) == (1, "branch 2 of 3 ahead")
    lab.button("Previous branch").click()
    lab.button("End").click()
    assert lab.step == 3


def test_keys_work_and_only_those_in_use_are_kept_from_the_notebook(lab: LabPage) -> None:
    lab.show(sample_tapes.election())
    lab.page.evaluate("window.escaped = []; document.addEventListener('keydown', (event) => escaped.push(event.key))")
    lab.server("S1").focus()
    steps = []
    for key in ("Home", "ArrowRight", "ArrowRight", "ArrowLeft", "End", "b"):
        lab.page.keyboard.press(key)
        steps.append(lab.step)
    assert steps == [0, 1, 2, 1, 4, 4]
    assert lab.page.evaluate("escaped") == ["b"]
    lab.page.keyboard.press(".")
    assert lab.sent("step") == [{"do": "step", "at": 4, "count": 1}]


def test_arrows_and_space_are_letters_while_one_types(lab: LabPage) -> None:
    lab.show(sample_tapes.election())
    lab.page.get_by_label("Command to propose").focus()
    for key in ("Home", "ArrowRight", "Space"):
        lab.page.keyboard.press(key)
    assert lab.step == 4
    assert lab.page.get_by_label("Command to propose").input_value() == "s et x 1"


def test_what_is_recorded_plays_without_a_kernel(lab: LabPage) -> None:
    lab.show(sample_tapes.election(), cursor=0)
    lab.page.get_by_label("Speed").select_option("8")
    lab.button("Play").click()
    lab.page.wait_for_selector('[data-step="4"]', timeout=3000)


def test_playing_what_is_recorded_ends_where_the_record_ends(lab: LabPage) -> None:
    lab.show(sample_tapes.election(), cursor=2, options={"speed": 8})
    lab.kernel_answers(type="steps", steps=[], cursor=2, total=5)
    lab.button("Play").click()
    lab.page.wait_for_selector('[data-step="4"]', timeout=3000)
    lab.button("Play").wait_for(timeout=1000)
    assert lab.sent("step") == []
    lab.button("Play").click()
    lab.page.wait_for_function("model.sent.some((content) => content.do === 'step')", timeout=3000)


@pytest.mark.parametrize("way", ["the button", "the key"])
def test_step_stays_in_what_is_recorded_and_asks_the_kernel_only_at_its_end(lab: LabPage, way: str) -> None:
    lab.show(sample_tapes.election(), cursor=2)
    steps = []
    for _ in range(3):
        lab.button("Step").press(".") if way == "the key" else lab.button("Step").click()
        steps.append((lab.step, len(lab.sent("step"))))
    assert steps == [(3, 0), (4, 0), (4, 1)]
    assert lab.sent("step") == [{"do": "step", "at": 4, "count": 1}]


def test_the_notebook_may_choose_the_speed(lab: LabPage) -> None:
    lab.show(sample_tapes.election(), options={"speed": 4})
    assert lab.page.get_by_label("Speed").input_value() == "4"


@pytest.mark.parametrize("speed", [100, 3])
def test_a_speed_without_a_name_is_shown_all_the_same(lab: LabPage, speed: int) -> None:
    lab.show(sample_tapes.election(), options={"speed": speed})
    assert lab.page.get_by_label("Speed").input_value() == str(min(speed, 8))


def test_playing_at_the_tip_asks_for_little_at_a_time(lab: LabPage) -> None:
    toy = sample_tapes.election()
    more = list(toy.steps)
    lab.show(toy)
    lab.kernel_answers(type="steps", steps=[], cursor=4, total=5)
    first = len(more)
    for _ in range(3):
        toy.deliver(next(iter(toy.frame["messages"])))
    lab.page.get_by_label("Speed").select_option("4")
    lab.button("Play").click()
    lab.page.wait_for_function("model.sent.some((content) => content.do === 'step')")
    assert lab.sent("step") == [{"do": "step", "at": 4, "count": lab.sent("step")[0]["count"]}]
    assert lab.sent("step")[0]["count"] <= 3
    lab.kernel_answers(type="steps", steps=toy.steps[first:], cursor=7, total=8)
    lab.page.wait_for_selector('[data-step="7"]', timeout=3000)


# acting


def test_an_act_is_sent_with_the_step_on_screen(lab: LabPage) -> None:
    toy = sample_tapes.election()
    first = min(toy.frames[3]["messages"], key=lambda m: toy.frames[3]["messages"][m]["due_us"])
    lab.show(toy)
    lab.button("Back").click()
    lab.page.locator(f'.rl-row[data-about="{first}"] [data-verb="deliver"]').click()
    assert lab.sent("goto", "act") == [
        {"do": "goto", "step": 3},
        {"do": "act", "at": 3, "verb": "deliver", "args": [first]},
    ]


def test_an_answer_moves_the_lab_to_the_new_step(lab: LabPage) -> None:
    toy = sample_tapes.election()
    lab.show(toy)
    known = len(toy.steps)
    lab.button("Step").click()
    toy.deliver("m1")
    lab.kernel_answers(type="steps", steps=toy.steps[known:], cursor=known, total=known + 1)
    assert lab.step == known
    assert lab.text(".rl-sentence") == toy.steps[known]["sentence"]


def test_quick_clicks_wait_for_one_another(lab: LabPage) -> None:
    toy = sample_tapes.election()
    lab.show(toy)
    lab.button("Step").click(click_count=2)
    assert len(lab.sent("step")) == 1
    toy.deliver("m1")
    lab.kernel_answers(type="steps", steps=toy.steps[5:], cursor=5, total=6)
    assert lab.sent("step") == [{"do": "step", "at": 4, "count": 1}, {"do": "step", "at": 5, "count": 1}]


def test_a_refusal_is_an_alert_until_the_next_action(lab: LabPage) -> None:
    lab.show(sample_tapes.election())
    lab.button("Crash S2").click()
    lab.kernel_answers(type="refused", text="S2 is crashed; restart it first: cluster.restart('S2')", cursor=4)
    assert "restart it first" in lab.page.get_by_role("alert").inner_text()
    lab.button("Back").click()
    assert lab.page.get_by_role("alert").count() == 0


def test_steps_that_skip_some_make_the_lab_ask_again(lab: LabPage) -> None:
    toy = sample_tapes.elected()
    late = toy.steps[8:]
    del toy.steps[5:]
    lab.show(toy, cursor=4)
    lab.kernel_says(type="steps", steps=late, cursor=late[-1]["id"], total=late[-1]["id"] + 1, reply_to=0)
    assert lab.sent("hello") == [{"do": "hello", "have": 5}, {"do": "hello", "have": 5}]
    assert lab.step == 4


def test_where_one_has_gone_is_told_before_anything_is_asked_or_the_answer_would_lead_back(lab: LabPage) -> None:
    toy = sample_tapes.elected()
    late = toy.steps[8:]
    del toy.steps[5:]
    lab.show(toy, cursor=4)
    skipping = {"type": "steps", "steps": late, "cursor": 4, "total": late[-1]["id"] + 1, "reply_to": 0}
    at_once = "([start, news]) => { start.click(); kernel(news); }"  # before a timer could run out
    lab.page.evaluate(at_once, [lab.button("Start").element_handle(), skipping])
    assert [content["do"] for content in lab.sent()] == ["hello", "goto", "hello"]


def test_code_in_a_cell_moves_the_picture(lab: LabPage) -> None:
    lab.show(sample_tapes.election())
    lab.kernel_says(type="steps", steps=[], cursor=2, total=5, reply_to=0)
    assert lab.step == 2


def test_what_was_learned_is_kept_with_the_notebook(lab: LabPage) -> None:
    toy = sample_tapes.election()
    lab.show(toy)
    known = len(toy.steps)
    toy.deliver("m1")
    lab.kernel_says(type="steps", steps=toy.steps[known:], cursor=known, total=known + 1, reply_to=0)
    lab.page.wait_for_function("model.get('tape').cursor === 5", timeout=3000)
    [packed] = lab.page.evaluate("model.get('tape').packed")
    assert json.loads(zlib.decompress(base64.b64decode(packed))) == toy.steps


def test_without_a_kernel_the_lab_says_so_quietly(lab_apart: LabPage) -> None:
    lab = lab_apart
    lab.page.clock.install()
    lab.show(sample_tapes.election())
    lab.button("Step").click()
    lab.page.clock.fast_forward(4500)
    assert lab.text(".rl-silent") == "The kernel is busy or gone: you can still play what was recorded."
    lab.button("Back").click()
    assert lab.step == 3
    lab.button("Step").click()
    assert lab.step == 4


RESTARTED = "The kernel was restarted: run this cell again. What was recorded can still be played."


def test_after_a_restart_the_lab_plays_and_does_not_act(lab: LabPage) -> None:
    toy = sample_tapes.election()
    lab.show(toy)
    lab.kernel_answers(type="steps", steps=[], cursor=4, total=5)
    lab.page.evaluate("model.closed = true")
    sent = len(lab.sent())
    lab.button("Step").click()
    assert lab.text(".rl-silent") == RESTARTED
    for name in ("Step", "Play", "Crash S1", "Partition…", "Members…", "Propose"):
        assert lab.button(name).get_attribute("aria-disabled") == "true", name
    lab.button("Back").click()
    assert lab.step == 3
    lab.button("Step").click()
    assert (lab.step, len(lab.sent())) == (4, sent)
    assert lab.text(".rl-silent") == RESTARTED


def test_the_host_may_tell_that_the_kernel_is_gone_and_is_back(lab: LabPage) -> None:
    lab.show(sample_tapes.election())
    lab.kernel_answers(type="steps", steps=[], cursor=4, total=5)
    lab.page.evaluate("model.comm_live = false; model.emit('comm_live_update')")
    assert lab.text(".rl-silent") == RESTARTED
    lab.page.evaluate("model.comm_live = true; model.emit('comm_live_update')")
    lab.kernel_says(type="steps", steps=[], cursor=4, total=5, reply_to=0)
    assert not lab.page.locator(".rl-silent").is_visible()
    assert lab.button("Crash S1").get_attribute("aria-disabled") is None


# menus and lists


def test_a_server_offers_its_verbs_in_a_menu(lab: LabPage) -> None:
    lab.show(sample_tapes.election())
    lab.server("S1").focus()
    lab.page.keyboard.press("Enter")
    assert lab.page.get_by_role("menuitem").all_inner_texts()[0] == "Election timeout"
    lab.page.keyboard.press("ArrowDown")
    assert "only a leader sends heartbeats" in lab.page.evaluate("document.activeElement.innerText")
    lab.page.keyboard.press("Enter")  # not allowed now: nothing happens
    assert lab.sent("act") == []
    lab.page.keyboard.press("Escape")
    assert lab.page.evaluate("document.activeElement.dataset.server") == "S1"
    assert lab.page.get_by_role("menu").count() == 0


def test_a_link_can_be_cut_one_way_or_both(lab: LabPage) -> None:
    lab.show(sample_tapes.election())
    lab.page.locator('[data-link="S1-S2"]').focus()
    lab.page.keyboard.press("Enter")
    lab.page.get_by_role("menuitem", name="Cut both ways").click()
    lab.kernel_answers(type="steps", steps=[], cursor=4, total=5)
    assert [act["args"] for act in lab.sent("act")] == [["S1", "S2"], ["S2", "S1"]]


def test_the_menu_of_a_message_shows_its_fields(lab: LabPage) -> None:
    lab.show(sample_tapes.election())
    lab.page.locator("[data-message]").first.click()
    assert "last_log_index" in lab.text(".rl-facts")
    lab.page.get_by_role("menuitem", name="Drop").click()
    assert lab.sent("act")[0]["verb"] == "drop"


def test_a_partition_is_drawn_by_clicking_servers(lab: LabPage) -> None:
    lab.show(sample_tapes.elected())
    lab.button("Partition…").click()
    lab.server("S1").click()
    lab.server("S2").click()
    lab.button("Apply").click()
    assert lab.sent("act") == [
        {"do": "act", "at": lab.step, "verb": "partition", "args": [["S1", "S2"], ["S3", "S4", "S5"]]}
    ]


def test_proposals_go_to_the_leader_and_count_on(lab: LabPage) -> None:
    lab.show(sample_tapes.elected())
    lab.page.get_by_label("Command to propose").press("Enter")
    assert lab.sent("act")[0]["args"] == ["S3", "set x 1"]
    assert lab.page.get_by_label("Command to propose").input_value() == "set x 2"


def test_what_cannot_be_done_stays_in_the_agenda_with_its_reason(lab: LabPage) -> None:
    lab.show(sample_tapes.stale_leader())
    stuck = lab.page.locator('.rl-row [data-verb="deliver"][aria-disabled]').first
    reason = stuck.get_attribute("title")
    stuck.focus()
    assert lab.text(".rl-reason") == f"Deliver: {reason}"
    stuck.press("Enter")
    assert lab.sent("act") == []


def test_the_agenda_says_on_demand_what_cannot_happen_and_why(lab: LabPage) -> None:
    lab.show(sample_tapes.election())
    assert not lab.page.locator(".rl-reasons").is_visible()
    lab.page.get_by_text("What cannot happen now").click()
    assert "S2: Heartbeat\nS2 is a follower; only a leader sends heartbeats." in lab.text(".rl-reasons:not(:empty)")


def test_the_agenda_is_in_the_order_in_which_things_happen(lab: LabPage) -> None:
    toy = sample_tapes.elected()
    lab.show(toy)
    due = {f"{m}": body["due_us"] for m, body in toy.frame["messages"].items()}
    for name, server in toy.frame["servers"].items():
        if kind := server["timer"].get("kind"):
            due[f"{name} {'timeout' if kind == 'election' else 'heartbeat'}"] = server["timer"]["due_us"]
    rows = lab.page.locator('[aria-label="By time"] .rl-row')
    assert [row.get_attribute("data-row") for row in rows.all()] == sorted(due, key=due.__getitem__)


def test_enter_on_an_agenda_row_does_the_obvious(lab: LabPage) -> None:
    toy = sample_tapes.election()
    lab.show(toy)
    soonest = min(toy.frame["messages"], key=lambda m: toy.frame["messages"][m]["due_us"])
    lab.page.locator(f'.rl-row[data-about="{soonest}"]').press("Enter")
    assert lab.sent("act") == [{"do": "act", "at": 4, "verb": "deliver", "args": [soonest]}]


def test_agenda_and_ring_light_up_together(lab: LabPage) -> None:
    lab.show(sample_tapes.election())
    lab.page.locator('.rl-row[data-row="S4"]').hover()
    assert "rl-lit" in lab.server("S4").get_attribute("class")


# snapshots, members, disks, reads


def test_two_majorities_fill_separately_while_the_configuration_is_joint(lab: LabPage) -> None:
    lab.show(sample_tapes.joint())
    assert lab.text(".rl-tally-about") == "entry 2, as S3 knows"
    rows = {row.get_attribute("data-quorum"): row for row in lab.page.locator(".rl-tally-row").all()}
    counted = {
        name: row.locator('.rl-tally-member[data-counts="true"]').all_inner_texts() for name, row in rows.items()
    }
    assert counted == {"C_old": ["S3"], "C_new": ["S3", "S4"]}
    assert [row.locator(".rl-tally-sum").inner_text() for row in rows.values()] == ["1/2", "2/2 ✓"]
    words = {name: lab.server(name).locator(".rl-node-votes").text_content() for name in ("S1", "S3", "S4")}
    assert words == {"S1": "old", "S3": "old + new", "S4": "new"}


def test_a_candidate_counts_by_the_configuration_in_its_own_log(lab: LabPage) -> None:
    lab.show(sample_tapes.joint_candidate())
    assert lab.server("S4").locator(".rl-node-votes").text_content() == "1/2 + 2/2 votes"


def test_without_a_joint_configuration_there_are_no_two_majorities(lab: LabPage) -> None:
    lab.show(sample_tapes.elected())
    assert not lab.page.locator(".rl-quorums").is_visible()


def test_who_is_a_learner_and_who_no_member_is_said(lab: LabPage) -> None:
    lab.show(sample_tapes.learner())
    assert lab.server("S4").get_attribute("aria-label") == "S4, follower, term 1, learner"
    assert lab.server("S5").locator(".rl-node-votes").text_content() == "not a member"
    assert lab.server("S1").locator(".rl-node-votes").text_content() == ""


def test_a_server_may_join_and_go_again_with_the_step(lab: LabPage) -> None:
    lab.show(sample_tapes.booted())
    shown = """() => ["[data-server]", ".rl-ledger-row", ".rl-row [data-verb=propose]"].map(
      (one) => document.querySelectorAll(one).length)"""
    assert lab.page.evaluate(shown) == [6, 6, 6]
    lab.button("Back").click()
    assert lab.page.evaluate(shown) == [5, 5, 5]


def test_a_pre_candidate_is_a_dashed_diamond_with_pre_votes(lab: LabPage) -> None:
    lab.show(sample_tapes.pre_vote())
    assert lab.server("S2").get_attribute("aria-label") == "S2, pre-candidate, term 1, 1/3 pre-votes"
    dashed = "(one) => getComputedStyle(one).strokeDasharray !== 'none'"
    assert lab.server("S2").locator(".rl-shape").evaluate(dashed)
    assert lab.page.locator('[data-kind="PreVote"] .rl-outline').first.evaluate(dashed)
    assert lab.server("S2").locator(".rl-ballot").count() == 4


def test_kinds_of_messages_differ_in_shape(lab: LabPage) -> None:
    lab.show(sample_tapes.kinds())
    looks = lab.page.evaluate("""() => [...document.querySelectorAll("[data-message]")].map((dot) => {
      const outline = dot.querySelector(".rl-outline");
      return [outline.getAttribute("d"), dot.querySelector(".rl-message-mark").getAttribute("d"),
        getComputedStyle(outline).strokeDasharray, getComputedStyle(outline).fill].join(); })""")
    assert len(looks) == len(set(looks)) == len(sample_tapes.KINDS)
    outlines = lab.page.locator("[data-message] .rl-outline").evaluate_all(
        "all => all.map((one) => one.getAttribute('d'))"
    )
    assert len(set(outlines)) == 4  # votes, appends, snapshots, and the wish to take over


def test_what_is_compacted_is_hatched_and_what_is_not_on_disk_is_marked(lab: LabPage) -> None:
    lab.show(sample_tapes.compacted())
    assert lab.text('.rl-ledger-row[data-about="S1"] .rl-compacted') == "snapshot 3, term 1"
    in_memory = lab.page.locator(".rl-ledger .rl-in-memory")
    assert [cell.get_attribute("title") for cell in in_memory.all()] == [
        "index 5, term 1: set x 4 (uncommitted, not on disk yet)"
    ]
    lab.server("S1").click()
    facts = lab.text(".rl-facts")
    for fact in ("up to 3, term 1", "up to 4", "2 messages"):
        assert fact in facts


def test_an_entry_of_another_term_than_the_last_one_in_the_leaders_snapshot_differs(lab: LabPage) -> None:
    toy = sample_tapes.compacted()
    leader = toy.frame["servers"]["S3"]
    leader["log"] = {index: entry for index, entry in leader["log"].items() if int(index) > 3}
    leader |= {"first_index": 4, "snapshot": {"index": 3, "term": 2, "configuration": "{S1, S2, S3, S4, S5}"}}
    toy.record("compact", "S3", "", "S3 compacts its log.")
    lab.show(toy)
    differing = lab.page.locator('.rl-ledger-row[data-about="S2"] .rl-differs')
    assert [cell.get_attribute("title").split(":")[0] for cell in differing.all()] == ["index 3, term 1"]


def test_reads_under_way_are_a_badge_on_the_leader(lab: LabPage) -> None:
    lab.show(sample_tapes.compacted())
    assert lab.page.locator(".rl-reads:visible").all_text_contents() == ["2 reads"]


def test_the_list_is_short_and_the_menu_complete(lab: LabPage) -> None:
    lab.show(sample_tapes.compacted())
    listed = lab.page.locator('.rl-row[data-about="S1"] [data-verb]').all_inner_texts()
    assert listed == ["Election timeout", "Propose", "Crash"]
    lab.page.locator('.rl-row[data-row="S1"] .rl-more').click()
    offered = [name.split("\n")[0] for name in lab.page.get_by_role("menuitem").all_inner_texts()]
    more = ["Silence", "Check quorum", "Compact", "Disk done", "Read", "Read by lease", "Read locally"]
    last = ["Make leader (transfer)", "Remove from the cluster"]
    assert offered == ["Election timeout", "Heartbeat", "Propose “set x 1”", "Crash", *more, *last]
    lab.page.get_by_role("menuitem", name="Read by lease").click()
    lab.kernel_answers(type="steps", steps=[], cursor=lab.step, total=lab.step + 1)
    lab.server("S1").click()
    lab.page.get_by_role("menuitem", name="Make leader (transfer)").click()
    assert [(act["verb"], act["args"]) for act in lab.sent("act")] == [
        ("read", ["S1", "lease"]),
        ("transfer_leadership", ["S3", "S1"]),
    ]


def test_members_are_changed_by_the_leader(lab: LabPage) -> None:
    toy = sample_tapes.learner()
    lab.show(toy)
    lab.button("Members…").click()
    apply = lab.page.locator(".rl-choosing").get_by_role("button", name="Apply")
    assert apply.get_attribute("aria-disabled") == "true"
    assert lab.page.locator(".rl-member").all_inner_texts() == [
        "S1 voter",
        "S2 voter",
        "S3 voter",
        "S4 learner",
        "S5 out",
    ]
    lab.page.locator('[data-member="S1"].rl-member').click()  # a voter goes
    lab.page.locator('[data-member="S5"].rl-member').click(click_count=2)  # who is out is a learner first, then a voter
    lab.button("Start server S6").click()
    assert lab.sent("act") == [{"do": "act", "at": toy.cursor, "verb": "boot", "args": ["S6"]}]
    known = len(toy.steps)
    toy.boot("S6")
    lab.kernel_answers(type="steps", steps=toy.steps[known:], cursor=known, total=known + 1)
    assert lab.page.locator('[data-member="S6"].rl-member').inner_text() == "S6 learner"
    apply.click()
    assert lab.sent("act")[1] == {
        "do": "act",
        "at": known,
        "verb": "reconfigure",
        "args": ["S3", ["S2", "S3", "S5"], ["S4", "S6"]],
    }


# every view, every eye


def test_sentence_and_step_are_on_one_screen_and_the_lab_is_no_higher(lab: LabPage) -> None:
    lab.page.set_viewport_size({"width": 1280, "height": 650})
    lab.show(sample_tapes.stale_leader(), width=1150)
    root, step = (lab.page.locator(one).bounding_box() for one in (".raft-lab", ".rl-step"))
    assert step["y"] + step["height"] - root["y"] < 150
    assert root["height"] <= 605


@pytest.mark.parametrize("width", [1150, 620])
def test_words_of_any_length_move_nothing(lab: LabPage, width: int) -> None:
    toy = sample_tapes.election()
    toy.steps[2]["sentence"] *= 12
    toy.steps[3]["sentence"] = "Short."
    lab.show(toy, cursor=0, width=width)
    tops = set()
    for _ in range(4):
        lab.button("Forward").click()
        tops.add(lab.page.locator(".rl-transport").bounding_box()["y"])
    assert len(tops) == 1


def test_two_views_show_one_model(lab: LabPage) -> None:
    toy = sample_tapes.election()
    lab.show(toy)
    lab.page.evaluate("view(700)")
    toy.deliver("m1")
    lab.kernel_says(type="steps", steps=toy.steps[5:], cursor=5, total=6, reply_to=0)
    lab.button("Back").first.click()
    assert [root.get_attribute("data-step") for root in lab.page.locator(".raft-lab").all()] == ["4", "4"]
    lab.page.evaluate("views[0].close()")
    lab.button("Forward").click()
    assert lab.step == 5


def test_a_closed_view_leaves_nothing_behind(lab: LabPage) -> None:
    lab.show(sample_tapes.election())
    lab.page.evaluate("views[0].close()")
    assert lab.page.evaluate(
        "[document.querySelectorAll('.raft-lab').length, Object.values(model.calls).flat().length]"
    ) == [0, 0]


def test_who_wants_stillness_gets_it(lab_apart: LabPage) -> None:
    lab = lab_apart
    toy = sample_tapes.election()
    lab.page.emulate_media(reduced_motion="reduce")
    lab.show(toy, cursor=3)
    lab.page.wait_for_timeout(300)
    moving = lab.page.evaluate("""() => {
      document.querySelector("[aria-label=Forward]").click();
      const dots = () => [...document.querySelectorAll("[data-message]")];
      const places = () => dots().map((dot) => dot.getAttribute("transform")).join();
      const before = places();
      return new Promise((done) => setTimeout(() => done([dots().length, before === places()]), 60)); }""")
    assert moving == [len(toy.frames[4]["messages"]), True]


def test_a_delivered_message_travels_to_its_receiver(lab: LabPage) -> None:
    toy = sample_tapes.election()
    lab.show(toy, cursor=3)
    lab.page.wait_for_timeout(300)
    count = lab.page.evaluate("""() => { document.querySelector("[aria-label=Forward]").click();
      return document.querySelectorAll("[data-message]").length; }""")
    assert count == len(toy.frames[4]["messages"]) + 1
    lab.page.wait_for_function(f"document.querySelectorAll('[data-message]').length === {count - 1}")


@pytest.mark.parametrize("theme", [LIGHT, DARK], ids=["light", "dark"])
def test_text_can_be_read_in_both_themes(lab: LabPage, theme: str) -> None:
    lab.show(sample_tapes.stale_leader(), css=theme)
    poor = lab.page.evaluate(CONTRAST)
    assert poor == []


@pytest.mark.parametrize("width", [1300, 900, 560])
def test_nothing_sticks_out(lab: LabPage, width: int) -> None:
    lab.page.set_viewport_size({"width": width + 40, "height": 900})
    lab.show(sample_tapes.split_vote(), width=width)
    assert (
        lab.page.evaluate("""() => {
      const root = document.querySelector(".raft-lab"), edge = root.getBoundingClientRect().right;
      const things = [...root.querySelectorAll("button, h4, .rl-sentence, .rl-node text, .rl-row")];
      return things.filter((one) => one.offsetParent !== null
        && !one.closest(".rl-ledger") && one.getBoundingClientRect().right > edge).map((one) => one.outerHTML); }""")
        == []
    )


CONTRAST = """() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const over = (layers) => { canvas.clearRect(0, 0, 1, 1);
    for (const color of layers) { canvas.fillStyle = color; canvas.fillRect(0, 0, 1, 1); }
    return [...canvas.getImageData(0, 0, 1, 1).data].slice(0, 3); };
  const linear = (v) => v <= 0.03928 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4;
  const light = (rgb) => { const [r, g, b] = rgb.map((v) => linear(v / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b; };
  const poor = [];
  for (const one of document.querySelectorAll(".raft-lab *")) {
    const text = [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim());
    if (!text || one.closest("[hidden], [aria-disabled], option, title") || !one.getClientRects().length) continue;
    const style = getComputedStyle(one), svg = one instanceof SVGElement, layers = [];
    for (let up = one; up; up = up.parentElement) layers.unshift(getComputedStyle(up).backgroundColor);
    if (svg && one.closest(".rl-node") && /name|term/.test(one.getAttribute("class")))
      layers.push(getComputedStyle(one.closest(".rl-node").querySelector(".rl-shape")).fill);
    const ground = over(["white", ...layers]), ink = over(["white", ...layers, svg ? style.fill : style.color]);
    const [a, b] = [light(ground), light(ink)].sort((x, y) => y - x), ratio = (a + 0.05) / (b + 0.05);
    if (ratio < 4.5) poor.push(`${one.getAttribute("class")} "${one.textContent.slice(0, 20)}" ${ratio.toFixed(2)}`);
  }
  return poor; }"""
