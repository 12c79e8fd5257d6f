"""What tests of commands share."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from ami_ros.app.web_view import WebView


@pytest.fixture
def web() -> Iterator[WebView]:
    """A page on a free port."""
    view = WebView()
    yield view
    view.close()


@pytest.fixture
def read() -> Callable[[WebView, str], Any]:
    """Reads a JSON document of a page, by its name."""

    def get(web: WebView, name: str) -> Any:
        with urllib.request.urlopen(web.url + name, timeout=10) as answer:
            return json.loads(answer.read())

    return get
