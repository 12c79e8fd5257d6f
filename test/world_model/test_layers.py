"""Layers on arrays, against the formulas that they stand for, and against torch's."""

from __future__ import annotations

import math
import warnings
from typing import Any

import numpy as np
import pytest
import torch

from ami_ros.world_model import layers, torch_layers
from ami_ros.world_model.layers import gelu, product
from ami_ros.world_model.networks import RelativePose
from ami_ros.world_model.spec import ModelSpec


def test_gelu_is_right_wherever_activations_lie_and_beyond() -> None:
    x = np.concatenate([np.linspace(-60, 60, 20_001), [-1e10, -1e4, -8.0, 8.0, 1e4, 1e10]]).astype(np.float32)
    wanted = [float(v) * 0.5 * math.erfc(-float(v) / math.sqrt(2)) for v in x]
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        found = gelu(x)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, wanted, atol=1e-6, rtol=1e-6)


def test_a_stack_of_matrices_is_multiplied_as_one() -> None:
    rng = np.random.default_rng(0)
    x, matrix = (rng.normal(size=shape).astype(np.float32) for shape in ((3, 4, 5), (5, 2)))
    np.testing.assert_allclose(product(x, matrix), x @ matrix, rtol=1e-5, atol=1e-6)
    assert product(x[0, 0], matrix).shape == (2,) and product(x[0], matrix).shape == (4, 2)


def both(kind: type, *values: Any) -> tuple[Any, Any]:
    """A network on arrays and by torch, with the same weights."""
    torch.manual_seed(0)
    learned = torch_layers.network(kind, *values).eval().requires_grad_(False)
    on_arrays = layers.network(kind, *values)
    on_arrays.load({name: tensor.numpy() for name, tensor in learned.state_dict().items()})
    return on_arrays, learned


class AllLayers(layers.Network):
    """One of each kind, after the other."""

    def __init__(self, nn: Any) -> None:
        self.layers = nn.Sequential(
            nn.Conv2d(3, 16, 3, (2, 1)), nn.GroupNorm(8, 16), nn.GELU(), nn.Conv2d(16, 16, 3, 2), nn.Conv2d(16, 8, 1),
            nn.Flatten(), nn.Linear(8 * 3 * 4, 12), nn.LayerNorm(12), nn.LayerNorm(12, elementwise_affine=False),
            nn.BatchNorm1d(12),
        )  # fmt: skip
        self.row = nn.Sequential(nn.Conv1d(2, 8, 5, 2, circular=True), nn.GroupNorm(4, 8), nn.Conv1d(8, 3, 3))

    def forward(self, image: Any, row: Any) -> tuple[Any, Any]:
        return self.layers(image), self.row(row)


def test_layers_on_arrays_are_those_of_torch() -> None:
    rng = np.random.default_rng(0)
    given = [rng.normal(size=shape).astype(np.float32) for shape in ((2, 11, 7, 3), (2, 9, 2))]
    ours, theirs = both(AllLayers)
    assert ours.shapes().keys() == theirs.state_dict().keys()
    for found, wanted in zip(ours(*given), theirs(*map(torch.from_numpy, given)), strict=True):
        np.testing.assert_allclose(found, wanted.numpy(), atol=1e-5, rtol=1e-4)


def test_a_pose_of_many_beside_one_is_that_of_each() -> None:
    spec = ModelSpec(latent_dim=4, head_width=8)
    rng = np.random.default_rng(1)
    many, one = rng.normal(size=(5, 3, 4)).astype(np.float32), rng.normal(size=4).astype(np.float32)
    pose, _ = both(RelativePose, spec)
    np.testing.assert_allclose(pose(many, one), pose(many, np.broadcast_to(one, many.shape)), rtol=1e-4, atol=1e-5)


def test_weights_become_float32_when_they_are_first_used() -> None:
    layer, rng = layers.Linear(3, 2), np.random.default_rng(0)
    given = {"weight": rng.normal(size=(2, 3)).astype(np.float16), "bias": np.zeros(2, np.float16)}
    layer.load(given)
    assert "weight" not in vars(layer)
    assert layer(np.ones((1, 3), np.float32)).dtype == vars(layer)["weight"].dtype == np.float32


@pytest.mark.parametrize(("name", "shape"), [("weight", (3, 2)), ("lost", (2, 3))])
def test_weights_of_another_network_are_refused(name: str, shape: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="weight"):
        layers.Linear(3, 2).load({name: np.zeros(shape), "bias": np.zeros(2)})
