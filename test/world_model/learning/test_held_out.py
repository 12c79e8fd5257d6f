"""What is kept apart from training, and what a model forgets that goes on with other data."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.held_out import (
    BeforeAfter,
    Diagnosis,
    Standing,
    diagnose,
    effective_rank,
    split_off,
    stand,
)
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


def test_old_data_have_their_share_of_what_is_trained_on_and_are_held_out_too(
    dataset: Dataset, spec: ModelSpec, tmp_path: Path
) -> None:
    config = TrainingConfig(steps=2, batch=8, held_out=0.1, replay=0.25, spec=spec, windows=WindowConfig(starts=4))
    old = WorldModel(spec).eval()
    alone = Trainer(config, Inverted(dataset), tmp_path / "alone", old)
    mixed = Trainer(config, Inverted(dataset), tmp_path / "mixed", old, dataset)
    assert list(alone.held_out) == [NEW] and list(mixed.held_out) == [NEW, OLD]
    rows = mixed.sampler.moments(np.random.default_rng(0), 40)
    assert (rows >= len(dataset)).sum() == 10
    assert mixed.sampler.images is not None
    np.testing.assert_array_equal(mixed.sampler.images(rows[-1:]), dataset.images(rows[-1:] - len(dataset), 16))
    model = mixed.run(SILENT)
    assert stand(model, mixed.held_out[OLD]) != stand(model, mixed.held_out[NEW]), "another light is another thing"


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


# Signs of life: a model that lives has nothing to complain of, three kinds of death are told apart.


def test_the_rank_counts_directions() -> None:
    rng = np.random.default_rng(0)
    spread = rng.normal(size=(2000, 8)).astype(np.float32)
    assert effective_rank(spread) == pytest.approx(8, abs=0.1)
    assert effective_rank(spread[:, :2] @ rng.normal(size=(2, 8)).astype(np.float32)) <= 2.1
    assert effective_rank(np.ones((10, 4), np.float32)) >= 1


@pytest.mark.parametrize(
    ("diagnosis", "words"),
    [
        (Diagnosis(20.0, 0.2, 3.0), []),
        (Diagnosis(1.3, 0.2, 3.0), ["collapse"]),
        (Diagnosis(20.0, 0.98, 1.0), ["hardly better than no change"]),
        (Diagnosis(20.0, 0.5, 1.02), ["commands do not matter"]),
        (Diagnosis(1.3, 1.2, 1.0), ["collapse", "hardly better"]),
    ],
)
def test_death_is_told_in_words(diagnosis: Diagnosis, words: list[str]) -> None:
    complaints = diagnosis.complaints(64)
    assert len(complaints) == len(words)
    assert all(word in complaint and "\n" not in complaint for word, complaint in zip(words, complaints, strict=True))


def config(spec: ModelSpec) -> TrainingConfig:
    return TrainingConfig(
        steps=60,
        batch=16,
        warm_up=5,
        learning_rate=5e-3,
        checkpoint_every=60,
        spec=spec,
        windows=WindowConfig(starts=4),
    )


BARE = LossWeights(
    vicreg=0, inverse_dynamics=0, relative_pose=0, imagined_pose=0, contrast=0, motion=0
)  # prediction alone


def trained_rank(weights: LossWeights, dataset: Dataset, spec: ModelSpec, folder: Path) -> float:
    trainer = Trainer(replace(config(spec), weights=weights), dataset, folder)
    trainer.run(lambda step, terms: None)
    return diagnose(trainer.model, trainer.sampler, 0).latent_rank


def test_without_a_regulariser_a_model_is_seen_to_collapse(dataset: Dataset, spec: ModelSpec, tmp_path: Path) -> None:
    dead = trained_rank(BARE, dataset, spec, tmp_path / "bare")
    assert trained_rank(replace(BARE, vicreg=1.0), dataset, spec, tmp_path / "alive") > 1.5 * dead


def test_diagnosis_changes_nothing(dataset: Dataset, spec: ModelSpec, tmp_path: Path) -> None:
    trainer = Trainer(config(spec), dataset, tmp_path)
    trainer.model.train()
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    first, second = (diagnose(trainer.model, trainer.sampler, 5) for _ in range(2))
    assert first == second and trainer.model.training
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())
