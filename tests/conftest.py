"""What all tests share. The place of this file puts tests/ on the path: `from check.broken import VotesTwice`."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from browser.chromium import ARGUMENTS, HOW_TO_GET_ONE, find_chromium


@pytest.fixture(scope="session")
def chromium_path() -> Path:
    """A browser of the Chromium family. Without one the test is skipped on people's machines, and fails in CI."""
    found = find_chromium()
    if found is None:
        (pytest.fail if os.environ.get("CI") else pytest.skip)(HOW_TO_GET_ONE)
    return found


@pytest.fixture(scope="module")
def browser(chromium_path: Path) -> Iterator[object]:
    """A running browser. It ends with the module: Playwright's sync API cannot be open twice in one process."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        running = playwright.chromium.launch(executable_path=chromium_path, args=ARGUMENTS)
        yield running
        running.close()
