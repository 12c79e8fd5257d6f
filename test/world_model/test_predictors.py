"""The predictor: what rollouts and training rely on."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
import torch
from torch import Tensor

from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.torch_model import WorldModel, make_predictor

SPEC = ModelSpec(
    InputSpec(image_size=0, scan_beams=8),
    latent_dim=8,
    encoder_width=16,
    predictor_width=24,
    head_width=24,
    contrast_dim=8,
)


def model_with(spec: ModelSpec) -> WorldModel:
    """A model whose predictor says something, though it is untrained."""
    torch.manual_seed(0)
    model = WorldModel(spec).eval()
    for parameter in model.predictor.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def imagined(model: WorldModel, latent: Tensor, commands: Tensor) -> Tensor:
    """Latents (batch, steps, dim) of commands (batch, steps, chunk, 2), from rest."""
    with torch.inference_mode():
        return model.rollout(latent, commands, torch.zeros(len(latent), 2))[0]


def drawn(batch: int, steps: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 8, generator=generator), torch.rand(batch, steps, 3, 2, generator=generator)


def test_a_new_predictor_expects_that_nothing_changes() -> None:
    latent, commands = drawn(5, 1)
    predictor = make_predictor(SPEC)
    torch.testing.assert_close(predictor(latent, commands[:, 0], torch.rand(5, 2)), latent)


def test_the_first_step_of_a_rollout_is_a_step() -> None:
    model, (latent, commands) = model_with(SPEC), drawn(4, 5)
    seen = imagined(model, latent, commands)
    assert seen.shape == (4, 5, 8) and seen.isfinite().all()
    torch.testing.assert_close(seen[:, 0], model.step(latent, commands[:, 0], torch.zeros(4, 2))[0])


def test_commands_change_what_comes_after_them_and_nothing_before() -> None:
    model, (latent, commands) = model_with(SPEC), drawn(2, 5)
    other = commands.clone()
    other[:, 2] += 0.3
    change = (imagined(model, latent, commands) - imagined(model, latent, other)).abs().amax((0, 2))
    assert (change[:2] == 0).all() and (change[2:] > 1e-4).all()


def test_a_future_is_the_same_in_any_company() -> None:
    model, (latent, commands) = model_with(SPEC), drawn(6, 4)
    alone = imagined(model, latent[2:3], commands[2:3])
    torch.testing.assert_close(alone[0], imagined(model, latent, commands)[2], rtol=1e-4, atol=1e-4)


def test_rows_may_be_dropped_between_steps() -> None:
    """As training does with those whose window ends."""
    model, (latent, commands) = model_with(SPEC), drawn(6, 2)
    predictor = model.predictor
    with torch.inference_mode():
        conditions = predictor.conditions(commands.transpose(0, 1), torch.zeros(2, 6, 2))
        first, state = predictor.advance(latent, predictor.begin(latent), [c[0] for c in conditions])
        whole, _ = predictor.advance(first, state, [c[1] for c in conditions])
        part, _ = predictor.advance(first[:3], state[:3], [c[1, :3] for c in conditions])
    torch.testing.assert_close(part, whole[:3])


def test_gradients_of_the_last_step_reach_the_first_command_and_all_weights() -> None:
    model, (latent, commands) = model_with(SPEC), drawn(3, 4)
    commands.requires_grad_()
    model.rollout(latent, commands, torch.zeros(3, 2))[0][:, -1].square().sum().backward()  # type: ignore[no-untyped-call]
    assert commands.grad is not None and (commands.grad[:, 0] != 0).any()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.predictor.parameters())


def test_blocks_and_width_are_those_of_the_spec() -> None:
    def size(**changes: Any) -> int:
        return sum(p.numel() for p in make_predictor(replace(SPEC, **changes)).parameters())

    assert size() < size(predictor_blocks=3) and size() < size(predictor_width=32)


def test_a_predictor_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 1 to 64"):
        replace(SPEC, predictor_blocks=0)
