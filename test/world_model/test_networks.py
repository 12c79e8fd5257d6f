"""Layers on arrays, against the formulas that they stand for, and against torch's."""

from __future__ import annotations

import math
import warnings
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ami_ros.core.errors import AmiError
from ami_ros.world_model import layers, torch_layers
from ami_ros.world_model.layers import accumulated, gelu, product
from ami_ros.world_model.networks import RelativePose
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel, save_model


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


# Learned heads of a model: shapes, units, batches of steps, and models that lack them.


BARE = ModelSpec(InputSpec(image_size=16, scan_beams=0), latent_dim=8, encoder_width=32, head_width=24, contrast_dim=12)
FULL = replace(BARE, ensemble=3, ensemble_width=16)


@pytest.fixture
def model() -> WorldModel:
    torch.manual_seed(0)
    return WorldModel(FULL).eval()


def step(batch: int) -> tuple[Tensor, Tensor, Tensor]:
    return torch.randn(batch, 8), torch.rand(batch, 3, 2), torch.rand(batch, 2)


def test_heads_have_the_shapes_that_they_promise(model: WorldModel) -> None:
    assert model.disagreement(*step(5)).shape == (5,)


def test_values_lie_where_they_make_sense(model: WorldModel) -> None:
    assert model.disagreement(*step(50)).min() >= 0


def test_a_path_is_its_steps(model: WorldModel) -> None:
    latent, commands, previous = torch.randn(4, 8), torch.rand(4, 6, 3, 2), torch.rand(4, 2)
    latents, _ = model.rollout(latent, commands, previous)
    found, single = model.path_disagreement(latent, latents, commands, previous), model.disagreement
    assert found.shape == (4, 6)
    torch.testing.assert_close(found[:, 0], single(latent, commands[:, 0], previous))
    torch.testing.assert_close(found[:, 4], single(latents[:, 3], commands[:, 4], commands[:, 3, -1]))


def test_commands_are_taken_in_si_units(model: WorldModel) -> None:
    """In units of the spec's maxima the same commands are the same to another model."""
    other = WorldModel(replace(FULL, max_linear=2 * FULL.max_linear, max_angular=2 * FULL.max_angular)).eval()
    other.load_state_dict(model.state_dict())
    latent, chunk, previous = step(5)
    torch.testing.assert_close(
        model.disagreement(latent, chunk, previous), other.disagreement(latent, 2 * chunk, 2 * previous)
    )


def test_uncertainty_is_disagreement_and_doubt(model: WorldModel) -> None:
    ensemble, given = model.heads.ensemble, step(5)
    assert ensemble is not None
    with torch.no_grad():
        ensemble.biases[-1][..., -1] = -40.0  # no doubt is left
        disagreement = model.disagreement(*given)
        for weight in ensemble.weights:
            weight.copy_(weight[:1].expand_as(weight))
        assert model.disagreement(*given).max() < 1e-3 * disagreement.min()
        ensemble.biases[-1][..., -1] = 2.0
    assert model.disagreement(*given).min() > disagreement.max()


def test_errors_add_up_as_independent_ones_do() -> None:
    torch.testing.assert_close(accumulated(torch.tensor([[3.0, 4.0]])), torch.tensor([[3.0, 5.0]]))


def test_a_model_that_lacks_an_ensemble_says_so() -> None:
    with pytest.raises(AmiError, match="has no ensemble head; give it one with"):
        WorldModel(BARE).disagreement(*step(2))


def test_a_single_member_is_no_ensemble() -> None:
    with pytest.raises(ValueError, match="two members"):
        replace(BARE, ensemble=1)


def test_heads_change_neither_the_other_weights_nor_the_name_of_latents(tmp_path: Path) -> None:
    def saved(spec: ModelSpec, name: str) -> str:
        torch.manual_seed(1)
        return save_model(tmp_path / name, "m", WorldModel(spec)).encoder_id

    assert saved(BARE, "bare") == saved(FULL, "full")


def test_a_model_with_heads_is_loaded_as_it_was_saved(tmp_path: Path, model: WorldModel) -> None:
    loaded = save_model(tmp_path, "m", model).model
    assert loaded.spec == FULL
    given = step(6)
    torch.testing.assert_close(loaded.disagreement(*given), model.disagreement(*given), atol=2e-3, rtol=0)
