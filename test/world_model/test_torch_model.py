"""The world model under one roof: rollouts, units, heads."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ami_ros.core.errors import AmiError
from ami_ros.core.installation import share
from ami_ros.core.scan import Scan
from ami_ros.world_model.perception import Perception
from ami_ros.world_model.spec import InputSpec, ModelSpec, Sensors
from ami_ros.world_model.torch_model import WorldModel, load_model, make_predictor, without_camera

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


# The encoder: any subset of sensors, and what each of them does to the latent.


SMALL = ModelSpec(latent_dim=16, encoder_width=32)


def sensors(spec: ModelSpec, batch: int = 3) -> Sensors:
    generator = torch.Generator().manual_seed(1)
    inputs = spec.inputs
    size = inputs.image_size
    return Sensors(
        torch.randint(0, 256, (batch, 3, size, size), dtype=torch.uint8, generator=generator) if size else None,
        8 * torch.rand(batch, inputs.scan_beams, generator=generator) if inputs.scan_beams else None,
    )


def encoder(spec: ModelSpec) -> Any:
    torch.manual_seed(0)
    return WorldModel(spec).encoder.eval()


@pytest.mark.parametrize("image_size", [0, 16, 48])
@pytest.mark.parametrize("scan_beams", [0, 7, 36])
def test_every_subset_of_inputs_gives_a_latent(image_size: int, scan_beams: int) -> None:
    if not (image_size or scan_beams):
        with pytest.raises(ValueError, match="at least one input"):
            InputSpec(image_size=0, scan_beams=0)
        return
    spec = replace(SMALL, inputs=InputSpec(image_size=image_size, scan_beams=scan_beams))
    latent, features = encoder(spec)(sensors(spec))
    assert latent.shape == (3, 16) and latent.isfinite().all()
    if image_size:
        assert features is not None and features.shape == (3, 32)
    else:
        assert features is None


def test_an_image_whose_size_the_convolutions_cannot_halve_is_refused() -> None:
    with pytest.raises(ValueError, match="multiple of 16, not 50"):
        InputSpec(image_size=50)


@pytest.mark.parametrize("name", ["image", "scan"])
def test_each_sensor_changes_the_latent(name: str) -> None:
    spec = replace(SMALL, inputs=InputSpec(image_size=16, scan_beams=36))
    model, given = encoder(spec), sensors(spec)
    other = given._replace(**{name: getattr(given, name).flip(0)})
    assert not torch.allclose(model(given)[0], model(other)[0], atol=1e-3)


def test_what_returned_nothing_counts_as_far_away() -> None:
    spec = replace(SMALL, inputs=InputSpec(image_size=0, scan_beams=36, scan_range=5.0))
    model = encoder(spec)
    ranges = torch.full((1, 36), 2.0)
    nothing, far = ranges.clone(), ranges.clone()
    nothing[0, 4:9], far[0, 4:9] = torch.inf, 5.0
    torch.testing.assert_close(model(Sensors(scan=nothing))[0], model(Sensors(scan=far))[0])


def test_latents_of_a_batch_have_unit_scale_whatever_the_weights() -> None:
    spec = replace(SMALL, inputs=InputSpec(image_size=0, scan_beams=36))
    model = encoder(spec).train()
    for parameter in model.parameters():
        parameter.data *= 3.0
    latent = model(Sensors(scan=8 * torch.rand(200, 36)))[0]
    torch.testing.assert_close(latent.mean(0), torch.zeros(16), atol=1e-4, rtol=0)
    torch.testing.assert_close(latent.std(0, unbiased=False), torch.ones(16), atol=1e-2, rtol=0)


def test_in_use_one_moment_alone_reads_as_in_any_company() -> None:
    spec = replace(SMALL, inputs=InputSpec(image_size=16, scan_beams=36))
    model, given = encoder(spec), sensors(spec)
    assert given.image is not None and given.scan is not None
    alone = model(Sensors(given.image[1:2], given.scan[1:2]))[0]
    torch.testing.assert_close(alone[0], model(given)[0][1], atol=1e-5, rtol=1e-5)


# The predictor: what rollouts and training rely on.


LASER_SPEC = ModelSpec(
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
    predictor = make_predictor(LASER_SPEC)
    torch.testing.assert_close(predictor(latent, commands[:, 0], torch.rand(5, 2)), latent)


def test_the_first_step_of_a_rollout_is_a_step() -> None:
    model, (latent, commands) = model_with(LASER_SPEC), drawn(4, 5)
    seen = imagined(model, latent, commands)
    assert seen.shape == (4, 5, 8) and seen.isfinite().all()
    torch.testing.assert_close(seen[:, 0], model.step(latent, commands[:, 0], torch.zeros(4, 2))[0])


def test_commands_change_what_comes_after_them_and_nothing_before() -> None:
    model, (latent, commands) = model_with(LASER_SPEC), drawn(2, 5)
    other = commands.clone()
    other[:, 2] += 0.3
    change = (imagined(model, latent, commands) - imagined(model, latent, other)).abs().amax((0, 2))
    assert (change[:2] == 0).all() and (change[2:] > 1e-4).all()


def test_a_future_is_the_same_in_any_company() -> None:
    model, (latent, commands) = model_with(LASER_SPEC), drawn(6, 4)
    alone = imagined(model, latent[2:3], commands[2:3])
    torch.testing.assert_close(alone[0], imagined(model, latent, commands)[2], rtol=1e-4, atol=1e-4)


def test_rows_may_be_dropped_between_steps() -> None:
    """As training does with those whose window ends."""
    model, (latent, commands) = model_with(LASER_SPEC), drawn(6, 2)
    predictor = model.predictor
    with torch.inference_mode():
        conditions = predictor.conditions(commands.transpose(0, 1), torch.zeros(2, 6, 2))
        first, state = predictor.advance(latent, predictor.begin(latent), [c[0] for c in conditions])
        whole, _ = predictor.advance(first, state, [c[1] for c in conditions])
        part, _ = predictor.advance(first[:3], state[:3], [c[1, :3] for c in conditions])
    torch.testing.assert_close(part, whole[:3])


def test_gradients_of_the_last_step_reach_the_first_command_and_all_weights() -> None:
    model, (latent, commands) = model_with(LASER_SPEC), drawn(3, 4)
    commands.requires_grad_()
    model.rollout(latent, commands, torch.zeros(3, 2))[0][:, -1].square().sum().backward()  # type: ignore[no-untyped-call]
    assert commands.grad is not None and (commands.grad[:, 0] != 0).any()
    assert all(p.grad is not None and (p.grad != 0).any() for p in model.predictor.parameters())


def test_blocks_and_width_are_those_of_the_spec() -> None:
    def size(**changes: Any) -> int:
        return sum(p.numel() for p in make_predictor(replace(LASER_SPEC, **changes)).parameters())

    assert size() < size(predictor_blocks=3) and size() < size(predictor_width=32)


def test_a_predictor_of_nothing_is_refused() -> None:
    with pytest.raises(ValueError, match="must be 1 to 64"):
        replace(LASER_SPEC, predictor_blocks=0)


# A model for robots without a camera, made of one that sees.


SCAN = Scan(np.linspace(0.5, 6.0, 72).astype(np.float32), 0.0, 2 * np.pi / 72)


def test_it_perceives_what_the_one_that_sees_does_before_a_grey_wall() -> None:
    seeing = load_model(share("models", "general")).model
    blind = without_camera(seeing)
    grey = np.full((64, 64, 3), 127, np.uint8)
    assert np.allclose(Perception(blind).encode(None, SCAN), Perception(seeing).encode(grey, SCAN), atol=1e-5)
    latent, commands = torch.randn(2, 64), torch.rand(2, 3, 3, 2)
    for one, other in zip(*(m.rollout(latent, commands, commands[:, 0, 0]) for m in (seeing, blind)), strict=True):
        assert torch.equal(one, other)


def test_the_one_that_ships_encodes_as_the_general_one() -> None:
    """What commands do the general one has learned further, on latents that had pictures."""
    made, shipped = without_camera(load_model(share("models", "general")).model), load_model(share("models", "laser"))
    assert shipped.model.spec == replace(made.spec, max_linear=0.5)
    assert not made.spec.inputs.image_size and made.pairs is None
    weights = shipped.model.state_dict()
    for name, weight in made.state_dict().items():
        if name.startswith(("predictor.", "motion.", "inverse_dynamics.", "heads.")):
            continue
        assert torch.allclose(weights[name].float(), weight.float(), atol=1e-3, rtol=1e-3), name


def test_a_picture_tells_it_nothing() -> None:
    blind = without_camera(load_model(share("models", "general")).model)
    with pytest.raises(AmiError, match="does without a camera, so a picture tells it nothing"):
        Perception(blind).encode_goal(np.zeros((64, 64, 3), np.uint8))


@pytest.mark.parametrize(
    ("inputs", "why"),
    [
        (InputSpec(image_size=0), "does without a camera already"),
        (InputSpec(image_size=16, scan_beams=0), "nothing is left without a camera"),
    ],
)
def test_a_model_that_has_nothing_to_lose_or_nothing_left_is_refused(inputs: InputSpec, why: str) -> None:
    with pytest.raises(AmiError, match=why):
        without_camera(WorldModel(replace(ModelSpec(), inputs=inputs)))
