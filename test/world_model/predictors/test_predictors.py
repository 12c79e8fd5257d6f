"""Predictors: what all of them keep to, and what each of them remembers of a rollout."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Literal, get_args, get_type_hints

import pytest
import torch
from torch import Tensor

from ami_ros.planning.protocols import Dynamics
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.predictors.base import Predictor
from ami_ros.world_model.predictors.registry import PREDICTORS, make_predictor
from ami_ros.world_model.spec import InputSpec, ModelSpec

SPEC = ModelSpec(
    InputSpec(image_size=0, scan_beams=8),
    latent_dim=8,
    encoder_width=16,
    predictor_width=24,
    predictor_history=3,
    head_width=24,
    contrast_dim=8,
)
Kind = Literal["mlp", "gru", "transformer"]
KINDS: tuple[Kind, ...] = get_args(Kind)
REMEMBERING: tuple[Kind, ...] = ("gru", "transformer")


def model_with(spec: ModelSpec) -> WorldModel:
    """A model whose predictor says something, though it is untrained."""
    torch.manual_seed(0)
    model = WorldModel(spec).eval()
    for parameter in model.predictor.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def imagined(model: Dynamics, latent: Tensor, commands: Tensor) -> Tensor:
    """Latents (batch, steps, dim) of commands (batch, steps, chunk, 2), from rest."""
    with torch.inference_mode():
        return model.rollout(latent, commands, torch.zeros(len(latent), 2))[0]


def drawn(batch: int, steps: int) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(batch, 8, generator=generator), torch.rand(batch, steps, 3, 2, generator=generator)


def test_the_spec_names_what_there_is() -> None:
    assert set(get_args(get_type_hints(ModelSpec)["predictor"])) == set(PREDICTORS) == set(KINDS)
    assert len({type(make_predictor(replace(SPEC, predictor=kind))) for kind in KINDS}) == len(KINDS)


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_predictor_expects_that_nothing_changes(kind: Kind) -> None:
    latent, commands = drawn(5, 1)
    predictor = make_predictor(replace(SPEC, predictor=kind))
    torch.testing.assert_close(predictor(latent, commands[:, 0], torch.rand(5, 2)), latent)


@pytest.mark.parametrize("kind", KINDS)
def test_the_first_step_of_a_rollout_is_a_step(kind: Kind) -> None:
    model, (latent, commands) = model_with(replace(SPEC, predictor=kind)), drawn(4, 5)
    seen = imagined(model, latent, commands)
    assert seen.shape == (4, 5, 8) and seen.isfinite().all()
    torch.testing.assert_close(seen[:, 0], model.step(latent, commands[:, 0], torch.zeros(4, 2))[0])


@pytest.mark.parametrize("kind", KINDS)
def test_commands_change_what_comes_after_them_and_nothing_before(kind: Kind) -> None:
    model, (latent, commands) = model_with(replace(SPEC, predictor=kind)), drawn(2, 5)
    other = commands.clone()
    other[:, 2] += 0.3
    change = (imagined(model, latent, commands) - imagined(model, latent, other)).abs().amax((0, 2))
    assert (change[:2] == 0).all() and (change[2:] > 1e-4).all()


@pytest.mark.parametrize("kind", KINDS)
def test_a_future_is_the_same_in_any_company(kind: Kind) -> None:
    model, (latent, commands) = model_with(replace(SPEC, predictor=kind)), drawn(6, 4)
    alone = imagined(model, latent[2:3], commands[2:3])
    torch.testing.assert_close(alone[0], imagined(model, latent, commands)[2], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_rows_may_be_dropped_between_steps(kind: Kind) -> None:
    """As training does with those whose window ends."""
    model, (latent, commands) = model_with(replace(SPEC, predictor=kind)), drawn(6, 2)
    predictor: Predictor = model.predictor
    with torch.inference_mode():
        conditions = predictor.conditions(commands.transpose(0, 1), torch.zeros(2, 6, 2))
        first, state = predictor.advance(latent, predictor.begin(latent), [c[0] for c in conditions])
        whole, _ = predictor.advance(first, state, [c[1] for c in conditions])
        part, _ = predictor.advance(first[:3], state[:3], [c[1, :3] for c in conditions])
    torch.testing.assert_close(part, whole[:3])


@pytest.mark.parametrize("kind", KINDS)
def test_gradients_of_the_last_step_reach_the_first_command_and_all_weights(kind: Kind) -> None:
    model, (latent, commands) = model_with(replace(SPEC, predictor=kind)), drawn(3, 4)
    commands.requires_grad_()
    model.rollout(latent, commands, torch.zeros(3, 2))[0][:, -1].square().sum().backward()  # type: ignore[no-untyped-call]
    assert commands.grad is not None and (commands.grad[:, 0] != 0).any()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.predictor.parameters())


def forgetfulness(model: WorldModel) -> float:
    """How far the third step is from what it would be if the rollout began with its latent: 0, nothing remembered."""
    latent, commands = drawn(4, 3)
    seen = imagined(model, latent, commands)
    with torch.inference_mode():
        anew, _ = model.step(seen[:, 1], commands[:, 2] * 1.0, commands[:, 1, -1])
    return float((seen[:, 2] - anew).abs().max())


def test_only_predictors_with_a_state_remember_earlier_steps() -> None:
    assert forgetfulness(model_with(replace(SPEC, predictor="mlp"))) < 1e-5
    for kind in REMEMBERING:
        assert forgetfulness(model_with(replace(SPEC, predictor=kind))) > 1e-2


def reach(history: int) -> int:
    """How many steps before it the last of a transformer of one block depends on directly: by its latents alone, since
    commands would also change those."""
    model = model_with(replace(SPEC, predictor="transformer", predictor_blocks=1, predictor_history=history))
    predictor = model.predictor
    latents, commands = drawn(6, 6)  # as if six steps had these latents, whatever was predicted
    with torch.inference_mode():
        conditions = predictor.conditions(commands[:1].transpose(0, 1), torch.zeros(6, 1, 2))[0]

        def last(given: Tensor) -> Tensor:
            state = predictor.begin(given[:1])
            for latent, condition in zip(given, conditions, strict=True):
                after, state = predictor.advance(latent[None], state, [condition])
            return after

        right = last(latents)
        changed = []
        for step in range(6):
            other = latents.clone()
            other[step] += 1.0
            changed.append(not torch.allclose(last(other), right, atol=1e-5))
    assert changed == sorted(changed)  # the latest ones
    return sum(changed)


@pytest.mark.parametrize("history", [1, 2, 4])
def test_a_transformer_attends_to_as_many_steps_as_it_is_told(history: int) -> None:
    assert reach(history) == history


@pytest.mark.parametrize("kind", KINDS)
def test_blocks_and_width_are_those_of_the_spec(kind: Kind) -> None:
    def size(**changes: Any) -> int:
        return sum(p.numel() for p in make_predictor(replace(SPEC, predictor=kind, **changes)).parameters())

    assert size() < size(predictor_blocks=3) and size() < size(predictor_width=32)


def test_a_width_that_heads_cannot_share_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 32, not 80"):
        replace(SPEC, predictor="transformer", predictor_width=80)
    with pytest.raises(ValueError, match="at least 1"):
        replace(SPEC, predictor_history=0)
