"""The browser's half of the picture of an election, with a fake kernel at the other end."""

from __future__ import annotations

import json
from typing import Any

import pytest

from raft_lab.kube.electors import Electors
from raft_lab.kube.requests import Get, Update
from raft_lab.view.assets import bundle
from raft_lab.view.elections import ElectionRecording
from raft_lab.view.electors import ElectorsLab
from view.lab_page import DARK, LIGHT, LabPage
from view.test_electors_lab import elected

SECOND = 1_000_000
START = """async ([code, css, picture, width]) => {
  const style = document.createElement("style");
  style.textContent = css;
  document.head.append(style);
  window.module = await import(URL.createObjectURL(new Blob([code], { type: "text/javascript" })));
  window.model = new Model({ picture: JSON.parse(picture) });
  await view(width);
}"""


class Picture:
    """An election on screen."""

    def __init__(self, lab: LabPage, electors: Electors, css: str = LIGHT, width: int = 1000) -> None:
        self.lab = lab
        self.page = lab.page
        self.electors = electors
        self.recording = ElectionRecording(electors)
        whole = json.dumps({**self.recording.whole(), "code": ""})
        self.page.evaluate(START, [bundle("electors.js"), ElectorsLab._css + css, whole, width])

    def told(self) -> None:
        """The kernel tells what is new."""
        self.lab.kernel_says(type="news", news={**self.recording.news(), "code": "electors.run(1)"})
        self.page.wait_for_function("now => { const { dataset } = document.querySelector('.raft-electors'); "
                                    "return dataset.now === now && dataset.shown === now; }",
                                    arg=str(self.electors.now_us))  # fmt: skip

    def look(self, seconds: float) -> None:
        slider = self.page.get_by_role("slider", name="Look back")
        slider.evaluate("(s, at) => { s.value = at; s.dispatchEvent(new Event('input')); }", seconds * SECOND)

    @property
    def sentence(self) -> str:
        return str(self.lab.text(".el-sentence"))

    def pod(self, name: str) -> Any:
        return self.page.get_by_role("group", name=name, exact=True)

    def bars(self, what: str) -> int:
        return int(self.page.locator(f".el-bar[data-what={what}]").count())


def paused(fencing: str = "resourceVersion") -> tuple[Electors, float]:
    """The leader stands still for 30 s, and has been awake again for 5; and when it woke."""
    electors = elected(fencing)
    electors.pause(str(electors.leader), 30)
    electors.run(35)
    return electors, electors.now_us / SECOND - 5


def test_two_workers_at_once_are_said_drawn_and_named(lab: LabPage) -> None:
    electors, woke = paused()
    picture = Picture(lab, electors)
    first, second = sorted(electors.workers)

    old, new = sorted(pod.turn.version for pod in electors.pods.values() if pod.turn)
    takes = f"The resource takes token {new}, and refuses token {old}."
    assert picture.sentence == f"⚠ {first} and {second} work at the same time. {takes}"
    clash = lab.page.locator('.el-clash[data-what="works"]')
    assert str(clash.locator("text").text_content()).startswith("⚠ 2 work for ")
    assert " work at the same time, from " in str(clash.locator("title").text_content())
    assert lab.page.locator('.el-lanes .el-mark[data-what="rejected"]').count() == len(electors.guarded.rejected) > 0
    refused = lab.page.locator('.el-mark-text[data-what="rejected"]')
    assert refused.text_content() == f"refused: token {old} is older than {new}"
    assert lab.page.locator('.el-hot[data-what="works"]').count() == 2

    picture.look(woke - 1)
    assert "work at the same time" not in picture.sentence
    assert clash.count() == 0


def test_without_a_fence_it_says_that_both_are_taken(lab: LabPage) -> None:
    electors, _ = paused("none")
    assert Picture(lab, electors).sentence.endswith("The resource takes what both write.")


