"""The world model under one roof: rollouts, units, heads."""

from __future__ import annotations

from dataclasses import replace

import pytest
import torch

from ami_ros.world_model.spec import InputSpec, ModelSpec, Sensors
from ami_ros.world_model.torch_model import WorldModel

SPEC = ModelSpec(
    InputSpec(image_size=16, scan_beams=0),
    latent_dim=8,
    encoder_width=32,
    predictor_width=24,
    head_width=24,
    contrast_dim=12,
)


@pytest.fixture
def model() -> WorldModel:
    torch.manual_seed(0)
    model = WorldModel(SPEC).eval()
    for parameter in model.predictor.parameters():  # it starts as the identity
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def test_a_rollout_is_its_steps_one_after_the_other(model: WorldModel) -> None:
    latent, commands, previous = torch.randn(4, 8), torch.rand(4, 5, 3, 2), torch.rand(4, 2)
    latents, motions = model.rollout(latent, commands, previous)
    assert latents.shape == (4, 5, 8) and motions.shape == (4, 5, 3)
    first, motion = model.step(latent, commands[:, 0], previous)
    second, _ = model.step(first, commands[:, 1], commands[:, 0, -1])
    torch.testing.assert_close(latents[:, 0], first)
    torch.testing.assert_close(motions[:, 0], motion)
    torch.testing.assert_close(latents[:, 1], second)


def test_the_future_depends_on_the_commands_and_on_the_one_before_them(model: WorldModel) -> None:
    latent, commands, previous = torch.randn(1, 8), torch.rand(1, 2, 3, 2), torch.rand(1, 2)
    latents, motions = model.rollout(latent, commands, previous)
    for other in (model.rollout(latent, commands + 0.2, previous), model.rollout(latent, commands, previous + 0.2)):
        assert not torch.allclose(latents, other[0], atol=1e-4)
        assert not torch.allclose(motions, other[1], atol=1e-4)


def test_commands_are_taken_in_si_units_and_scaled_by_the_spec(model: WorldModel) -> None:
    latent, chunk, previous = torch.randn(1, 8), torch.rand(1, 3, 2), torch.rand(1, 2)
    scale = torch.tensor([SPEC.max_linear, SPEC.max_angular])
    torch.testing.assert_close(
        model.step(latent, chunk * scale, previous * scale)[0], model.predictor(latent, chunk, previous)
    )


def test_a_relative_pose_has_a_proper_rotation(model: WorldModel) -> None:
    seen = model.relative_pose(torch.randn(6, 2, 8), torch.randn(6, 2, 8))
    assert seen.shape == (6, 2, 4)
    torch.testing.assert_close(seen[..., 2:].norm(dim=-1), torch.ones(6, 2))


def test_the_critic_scores_between_minus_one_and_one(model: WorldModel) -> None:
    latent = torch.randn(7, 8)
    scores = model.contrast.queries(latent) @ model.contrast.keys(latent).T
    assert scores.shape == (7, 7) and scores.abs().max() <= 1 + 1e-5


def test_a_goal_is_a_picture_alone(model: WorldModel) -> None:
    picture = torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    assert model.encode_goal(picture).shape == model.encode(Sensors(image=picture)).shape == (2, 8)


def test_two_pictures_are_compared() -> None:
    spec = ModelSpec(InputSpec(image_size=16, scan_beams=0), latent_dim=8, encoder_width=16, sight_code=6)
    comparing, pictures = WorldModel(spec).eval(), torch.randint(0, 256, (2, 3, 16, 16), dtype=torch.uint8)
    codes, latents = comparing.encode_picture(pictures), comparing.encode(Sensors(image=pictures))
    assert comparing.sighting is not None and codes.shape == (2, 6)
    seen = comparing.sighting(latents, codes, codes.flip(0))
    assert seen.shape == (2, 5)
    torch.testing.assert_close(seen[:, 2:4].norm(dim=1), torch.ones(2))
    with pytest.raises(ValueError, match="compare pictures"):
        WorldModel(replace(spec, sight_code=0)).encode_picture(pictures)


def test_a_blind_model_has_no_picture_goals() -> None:
    model = WorldModel(ModelSpec(InputSpec(image_size=0, scan_beams=8), latent_dim=8, encoder_width=16))
    with pytest.raises(ValueError, match="no image input"):
        model.encode_goal(torch.zeros(1, 3, 16, 16, dtype=torch.uint8))


def test_a_step_lasts_as_long_as_its_commands() -> None:
    assert ModelSpec(period=0.25, chunk=4).step_duration == pytest.approx(1.0)
