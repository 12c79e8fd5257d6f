"""The last phase of training touches the goals alone, and mends them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch
from torch.nn import functional

from ami_ros.learning.dataset import Dataset
from ami_ros.learning.goal_phase import fit_goals
from ami_ros.learning.windows import WindowConfig, WindowSampler
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.spec import ModelSpec


def unexplained(model: WorldModel, sampler: WindowSampler) -> float:
    """Mean squared error of the goals of some pictures."""
    sensors = sampler.sensors(np.arange(0, len(sampler.odometry), 7))
    assert sensors.image is not None
    with torch.inference_mode():
        return float(functional.mse_loss(model.encode_goal(sensors.image), model.encode(sensors)))


def fit(model: WorldModel, sampler: WindowSampler, steps: int) -> list[float]:
    losses: list[float] = []
    fit_goals(model, sampler, steps, 1e-3, 0, False, lambda _, loss: losses.append(loss))
    return losses


@pytest.fixture
def sampler(dataset: Dataset, spec: ModelSpec) -> WindowSampler:
    return WindowSampler(dataset, spec, WindowConfig())


def test_goals_come_nearer_to_the_latents_and_all_else_stays(spec: ModelSpec, sampler: WindowSampler) -> None:
    torch.manual_seed(0)
    model = WorldModel(replace(spec, goal_encoder=True)).eval()
    before = {name: value.clone() for name, value in model.state_dict().items()}
    error = unexplained(model, sampler)
    assert len(fit(model, sampler, 25)) == 25
    assert unexplained(model, sampler) < 0.7 * error
    changed = {name.split(".")[0] for name, value in model.state_dict().items() if not value.equal(before[name])}
    assert changed == {"goal_encoder", "goal_head"}
    assert not model.training


def test_a_model_without_an_encoder_for_goals_is_left_as_it_is(spec: ModelSpec, sampler: WindowSampler) -> None:
    model = WorldModel(spec)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    assert fit(model, sampler, 5) == []
    assert all(value.equal(before[name]) for name, value in model.state_dict().items())