def test_one_who_is_cut_off_writes_on_and_it_says_why(lab: LabPage) -> None:
    electors = elected()
    leader = str(electors.leader)
    electors.cut(leader)
    electors.run(8)
    picture = Picture(lab, electors)
    why = "Its way to the API server is cut; its writes take another."
    assert picture.sentence.startswith(f"{leader} leads, and works. {why} Its lease runs for ")


def test_one_whose_lease_was_taken_away_works_on_and_it_says_so(lab: LabPage) -> None:
    electors = elected()
    leader = str(electors.leader)
    place = ("leases", electors.namespace, electors.election)
    lease = electors.ask(Get(*place))
    electors.ask(Update(*place, {**lease, "spec": {**lease["spec"], "holderIdentity": "intruder"}}))
    electors.run(5)  # it has tried to renew, and has seen whose it is
    sentence = Picture(lab, electors).sentence
    assert sentence == f"⚠ {leader} no longer believes to lead, and still works; the record names intruder."


def test_the_record_is_that_of_the_time_one_looks_at(lab: LabPage) -> None:
    electors, _ = paused()
    old, new = electors.leases[0].record, electors.leases[-1].record
    assert old
    assert new
    picture = Picture(lab, electors)
    holder = lab.page.locator('[data-card="record"] tr:has-text("holderIdentity") .rl-field-text')

    assert holder.text_content() == json.dumps(new.holder_identity)
    assert lab.text(".el-key") == "/registry/leases/default/demo"
    assert json.loads(lab.text(".el-value"))["spec"]["leaseTransitions"] == 1

    picture.look(5)
    assert holder.text_content() == json.dumps(old.holder_identity)
    assert "5.0 s of" in lab.text(".rl-when")
    assert lab.sent("look")[-1] == {"do": "look", "at_us": 5 * SECOND}

    lab.button("Now").click()
    assert holder.text_content() == json.dumps(new.holder_identity)
    picture.look(1.2)
    assert picture.sentence == "Nobody leads yet: there is no record."


def test_whoever_looks_back_is_left_there_until_time_goes_on(lab: LabPage) -> None:
    electors, _ = paused()
    picture = Picture(lab, electors)
    picture.look(5)
    past = picture.sentence
    assert picture.pod("pod-b").get_by_role("button", name="Crash").is_disabled()  # nothing can be done to the past
    assert str(lab.text(".el-lately")).endswith("You look back; to do something, press Now.")

    lab.kernel_says(type="news", news={**picture.recording.news(), "code": ""})  # the answer to its greeting, late
    picture.page.evaluate("() => new Promise((next) => setTimeout(next, 400))")
    assert picture.sentence == past
    electors.run(1)
    picture.told()
    assert picture.sentence != past
    assert "You look back" not in str(lab.text(".el-lately"))
    assert picture.pod("pod-b").get_by_role("button", name="Crash").is_enabled()


def test_every_button_is_a_wish(lab: LabPage) -> None:
    electors = elected()
    picture = Picture(lab, electors)
    pod = picture.pod("pod-a")
    assert lab.sent() == [{"do": "hello"}]
    clicks = [
        (lambda: lab.button("Run 10 s").click(), {"do": "run", "seconds": 10}),
        (lambda: lab.button("Next leader").click(), {"do": "until_leader"}),
        (lambda: pod.get_by_role("button", name="Pause").click(), {"do": "pause", "pod": "pod-a", "seconds": 7}),
        (lambda: pod.get_by_role("button", name="Crash").click(), {"do": "crash", "pod": "pod-a"}),
        (lambda: pod.get_by_role("button", name="Cut").click(), {"do": "cut", "pod": "pod-a"}),
        (lambda: pod.get_by_role("combobox").select_option("2"), {"do": "clock", "pod": "pod-a", "speed": 2}),
        (lambda: lab.button("Crash leader").click(), {"do": "crash_server"}),
    ]
    lab.page.get_by_role("spinbutton").fill("7")
    for click, wish in clicks:
        click()
        assert lab.sent()[-1] == wish
        picture.told()


