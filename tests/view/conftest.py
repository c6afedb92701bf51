"""Pages with a lab on them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from view.lab_page import LabPage


@pytest.fixture(scope="module")
def blank_page(browser: Any) -> Iterator[Any]:
    """One page for a module."""
    with browser.new_context(viewport={"width": 1240, "height": 900}) as context:
        yield context.new_page()


@pytest.fixture
def lab(blank_page: Any) -> Iterator[LabPage]:
    """A lab on a page that the module shares."""
    blank_page.set_viewport_size({"width": 1240, "height": 900})
    lab = LabPage(blank_page)
    yield lab
    lab.leave()


@pytest.fixture
def lab_apart(browser: Any) -> Iterator[LabPage]:
    """A lab on a page of its own, for those who change the clock or the settings of the browser."""
    page = browser.new_page(viewport={"width": 1240, "height": 900})
    lab = LabPage(page)
    yield lab
    lab.leave()
    page.close()
