"""A memory that two robots send takes its size twice, less the overhead of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from ami_ros.evaluation.memory_fleet import share_a_memory

MEMORY = Path(__file__).parents[2] / "models" / "onboard" / "two_rooms.memory"


def test_sharing_is_measured_on_what_was_really_written(tmp_path: Path) -> None:
    pytest.importorskip("lance")
    figures = share_a_memory(MEMORY, tmp_path)
    size = MEMORY.stat().st_size / 1e6
    assert 0.3 * size < figures["fleet_mb_per_robot"] < 1.5 * size
    assert figures["fleet_export_places_per_s"] > 0 and figures["fleet_import_places_per_s"] > 0
    assert (tmp_path / "back.memory").stat().st_size > 0.5 * MEMORY.stat().st_size
