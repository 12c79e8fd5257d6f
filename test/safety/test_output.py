"""What is sent to the robot, and which guarantee of docs/safety.md acted."""

from __future__ import annotations

import re
from dataclasses import FrozenInstanceError
from pathlib import Path

import pytest

from ami_ros.safety.output import BLIND, BY_SCANS, REASONS, STOPPED, SafetyOutput

DOCS = Path(__file__).resolve().parents[2] / "docs" / "safety.md"


@pytest.mark.parametrize(
    ("reason", "guarantee"),
    [
        ("", 0),
        ("something else", 0),
        ("limit", 1),
        ("command is not finite", 1),
        ("no command", 2),
        ("clock stands still", 2),
        ("obstacle ahead", 3),
        ("too much to look at", 3),
        ("unseen ahead", 4),
        ("no scan", 5),
        ("scan without a reading", 5),
        ("scan without what stood there", 5),
        ("no data: depth: left", 5),
        ("moving thing ahead", 6),
        ("emergency stop", 7),
        ("a node is missing", 8),
        ("zone: front, stop", 9),
        ("keep-out: ahead", 10),
    ],
)
def test_each_reason_is_that_of_a_guarantee(reason: str, guarantee: int) -> None:
    assert SafetyOutput(0.0, 0.0, reason).guarantee == guarantee
    assert not guarantee or reason.split(":")[0] in REASONS


def test_guarantees_are_those_of_the_docs() -> None:
    numbers = {int(number) for number in re.findall(r"^\| (\d+) \|", DOCS.read_text(encoding="utf-8"), re.MULTILINE)}
    assert {*REASONS.values()} <= numbers and numbers >= {BLIND, *map(int, BY_SCANS.split(", "))}
    assert REASONS[STOPPED] == 7 and BY_SCANS == "3, 4, 5, 6, 9"


def test_an_output_is_a_command_of_three_numbers_that_nobody_changes() -> None:
    output = SafetyOutput(0.1, 0.2, "limit", 0.3)
    assert output.command == (0.1, 0.2, 0.3) and SafetyOutput(0.1, 0.2, "").command == (0.1, 0.2, 0.0)
    with pytest.raises(FrozenInstanceError):
        output.linear = 1.0  # type: ignore[misc]


def test_the_zone_that_acted_is_named_also_if_its_name_has_a_comma() -> None:
    assert SafetyOutput(0.0, 0.0, "zone: left, front, slowdown").zone == ("left, front", "slowdown")
    assert SafetyOutput(0.0, 0.0, "zone: front, stop").zone == ("front", "stop")
    assert SafetyOutput(0.0, 0.0, "keep-out: zone: a, b").zone == ("", "")
