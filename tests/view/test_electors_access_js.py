"""The picture of an election and the demo application for everybody: contrast, names, roles."""

from __future__ import annotations

import pytest
from axe_playwright_python.sync_playwright import Axe

from raft_lab.kube import stages
from raft_lab.view.demo import Demo
from view.lab_page import DARK, LIGHT, LabPage
from view.test_demo import shown
from view.test_electors_lab_js import Picture, paused


def serious(lab: LabPage, context: str) -> list[tuple[str, str]]:
    results = Axe().run(lab.page, context=context, options={"resultTypes": ["violations"]}).response
    found = [broken for broken in results["violations"] if broken["impact"] in ("serious", "critical")]
    return [(broken["id"], node["html"][:160]) for broken in found for node in broken["nodes"]]


@pytest.mark.parametrize("css", [LIGHT, DARK], ids=["light", "dark"])
def test_axe_finds_nothing_serious_in_the_picture(lab: LabPage, css: str) -> None:
    electors, _ = paused()
    Picture(lab, electors, css)
    assert serious(lab, ".raft-electors") == []


@pytest.mark.parametrize("css", [LIGHT, DARK], ids=["light", "dark"])
def test_axe_finds_nothing_serious_in_the_demo(lab: LabPage, css: str) -> None:
    demo = Demo(stages.demo_of_2019())
    try:
        demo.get()
        demo.electors.crash("pod-b")
        shown(lab, demo, css)
        assert serious(lab, ".raft-demo") == []
    finally:
        demo.close()
