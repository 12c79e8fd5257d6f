"""`ami scans`: a network that compares scans, and figures of drives that it did not learn from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ami_ros.cli.networks import DRIVES, train_scans
from ami_ros.cli.options import ScanOptions
from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning.scan_training import FittedPairs
from ami_ros.world_model.scan_pairs import FEATURES, NUMBERS, POINTS, load_scan_pairs


def job(folder: Path) -> ScanOptions:
    return ScanOptions(folder / "out", 1, 0, 1, 1, 3, 0, 1, folder / "f.json")


def pairs() -> FittedPairs:
    """Fits that nobody drove for."""
    rng, n = np.random.default_rng(1), 40
    points = rng.normal(size=(n, 2, POINTS, FEATURES)).astype(np.float32)
    return FittedPairs(
        points, rng.normal(size=(n, NUMBERS)).astype(np.float32), np.arange(n) % 3 == 0, np.arange(n) // 4
    )


def test_what_it_writes_compares_scans(tmp_path: Path) -> None:
    (drives := tmp_path / "out" / DRIVES).mkdir(parents=True)
    for kept in ("corridors_1", "buildings_2"):  # of a run that was stopped: only building 1 is driven through
        np.savez(drives / f"{kept}_0.npz", **vars(pairs()))
    train_scans(replace(job(tmp_path), corridors=0, buildings=1))
    load_scan_pairs(tmp_path / "out")
    left = {file.name for file in (tmp_path / "out").iterdir()}
    assert DRIVES not in left and not any("so_far" in name for name in left), "what was kept for a stop is gone"
    figures = json.loads((tmp_path / "f.json").read_text())
    assert figures["corridors"] == 0 and figures["buildings"] == 1 and figures["steps"] == 3 and figures["fits"] > 50
    assert 0.0 <= figures["corridors_area_by_share"] <= 1.0 and 0.0 <= figures["buildings_area"] <= 1.0


@pytest.mark.parametrize(
    ("change", "why"),
    [({"corridors": 0}, "to learn from"), ({"buildings": 1, "first": 100_000}, "is a building for tests")],
)
def test_what_cannot_be_learned_is_refused(tmp_path: Path, change: dict[str, int], why: str) -> None:
    with pytest.raises(AmiError, match=why):
        train_scans(replace(job(tmp_path), **change))  # type: ignore[arg-type]
