"""A browser, a console, and pages of it that must not complain."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import pytest

from harness.browser import Browser, Page, find_browser
from harness.console_page import Bench


@pytest.fixture
def browser() -> Iterator[Browser]:
    if find_browser() is None:
        pytest.skip("no chromium is installed: apt-get install chromium-headless-shell")
    made = Browser()
    yield made
    made.close()


@pytest.fixture
def bench() -> Iterator[Bench]:
    made = Bench()
    yield made
    made.server.close()


@pytest.fixture
def show(browser: Browser, bench: Bench) -> Iterator[Callable[..., Page]]:
    """Opens pages; at the end none of them may have complained."""
    pages: list[Page] = []

    def make(key: str = "", **options: Any) -> Page:
        page = browser.page(bench.server.url(key or bench.desk.keys.drive), **options)
        pages.append(page)
        page.wait("document.getElementById('doing').textContent === 'No goal'")
        return page

    yield make
    for page in pages:
        problems = [text for text in page.problems if "ERR_CONNECTION_REFUSED" not in text]
        page.close()
        assert not problems
