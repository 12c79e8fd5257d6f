"""Learned heads of a model: shapes, units, batches of steps, and models that lack them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import Tensor

from ami_ros.core.errors import AmiError
from ami_ros.world_model.layers import accumulated
from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel, save_model

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
