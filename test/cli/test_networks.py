"""`ami pairs`, `ranges` and `scans`: what they write, and figures of what they did not learn from."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ami_ros.cli import networks
from ami_ros.cli.networks import DRIVES, comparing, draw_building, teach_pairs, train_ranges, train_scans
from ami_ros.cli.options import PairOptions, RangeOptions, ScanOptions
from ami_ros.core.errors import AmiError
from ami_ros.core.installation import share
from ami_ros.simulation.world import World
from ami_ros.simulation.world_file import load_world
from ami_ros.world_model.learning.scan_training import FittedPairs
from ami_ros.world_model.learning.views import ViewConfig, Views, save_views, take_views
from ami_ros.world_model.picture_scan import BEARINGS, SIZE, load_picture_scan
from ami_ros.world_model.scan_pairs import FEATURES, NUMBERS, POINTS, load_scan_pairs
from ami_ros.world_model.spec import InputSpec, ModelSpec, Sensors
from ami_ros.world_model.torch_model import LoadedModel, WorldModel, load_model, save_model
from harness import wall_views
from harness.wall_views import FIELD, world

SPEC = ModelSpec(InputSpec(image_size=16, scan_beams=0, field_of_view=FIELD), encoder_width=16, sight_code=4)


@pytest.fixture
def start(tmp_path: Path, small: None) -> LoadedModel:
    torch.manual_seed(0)
    return save_model(tmp_path / "start", "start", WorldModel(SPEC).eval())


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "PAIR_SIZE", wall_views.SIZE)
    monkeypatch.setattr(networks, "PAIR_BATCHES", 8)


def pair_job(folder: Path, **changes: Any) -> PairOptions:
    """Buildings 1 to 4 are drawn already."""
    (folder / "views").mkdir(exist_ok=True)
    for seed in range(1, 5):
        save_views(folder / "views" / f"{seed}.npz", world(seed))
    asked: dict[str, Any] = {
        "model": folder / "start", "out": folder / "out", "views": folder / "views", "buildings": 2, "held_out": 2,
        "held_out_first": 3, "steps": 4, "workers": 1, "threads": 1, "name": "g", "json": folder / "figures.json",
    }  # fmt: skip
    return PairOptions(**(asked | changes))


def test_latents_stay_and_pictures_are_compared(start: LoadedModel, tmp_path: Path) -> None:
    made = teach_pairs(pair_job(tmp_path))
    again = load_model(tmp_path / "out").model
    assert again.pairs is not None and again.sighting is None and again.spec.pair_size == wall_views.SIZE
    assert again.spec.inputs.narrowest == pytest.approx(0.45), "narrow cameras were learned from as well"
    image = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    with torch.inference_mode():
        torch.testing.assert_close(again.encode(Sensors(image)), start.model.encode(Sensors(image)))
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["encoder_id"] == made.encoder_id and figures["buildings"] == 2
    assert 0 < figures["whole_threshold"] <= 1 and 0 < figures["narrow_threshold"] <= 1
    assert np.isfinite(figures["whole_near_position_median_m"])


def test_weights_that_compare_pictures_are_gone_on_with(start: LoadedModel, tmp_path: Path) -> None:
    model = comparing(start.model, wall_views.SIZE)
    again = comparing(model, wall_views.SIZE)
    assert model.pairs is not None and again.pairs is not None
    torch.testing.assert_close(again.pairs.state_dict(), model.pairs.state_dict())


def test_one_building_in_five_has_no_ceiling(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As worlds of simulators have none; all others are interiors."""
    open_to_the_sky: list[bool] = []

    def take(building: World, config: ViewConfig, seed: int) -> Views:
        open_to_the_sky.append(building.interior is None)
        return world(1)

    monkeypatch.setattr(networks, "take_views", take)
    for seed in range(5):
        draw_building(f"building:{seed}", tmp_path / f"{seed}.npz", ViewConfig())
    assert open_to_the_sky == [False] * 4 + [True]


def test_plain_buildings_are_learned_from_besides(start: LoadedModel, tmp_path: Path) -> None:
    what = replace(pair_job(tmp_path), bare=1)
    save_views(what.views / "bare_0.npz", world(5))
    teach_pairs(what)
    assert json.loads((tmp_path / "figures.json").read_text())["buildings"] == 3


def test_a_new_head_for_pictures_leaves_memories_valid(start: LoadedModel, tmp_path: Path) -> None:
    first = teach_pairs(pair_job(tmp_path))
    again = tmp_path / "again"
    again.mkdir()
    (again / "start").symlink_to(tmp_path / "out")
    assert teach_pairs(pair_job(again, buildings=1)).encoder_id == first.encoder_id


@pytest.mark.parametrize(
    ("change", "why"),
    [({"held_out_first": 2}, "held out as well"), ({"first": 99_999}, "is a building for tests")],
)
def test_what_is_measured_on_is_never_learned_from(
    start: LoadedModel, tmp_path: Path, change: dict[str, int], why: str
) -> None:
    with pytest.raises(AmiError, match=why):
        teach_pairs(pair_job(tmp_path, **change))


def test_a_model_whose_camera_is_not_known_is_refused(small: None, tmp_path: Path) -> None:
    inputs = InputSpec(image_size=16, scan_beams=0)
    save_model(tmp_path / "start", "start", WorldModel(ModelSpec(inputs, encoder_width=16)).eval())
    with pytest.raises(AmiError, match="does not know its camera"):
        teach_pairs(pair_job(tmp_path))


FEW = ViewConfig(groups=4, members=2)


@pytest.fixture(scope="module")
def views(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Buildings 1 and 3 are drawn already."""
    folder = tmp_path_factory.mktemp("views")
    for seed in (1, 3):
        save_views(folder / f"{seed}.npz", take_views(load_world(f"building:{seed}"), FEW, seed))
    return folder


def range_job(folder: Path, views: Path) -> RangeOptions:
    return RangeOptions(
        model=share("models", "general"), out=folder / "out", views=views, buildings=1, held_out=1, held_out_first=3,
        steps=3, workers=1, threads=1, json=folder / "f.json",
    )  # fmt: skip


def test_what_it_writes_makes_scans(views: Path, tmp_path: Path) -> None:
    train_ranges(range_job(tmp_path, views))
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
def test_what_cannot_be_learned_is_refused_by_ranges(
    views: Path, tmp_path: Path, change: dict[str, object], why: str
) -> None:
    with pytest.raises(AmiError, match=why):
        train_ranges(replace(range_job(tmp_path, views), **change))  # type: ignore[arg-type]


def scan_job(folder: Path) -> ScanOptions:
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
    train_scans(replace(scan_job(tmp_path), corridors=0, buildings=1))
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
def test_what_scans_cannot_learn_is_refused(tmp_path: Path, change: dict[str, int], why: str) -> None:
    with pytest.raises(AmiError, match=why):
        train_scans(replace(scan_job(tmp_path), **change))  # type: ignore[arg-type]
