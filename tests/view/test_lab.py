"""The kernel's half of the lab, without a browser: what it is asked, and what it answers."""

from __future__ import annotations

import base64
import json
import re
import zlib
from collections import Counter
from typing import Any

import pytest

from raft_lab import Cluster, Server, TraceError
from raft_lab.kv import KV, KVServer
from raft_lab.view import assets, frames, picture
from raft_lab.view.lab import Lab


class Mine(Server):
    """Somebody's handlers."""


class Heard(Lab):
    """A lab that keeps what it says."""

    said: list[dict[str, Any]]

    def send(self, content: Any, *_: Any) -> None:
        self.said = [*getattr(self, "said", []), content]

    def ask(self, **content: Any) -> dict[str, Any]:
        self._receive(self, {"n": 7, **content}, [])
        return self.said[-1]


def merged(base: Any, patch: Any) -> Any:
    """JSON merge patch, as RFC 7396 has it."""
    if not isinstance(patch, dict):
        return patch
    old = base if isinstance(base, dict) else {}
    kept = {key: value for key, value in old.items() if patch.get(key, value) is not None}
    return kept | {key: merged(old.get(key), value) for key, value in patch.items() if value is not None}


def eventful() -> Cluster:
    cluster = Cluster(5, seed=7, rules=["slow disk"])
    cluster.run_until(leader=True)
    cluster.propose("set x 1")
    cluster.step(20)
    cluster.switch("election restriction", on=False)
    cluster.hold(cluster.messages[0])
    cluster.delay(cluster.messages[1], ms=30)
    cluster.partition({"S1", "S2"})
    cluster.crash("S3")
    cluster.step(40)
    cluster.boot("S6")
    cluster.swap(Mine)
    cluster.step(30)
    return cluster


# frames


def test_patches_lead_to_the_same_frames_as_looking_at_each_situation_anew():
    cluster = eventful()
    unfolded: dict[int, Any] = {}
    for step in cluster.tape:
        sent = frames.encode_step(step)
        unfolded[step.id] = sent.get("frame") or merged(unfolded[sent["parent"]], sent["patch"])
        assert unfolded[step.id] == frames.frame(step), step


def test_every_running_timer_is_in_the_frame():
    cluster = Cluster(3, seed=1, rules=["leader stickiness", "check-quorum"])
    cluster.run_until(leader=True)
    cluster.step(5)
    servers = frames.frame(cluster.now)["servers"]
    assert set(servers[cluster.leader]["due"]) == {"heartbeat", "check_quorum"}
    assert {verb for name in servers for verb in servers[name]["due"]} == {
        *("heartbeat", "check_quorum", "timeout", "silence")
    }


def test_what_is_packed_is_the_whole_tape():
    cluster = eventful()
    recording = frames.Recording(cluster)
    recording.packed()
    cluster.step(400)
    chunks = [json.loads(zlib.decompress(base64.b64decode(chunk))) for chunk in recording.packed()]
    first, *rest = [step for chunk in chunks for step in chunk]
    assert first["code"] == "cluster = Cluster(5, seed=7, rules=['slow disk'])"
    assert rest == [frames.encode_step(step) for step in cluster.tape.steps[1:]]
    assert [len(chunk) for chunk in chunks][:-1] == [frames.CHUNK] * (len(chunks) - 1)


def test_a_tape_of_2000_steps_takes_less_than_2_mb_in_a_notebook():
    cluster = Cluster(7, seed=7)
    cluster.run_until(leader=True)
    for number in range(100):
        if cluster.leader:
            cluster.propose(f"set x {number}")
        cluster.step(20)
    assert len(cluster.tape) > 2000
    lab = Heard(cluster)
    assert len(json.dumps(lab.get_state(), indent=1)) < 2_000_000


# what the browser asks for


def test_running_until_something_is_so_stops_there():
    lab = Heard(Cluster(5, seed=7))
    lab.ask(do="run", at=0, until="leader")
    assert "wins the election" in str(lab.cluster.now) or lab.cluster.leader
    lab.ask(do="run", at=lab.cluster.now.id, until="commit")
    assert lab.cluster.world.ghosts.committed.last_index == 1
    lab.ask(do="run", at=lab.cluster.now.id, until="equal")
    assert {state.log.last_index for state in lab.cluster.world.servers.values()} == {1}


@pytest.mark.parametrize("what", ["violation", "world peace"])
def test_what_does_not_come_about_is_said_and_the_steps_stay(what):
    lab = Heard(Cluster(3, seed=1))
    answer = lab.ask(do="run", at=0, until=what)
    assert answer["type"] == "refused"
    assert ("still no broken rule" in answer["text"]) == (what == "violation")
    assert lab.said[0].get("total", 1) == len(lab.cluster.tape)


