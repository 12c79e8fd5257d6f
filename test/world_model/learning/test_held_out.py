"""What is kept apart from training, and what a model forgets that goes on with other data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.held_out import BeforeAfter, Standing, split_off, stand
from ami_ros.world_model.learning.objective import LossWeights
from ami_ros.world_model.learning.trainer import NEW, OLD, Trainer, TrainingConfig
from ami_ros.world_model.learning.windows import WindowConfig
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_model import WorldModel

SILENT = lambda step, terms: None  # noqa: E731


def test_the_end_of_each_episode_is_kept_apart_where_a_window_fits() -> None:
    kept, held = split_off([(0, 100), (100, 140), (140, 400)], 0.1, least=8)
    assert kept == [(0, 90), (100, 140), (140, 374)] and held == [(90, 100), (374, 400)]
    assert split_off([(0, 100)], 0.0, 8) == ([(0, 100)], [])
    assert split_off([(0, 100)], 0.95, 8) == ([(0, 100)], [])


def test_what_is_held_out_is_never_trained_on(dataset: Dataset, spec: ModelSpec, tmp_path: Path) -> None:
    config = TrainingConfig(spec=spec, windows=WindowConfig(starts=3), held_out=0.2)
    trainer = Trainer(config, dataset, tmp_path)
    (trained,), (held,) = trainer.sampler.firsts, trainer.held_out[NEW].firsts
    assert trained.max() + 6 < 1200 and held.min() == 160 and not set(trained) & set(held)
    assert len(trained) == 6 * (160 - 6) and len(held) == 6 * (40 - 6)


class Inverted:
    """A data set in another light: black is white."""

    def __init__(self, dataset: Dataset) -> None:
        self._dataset = dataset
        self.period, self.scan = dataset.period, dataset.scan
        self.odometry, self.command, self.episodes = dataset.odometry, dataset.command, dataset.episodes
        self.scanner = dataset.scanner

    def __len__(self) -> int:
        return len(self._dataset)

    def images(self, rows: NDArray[np.int64], size: int) -> NDArray[np.uint8]:
        return 255 - self._dataset.images(rows, size)

    def load_images(self, size: int) -> NDArray[np.uint8]:
        return 255 - self._dataset.load_images(size)


def test_replay_forgets_less(dataset: Dataset, spec: ModelSpec, tmp_path: Path) -> None:
    config = TrainingConfig(
        steps=200, batch=16, warm_up=10, learning_rate=5e-3, held_out=0.1, spec=spec, windows=WindowConfig(starts=4),
        weights=LossWeights(vicreg=2.0),
    )  # fmt: skip
    first = Trainer(replace(config, steps=500), dataset, tmp_path / "first")
    old = first.run(SILENT)
    new = Inverted(dataset)
    alone = Trainer(config, new, tmp_path / "alone", old)
    mixed = Trainer(config, new, tmp_path / "mixed", old, dataset)
    assert list(alone.held_out) == [NEW] and list(mixed.held_out) == [NEW, OLD]
    samplers = first.held_out[NEW], alone.held_out[NEW]
    before, forgetful, faithful = ([stand(m, s) for s in samplers] for m in (old, alone.run(SILENT), mixed.run(SILENT)))
    assert stand(mixed.model, mixed.held_out[OLD]).position_error_m == pytest.approx(faithful[0].position_error_m, 0.2)
    # By how much less is another matter: of four seeds two had no tenth between them.
    lost, kept = (standings[0].prediction_to_persistence for standings in (forgetful, faithful))
    assert kept < lost
    # Both have learned the new.
    assert max(s[1].prediction_to_persistence for s in (forgetful, faithful)) < before[1].prediction_to_persistence


def test_measuring_leaves_a_model_as_it_is(dataset: Dataset, spec: ModelSpec, tmp_path: Path) -> None:
    trainer = Trainer(TrainingConfig(spec=spec, windows=WindowConfig(starts=3)), dataset, tmp_path)
    model = WorldModel(spec).train()
    first, second = (stand(model, trainer.held_out[NEW]) for _ in range(2))
    assert first == second and model.training and first.picture_error is not None


def test_a_comparison_is_rows_for_people_and_flat_figures() -> None:
    before, after = Standing(0.5, 0.1, 4.0, 0.2), Standing(0.4, 0.25, 3.0, 0.1)
    both = BeforeAfter(OLD, before, after)
    assert ("old data", "relative position, median error [m]", "0.1", "0.25") in both.rows()
    assert both.figures()["old_before_heading_error_deg"] == 4.0 and len(both.figures()) == 8
    alone = BeforeAfter(NEW, None, Standing(0.4, 0.25, 3.0, None))
    assert len(alone.figures()) == len(alone.rows()) == 3 and alone.rows()[0][2] == "-"
