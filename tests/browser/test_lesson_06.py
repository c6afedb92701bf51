"""Lesson 06 in a real JupyterLab, as a student works through it."""

from __future__ import annotations

import re
import urllib.error
import urllib.request

import pytest
from playwright.sync_api import Page, expect

from browser.jupyter import Jupyter
from browser.walking import Lesson

pytestmark = pytest.mark.xdist_group("jupyterlab")

DRAFT = """\
        yield Put(key, str(count + 1))
        return
"""
SOLUTION = """\
        read_at = found.kvs[0].mod_revision if found.kvs else 0
        response = yield Txn([mod_revision(key) == read_at], [Put(key, str(count + 1))])
        if response.succeeded:
            return
"""


def test_a_student_paints_a_page_kills_the_leader_and_counts_without_loss(page: Page, jupyter: Jupyter) -> None:
    lesson = Lesson(page, jupyter, "06-etcd")

    lesson.expect_wrong_and_right("l6-kill-ask", "It stays grey", "It changes as soon as another leader")
    lesson.expect_wrong_and_right("l6-revisions-ask", "9: writing the same", "10")

    site = lesson.cell("l6-first-page").locator(".raft-site")
    expect(site).to_have_attribute("data-colour", re.compile("#cc79a7|#ccc"))  # the latter where etcdctl is installed
    lesson.kernel("store.put('app-config/background-color', '#e69f00'); store.wait(0.1)")
    expect(site).to_have_css("background-color", "rgb(230, 159, 0)")
    lesson.kernel("store.put('app-config/background-color', '#009e73'); store.wait(0.1)")
    expect(site.locator("li").first).to_contain_text("#e69f00")  # what stood there before

    lesson.kernel("cluster.crash(cluster.leader); store.put('app-config/background-color', '#fff'); store.wait(0.1)")
    expect(site).to_have_css("background-color", "rgb(255, 255, 255)")

    first = lesson.cell("l6-build-answer").locator(".jp-OutputArea-output").first
    expect(first).to_contain_text("2 clients counted once each, and the counter says 1 instead of 2.")
    verdict = lesson.hand_in("l6-build-answer", DRAFT, SOLUTION)
    expect(verdict).to_contain_text("No count is lost.")
    assert lesson.errors() == []


def test_the_page_is_also_served_on_this_machine_alone(page: Page) -> None:
    from raft_lab import Cluster
    from raft_lab.kv import KV, KVServer
    from raft_lab.view.site import Site

    store = KV(Cluster(3, server=KVServer))
    site = Site(store)
    try:
        page.goto(site.serve())
        root = page.locator(".raft-site")
        expect(root).to_contain_text("Nobody has told me a colour yet.")
        store.put(site.key, "#56b4e9")
        store.wait(0.1)
        expect(root).to_have_css("background-color", "rgb(86, 180, 233)")
        store.put(site.key, "no colour at all")
        store.wait(0.1)
        expect(root).to_contain_text("“no colour at all” is no colour, so I stay as I am.")
        expect(root).to_have_css("background-color", "rgb(86, 180, 233)")

        foreign = urllib.request.Request(site.serve(), headers={"Host": "elsewhere.example"})
        with pytest.raises(urllib.error.HTTPError, match="403"):
            urllib.request.urlopen(foreign)
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/", site.serve())
    finally:
        site.close()
