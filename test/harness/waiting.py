"""Waiting for conditions, never for a time."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def wait_until(
    condition: Callable[[], T],
    deadline: float = 20.0,
    what: str | Callable[[], str] = "",
    between: Callable[[], None] = lambda: time.sleep(0.02),
) -> T:
    """Returns the first true value of `condition()`; fails the test when none came within `deadline` [s].

    Args:
        condition: asked again and again.
        deadline: generous: it only bounds a failing test, on a loaded machine too.
        what: for the message of a failure; a callable is asked only then.
        between: what to do between two looks.
    """
    end = time.monotonic() + deadline
    while True:
        value = condition()
        if value:
            return value
        if time.monotonic() > end:
            text = what() if callable(what) else what
            raise AssertionError(f"not within {deadline:g} s: {text or condition}")
        between()
