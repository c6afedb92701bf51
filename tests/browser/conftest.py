"""A JupyterLab for the whole session, and for each test a page that puts up with nothing."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from browser.jupyter import Jupyter, running_jupyter
from browser.notebook import Notebook, write_notebook

expect.set_options(timeout=30_000)  # patience for slow machines, not a claim about speed
_LOOPBACK = {"127.0.0.1", "localhost", "::1", None}


@pytest.fixture(scope="session")
def jupyter(tmp_path_factory: pytest.TempPathFactory, chromium_path: Path) -> Iterator[Jupyter]:
    """A real JupyterLab; without a browser to look at it, it is not started."""
    with running_jupyter(tmp_path_factory.mktemp("jupyter")) as running:
        yield running


@pytest.fixture(scope="module")
def context(browser: Browser) -> Iterator[BrowserContext]:
    """What the pages of a module share: JupyterLab's own scripts are loaded only once."""
    with browser.new_context(viewport={"width": 1400, "height": 1600}) as context:
        yield context


@pytest.fixture
def page(context: BrowserContext, jupyter: Jupyter) -> Iterator[Page]:
    """A page on which any error, and any request that would leave this machine, fails the test."""
    troubles: list[str] = []
    page = context.new_page()
    page.set_default_timeout(60_000)
    page.on("pageerror", lambda error: troubles.append(f"error on the page: {error}"))
    page.on("console", lambda said: troubles.append(f"console: {said.text}") if said.type == "error" else None)
    page.on("request", lambda request: troubles.extend(_leaves_the_machine(request.url)))
    yield page
    page.close()
    jupyter.stop_kernels()
    assert troubles == []


def _leaves_the_machine(url: str) -> list[str]:
    parts = urlsplit(url)
    return [f"request to {url}"] if parts.scheme.startswith(("http", "ws")) and parts.hostname not in _LOOPBACK else []


@pytest.fixture
def open_notebook(page: Page, jupyter: Jupyter, request: pytest.FixtureRequest) -> Callable[..., Notebook]:
    """Open a notebook with the given code cells and run it."""

    def opened(*cells: str) -> Notebook:
        notebook = Notebook(page, jupyter, write_notebook(jupyter.root / f"{request.node.originalname}.ipynb", *cells))
        notebook.run_all()
        return notebook

    return opened
