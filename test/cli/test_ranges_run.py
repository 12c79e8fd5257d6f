"""`ami ranges`: a network that makes scans of pictures, and figures of buildings that it did not learn from."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from ami_ros.cli.networks import train_ranges
from ami_ros.cli.options import RangeOptions
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import share
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.learning.views import ViewConfig, save_views, take_views
from ami_ros.world_model.picture_scan import BEARINGS, SIZE, load_picture_scan

FEW = ViewConfig(groups=4, members=2)


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Buildings 1 and 3 are drawn already."""
    folder = tmp_path_factory.mktemp("views")
    for seed in (1, 3):
        save_views(folder / f"{seed}.npz", take_views(load_world(f"building:{seed}"), FEW, seed))
    return folder


def job(folder: Path, views: Path) -> RangeOptions:
    return RangeOptions(
        model=share("models", "general"), out=folder / "out", views=views, buildings=1, held_out=1, held_out_first=3,
        steps=3, workers=1, threads=1, json=folder / "f.json",
    )  # fmt: skip


def test_what_it_writes_makes_scans(views: Path, tmp_path: Path) -> None:
    train_ranges(job(tmp_path, views))
    guess = load_picture_scan(tmp_path / "out", math.radians(100.0)).guess(np.zeros((SIZE, SIZE, 3), np.uint8))
    assert guess.ranges.shape == (BEARINGS,) and np.isfinite(guess.ranges).all()
    figures = json.loads((tmp_path / "f.json").read_text())
    assert figures["buildings"] == 1 and figures["steps"] == 3
    assert 0 < figures["whole_error_p50"] <= figures["whole_error_p90"]
    assert 0 <= figures["narrow_close_taken_for_far"] <= 1


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"held_out_first": 1}, "must not be held out as well"),
        ({"first": 100_000}, "is a building for tests"),
        ({"model": share("models", "onboard")}, "does not compare pictures of a camera that it knows"),
    ],
)
def test_what_cannot_be_learned_is_refused(views: Path, tmp_path: Path, change: dict[str, object], why: str) -> None:
    with pytest.raises(AmiError, match=why):
        train_ranges(replace(job(tmp_path, views), **change))  # type: ignore[arg-type]
