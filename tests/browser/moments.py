"""Ten telling moments of Raft as the lab shows them: pictures to look at, and those of the README.

python tests/browser/moments.py pictures/            # all moments, light and dark, at 1280 and 700 pixels
python tests/browser/moments.py pictures/ figure_8   # one of them
python tests/browser/moments.py --readme             # the pictures in the README
"""

from __future__ import annotations

import json
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).parents[1]))

from raft_lab import Cluster
from raft_lab.raft.rules import with_rules, without
from raft_lab.raft.server import Server
from raft_lab.sim import scenarios
from raft_lab.view import frames

THEMES = {
    "light": ":root{--jp-layout-color1:white;--jp-ui-font-color1:rgba(0,0,0,.87)}",
    "dark": ":root{--jp-layout-color1:#212121;--jp-ui-font-color1:rgba(255,255,255,.87);color-scheme:dark}"
    "body{background:#111}",
}
WIDTHS = (700, 1280)
PICTURES = Path(__file__).parents[2] / "lessons" / "images"


def split_vote() -> Cluster:
    """S1 and S2 ask at the same time; S3 has voted for one, S4 for the other, and half of the answers are under way."""
    cluster = scenarios.split_vote()
    for src, dst in [("S1", "S3"), ("S2", "S4"), ("S1", "S2"), ("S2", "S3")]:
        cluster.deliver(src, dst, "RequestVote")
    for src, dst in [("S3", "S1"), ("S2", "S1")]:
        cluster.deliver(src, dst, "RequestVoteReply")
    return cluster


def figure_8() -> Cluster:
    """Figure 8 (c): S1 leads term 4, and its entry of term 2 is on a majority without being committed."""
    cluster = scenarios.figure_8()
    stage = next(
        step for step in cluster.history
        if sum(s.log.last_index >= 2 and s.log.term(2) == 2 for s in step.world.servers.values()) >= 3
    )  # fmt: skip
    cluster.goto(stage)
    return cluster


def joint_consensus() -> Cluster:
    """S1 has half of the two majorities that C_old,new needs."""
    cluster = Cluster(3, seed=5)
    cluster.run_until(leader=True)
    cluster.propose("set x 1")
    cluster.reconfigure(learners={"S4", "S5", "S6"})
    cluster.run(300)
    cluster.reconfigure(voters={"S3", "S4", "S5"})
    cluster.run_until(lambda c: any(s.configuration.old and len(s.waiting) == 0 for s in c.world.servers.values()))
    for _ in range(12):
        cluster.step()
        leader = cluster[cluster.leader] if cluster.leader else None
        if leader and sum(p.match_index >= leader.log.last_index for p in leader.role.progress.values()) >= 2:
            break
    return cluster


def snapshot_install() -> Cluster:
    """S3 comes back behind what the leader still has in its log, and a snapshot is under way to it."""
    cluster = scenarios.needs_snapshot()
    arrives = next(step for step in cluster.history if "InstallSnapshot(" in str(step.action))
    assert arrives.parent is not None
    cluster.goto(arrives.parent)
    return cluster


def partition() -> Cluster:
    """A message meets the wall between two halves of the cluster, and others are about to."""
    cluster = Cluster(5, seed=7)
    cluster.run_until(leader=True)
    cluster.deliver_all()
    leader = cluster.leader
    others = [name for name in cluster.servers if name != leader]
    cluster.partition({str(leader), others[0]}, set(others[1:]))
    cluster.propose("set x 1")
    cluster.drop(str(leader), others[2])
    return cluster


def stale_leader() -> Cluster:
    """S1 does not know that S3 leads by now."""
    cluster = scenarios.old_reign()
    cluster.propose("set x lost", "S1")
    return cluster


def violation() -> Cluster:
    """Without the rule of one vote a term, two servers lead the same term."""
    cluster = Cluster(3, seed=1, server=without(Server, "one vote per term"))
    scenarios.Stage(cluster).elect("S1", "S2", tries=1).elect("S3", "S2", tries=1)
    return cluster


def slow_disk() -> Cluster:
    """S1's entries and two followers' answers wait for their disks."""
    cluster = Cluster(3, seed=1, server=with_rules(Server, "slow disk"))
    scenarios.Stage(cluster).elect("S1", "S2", "S3")
    cluster.deliver_all()
    cluster.propose("set x 1")
    cluster.propose("set x 2")
    cluster.deliver(next(m for m in cluster.messages if m.dst == "S2"))
    return cluster