def test_a_rule_is_switched_by_a_click():
    lab = Heard(Cluster(3))
    answer = lab.ask(do="act", at=0, verb="switch", args=["durable vote", False])
    assert answer["steps"][0]["patch"]["rules"] == {"durable vote": False}
    assert answer["steps"][0]["patch"]["modified"] == "without durable vote"
    assert answer["steps"][0]["code"] == "cluster.swap(without=['durable vote'])"


def test_a_branch_is_named_in_the_picture_and_all_labs_hear_of_it():
    cluster = Cluster(3)
    cluster.timeout("S1")
    one, two = Heard(cluster), Heard(cluster)
    one.ask(do="name", step=1, name="S1 first")
    assert cluster.tape.names == {1: "S1 first"}
    assert [lab.said[-1]["names"] for lab in (one, two)] == [{"1": "S1 first"}] * 2


def test_what_is_likely_to_come_is_told_ahead_and_is_not_on_the_tape():
    cluster = Cluster(3, seed=1)
    lab = Heard(cluster)
    likely = lab.ask(do="step", at=0, count=1)["likely"]
    assert (len(cluster.tape), cluster.now.id) == (2, 1)
    for foretold in likely:
        assert lab.ask(do="step", at=cluster.now.id, count=1)["steps"] == [foretold]


def test_in_the_recorded_past_nothing_is_foretold():
    cluster = Cluster(3, seed=1)
    cluster.step(5)
    lab = Heard(cluster)
    cluster.goto(2)
    assert lab.ask(do="hello", have=6)["likely"] == []
    cluster.goto(5)
    assert lab.ask(do="hello", have=6)["likely"] != []


def test_a_handler_that_fails_is_not_foretold_and_fails_when_it_is_asked_for():
    class Broken(Server):
        def on_election_timeout(self) -> None:
            raise RuntimeError("not written yet")

    lab = Heard(Cluster(3, server=Broken))
    assert lab.ask(do="hello", have=1)["likely"] == []
    assert "not written yet" in lab.ask(do="step", at=0, count=1)["text"]


# out of the notebook


def test_a_page_holds_everything_and_asks_for_nothing(tmp_path):
    cluster = eventful()
    path = cluster.lab(title="</script><b>").save_html(tmp_path / "run.html")
    page = path.read_text(encoding="utf-8")
    for address in ("http://", "https://", "src=", "@import", "url("):
        assert address not in page.replace("http://www.w3.org/2000/svg", ""), address
    assert page.count("</script>") == 2
    tape = json.loads(page.split('id="tapes">')[1].split("</script>")[0])["tapes"][0]
    steps = [step for chunk in tape["packed"] for step in json.loads(zlib.decompress(base64.b64decode(chunk)))]
    assert len(steps) == len(cluster.tape)


def test_every_picture_of_a_modified_run_says_so(tmp_path):
    cluster = Cluster(3, without=["durable vote"])
    svg = cluster.lab().save_svg(tmp_path / "now.svg").read_text(encoding="utf-8")
    assert "modified Raft: without durable vote" in svg
    assert "modified Raft: without durable vote" in picture.text(cluster)
    assert "modified Raft" not in picture.text(Cluster(3))


def test_a_page_that_cannot_be_written_is_one_error_and_no_half_file(tmp_path):
    with pytest.raises(TraceError, match="cannot be written"):
        Cluster(3).lab().save_html(tmp_path / "no such folder" / "run.html")
    assert list(tmp_path.iterdir()) == []


def test_no_two_modules_of_the_lab_use_one_name():
    code = assets.bundle("lab.js")
    named = re.findall(r"^(?:async )?(?:const|let|function|class) (\w+)", code, re.MULTILINE)
    assert [name for name, count in Counter(named).items() if count > 1] == []


# clients


def test_while_the_lab_plays_clients_go_on_too():
    cluster = Cluster(3, server=KVServer, seed=4)
    store = KV(cluster)
    store.put("alive", "yes", lease=store.lease(2).keep_alive())
    lab = Heard(cluster)
    told, begun = set(), cluster.now.id
    until_us = cluster.schedule.now_us + 5_000_000
    while cluster.schedule.now_us < until_us:
        said = lab.ask(do="step", at=cluster.now.id, count=40)
        told |= {step["id"] for step in said["steps"]}

    assert said["cursor"] == cluster.now.id
    assert told >= set(range(begun + 1, cluster.now.id + 1))
    assert store.get("alive").count == 1