def test_a_button_says_what_it_undoes(lab: LabPage) -> None:
    electors = elected()
    picture = Picture(lab, electors)
    electors.crash("pod-a")
    electors.cut("pod-b")
    electors.pause("pod-c", 20)
    electors.cluster.crash(str(electors.cluster.leader))
    picture.told()

    for pod, name, verb in (
        ("pod-a", "Restart", "restart"),
        ("pod-b", "Mend", "mend"),
        ("pod-c", "Resume", "resume"),
    ):
        picture.pod(pod).get_by_role("button", name=name).click()
        assert lab.sent()[-1] == {"do": verb, "pod": pod}
        picture.told()
    assert picture.pod("pod-a").get_by_role("button", name="Pause").is_disabled()
    lab.page.get_by_role("button", name="Restart S").click()
    assert lab.sent()[-1] == {"do": "restart_servers"}


def test_what_is_new_runs_in(lab: LabPage) -> None:
    electors = elected()
    picture = Picture(lab, electors)
    before = electors.now_us
    lab.button("Run 10 s").click()
    electors.run(10)
    picture.told()
    shown = lab.page.locator(".raft-electors")
    assert int(shown.get_attribute("data-shown")) == electors.now_us > before
    assert lab.text(".el-code") == "electors.run(1)"


def test_play_asks_for_one_piece_after_another_until_it_is_stopped(lab: LabPage) -> None:
    electors = elected()
    picture = Picture(lab, electors)
    lab.button("Play").click()
    for _ in range(3):
        lab.page.wait_for_function(
            "n => model.sent.filter(m => m.do === 'run').length > n", arg=len(lab.sent("run")) - 1
        )
        asked = len(lab.sent("run"))
        electors.run(0.5)
        picture.told()
        lab.page.wait_for_function("n => model.sent.filter(m => m.do === 'run').length > n", arg=asked)
    lab.button("Pause").first.click()
    asked = len(lab.sent("run"))
    electors.run(0.5)
    picture.told()
    lab.page.wait_for_timeout(100)
    assert len(lab.sent("run")) == asked


def test_keys_work_only_inside_and_fields_keep_theirs(lab: LabPage) -> None:
    electors, _ = paused()
    Picture(lab, electors)
    lab.page.keyboard.press(".")
    assert lab.sent("run") == []
    lab.page.locator(".raft-electors").focus()
    lab.page.keyboard.press(".")
    assert lab.sent()[-1] == {"do": "run", "seconds": 1}
    lab.page.keyboard.press("Home")
    assert lab.page.locator(".raft-electors").get_attribute("data-shown") == "0"
    lab.page.keyboard.press("ArrowRight")
    assert int(lab.page.locator(".raft-electors").get_attribute("data-shown")) > 0
    asked = len(lab.sent())
    lab.page.get_by_role("spinbutton").focus()
    lab.page.keyboard.press("t")
    assert len(lab.sent()) == asked


def test_a_refusal_is_said_in_the_picture(lab: LabPage) -> None:
    electors = elected()
    Picture(lab, electors)
    lab.button("Run 1 s").click()
    lab.kernel_says(type="refused", text="pod-a does not run: it is crashed")
    assert lab.text(".el-lately") == "pod-a does not run: it is crashed"


def test_a_refusal_stays_until_something_else_is_asked_for(lab: LabPage) -> None:
    electors = elected()
    picture = Picture(lab, electors)
    lab.button("Next leader").click()
    lab.kernel_says(type="refused", text="pod-a leads and renews its lease")
    picture.told()
    assert lab.text(".el-lately[data-refused]") == "pod-a leads and renews its lease"
    lab.button("Run 1 s").click()
    assert lab.page.locator(".el-lately[data-refused]").count() == 0


