"""All moments are encoded once, as each would be by itself."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ami_ros.learning.dataset import Dataset
from ami_ros.learning.encoding import encode_all
from ami_ros.learning.windows import WindowConfig, WindowSampler
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.spec import ModelSpec


@pytest.mark.parametrize("goal_encoder", [False, True])
def test_each_moment_is_encoded_as_by_itself_and_its_picture_as_a_goal(
    dataset: Dataset, spec: ModelSpec, goal_encoder: bool
) -> None:
    torch.manual_seed(0)
    model = WorldModel(replace(spec, goal_encoder=goal_encoder)).eval()
    sampler = WindowSampler(dataset, spec, WindowConfig())
    shares: list[float] = []
    encoded = encode_all(model, sampler, shares.append)
    assert len(encoded.latents) == len(encoded.goals) == len(sampler.odometry) and shares[-1] == 1
    rows = np.array([0, 7, len(sampler.odometry) - 1])
    sensors = sampler.sensors(rows)
    assert sensors.image is not None
    with torch.inference_mode():
        torch.testing.assert_close(encoded.latents[rows], model.encode(sensors), atol=1e-5, rtol=1e-4)
        torch.testing.assert_close(encoded.goals[rows], model.encode_goal(sensors.image), atol=1e-5, rtol=1e-4)
    assert not torch.allclose(encoded.goals, encoded.latents)


def test_without_a_camera_a_goal_is_what_was_observed(dataset: Dataset, spec: ModelSpec) -> None:
    blind = replace(spec, inputs=replace(spec.inputs, image_size=0, scan_beams=spec.inputs.scan_beams or 72))
    model = WorldModel(blind).eval()
    encoded = encode_all(model, WindowSampler(dataset, blind, WindowConfig()), lambda share: None)
    assert torch.equal(encoded.goals, encoded.latents)
