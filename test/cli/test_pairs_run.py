"""`ami pairs`: a model that compares pictures, and figures of buildings that it did not learn from."""

from __future__ import annotations

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from ami_ros.cli import networks
from ami_ros.cli.networks import comparing, draw_building, teach_pairs
from ami_ros.cli.options import PairOptions
from ami_ros.core.errors import AmiError
from ami_ros.simulation.world import World
from ami_ros.world_model.learning.views import ViewConfig, Views, save_views
from ami_ros.world_model.spec import InputSpec, ModelSpec, Sensors
from ami_ros.world_model.torch_model import LoadedModel, WorldModel, load_model, save_model
from harness.wall_views import FIELD, SIZE, world

SPEC = ModelSpec(InputSpec(image_size=16, scan_beams=0, field_of_view=FIELD), encoder_width=16, sight_code=4)


@pytest.fixture
def start(tmp_path: Path) -> LoadedModel:
    torch.manual_seed(0)
    return save_model(tmp_path / "start", "start", WorldModel(SPEC).eval())


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(networks, "PAIR_SIZE", SIZE)


def job(folder: Path, **changes: Any) -> PairOptions:
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
    made = teach_pairs(job(tmp_path))
    again = load_model(tmp_path / "out").model
    assert again.pairs is not None and again.sighting is None and again.spec.pair_size == SIZE
    assert again.spec.inputs.narrowest == pytest.approx(0.45), "narrow cameras were learned from as well"
    image = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    with torch.inference_mode():
        torch.testing.assert_close(again.encode(Sensors(image)), start.model.encode(Sensors(image)))
    figures = json.loads((tmp_path / "figures.json").read_text())
    assert figures["encoder_id"] == made.encoder_id and figures["buildings"] == 2
    assert 0 < figures["whole_threshold"] <= 1 and 0 < figures["narrow_threshold"] <= 1
    assert np.isfinite(figures["whole_near_position_median_m"])


def test_weights_that_compare_pictures_are_gone_on_with(start: LoadedModel, tmp_path: Path) -> None:
    model = comparing(start.model, SIZE)
    again = comparing(model, SIZE)
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
    what = replace(job(tmp_path), bare=1)
    save_views(what.views / "bare_0.npz", world(5))
    teach_pairs(what)
    assert json.loads((tmp_path / "figures.json").read_text())["buildings"] == 3


def test_a_new_head_for_pictures_leaves_memories_valid(start: LoadedModel, tmp_path: Path) -> None:
    first = teach_pairs(job(tmp_path))
    again = tmp_path / "again"
    again.mkdir()
    (again / "start").symlink_to(tmp_path / "out")
    assert teach_pairs(job(again, buildings=1)).encoder_id == first.encoder_id


@pytest.mark.parametrize(
    ("change", "why"),
    [({"held_out_first": 2}, "held out as well"), ({"first": 99_999}, "is a building for tests")],
)
def test_what_is_measured_on_is_never_learned_from(
    start: LoadedModel, tmp_path: Path, change: dict[str, int], why: str
) -> None:
    with pytest.raises(AmiError, match=why):
        teach_pairs(job(tmp_path, **change))


def test_a_model_whose_camera_is_not_known_is_refused(tmp_path: Path) -> None:
    inputs = InputSpec(image_size=16, scan_beams=0)
    save_model(tmp_path / "start", "start", WorldModel(ModelSpec(inputs, encoder_width=16)).eval())
    with pytest.raises(AmiError, match="does not know its camera"):
        teach_pairs(job(tmp_path))
