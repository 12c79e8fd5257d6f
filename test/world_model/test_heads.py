"""Relative poses by way of a frame of the model's own are those of one frame."""

import numpy as np
import pytest
import torch
from torch import Tensor

from ami_ros.geometry import compose
from ami_ros.world_model.heads import PlacePose
from ami_ros.world_model.spec import ModelSpec

SPEC = ModelSpec(latent_dim=8, head_width=16, place_pose=True)


@pytest.fixture
def head() -> PlacePose:
    torch.manual_seed(0)
    return PlacePose(SPEC).eval()


def poses(head: PlacePose, first: Tensor, second: Tensor) -> np.ndarray:
    """(n, 3) x, y, yaw."""
    with torch.inference_mode():
        x, y, c, s = head(first, second).double().unbind(-1)
    return np.stack([x, y, torch.atan2(s, c)], -1)


def test_a_place_lies_at_itself(head: PlacePose) -> None:
    latents = torch.randn(20, SPEC.latent_dim)
    np.testing.assert_allclose(poses(head, latents, latents), 0.0, atol=1e-6)


def test_ways_from_place_to_place_add_up(head: PlacePose) -> None:
    a, b, c = torch.randn(3, 20, SPEC.latent_dim)
    both = compose(poses(head, a, b), poses(head, b, c))
    direct = poses(head, a, c)
    np.testing.assert_allclose(both[:, :2], direct[:, :2], atol=1e-5)
    np.testing.assert_allclose(np.exp(1j * both[:, 2]), np.exp(1j * direct[:, 2]), atol=1e-5)
    assert np.abs(direct).max() > 0.1


def test_any_leading_shape_will_do(head: PlacePose) -> None:
    first, second = torch.randn(2, 3, 5, SPEC.latent_dim)
    assert head(first, second).shape == (3, 5, 4)
