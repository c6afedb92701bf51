"""The picture of an election: what the browser is told, and what it may ask for."""

from __future__ import annotations

import json
from typing import Any

import pytest

from raft_lab import Cluster
from raft_lab.kube.electors import Electors
from raft_lab.kv import KVServer
from raft_lab.sim.schedule import Timing
from raft_lab.view.elections import ElectionRecording
from raft_lab.view.electors import ElectorsLab

SECOND = 1_000_000
QUIET = Timing(heartbeat_us=250_000, election_timeout_us=(1 * SECOND, 2 * SECOND))


def elected(fencing: str = "resourceVersion", **settings: Any) -> Electors:
    """Three pods, one of which leads."""
    cluster = Cluster(3, server=KVServer, seed=7, timing=QUIET)
    cluster.run_until(leader=True)
    electors = Electors(cluster, fencing=fencing, **settings)
    for name in ("pod-a", "pod-b", "pod-c"):
        electors.start(name)
    electors.run(5)
    return electors


class Shown:
    """A lab whose messages are kept."""

    def __init__(self, electors: Electors) -> None:
        self.lab = ElectorsLab(electors)
        self.said: list[Any] = []
        self.lab.send = lambda content, buffers=None: self.said.append(content)

    def asks(self, **wish: Any) -> Any:
        """The last message of the answer."""
        self.lab._receive(None, wish, None)
        return self.said[-1]


def spans(picture: Any, lane: str, what: str) -> list[tuple[float, float | None]]:
    found = [span for span in [*picture["spans"], *picture["open"]] if (span["lane"], span["what"]) == (lane, what)]
    return [(span["from"] / SECOND, span["to"] and span["to"] / SECOND) for span in found]


def marks(picture: Any, lane: str, *what: str) -> list[Any]:
    return [mark for mark in picture["marks"] if mark["lane"] == lane and mark["what"] in what]


def test_a_pause_is_seen_from_the_pod_down_to_the_refused_write() -> None:
    electors = elected()
    old = str(electors.leader)
    paused = electors.now_us / SECOND
    electors.pause(old, 30)
    electors.run(40)

    picture = ElectionRecording(electors).whole()

    new = str(electors.leader)
    assert new != old
    first, second = spans(picture, old, "works")
    assert first[1] == pytest.approx(paused)
    assert second == (pytest.approx(paused + 30), pytest.approx(paused + 40))  # RenewDeadline after it woke
    assert spans(picture, old, "paused") == [(pytest.approx(paused), pytest.approx(paused + 30))]
    assert spans(picture, new, "works")[0][1] is None
    assert {mark["pod"] for mark in marks(picture, "resource", "rejected")} == {old}
    assert [mark["short"] for mark in marks(picture, "api", "take")] == [old, new]
    assert picture["versions"][-1]["holder"] == new
    assert json.loads(picture["versions"][-1]["stored"])["spec"]["holderIdentity"] == new
    assert ["leaseTransitions", "1"] in [field[:2] for field in picture["versions"][-1]["fields"]]


def test_news_put_together_are_the_whole() -> None:
    electors = elected()
    recording, lists = ElectionRecording(electors), ("spans", "marks", "versions")
    told = recording.whole()
    told = {**told, **{name: list(told[name]) for name in lists}}
    electors.cut(str(electors.leader))
    for _ in range(6):
        electors.run(5)
        news = recording.news()
        told = {**news, **{name: told[name] + news[name] for name in lists}}

    at_once = ElectionRecording(electors).whole()

    for name in lists:
        assert sorted(map(str, told[name])) == sorted(map(str, at_once[name]))
    assert {key: told[key] for key in at_once if key not in lists} == {
        key: at_once[key] for key in at_once if key not in lists
    }
    assert [mark["at"] for mark in at_once["marks"]] == sorted(mark["at"] for mark in at_once["marks"])


def test_a_write_without_a_majority_of_servers_is_not_told_as_taken() -> None:
    electors = elected(fencing="none")
    for _ in range(2):
        electors.cluster.crash(electors.cluster.leader or "S1")
        electors.run(5)
    electors.run(15)

    picture = ElectionRecording(electors).whole()

    assert len(marks(picture, "resource", "accepted")) == len(electors.guarded.writes)
    assert any("no leader" in mark["text"] for mark in marks(picture, "resource", "lost"))


def test_the_servers_below_have_their_lane() -> None:
    electors = elected()
    old = str(electors.cluster.leader)
    electors.cluster.crash(old)
    electors.run(10)

    picture = ElectionRecording(electors).whole()

    terms = [span["text"] for span in [*picture["spans"], *picture["open"]] if span["lane"] == "raft"]
    assert terms[0] == f"{old}, term 1"
    assert terms[-1].startswith(str(electors.cluster.leader))
    assert len(marks(picture, "raft", "crash")) == 1


@pytest.mark.parametrize(
    ("wish", "code"),
    [
        ({"do": "run", "seconds": 2}, "electors.run(2)"),
        ({"do": "pause", "pod": "pod-a", "seconds": 3}, 'electors.pause("pod-a", 3)'),
        ({"do": "crash", "pod": "pod-a"}, 'electors.crash("pod-a")'),
        ({"do": "cut", "pod": "pod-a"}, 'electors.cut("pod-a")'),
        ({"do": "clock", "pod": "pod-a", "speed": 2}, 'electors.set_clock("pod-a", speed=2)'),
    ],
)
def test_a_click_is_a_line_of_python(wish: dict[str, Any], code: str) -> None:
    by_hand, by_code = elected(), elected()

    news = Shown(by_hand).asks(**wish)
    exec(code, {"electors": by_code})
    by_hand.run(20)
    by_code.run(20)

    assert news["news"]["code"] == code
    assert by_hand.timeline.intervals() == by_code.timeline.intervals()