@pytest.mark.parametrize(("screen", "room"), [(900, 780), (800, 680)])
def test_all_layers_and_what_the_marks_mean_are_seen_at_once(lab: LabPage, screen: int, room: int) -> None:
    """`room` is what JupyterLab leaves of a screen for a notebook."""
    electors, _ = paused()
    lab.page.set_viewport_size({"width": 1000, "height": screen})
    Picture(lab, electors, LIGHT, 830)
    top = lab.page.locator(".raft-electors").bounding_box()
    assert top
    for part in (".el-heads", ".el-legend", ".el-card .rl-ring"):
        box = lab.page.locator(part).bounding_box()
        assert box
        assert box["y"] + box["height"] - top["y"] <= room


def test_without_a_kernel_one_can_look_and_nothing_else(lab: LabPage) -> None:
    electors, _ = paused()
    picture = Picture(lab, electors)
    lab.page.evaluate("model.closed = true")
    lab.button("Run 1 s").click()
    assert lab.button("Run 1 s").is_disabled()
    assert lab.button("Play").is_disabled()
    picture.look(5)
    assert "leads, and works" in picture.sentence


def test_other_pods_are_another_picture(lab: LabPage) -> None:
    electors = elected()
    picture = Picture(lab, electors)
    electors.start("pod-d")
    whole = {**ElectionRecording(electors).whole(), "code": ""}
    lab.page.evaluate("picture => { model.state.picture = picture; model.emit('change:picture'); }", whole)
    assert picture.pod("pod-d").count() == 1
    assert lab.page.locator(".raft-electors").count() == 1


@pytest.mark.parametrize("width", [560, 760, 1000, 1240])
@pytest.mark.parametrize("css", [LIGHT, DARK], ids=["light", "dark"])
def test_it_fits_at_any_width_and_knows_its_theme(lab: LabPage, width: int, css: str) -> None:
    electors, _ = paused()
    electors.cut("pod-b")
    electors.pause("pod-b", 20)  # its buttons are at their widest
    lab.page.set_viewport_size({"width": width + 60, "height": 1200})
    Picture(lab, electors, css, width)
    root = lab.page.locator(".raft-electors")
    assert root.get_attribute("data-theme") == ("dark" if css == DARK else "light")
    wide = root.evaluate("e => [e, ...e.querySelectorAll('.el-acts')].map(part => part.scrollWidth - part.clientWidth)")
    assert max(wide) <= 0
    heads = root.evaluate("e => [...e.querySelectorAll('.el-head')].map(h => h.scrollHeight - h.clientHeight)")
    assert max(heads) <= 0
    ends = root.evaluate("e => [...e.querySelectorAll('.el-head')].map((h, i) => h.getBoundingClientRect().bottom)")
    rules = root.evaluate("e => [...e.querySelectorAll('.el-rule')].map(r => r.getBoundingClientRect().bottom)")
    assert [round(end) for end in ends] == pytest.approx([round(rule) for rule in rules], abs=1.5)


def test_one_who_wants_stillness_sees_the_end_at_once(lab_apart: LabPage) -> None:
    lab_apart.page.emulate_media(reduced_motion="reduce")
    electors = elected()
    picture = Picture(lab_apart, electors)
    electors.run(10)
    lab_apart.kernel_says(type="news", news={**picture.recording.news(), "code": ""})
    assert int(lab_apart.page.locator(".raft-electors").get_attribute("data-shown")) == electors.now_us


def test_the_chart_says_what_it_shows(lab: LabPage) -> None:
    electors, _ = paused()
    picture = Picture(lab, electors)
    chart = lab.page.get_by_role("img").first
    assert chart.get_attribute("aria-label").endswith(picture.sentence.removeprefix("⚠ "))
    slider = lab.page.get_by_role("slider", name="Look back")
    assert "work at the same time" in slider.get_attribute("aria-valuetext")
