"""The size of the source: it may shrink, and grows only where somebody raises a bound here and says why."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from harness.house import COLUMNS, REPOSITORY, count, packages, table

AT_MOST = {"files": 350, "code": 46_200, "constants": 500, "functions": 5_050}
TESTS_AT_MOST = 37_000  # lines of code


def test_the_source_is_no_larger_than_its_bounds(record_property: Callable[[str, Any], None]) -> None:
    rows = packages(REPOSITORY / "ami_ros")
    record_property("figure", f"the house:\n{table(rows)}")
    assert {column: rows["all"][column] for column in COLUMNS if rows["all"][column] > AT_MOST[column]} == {}, table(
        rows
    )
    assert set(rows) - {"(top)", "all"} == {
        "behaviour", "bench", "cli", "console", "core", "memory", "planning", "ros", "runtime", "safety", "simulation",
        "world_model",
    }  # fmt: skip


def test_tests_are_no_longer_than_their_bound() -> None:
    assert packages(REPOSITORY / "test")["all"]["code"] <= TESTS_AT_MOST


def test_every_package_says_what_it_takes_and_gives_in_a_page() -> None:
    for name in set(packages(REPOSITORY / "ami_ros")) - {"(top)", "all"}:
        page = (REPOSITORY / "ami_ros" / name / "__init__.py").read_text(encoding="utf-8")
        assert 5 <= len(page.splitlines()) <= 60, f"ami_ros/{name}/__init__.py"


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ('"""A docstring."""\n\nimport os\n\n# A comment.\nLEAST = 3\nname = 4\n', (2, 1, 0)),
        ("class A:\n    '''Says so.'''\n\n    def f(self):\n        '''More.'''\n        return 1\n", (3, 0, 1)),
    ],
)
def test_what_counts(text: str, found: tuple[int, int, int]) -> None:
    counted = count(text)
    assert (counted["code"], counted["constants"], counted["functions"]) == found