def test_one_click_waits_for_another_leader() -> None:
    electors = elected()
    shown, old = Shown(electors), electors.leader
    electors.crash(str(old))
    shown.asks(do="until_leader")
    assert electors.leader not in (None, old)


def test_what_client_go_calls_back_is_told_in_words() -> None:
    electors = elected()
    told = {mark["text"] for mark in ElectionRecording(electors).whole()["marks"] if mark["what"] == "event"}
    leader = electors.leader
    assert f"{leader} leads, and begins to work (OnStartedLeading); acquired at resourceVersion 2" in told
    assert {f"{pod} hears that {leader} leads (OnNewLeader)" for pod in electors.pods} <= told


def test_next_leader_is_refused_at_once_while_nothing_hinders_the_one_who_leads() -> None:
    electors = elected()
    before = electors.now_us

    refused = Shown(electors).asks(do="until_leader")

    assert (refused["type"], electors.now_us) == ("refused", before)
    leads = f"{electors.leader} leads and renews its lease, so nobody follows it."
    assert refused["text"] == f"{leads} Crash, pause or cut {electors.leader} first."


def test_next_leader_is_refused_at_once_without_a_majority_of_servers() -> None:
    electors = elected()
    electors.crash(str(electors.leader))
    for server in electors.cluster.servers[:2]:
        electors.cluster.crash(server)
    before = electors.now_us

    refused = Shown(electors).asks(do="until_leader")

    assert refused["text"].startswith("S1, S2 are crashed: without a majority")
    assert electors.now_us == before


@pytest.mark.parametrize("seconds", [-5, 601])
def test_a_pause_of_no_sensible_length_is_refused_with_what_to_do(seconds: int) -> None:
    refused = Shown(elected()).asks(do="pause", pod="pod-a", seconds=seconds)

    assert (
        refused["text"] == f'a pause cannot last {seconds} s: write a number above 0 and up to 600 beside "pause for"'
    )


def test_whoever_waits_for_a_leader_that_does_not_come_is_told_so() -> None:
    electors = elected()
    electors.pause(str(electors.leader), 3)  # too short for the others

    refused = Shown(electors).asks(do="until_leader")

    assert refused["text"].startswith(f"60 s have gone by, and {electors.leader} still leads.")


@pytest.mark.parametrize(
    "wish",
    [
        *({"do": "run", "seconds": seconds} for seconds in (0, -1, 1e9, "1", None)),
        {"do": "crash", "pod": "nobody"},
        {"do": "pause", "pod": "pod-a"},
        {"do": "__init__", "pod": "pod-a"},
        {},
    ],
)
def test_what_cannot_be_done_is_refused_and_nothing_happens(wish: dict[str, Any]) -> None:
    electors = elected()
    before = electors.now_us
    assert Shown(electors).asks(**wish)["type"] == "refused"
    assert electors.now_us == before


def test_code_moves_the_picture_also_where_no_time_goes_on() -> None:
    electors = elected()
    shown = Shown(electors)
    electors.pause("pod-a", 10)
    assert [span for span in shown.said[-1]["news"]["open"] if span["what"] == "paused"]
    electors.run(1)
    assert shown.said[-1]["news"]["now_us"] == electors.now_us


def test_one_can_look_at_the_servers_as_they_were() -> None:
    electors = elected()
    electors.cluster.crash(str(electors.cluster.leader))
    electors.run(10)
    shown = Shown(electors)
    shown.asks(do="hello")

    then, now = (shown.asks(do="look", at_us=at)["frame"] for at in (4 * SECOND, electors.now_us))

    assert sum(server["crashed"] for server in then["servers"].values()) == 0
    assert sum(server["crashed"] for server in now["servers"].values()) == 1


def test_after_a_look_back_in_a_lab_of_the_cluster_it_goes_on_where_it_stopped() -> None:
    electors = elected()
    shown = Shown(electors)
    shown.asks(do="hello")
    at = electors.now_us
    electors.cluster.goto(3)

    shown.asks(do="run", seconds=1)

    assert electors.now_us == pytest.approx(at + SECOND)


def test_a_pod_whose_processes_have_names_of_their_own_has_one_row() -> None:
    electors = elected(unique_identity=True)
    leader = str(electors.leader)

    picture = ElectionRecording(electors).whole()

    assert electors.leases[-1].record is not None
    assert electors.leases[-1].record.holder_identity == f"{leader}_1"
    assert picture["versions"][-1]["holder"] == leader
    assert len(spans(picture, leader, "may")) == 1


def test_one_can_come_back_to_the_present_and_go_on() -> None:
    electors = elected()
    now = electors.now_us
    electors.cluster.goto(5)
    electors.to_present()
    assert electors.now_us == now
    electors.run(1)


def test_without_widgets_there_are_words_and_a_drawing() -> None:
    electors = elected("none")
    electors.pause(str(electors.leader), 20)
    electors.run(35)

    bundle = electors._repr_mimebundle_()

    lines = bundle["text/plain"].splitlines()
    assert [line[:7] for line in lines[1:4]] == ["pod-a |", "pod-b |", "pod-c |"]
    assert sum("p" in line.partition("|")[2] for line in lines[1:4]) == 1
    assert any(line.startswith("Two work at the same time: ") for line in lines)
    assert bundle["image/svg+xml"].startswith("<svg")
    assert bundle["image/svg+xml"].count("two work") == len(electors.overlaps("works"))


def test_only_electors_can_be_shown() -> None:
    with pytest.raises(TypeError, match="shows Electors"):
        ElectorsLab(Cluster(3))  # type: ignore[arg-type]
