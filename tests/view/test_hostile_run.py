"""A run full of markup: what strangers wrote is shown as they wrote it, and none of it runs."""

from __future__ import annotations

import gc
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from raft_lab import Cluster, Server, check_linearizable
from raft_lab.view import picture
from raft_lab.view.history import page

MARKUP = "<img src=x onerror='window.ran=1'>"
SCRIPT = "set x </script><script>window.ran=1</script><!--"


def hostile() -> Cluster:
    """Servers, commands, sessions, reads, handlers, branches and a title made of markup; messages in flight."""
    named = type("<b onmouseover='window.ran=1'>", (Server,), {})
    cluster = Cluster([MARKUP, "<script>window.ran=1</script>", "__proto__"], seed=1, server=named)
    cluster.run_until(leader=True)
    for command in (SCRIPT, MARKUP, "\0\x1b[31m", "]]>"):
        cluster.propose(command)
    cluster.propose("", client=MARKUP)
    cluster.read(name=MARKUP)
    cluster.deliver_all()
    cluster.name("<i>branch</i>")
    cluster.propose(SCRIPT)
    return cluster


def test_the_still_pictures_are_well_formed_and_hold_no_element_of_the_run() -> None:
    cluster = hostile()
    known = {"svg", "title", "rect", "text", "path", "circle", "polygon"}
    found = {element.tag.rpartition("}")[2] for element in ElementTree.fromstring(picture.svg(cluster)).iter()}
    assert found <= known

    class Tags(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            assert tag not in ("script", "img", "b", "i")
            assert not any(name.startswith("on") for name, _ in attrs)

    Tags().feed(page(cluster.operations, check_linearizable(cluster)))


@pytest.fixture
def visited(browser: Any) -> Iterator[Any]:
    """A page on which every trouble fails the test."""
    troubles: list[str] = []
    with browser.new_context(offline=True, viewport={"width": 1240, "height": 900}) as context:
        page = context.new_page()
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("console", lambda line: troubles.append(line.text))
        page.on("request", lambda ask: ask.url.startswith("file:") or troubles.append(ask.url))
        yield page
    assert troubles == []


def test_in_an_exported_page_nothing_of_it_runs(visited: Any, tmp_path: Path) -> None:
    visited.goto(hostile().lab(title=SCRIPT).save_html(tmp_path / "run.html").as_uri())
    lab = visited.locator(".raft-lab[data-step]")
    lab.wait_for()
    for tab in lab.get_by_role("tab").all()[::-1]:
        tab.click()
    visited.get_by_role("button", name="More of the tape").click()
    assert MARKUP in lab.inner_text()
    assert len({slots.bounding_box()["x"] for slots in lab.locator(".rl-slots").all()}) == 1  # columns stay columns
    assert lab.locator("script, img, b[onmouseover]").count() == 0
    assert visited.evaluate("window.ran") is None


def test_a_lab_that_is_refused_leaves_no_trouble_behind(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(TypeError, match="the title is a line of text, not 3"):
        Cluster(3).lab(title=3)
    gc.collect()
    assert capsys.readouterr().err == ""
