"""The ring: what happens between servers, told by place and shape."""

from __future__ import annotations

from typing import Any

from raft_lab import Cluster
from view import sample_tapes
from view.lab_page import LabPage, Recorded

CENTRES = """(selector) => [...document.querySelectorAll(selector)].map((one) => {
  const box = one.getBoundingClientRect();
  return [box.x + box.width / 2, box.y + box.height / 2]; })"""


def centres(lab: LabPage, selector: str) -> list[list[float]]:
    return lab.page.evaluate(CENTRES, selector)


def to_wall(lab: LabPage, point: list[float]) -> float:
    """How far a point of the screen is from the wall, in pixels."""
    return lab.page.evaluate(
        """([x, y]) => { const wall = document.querySelector(".rl-partition"), toScreen = wall.getScreenCTM();
        const length = wall.getTotalLength();
        return Math.min(...Array.from({ length: 100 }, (_, i) => {
          const p = wall.getPointAtLength((length * i) / 99).matrixTransform(toScreen);
          return Math.hypot(p.x - x, p.y - y); })); }""",
        point,
    )


def test_long_names_stand_inside_their_servers_without_what_all_have_in_common(lab: LabPage) -> None:
    names = ["eu-west-1a-etcd-0", "eu-west-1a-etcd-1", "eu-west-1a-etcd-2"]
    lab.show(Recorded(Cluster(names)))
    assert lab.page.locator(".rl-node-name").all_text_contents() == ["…etcd-0", "…etcd-1", "…etcd-2"]
    widths = """() => [...document.querySelectorAll(".rl-node")].map((node) =>
      node.querySelector(".rl-node-name").getBBox().width / node.querySelector(".rl-shape").getBBox().width)"""
    assert max(lab.page.evaluate(widths)) < 1
    assert [one.split(",")[0] for one in labels(lab)] == names  # said, and shown to the mouse, as a whole


def labels(lab: LabPage) -> list[str]:
    return lab.page.locator(".rl-node").evaluate_all("nodes => nodes.map((node) => node.ariaLabel)")


def test_a_ballot_says_by_its_shape_what_has_become_of_the_question(lab: LabPage) -> None:
    lab.show(sample_tapes.ballots())
    ballots = lab.server("S3").locator(".rl-ballot")
    states = {one.get_attribute("data-peer"): one.get_attribute("class").split()[-1] for one in ballots.all()}
    assert states == {"S1": "rl-granted", "S2": "rl-refused", "S4": "rl-reply", "S5": "rl-asked"}
    looks = ballots.evaluate_all("""all => all.map((one) => [one.children[1].getAttribute("r"),
      getComputedStyle(one.children[1]).fill, getComputedStyle(one.children[1]).stroke,
      one.children[2].getAttribute("d")].join())""")
    assert len(set(looks)) == 4


def test_a_refusal_is_forgotten_with_the_election(lab: LabPage) -> None:
    toy = sample_tapes.ballots()
    toy.timeout("S3")
    lab.show(toy)
    assert lab.server("S3").locator(".rl-refused").count() == 0


def test_messages_wait_in_front_of_the_wall_and_burst_on_it(lab: LabPage) -> None:
    toy = sample_tapes.at_the_wall()
    lab.show(toy, cursor=toy.cursor - 1)
    lab.page.wait_for_timeout(300)
    lab.button("Forward").click()
    assert to_wall(lab, centres(lab, ".rl-burst")[0]) < 12
    lab.page.wait_for_timeout(300)
    sender, *others = (
        centres(lab, '[data-server="S3"] .rl-shape'),
        *centres(lab, '[data-src="S3"][data-dst="S5"] .rl-outline'),
    )
    [waiting] = others
    assert lab.page.locator(".rl-burst").is_visible()
    assert 4 < to_wall(lab, waiting) < to_wall(lab, sender[0])
    lab.button("Back").click()
    assert not lab.page.locator(".rl-burst").is_visible()


def test_the_direction_of_a_message_is_seen_while_it_stands_still(lab: LabPage) -> None:
    lab.show(sample_tapes.election())
    lab.page.wait_for_timeout(300)
    wrong = lab.page.evaluate("""() => [...document.querySelectorAll(".rl-message")].filter((one) => {
      const centre = (element) => { const box = element.getBoundingClientRect();
        return [box.x + box.width / 2, box.y + box.height / 2]; };
      const [x, y] = centre(one.querySelector(".rl-outline")), [hx, hy] = centre(one.querySelector(".rl-heading"));
      const [tx, ty] = centre(document.querySelector(`[data-server="${one.dataset.dst}"] .rl-shape`));
      const [sx, sy] = centre(document.querySelector(`[data-server="${one.dataset.src}"] .rl-shape`));
      return (hx - x) * (tx - sx) + (hy - y) * (ty - sy) <= 0; }).length""")
    assert wrong == 0


def test_the_word_partition_stands_within_the_picture(lab: LabPage) -> None:
    toy = sample_tapes.elected(3)
    toy.partition(["S2"], ["S1", "S3"])  # its wall goes down between S2 and S3
    lab.show(toy)
    below = """() => document.querySelector(".rl-partition-text").getBoundingClientRect().bottom
      - document.querySelector(".rl-ring").getBoundingClientRect().bottom"""
    assert lab.page.evaluate(below) <= 0


def test_no_label_covers_the_word_partition(lab: LabPage) -> None:
    toy = sample_tapes.elected()
    toy.partition(["S3", "S4"], ["S1", "S2", "S5"])
    for n in range(4):
        toy.propose("S3", f"set x {n}")
    lab.show(toy)
    lab.page.wait_for_timeout(300)
    covered = lab.page.evaluate("""() => {
      const word = document.querySelector(".rl-partition-text").getBoundingClientRect();
      return [...document.querySelectorAll(".rl-message-label")].filter((one) => {
        const { width, left, right, top, bottom } = one.getBoundingClientRect();
        const beside = word.left >= right || left >= word.right || word.top >= bottom || top >= word.bottom;
        return width && !beside; }).length; }""")
    assert covered == 0


def test_a_read_fills_its_majority_as_heartbeats_are_answered(lab: LabPage) -> None:
    toy = sample_tapes.elected()
    leader: dict[str, Any] = toy.frame["servers"]["S3"]
    leader |= {"round": 1, "reads": {"r1": 1}}
    leader["progress"]["S1"]["acked_round"] = 1
    toy.record("read", "S3", "", "A client reads at S3.")
    lab.show(toy)
    assert lab.text(".rl-tally-about") == "read at S3: round 1"
    assert lab.page.locator('.rl-tally-member[data-counts="true"]').all_inner_texts() == ["S1", "S3"]
    assert lab.text(".rl-tally-sum") == "2/3"


def test_a_server_that_waits_for_its_disk_says_so(lab: LabPage) -> None:
    lab.show(sample_tapes.compacted())
    assert lab.page.locator(".rl-disk:visible").all_text_contents() == ["disk: 2"]