def reads_in_flight() -> Cluster:
    """Two strong reads wait for their round of heartbeats."""
    cluster = Cluster(5, seed=3)
    cluster.run_until(leader=True)
    cluster.propose("set x 1")
    cluster.deliver_all()
    leader = str(cluster.leader)
    cluster.read(leader)
    cluster.read(leader)
    peers = [name for name in cluster.servers if name != leader]
    stage = scenarios.Stage(cluster)
    stage.ask(leader, peers[0]).ask(leader, peers[0]).deliver(leader, peers[1])
    return cluster


def seven_servers() -> Cluster:
    """Seven servers, and forty messages in flight."""
    cluster = Cluster(7, seed=4)
    cluster.run_until(leader=True)
    cluster.deliver_all()
    leader = str(cluster.leader)
    number = 0
    while len(cluster.messages) < 36:
        number += 1
        cluster.propose(f"set x {number}")
    follower = next(name for name in cluster.servers if name != leader)
    cluster.timeout(follower)
    while len(cluster.messages) > 40:
        cluster.deliver(cluster.messages[-1])
    return cluster


MOMENTS: dict[str, Callable[[], Cluster]] = {
    make.__name__: make
    for make in (
        *(split_vote, figure_8, joint_consensus, snapshot_install, partition),
        *(stale_leader, violation, slow_disk, reads_in_flight, seven_servers),
    )
}


def tape_of(cluster: Cluster) -> frames.Json:
    """What a lab of this cluster would tell the browser."""
    return {
        "steps": [frames.encode_step(step) for step in cluster.tape],
        "cursor": cluster.now.id,
        "title": "",
        "modified": cluster.modified,
    }


def show(page: Any, cluster: Cluster, width: int, theme: str) -> None:
    """Put a lab of this cluster on the page, and step into the present moment."""
    from view.lab_page import PAGE, bundle

    tape = tape_of(cluster)
    now = cluster.now
    before = now.parent.id if now.parent else now.id
    code, css = bundle()
    page.set_viewport_size({"width": width, "height": 900 if width > 840 else 1400})
    page.goto("about:blank")
    page.set_content(PAGE)
    page.evaluate(
        "([code, css, tape, width]) => start(code, css, tape, width, {})",
        [code, css + THEMES[theme], json.dumps({**tape, "cursor": before}), width - 40],
    )
    page.wait_for_timeout(320)
    if now.parent:
        page.get_by_role("button", name="Forward", exact=True).click()
    page.mouse.move(1, 1)


README = {
    "lab.png": (stale_leader, "light", "Logs"),
    "joint.png": (joint_consensus, "dark", "Logs"),
    "space-time.png": (figure_8, "light", "Space-time"),
}
"""The README's pictures: which moment, in which theme and view."""


def main() -> None:
    """Make the pictures."""
    from playwright.sync_api import sync_playwright

    from browser.chromium import ARGUMENTS, find_chromium

    readme = sys.argv[1:] == ["--readme"]
    folder, *names = sys.argv[1:] or ["pictures"]
    if not readme:
        Path(folder).mkdir(parents=True, exist_ok=True)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find_chromium(), args=ARGUMENTS)
        page = browser.new_page(device_scale_factor=1.5 if readme else 1)
        page.on("pageerror", lambda error: print("error on the page:", error))
        if readme:
            for picture, (moment, theme, view) in README.items():
                show(page, moment(), 1144, theme)
                page.get_by_role("tab", name=view).click()
                page.wait_for_timeout(420)
                page.locator(".raft-lab").screenshot(path=PICTURES / picture)
                print(PICTURES / picture)
            return
        for name in names or MOMENTS:
            cluster = MOMENTS[name]()
            for theme in THEMES:
                for width in WIDTHS:
                    show(page, cluster, width, theme)
                    page.wait_for_timeout(130 if name == "partition" else 420)
                    path = Path(folder) / f"{name}-{theme}-{width}.png"
                    page.locator(".raft-lab").screenshot(path=path)
                    print(path)
                for view in ("Space-time", "All fields"):
                    page.get_by_role("tab", name=view).click()
                    path = Path(folder) / f"{name}-{theme}-{view.split()[-1].lower()}.png"
                    page.locator(".raft-lab").screenshot(path=path)
                    print(path)
        browser.close()


if __name__ == "__main__":
    main()
