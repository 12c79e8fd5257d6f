"""Adaptation of a robot that also drives sideways: nine numbers say how its commands act."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import torch

from ami_ros.world_model.adaptation import AdaptationConfig, apply, pack, unpack
from ami_ros.world_model.adapter import Adapter
from ami_ros.world_model.torch_model import WorldModel

from .conftest import RandomDrive

SLIPS = np.diag([1.0, 1.0, 0.5])  # to the side it gets half as far


@pytest.fixture
def wide(model: WorldModel) -> WorldModel:
    """The random model, and one more number in its commands."""
    torch.manual_seed(3)
    wide = WorldModel(replace(model.spec, max_lateral=0.4))
    with torch.no_grad():
        for part in (wide.predictor, wide.motion):
            for parameter in part.parameters():
                parameter.copy_(torch.randn_like(parameter) * 0.3)
    return wide.eval().requires_grad_(False)


def test_it_learns_that_the_robot_slips_to_the_side(wide: WorldModel) -> None:
    adapter, robot = Adapter(wide, AdaptationConfig()), RandomDrive(wide)
    robot.teach(adapter, 400, SLIPS)
    learned = adapter.model.drive.detach().numpy()
    assert adapter.in_use and learned.shape == (3, 3)
    assert np.abs(learned - SLIPS).max() < 0.2 < np.abs(np.eye(3) - SLIPS).max()
    other = wide.private_copy()
    apply(unpack(pack(adapter.weights, "id"), "id", "a message"), other, wide)
    torch.testing.assert_close(other.drive, adapter.model.drive.detach())
