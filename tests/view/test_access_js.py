"""The lab for everybody: by keyboard, by screen reader, in both themes."""

from __future__ import annotations

from typing import Any

import pytest
from axe_playwright_python.sync_playwright import Axe

from browser import moments
from view import sample_tapes
from view.lab_page import LabPage

VIEWS = ("Logs", "Space-time", "All fields")
RULES: dict[str, dict[str, Any]] = {
    "light": {"resultTypes": ["violations"]},
    "dark": {"resultTypes": ["violations"], "runOnly": ["color-contrast"]},  # nothing else depends on the theme
}


@pytest.fixture(scope="module")
def page_of_moments(browser: Any) -> Any:
    page = browser.new_page()
    yield page
    page.close()


@pytest.mark.parametrize("theme", moments.THEMES)
@pytest.mark.parametrize("name", moments.MOMENTS)
def test_axe_finds_nothing_serious_in_any_moment(page_of_moments: Any, name: str, theme: str) -> None:
    page = page_of_moments
    moments.show(page, moments.MOMENTS[name](), 1280, theme)
    view = VIEWS[(list(moments.MOMENTS).index(name) + list(moments.THEMES).index(theme)) % len(VIEWS)]
    page.get_by_role("tab", name=view).click()
    page.wait_for_timeout(350)
    results = Axe().run(page, context=".raft-lab", options=RULES[theme]).response
    serious = [broken for broken in results["violations"] if broken["impact"] in ("serious", "critical")]
    assert [(broken["id"], node["html"][:160]) for broken in serious for node in broken["nodes"]] == []


def test_every_control_is_reached_by_keyboard_and_shows_it(lab: LabPage) -> None:
    lab.show(sample_tapes.stale_leader())
    for view in VIEWS:
        lab.page.get_by_role("tab", name=view).click()
        lab.page.evaluate("document.querySelector('.raft-lab').focus()")
        reached = lab.page.evaluate(NAMES_OF_CONTROLS)
        seen: dict[str, bool] = {}
        for _ in range(len(reached) + 8):  # some panes scroll and are stops of their own
            lab.page.keyboard.press("Tab")
            name, visible = lab.page.evaluate(FOCUSED)
            seen[name] = visible
        assert set(reached) - set(seen) == set(), view
        assert [name for name, visible in seen.items() if name and not visible] == [], view


NAMES_OF_CONTROLS = """() => {
  const controls = document.querySelectorAll(".raft-lab :is(button, input, select, summary, [tabindex='0'])");
  const stops = [...controls].filter((one) => one.checkVisibility() && one.tabIndex >= 0 && !one.disabled);
  return stops.map((one, index) => (one.id ||= `${one.className} ${index}`)); }"""
FOCUSED = """() => { const one = document.activeElement;
  if (!one || one === document.body) return ["", false];
  const style = getComputedStyle(one), inner = one.querySelector(".rl-focus, .rl-link-line, .rl-outline");
  const beside = one.closest(".rl-scrubber")?.querySelector(".rl-track");
  const seen = (it) => it && (getComputedStyle(it).outlineStyle !== "none" || getComputedStyle(it).stroke !== "none");
  return [one.id, style.outlineStyle !== "none" || Boolean(seen(inner)) || Boolean(seen(beside))]; }"""
