"""Lesson 07 in a real JupyterLab, as a student works through it."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page, expect

from browser.jupyter import Jupyter
from browser.walking import Lesson

pytestmark = pytest.mark.xdist_group("jupyterlab")

DRAFT = "    return now > record.renew_time_us + record.lease_duration_seconds * 1_000_000\n"
SOLUTION = """\
    unchanged_us = now - observed_at
    return record.holder_identity == "" or unchanged_us > record.lease_duration_seconds * 1_000_000
"""


def test_a_student_crashes_pauses_and_fences_pods_and_says_when_one_may_lead(page: Page, jupyter: Jupyter) -> None:
    lesson = Lesson(page, jupyter, "07-kubernetes")

    lesson.expect_wrong_and_right("l7-first-ask", "At once", "Some 15 to 20 seconds")
    lesson.expect_wrong_and_right("l7-one-ask", "No: when it goes on", "Yes, for some seconds")

    picture = lesson.cell("l7-first-lab").locator(".raft-electors")
    sentence = picture.locator(".el-sentence")
    expect(sentence).to_contain_text("leads, and works.")
    before = str(sentence.text_content()).split()[0]
    picture.get_by_role("group", name=before, exact=True).get_by_role("button", name="Crash").click()
    expect(sentence).to_contain_text("Nobody works.")
    picture.get_by_role("button", name="Next leader").click()
    expect(sentence).to_contain_text("leads, and works.")
    assert not str(sentence.text_content()).startswith(before)
    expect(picture.locator(".el-code")).to_contain_text("electors.run_until")

    doubled = lesson.cell("l7-odd-run").locator(".raft-electors .el-sentence")
    expect(doubled).to_contain_text("pod-a and pod-d work at the same time.")

    demo = lesson.cell("l7-demo-page").locator(".raft-demo")
    answers = demo.locator(".demo-strip li")
    count = answers.count()
    demo.get_by_role("button", name="Reload").click()
    expect(answers).to_have_count(count + 1)
    expect(demo.locator(".demo-says")).to_contain_text("Hello from pod-")

    paused = lesson.cell("l7-one-lab").locator(".raft-electors")
    paused.get_by_role("slider", name="Look back").evaluate(
        "s => { s.value = 45e6; s.dispatchEvent(new Event('input')); }"
    )
    lesson.kernel("1")  # by now the kernel has answered
    page.wait_for_timeout(1000)
    expect(paused.locator(".el-sentence")).to_contain_text(
        "pod-a and pod-c work at the same time. The resource takes what both write."
    )
    expect(paused.locator(".el-lanes")).to_contain_text("2 work")
    fenced = lesson.cell("l7-fence-lab").locator(".el-lanes .el-mark[data-what=rejected]")
    expect(fenced).to_have_count(10)

    first = lesson.cell("l7-build-answer").locator(".jp-OutputArea-output").first
    expect(first).to_contain_text("by a clock that is 3,600 s behind yours")
    expect(first).to_contain_text("You must wait; yours takes over, and then there are two.")
    verdict = lesson.hand_in("l7-build-answer", DRAFT, SOLUTION)
    expect(verdict).to_contain_text("You take over when nobody holds it")
    assert lesson.errors() == []


def test_the_demo_is_also_served_on_this_machine_alone(page: Page) -> None:
    from raft_lab.kube import stages
    from raft_lab.view.demo import Demo

    demo = Demo(stages.demo_of_2019())
    try:
        page.goto(demo.serve())
        root = page.locator(".raft-demo")
        expect(root).to_contain_text("Press Reload: somebody will answer.")
        root.get_by_role("button", name="Reload").click()
        expect(root.locator(".demo-says")).to_have_text("★ Hello from pod-a, the leader.")
        assert root.get_by_role("button", name="Kill pod-a").is_hidden()
        demo.electors.crash("pod-a")
        expect(root.get_by_role("region", name="pod-a")).to_contain_text("✗ down")
    finally:
        demo.close()
