"""A plugin of pytest: the fastest tests come first, so that a run with -x ends early.

The variable FAST_FIRST names a file with the time of each test. A run that passes writes it, later runs sort by it.
"""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

DURATIONS = Path(os.environ["FAST_FIRST"])
_taken: dict[str, float] = {}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Sorts by the times of an earlier run; tests that it did not know come last."""
    if DURATIONS.exists():
        known = json.loads(DURATIONS.read_text(encoding="utf-8"))
        items.sort(key=lambda item: known.get(item.nodeid, float("inf")))


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    """Sums up what a test takes, its fixtures included."""
    _taken[report.nodeid] = _taken.get(report.nodeid, 0.0) + report.duration


def pytest_sessionfinish(exitstatus: int) -> None:
    """Writes the times down, once."""
    if exitstatus == 0 and not DURATIONS.exists():
        DURATIONS.write_text(json.dumps(_taken), encoding="utf-8")
