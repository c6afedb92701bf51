"""The lab's view of a key-value store: keys, leases, transactions, watches and reads."""

from __future__ import annotations

from typing import Any

import pytest

from raft_lab import Cluster
from raft_lab.kv import KV, KVServer, Put, Range, version
from raft_lab.view.frames import Recording
from view.lab_page import LabPage


class Shown:
    """A run as the widget tells it."""

    def __init__(self, cluster: Cluster, recording: Recording | None = None) -> None:
        self.cluster = cluster
        self.recording = recording or Recording(cluster)

    def tape(self, cursor: int | None = None) -> dict[str, Any]:
        at = self.cluster.now.id if cursor is None else cursor
        return {"steps": self.recording.steps(), "cursor": at, "title": ""}


@pytest.fixture
def cluster() -> Cluster:
    cluster = Cluster(3, server=KVServer, seed=6)
    cluster.run_until(leader="S1")
    return cluster


@pytest.fixture
def store(cluster: Cluster) -> KV:
    return KV(cluster)


def opened(lab: LabPage, cluster: Cluster, cursor: int | None = None, **how: Any) -> LabPage:
    lab.show(Shown(cluster), cursor, **how)
    lab.page.get_by_role("tab", name="Store").click()
    return lab


def rows(lab: LabPage) -> list[list[str]]:
    return [row.inner_text().split() for row in lab.page.locator(".rl-store-keys tbody tr").all()]


def test_a_long_value_beside_a_long_key_has_room(lab: LabPage, cluster: Cluster, store: KV) -> None:
    store.put("/registry/leases/default/demo", '{"kind":"Lease","apiVersion":"coordination.k8s.io/v1"}')
    store.wait(0.1)

    opened(lab, cluster, width=960)  # as in a JupyterLab with its side bar, on a small screen

    [row] = lab.page.locator(".rl-store-keys tbody tr").all()
    value = row.locator("td").first.bounding_box()
    whole = lab.page.locator(".rl-store").bounding_box()
    last = row.locator("td").last.bounding_box()
    assert value
    assert whole
    assert last
    assert value["width"] > 150
    assert last["x"] + last["width"] <= whole["x"] + whole["width"]


def test_a_short_value_leaves_the_room_to_the_key(lab: LabPage, cluster: Cluster, store: KV) -> None:
    store.put("app-config/background-color", "#ccc")
    store.wait(0.1)

    opened(lab, cluster, width=960)

    key = lab.page.locator(".rl-store-keys tbody th").bounding_box()
    assert key
    assert key["height"] < 30  # one line


def test_keys_stand_with_their_revisions(lab: LabPage, cluster: Cluster, store: KV) -> None:
    store.put("x", "1")
    store.put("x", "2")
    store.put("y", "1")
    store.wait(0.1)

    opened(lab, cluster)

    assert rows(lab) == [["x", "2", "2", "3", "2", "–"], ["y", "1", "4", "4", "1", "–"]]
    assert lab.text(".rl-store-members") == "Revision 4, as S1 has it · S1 4, S2 4, S3 4"


def test_the_branch_that_a_transaction_took_is_told(lab: LabPage, cluster: Cluster, store: KV) -> None:
    store.put("x", "1")
    store.txn(version("x") == 0, Put("x", "2"), Range("x"))

    opened(lab, cluster)

    said = lab.text(".rl-store-last")
    assert said == "Applied last: txn if version(x) = 0 then {put x 2} else {get x} → takes the branch else, revision 2"


def test_of_a_request_that_holds_a_whole_object_the_beginning_is_told(
    lab: LabPage, cluster: Cluster, store: KV
) -> None:
    store.put("/registry/leases/default/demo", "x" * 300)

    opened(lab, cluster)

    said = lab.text(".rl-store-last")
    assert said.startswith("Applied last: put /registry/leases/default/demo xxx")
    assert said.endswith("x… → revision 2")
    assert len(said) < 200


def test_what_stands_ready_to_be_proposed_is_what_the_store_takes(lab: LabPage, cluster: Cluster, store: KV) -> None:
    opened(lab, cluster)

    lab.button("Propose").click()

    assert lab.sent("act")[-1]["args"] == ["S1", "put x 1"]
    assert lab.page.get_by_label("Command to propose").input_value() == "put x 2"


def test_a_lease_counts_down_and_takes_its_key_along(lab: LabPage, cluster: Cluster, store: KV) -> None:
    lease = store.lease(4, id=7)
    store.put("alive", "yes", lease=lease)
    granted = cluster.now.id
    store.wait(3)
    late = cluster.now.id
    store.wait(2)
    shown = Shown(cluster)

    lab.show(shown, granted)
    lab.page.get_by_role("tab", name="Store").click()
    assert lab.text(".rl-store section:has-text('Leases') li span").endswith(" of 4 s left, holds alive")
    lab.kernel_says(type="steps", steps=[], cursor=late, total=len(shown.recording.steps()), names={}, likely=[])
    assert "7: 1.0 of 4 s left" in lab.text(".rl-store section:has-text('Leases') li span")
    lab.button("End").click()
    assert rows(lab) == []


def test_a_watch_stands_at_its_member_and_moves_when_that_crashes(lab: LabPage, cluster: Cluster, store: KV) -> None:
    store.watch("app-config/", prefix=True, member="S2")
    store.put("app-config/background-color", "#ccc")
    store.wait(0.1)
    before = cluster.now.id
    recording = Recording(cluster)
    recording.steps()
    cluster.crash("S2")
    store.wait(0.1)

    lab.show(Shown(cluster, recording), before)
    lab.page.get_by_role("tab", name="Store").click()
    assert lab.page.locator(".rl-watches:not([hidden])").count() == 1
    assert lab.server("S2").locator(".rl-watches").text_content() == "1 watch"
    assert "at S2, told up to revision 2" in lab.text(".rl-store section:has-text('Watches') li span")
    assert "2: PUT app-config/background-color = '#ccc'" in lab.text(".rl-store section:has-text('Watches') small")

    lab.button("Forward").click()
    assert lab.server("S3").locator(".rl-watches").text_content() == "1 watch"


def test_a_read_says_for_which_round_it_waits(lab: LabPage, cluster: Cluster, store: KV) -> None:
    store.put("x", "1")
    cluster.read("S1", name="mine")

    opened(lab, cluster)

    said = lab.text(".rl-store section:has-text('Reads') li span")
    assert said.startswith("mine at S1: waits until a majority has answered round 1; answered so far: S2 0")


def test_a_cluster_without_a_store_has_no_such_tab(lab: LabPage) -> None:
    lab.show(Shown(Cluster(3)))

    assert lab.page.get_by_role("tab", name="Store").count() == 0
