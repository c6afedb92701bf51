"""The talk's demo application: who answers, what the page says, and what happens when something is killed."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest

from raft_lab import Cluster
from raft_lab.kube import stages
from raft_lab.kube.electors import Electors
from raft_lab.sim.errors import UnknownName
from raft_lab.view.assets import STATIC, bundle
from raft_lab.view.demo import Demo
from view.lab_page import LIGHT, LabPage
from view.test_electors_lab_js import START


@pytest.fixture
def electors() -> Electors:
    electors = stages.demo_of_2019()
    electors.run(5)
    return electors


@pytest.fixture
def demo(electors: Electors) -> Iterator[Demo]:
    demo = Demo(electors)
    yield demo
    demo.close()


def test_the_pods_answer_in_turn_and_say_whether_they_lead(demo: Demo) -> None:
    assert [str(demo.get()) for _ in range(4)] == [
        "pod-a, the leader",
        "pod-b, not the leader (that is pod-a)",
        "pod-c, not the leader (that is pod-a)",
        "pod-a, the leader",
    ]
    assert [demo.electors[name].answer for name in ("pod-a", "pod-c")] == ['{"name":"pod-a"}'] * 2


def test_when_the_leader_is_killed_the_others_answer_and_later_one_of_them_leads(demo: Demo) -> None:
    demo.electors.crash("pod-a")
    answers = [demo.reload() for _ in range(17)]

    assert {answer.pod for answer in answers} == {"pod-b", "pod-c"}
    assert not any(answer.is_leader for answer in answers[:7])  # the lease is 10 s
    assert any(answer.is_leader for answer in answers[10:])


def test_a_container_that_starts_again_under_its_name_leads_at_once(demo: Demo) -> None:
    demo.electors.crash("pod-a")
    demo.electors.run(2)
    demo.electors.restart("pod-a")
    demo.electors.run(0.5)
    assert str(demo.get("pod-a")) == "pod-a, the leader"


def test_one_who_is_cut_off_says_that_it_leads_until_it_hears_otherwise(demo: Demo) -> None:
    """A request of the sidecar has no deadline, so it waits for the answer, and for nothing else."""
    demo.electors.cut("pod-a")
    demo.electors.run(20)
    assert {str(demo.get(pod)) for pod in ("pod-a", "pod-b", "pod-c")} >= {"pod-a, the leader"}
    assert sum(demo.get(pod).is_leader for pod in ("pod-a", "pod-b", "pod-c")) == 2

    demo.electors.mend("pod-a")
    demo.electors.run(10)
    assert not demo.get("pod-a").is_leader


def test_while_the_servers_elect_nobody_notices(demo: Demo) -> None:
    demo.electors.cluster.crash(str(demo.electors.cluster.leader))
    assert "pod-a, the leader" in {str(demo.reload()) for _ in range(12)}
    assert demo.electors.timeline.intervals("believes", "pod-a")[-1].end_us is None


def test_a_pod_that_stands_still_does_not_answer_and_without_pods_nobody_does(demo: Demo) -> None:
    demo.electors.pause("pod-b", 60)
    assert str(demo.get("pod-b")) == "pod-b does not answer"
    for name in ("pod-a", "pod-b", "pod-c"):
        demo.electors.crash(name)
    assert str(demo.get()) == "503: there is no pod that could answer"
    with pytest.raises(UnknownName, match="there is no pod 'pod-x'"):
        demo.get("pod-x")


def test_the_record_is_the_annotation_of_the_talk(demo: Demo) -> None:
    record = dict(demo.state["record"])
    assert list(record)[:5] == [
        "holderIdentity",
        "leaseDurationSeconds",
        "acquireTime",
        "renewTime",
        "leaderTransitions",
    ]
    assert (record["holderIdentity"], record["leaderTransitions"]) == ('"pod-a"', "0")
    assert demo.state["kind"] == "Endpoints"


def test_it_is_served_on_this_machine_too(demo: Demo) -> None:
    def load(path: str) -> Any:
        with urllib.request.urlopen(demo.serve() + path, timeout=30) as answer:
            return answer.headers["Content-Type"], answer.read().decode()

    assert load("pod-b") == ("application/json", '{"name":"pod-a"}')
    assert [json.loads(load("answer")[1])["text"] for _ in range(2)] == [
        "pod-a, the leader",
        "pod-b, not the leader (that is pod-a)",
    ]
    assert "<title>Who leads?</title>" in load("")[1]
    with pytest.raises(urllib.error.HTTPError, match="404"):
        load("pod-x")


def test_what_a_click_asks_for_is_done_or_said(demo: Demo) -> None:
    told: list[Any] = []
    demo.send = lambda content, buffers=None: told.append(content)
    demo._receive(None, {"do": "reload"}, None)
    assert demo.state["answers"][-1]["text"] == "pod-a, the leader"
    demo._receive(None, {"do": "crash", "pod": "pod-a"}, None)
    assert demo.state["pods"][0]["state"] == "crashed"
    demo._receive(None, {"do": "crash", "pod": "pod-a"}, None)
    assert demo.state["said"].startswith("pod-a does not run")
    assert told == [{"type": "done"}] * 3


def test_whoever_looks_back_sees_the_pods_of_that_moment(demo: Demo) -> None:
    demo.get()
    cluster, then, early = demo.electors.cluster, demo.state, demo.electors.now_us
    back = cluster.now.id
    demo.electors.run(1)
    demo.electors.crash("pod-a")
    demo.electors.run(15)
    demo.get()
    late = demo.electors.now_us
    states = [pod["state"] for pod in demo.state["pods"]]
    assert states[0] == "crashed"

    cluster.goto(back)

    assert demo.state["pods"] == then["pods"]
    assert demo.state["answers"] == then["answers"]
    assert (demo.state["time_us"], demo.state["present_us"]) == (early, late)

    demo._receive(None, {"do": "present"}, None)
    assert (demo.electors.now_us, [pod["state"] for pod in demo.state["pods"]]) == (late, states)
    assert len(demo.state["answers"]) == 2
    cluster.goto(back)
    assert demo.get("pod-b").us == late  # who loads the page is taken to the present


def test_without_widgets_it_says_who_says_what(demo: Demo) -> None:
    demo.get()
    bundle: Any = demo._repr_mimebundle_()
    words = (bundle[0] if isinstance(bundle, tuple) else bundle)["text/plain"]
    assert words.splitlines()[:2] == ["pod-a, the leader", 'pod-a: {"name":"pod-a"}']


def test_it_shows_electors_only() -> None:
    with pytest.raises(TypeError, match="shows Electors"):
        Demo(Cluster(3))  # type: ignore[arg-type]


# In the browser


def shown(lab: LabPage, demo: Demo, theme: str = LIGHT) -> None:
    start = START.replace("{ picture: JSON.parse(picture) }", "{ state: JSON.parse(picture) }")
    css = (STATIC / "demo.css").read_text(encoding="utf-8") + theme
    lab.page.evaluate(start, [bundle("demo.js"), css, json.dumps(demo.state), 860])


def test_the_page_says_who_answered(lab: LabPage, demo: Demo) -> None:
    shown(lab, demo)
    assert lab.text(".demo-says") == "Press Reload: somebody will answer."
    for _ in range(2):
        demo.get()
        lab.page.evaluate("state => { model.set('state', state); }", demo.state)

    assert lab.text(".demo-says") == "Hello from pod-b, not the leader (that is pod-a)."
    assert lab.text(".demo-how") == 'pod-b asked its sidecar who leads, and was told {"name":"pod-a"}.'
    assert lab.page.locator(".demo-strip li").all_text_contents() == ["a★", "b"]
    assert lab.page.locator(".demo-pod").first.get_by_text("★ leads").count() == 1


def test_its_buttons_are_wishes(lab: LabPage, demo: Demo) -> None:
    shown(lab, demo)
    pod = lab.page.get_by_role("region", name="pod-a")
    lab.button("Reload").click()
    lab.button("Reload").click()  # one at a time
    assert lab.sent() == [{"do": "reload"}]
    lab.kernel_says(type="done")
    for name, wish in (
        ("Kill pod-a", {"do": "crash", "pod": "pod-a"}),
        ("Cut off", {"do": "cut", "pod": "pod-a"}),
        ("Pause 20 s", {"do": "pause", "pod": "pod-a", "seconds": 20}),
    ):
        pod.get_by_role("button", name=name).click()
        assert lab.sent()[-1] == wish
    lab.button("Kill the Raft leader").click()
    assert lab.sent()[-1] == {"do": "crash_server"}


def test_a_look_back_is_said_and_nothing_can_be_done_there(lab: LabPage, demo: Demo) -> None:
    back = demo.electors.cluster.now.id
    demo.electors.run(10)
    demo.electors.cluster.goto(back)
    shown(lab, demo)

    says = lab.page.locator(".demo-past")
    assert str(says.text_content()).startswith("You look back: this is how all stood at 6.")
    assert lab.page.get_by_role("region", name="pod-a").get_by_role("button", name="Kill").is_disabled()
    lab.button("To the present").click()
    assert lab.sent() == [{"do": "present"}]
    demo.electors.to_present()
    lab.page.evaluate("state => { model.set('state', state); }", demo.state)
    assert says.is_hidden()
