"""Signs of life: a model that lives has nothing to complain of, three kinds of death are told apart."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.held_out import Diagnosis, diagnose, effective_rank
from ami_ros.world_model.learning.objective import LossWeights
from ami_ros.world_model.learning.trainer import Trainer, TrainingConfig
from ami_ros.world_model.learning.windows import WindowConfig
from ami_ros.world_model.spec import ModelSpec


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
    assert dead < 0.8 * trained_rank(LossWeights(), dataset, spec, tmp_path / "healthy")
    assert trained_rank(replace(BARE, vicreg=1.0), dataset, spec, tmp_path / "alive") > 1.5 * dead


def test_diagnosis_changes_nothing(dataset: Dataset, spec: ModelSpec, tmp_path: Path) -> None:
    trainer = Trainer(config(spec), dataset, tmp_path)
    trainer.model.train()
    before = {name: value.clone() for name, value in trainer.model.state_dict().items()}
    first, second = (diagnose(trainer.model, trainer.sampler, 5) for _ in range(2))
    assert first == second and trainer.model.training
    assert all(torch.equal(value, before[name]) for name, value in trainer.model.state_dict().items())
