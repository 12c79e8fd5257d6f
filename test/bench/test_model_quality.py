"""Figures of a model: an exact one gets the best there is, a blind one is found out, bad input is one line."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor

from ami_ros.bench.model_quality import area, encode_recording, look_ahead, measure_model, violate
from ami_ros.core.errors import AmiError
from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.extract import extract
from harness.exact_model import SPEC, ExactModel
from harness.recorded import ROWS, record

RUNS = 3


@pytest.fixture(scope="module")
def dataset(tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    folder = tmp_path_factory.mktemp("recorded")
    return extract([record(folder / f"run_{seed}", seed, True) for seed in range(RUNS)], folder / "data")


class Blind(ExactModel):
    """Does not hear its commands, and predicts that nothing changes."""

    def step(self, latent: Tensor, chunk: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        return latent, torch.zeros(len(latent), 3)


def test_an_exact_model_gets_the_best_figures(dataset: Dataset) -> None:
    figures = measure_model(ExactModel(), dataset, seed=1)
    assert figures["frames"] == RUNS * ROWS and figures["tested_frames"] == ROWS
    assert figures["prediction_to_persistence_4_steps"] < 0.1 and figures["shuffle_to_prediction"] > 3
    assert figures["relative_position_median_m"] < 0.1 and figures["goal_position_median_m"] < 0.1
    assert 2 < figures["latent_rank"] <= 4
    assert figures["surprise_auroc_teleport"] > 0.97 and figures["surprise_auroc_wheel_slip"] > 0.9
    assert figures["surprise_detected_teleport"] > 0.9
    assert "surprise_auroc_frozen_camera" not in figures  # the camera is all that it has: the same as wheel slip


def test_a_blind_model_is_found_out(dataset: Dataset) -> None:
    blind = replace(encode_recording(ExactModel(), dataset, 1, 12000), model=Blind())
    seen = look_ahead(blind, np.random.default_rng(0))
    assert seen["prediction_to_persistence"] == pytest.approx(1.0)
    assert seen["shuffle_to_prediction"] == pytest.approx(1.0)
    surprise = violate(blind, np.random.default_rng(0))
    assert surprise["surprise_auroc_wheel_slip"] < 0.5  # that nothing moves is what it expects


def test_one_seed_tests_the_same_episodes_and_another_others(dataset: Dataset) -> None:
    first, again, *others = (encode_recording(ExactModel(), dataset, seed, 300).tested for seed in (0, 0, 1, 2, 3))
    assert (first == again).all() and not all((first == other).all() for other in others)


def test_without_ground_truth_there_are_figures_too(tmp_path: Path) -> None:
    data = extract([record(tmp_path / f"run_{seed}", seed, False) for seed in range(2)], tmp_path / "data")
    figures = measure_model(ExactModel(), data, seed=0)
    assert figures["relative_position_median_m"] < 0.2 and figures["surprise_auroc_teleport"] > 0.9


def test_the_area_counts_pairs_in_the_right_order() -> None:
    assert area(np.array([3.0, 4.0]), np.array([1.0, 2.0])) == 1.0
    assert area(np.array([1.0, 4.0]), np.array([2.0, 3.0])) == 0.5
    assert area(np.array([1.0, 1.0]), np.array([1.0])) == 0.5


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"period": 0.4}, r"frame every 0\.2 s, the model wants one every 0\.4 s.*--period 0\.4"),
        ({"inputs": replace(SPEC.inputs, scan_beams=36)}, "needs a scan"),
    ],
)
def test_a_recording_that_does_not_fit_is_one_line(dataset: Dataset, change: dict, message: str) -> None:  # type: ignore[type-arg]
    model = ExactModel()
    model.spec = replace(SPEC, **change)
    with pytest.raises(AmiError, match=message) as raised:
        measure_model(model, dataset, 0)
    assert "\n" not in str(raised.value)


def test_a_recording_that_is_too_short_is_one_line(tmp_path: Path, dataset: Dataset) -> None:
    with pytest.raises(AmiError, match="no tested episode"):
        measure_model(ExactModel(), dataset, 0, frames=90)
