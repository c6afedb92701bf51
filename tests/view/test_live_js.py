"""The lab of a cluster on which clients live: it follows what happens, and lets the past go."""

import pytest

from raft_lab import Cluster
from raft_lab.view import frames
from view.lab_page import LabPage
from view.test_driving_js import Run

FLOWS = {"paused": False, "speed": 1}


class Live:
    """A run that goes on by itself, as the kernel tells of it."""

    def __init__(self, lab: LabPage) -> None:
        self.lab = lab
        self.cluster = Cluster(3, seed=3)
        self.recording = frames.Recording(self.cluster)
        self.told = 1
        lab.show(Run(self.cluster), options={"rules": frames.rule_book()})
        lab.page.locator(".raft-lab[data-step]").wait_for()

    def tell(self, live=FLOWS, **more):
        steps, first = self.recording.steps(), self.recording.first
        new = steps[max(0, self.told - first) :]
        self.told = first + len(steps)
        self.lab.kernel_says(
            type="steps",
            steps=new,
            first=first,
            cursor=self.cluster.now.id,
            total=self.told,
            names={},
            live=live,
            reply_to=more.get("reply_to", 0),
        )

    def shows(self, step):
        self.lab.page.locator(f'.raft-lab[data-step="{step}"]').wait_for()


@pytest.fixture
def live(lab: LabPage) -> Live:
    return Live(lab)


def test_it_shows_the_latest_step_unless_one_looks_at_the_past(live):
    live.cluster.step(20)
    live.tell()
    live.shows(20)
    live.lab.button("Back").click()
    live.shows(19)
    live.cluster.step(5)
    live.tell()
    assert live.lab.page.locator(".raft-lab").get_attribute("data-step") == "19"
    live.lab.button("End").click()
    live.shows(25)
    live.cluster.step(5)
    live.tell()
    live.shows(30)


def test_what_was_let_go_is_not_there_any_more_and_the_rest_is_as_it_was(live):
    live.cluster.step(600)
    live.tell()
    live.shows(600)
    live.cluster.step(200)
    live.cluster.let_go(300)
    live.tell()
    live.shows(800)
    live.lab.button("Start").click()
    live.shows(256)
    live.lab.button("Forward").click()
    live.shows(257)
    assert str(live.cluster.tape[257].sentence) in live.lab.text(".rl-sentence")


def test_whoever_was_away_for_long_sees_only_the_latest(live):
    live.cluster.step(30)
    live.tell()
    live.shows(30)
    live.cluster.step(2000)
    live.cluster.let_go(300)
    live.tell()
    live.shows(2030)
    live.lab.button("Start").click()
    live.shows(live.cluster.tape.first)


def test_play_and_speed_are_the_clusters_own(live):
    live.cluster.step(20)
    live.tell()
    live.shows(20)
    assert "live" in live.lab.text(".rl-when")
    live.lab.button("Pause").click()
    assert live.lab.page.evaluate("model.sent.at(-1)") | {"n": 0, "at": 0} == {
        "do": "live",
        "paused": True,
        "n": 0,
        "at": 0,
    }
    live.tell({"paused": True, "speed": 1}, reply_to=live.lab.page.evaluate("model.sent.at(-1).n"))
    live.lab.button("Play").wait_for()
    assert "paused" in live.lab.text(".rl-when")
    live.lab.page.get_by_label("Speed").select_option("0.5")
    assert live.lab.page.evaluate("model.sent.at(-1).speed") == 0.5


def test_it_says_why_the_cluster_stands_still_though_nobody_here_has_asked(live):
    live.cluster.step(20)
    live.tell({"paused": True, "speed": 1})
    live.shows(20)
    text = "The cluster was paused, since it cannot go on: the disk is full"
    live.lab.kernel_says(type="refused", text=text, cursor=live.cluster.now.id, reply_to=0)
    live.lab.page.get_by_text(text).wait_for()
    assert live.lab.button("Play").is_enabled()
