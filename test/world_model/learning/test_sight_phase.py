"""The phase in which pictures learn to be compared leaves everything else alone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ami_ros.world_model.learning.dataset import Dataset
from ami_ros.world_model.learning.phases import encode_all, fit_sighting
from ami_ros.world_model.learning.windows import WindowConfig, WindowSampler
from ami_ros.world_model.spec import ModelSpec
from ami_ros.world_model.torch_model import WorldModel


def fit(model: WorldModel, sampler: WindowSampler, steps: int) -> list[float]:
    losses: list[float] = []
    latents = encode_all(model.eval(), sampler, lambda share: None)
    fit_sighting(model, sampler, latents, steps, 1e-3, 0, False, lambda _, loss: losses.append(loss))
    return losses


@pytest.fixture
def sampler(dataset: Dataset, spec: ModelSpec) -> WindowSampler:
    return WindowSampler(dataset, spec, WindowConfig())


def test_pictures_are_compared_better_and_all_else_stays(spec: ModelSpec, sampler: WindowSampler) -> None:
    torch.manual_seed(0)
    model = WorldModel(replace(spec, sight_code=16)).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    losses = fit(model, sampler, 60)
    assert len(losses) == 60 and np.mean(losses[-5:]) < 0.7 * np.mean(losses[:5])
    changed = {name.split(".")[0] for name, value in model.state_dict().items() if not value.equal(before[name])}
    assert changed == {"sighting"}
    assert not model.training


def test_a_model_that_compares_no_pictures_is_left_as_it_is(spec: ModelSpec, sampler: WindowSampler) -> None:
    model = WorldModel(spec)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert fit(model, sampler, 5) == []
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
