"""How the page lies on screens of different widths, in a real browser, and its colours."""

from __future__ import annotations

import re
from collections.abc import Callable

import numpy as np
import pytest

from harness.browser import Page
from harness.console_page import Bench


@pytest.mark.parametrize("width", [390, 768, 1440])
def test_nothing_hangs_over_the_edge_and_stop_is_in_sight(width: int, show: Callable[..., Page]) -> None:
    page = show(width=width, height=800, dark=width == 768)
    assert page.eval("document.documentElement.scrollWidth") <= width
    x, y, w, h = page.box("#stop")
    assert x >= 0 and y >= 0 and x + w <= width and y + h <= 800 and w >= 150 and h >= 50
    if width > 940:  # all in one window: nothing of the timeline is cut off
        assert sum(page.box("footer")[1::2]) <= 800 and page.box("main")[3] > 500
    unnamed = page.eval(
        "[...document.querySelectorAll('button, input, [role=application]')].filter(e => !e.textContent.trim()"
        " && !e.ariaLabel && !e.labels?.length).map(e => e.outerHTML)"
    )
    assert unnamed == []


@pytest.mark.parametrize("width", [960, 1280])
def test_the_release_of_a_stop_covers_nothing_that_a_second_viewer_needs(
    width: int, bench: Bench, show: Callable[..., Page]
) -> None:
    show(width=width).click("#keep_view")
    second = show(width=width)
    second.click("[data-ask=home]")
    first = show(width=width)
    bench.scene.stopped = True
    first.wait("!document.getElementById('release').hidden && !document.getElementById('take').hidden")
    for name in ("take", "theme", "release", "stop"):
        x, y, w, h = first.box(f"#{name}")
        assert first.eval(f"document.elementFromPoint({x + w / 2}, {y + h / 2}).closest('button').id") == name


@pytest.mark.parametrize("width", [390, 1280])
def test_the_list_of_layers_lies_within_the_map(width: int, show: Callable[..., Page]) -> None:
    page = show(width=width)
    page.click("[data-tool=keep]")
    page.click("#layers summary")
    (x, y, w, h), (left, top, wide, high) = page.box("#layer_list"), page.box("#map")
    assert left <= x and x + w <= left + wide and y + h <= top + high


def test_colours_of_words_have_contrast(show: Callable[..., Page]) -> None:
    """WCAG 2.1, 1.4.3: 4.5 to 1."""
    for dark in (False, True):
        page = show(dark=dark)
        for name in ("ink", "soft", "accent", "bad", "good", "warm"):
            page.eval(
                f"(() => {{ const p = document.createElement('p'); p.id = 'probe_{name}'; p.textContent = 'x';"
                f"p.style.color = 'var(--{name})'; p.style.background = 'var(--card)'; document.body.append(p); }})()"
            )
            colours = page.eval(
                f"(() => {{ const s = getComputedStyle(document.getElementById('probe_{name}'));"
                "return [s.color, s.backgroundColor]; })()"
            )
            assert contrast(*colours) >= 4.5, (name, dark, colours)


def contrast(first: str, second: str) -> float:
    """Of two colours as a browser writes them."""
    bright, dim = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dim + 0.05)


def luminance(colour: str) -> float:
    values = [float(v) / 255 for v in re.findall(r"[\d.]+", colour)[:3]]
    linear = [v / 12.92 if v <= 0.03928 else ((v + 0.055) / 1.055) ** 2.4 for v in values]
    return float(np.dot(linear, (0.2126, 0.7152, 0.0722)))
