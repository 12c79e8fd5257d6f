"""The journal: a line for each step, added to what is there."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from ami_ros.core.errors import AmiError
from ami_ros.world_model.adaptation import Journal, Step

STEP = Step(12.5, 3, "drive", False, "no better", 0.1, 0.2)


def test_every_step_is_a_line(tmp_path: Path) -> None:
    file = tmp_path / "deep" / "journal.jsonl"
    colours = [[1.0, 0.0]] * 3
    Journal(file).write(STEP, False, [[1.0, 0.0], [0.0, 1.0]], colours)
    Journal(file).write(STEP, True, [[0.8, 0.1], [0.4, 0.80001]], colours)
    first, second = map(json.loads, file.read_text().splitlines())
    assert first["number"] == 3 and first["kept"] is False and first["reason"] == "no better"
    assert second["in_use"] and second["drive"] == [[0.8, 0.1], [0.4, 0.8]]
    assert second["colours"] == colours


def test_journal_that_cannot_be_written_is_refused_at_once(tmp_path: Path) -> None:
    with pytest.raises(AmiError, match="cannot write"):
        Journal(tmp_path)
