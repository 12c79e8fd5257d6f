"""Adaptation: learns what the wheels make of commands, undoes what does harm, and never gives the trained model up."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from ami_ros.core.errors import AmiError
from ami_ros.world_model import layers as arrays
from ami_ros.world_model.adaptation import AdaptationConfig, Segment, SegmentStore, adaptable, apply, pack, unpack
from ami_ros.world_model.adapter import Adapter, as_seen, colours_loss, driving_loss, seeing_loss, straying
from ami_ros.world_model.spec import InputSpec, ModelSpec, Sensors
from ami_ros.world_model.torch_model import WorldModel

from .conftest import SLOW_LEFT, RandomDrive

LEARNED = {"drive": np.array(SLOW_LEFT, np.float32)}
QUICK = AdaptationConfig(period=0.2, rate=0.05, batch=16, recent=32)


def test_changed_wheels_are_learned_and_used_and_the_trained_model_stays(model: WorldModel, drive: RandomDrive) -> None:
    before = {name: values.copy() for name, values in adaptable(model).items()}
    adapter = Adapter(model, QUICK)
    drive.teach(adapter, 140, SLOW_LEFT)
    assert adapter.in_use and adapter.model.drive.detach().numpy() == pytest.approx(np.array(SLOW_LEFT), abs=0.15)
    trained, adapted = adapter.losses
    assert adapted < 0.3 * trained
    assert np.array_equal(adapter.weights_in_use["drive"], adapter.model.drive.detach())
    assert all(np.array_equal(before[name], values) for name, values in adaptable(model).items())


def test_robot_as_it_was_is_driven_by_the_trained_model_at_once(model: WorldModel, drive: RandomDrive) -> None:
    adapter = Adapter(model, QUICK, LEARNED)
    drive.teach(adapter, 10, SLOW_LEFT)
    assert adapter.in_use
    drive.teach(adapter, 10)
    assert not adapter.in_use and adapter.weights_in_use == {}


def test_robot_that_did_not_change_is_left_alone(model: WorldModel, drive: RandomDrive) -> None:
    adapter = Adapter(model, QUICK)
    steps = drive.teach(adapter, 60)
    assert steps and not adapter.in_use
    assert adapter.model.drive.detach().numpy() == pytest.approx(np.eye(2), abs=0.1)


def test_step_that_does_harm_is_rolled_back(model: WorldModel, drive: RandomDrive) -> None:
    adapter = Adapter(model, replace(QUICK, rate=300.0))
    steps = drive.teach(adapter, 40)
    assert steps and not any(step.kept for step in steps) and adapter.rolled_back == len(steps)
    assert all(step.loss_after > step.loss_before and "newest" in step.reason for step in steps)
    assert torch.equal(adapter.model.drive, torch.eye(2))


def test_frozen_takes_no_step_and_reverting_restores_the_trained_model(model: WorldModel, drive: RandomDrive) -> None:
    adapter = Adapter(model, QUICK, LEARNED)
    adapter.frozen = True
    assert not drive.teach(adapter, 40, SLOW_LEFT)
    assert adapter.in_use and np.array_equal(LEARNED["drive"], adapter.weights["drive"])
    version = adapter.version
    adapter.revert()
    assert not adapter.in_use and adapter.frozen and adapter.version > version
    assert all(np.array_equal(values, adaptable(model)[name]) for name, values in adapter.weights.items())


def test_what_was_learned_before_is_used_from_the_start(model: WorldModel) -> None:
    adapter = Adapter(model, QUICK, LEARNED)
    assert adapter.in_use and np.array_equal(adapter.weights_in_use["drive"], LEARNED["drive"])


def test_more_than_there_is_cannot_be_drawn() -> None:
    with pytest.raises(ValueError, match="batch must be 1 to recent"):
        AdaptationConfig(batch=64, recent=32)


def test_a_robot_that_stands_teaches_nothing(model: WorldModel) -> None:
    adapter = Adapter(model, QUICK)
    zero = np.zeros(8, np.float32)
    for k in range(100):
        assert adapter.observe(Segment(0.2 * k, zero, np.zeros(2), np.zeros((2, 2)), zero, np.zeros(3))) is None


def test_steps_keep_their_distance_in_time(model: WorldModel, drive: RandomDrive) -> None:
    steps = drive.teach(Adapter(model, replace(QUICK, period=2.0)), 60)
    assert min(np.diff([step.stamp for step in steps])) >= 2.0 - 1e-6


def test_a_robot_that_is_carried_off_now_and_then_unlearns_nothing(model: WorldModel, drive: RandomDrive) -> None:
    adapter = Adapter(model, QUICK)
    for k, segment in enumerate(drive.segments(80)):
        far = segment.motion + (3.0 if k % 10 == 0 else 0.0)
        adapter.observe(replace(segment, motion=far, after=segment.after + np.float32(2.0 * (k % 10 == 0))))
    assert not adapter.in_use
    assert adapter.model.drive.detach().numpy() == pytest.approx(np.eye(2), abs=0.15)


# Adaptation of a robot that also drives sideways: nine numbers say how its commands act.


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


# A camera whose colours have changed: what it makes of them is learned from pictures and commands, and undone.


AS_TRAINED = torch.from_numpy(arrays.AS_TRAINED)
TINT = torch.tensor([0.6, 1.0, 1.3])
QUICK_WITH_COLOURS = AdaptationConfig(period=0.2, batch=16, recent=32, colours=True)
SIZE = 16
MOVES = torch.tensor([[0.6, 0.2], [-0.4, 0.4], [0.2, -0.6]])  # of the latent, by a command in units of the model
MIDDLE, SPREAD = 102.0, 30.0  # colours of this world: mean and deviation, which an encoder's BatchNorm takes out


class ColouredWorld(WorldModel):
    """Its latent is the mean colour of the picture, by how much this world's colours deviate; commands change it."""

    def __init__(self) -> None:
        nn.Module.__init__(self)
        self.spec = ModelSpec(InputSpec(image_size=SIZE, scan_beams=0), latent_dim=3, chunk=1)
        self.register_buffer("drive", torch.eye(2), persistent=False)
        self.register_buffer("colours", AS_TRAINED.clone(), persistent=False)
        self.register_buffer("command_scale", torch.ones(2), persistent=False)

    def encode(self, sensors: Sensors) -> Tensor:
        assert sensors.image is not None
        return (sensors.image.float().mean((2, 3)) - MIDDLE) / SPREAD

    def step(self, latent: Tensor, chunk: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        commands = self.executed(chunk).mean(1)
        return latent + commands @ MOVES.T, torch.cat([commands, commands[:, :1]], 1) * 0.1


def seen_at(latent: Tensor, tint: Tensor) -> Tensor:
    """The picture of a latent (3,) by a camera that makes `tint` of colours: (3, SIZE, SIZE) uint8."""
    values = ((MIDDLE + SPREAD * latent) * tint).clamp(0, 255).round().byte()
    return values[:, None, None].expand(3, SIZE, SIZE).clone()


def drive(model: WorldModel, tint: Tensor, count: int, seed: int = 0) -> Iterator[Segment]:
    """Segments of driving about at random, with a picture before and after each."""
    rng = np.random.default_rng(seed)
    for k in range(count):
        before = torch.from_numpy(rng.uniform(-1.7, 1.7, 3).astype(np.float32))
        commands = rng.uniform(-1, 1, (1, 2))
        after, motion = model.step(before[None], torch.from_numpy(commands.astype(np.float32))[None], torch.zeros(1, 2))
        sensors = Sensors(image=torch.stack([seen_at(before, tint), seen_at(after[0], tint)]))
        first, second = model.encode(sensors).numpy()
        kept = Sensors(image=sensors.image.numpy())
        yield Segment(0.2 * k, first, np.zeros(2), commands, second, motion[0].double().numpy(), kept)


def off(model: WorldModel) -> float:
    """How far the latents of tinted pictures are from those of true ones (mean square)."""
    latents = torch.rand(200, 3, generator=torch.Generator().manual_seed(5)) * 3.4 - 1.7
    pictures = torch.stack([seen_at(latent, TINT) for latent in latents])
    with torch.no_grad():
        return float((model.encode(Sensors(image=model.seen(pictures))) - latents).square().mean())


@pytest.fixture
def model() -> WorldModel:
    return ColouredWorld().eval()


def test_tint_is_learned_and_undone_and_the_trained_model_stays(model: WorldModel) -> None:
    adapter = Adapter(model, QUICK_WITH_COLOURS)
    for segment in drive(model, TINT, 400):
        adapter.observe(segment)
    assert adapter.in_use and "colours" in adapter.weights_in_use
    assert off(adapter.model) < 0.1 * off(model)
    assert adapter.model.drive.detach().numpy() == pytest.approx(np.eye(2), abs=0.1)
    assert torch.equal(model.colours, AS_TRAINED)
    trained, adapted = adapter.losses
    assert adapted < 0.6 * trained  # of the newest ten segments, some of which hardly move


def test_camera_as_it_was_is_seen_through_as_before_at_once(model: WorldModel) -> None:
    undone = torch.stack([1 / TINT, 0.5 * (1 / TINT - 1)], 1)
    adapter = Adapter(model, QUICK_WITH_COLOURS, {"colours": undone.numpy()})
    for segment in drive(model, TINT, 10):
        adapter.observe(segment)
    assert adapter.in_use
    for segment in drive(model, torch.ones(3), 10):
        adapter.observe(segment)
    assert not adapter.in_use and adapter.weights_in_use == {}


def test_colours_are_left_alone_unless_wanted(model: WorldModel) -> None:
    adapter = Adapter(model, replace(QUICK_WITH_COLOURS, colours=False))
    steps = [adapter.observe(segment) for segment in drive(model, TINT, 60)]
    assert {step.part for step in steps if step is not None} == {"drive"}
    assert torch.equal(adapter.model.colours, AS_TRAINED)


def test_seeing_nothing_is_no_way_out(model: WorldModel) -> None:
    """Latents that never change are easily foretold; the loss by which colours are learned is not smaller for them."""
    store = SegmentStore(64, np.random.default_rng(0))
    for segment in drive(model, TINT, 64):
        store.add(segment)
    blind = ColouredWorld()
    blind.colours[:, 0] = 0.01
    now, nothing = (as_seen(m, store.all()) for m in (model, blind))
    assert seeing_loss(blind, nothing) > seeing_loss(model, now)
    assert nothing.before.std(0).max() < 0.02 and driving_loss(blind, nothing) > 0


def test_latents_that_lie_elsewhere_or_spread_otherwise_stray() -> None:
    usual = torch.randn(400, 8, generator=torch.Generator().manual_seed(0))
    assert straying(usual) < 0.02
    assert straying(usual + 0.5) == pytest.approx(0.25, abs=0.1) and straying(0.5 * usual) == pytest.approx(
        0.25, abs=0.1
    )


def test_tint_that_is_foretold_as_well_as_the_world_is_learned_by_where_latents_lie(model: WorldModel) -> None:
    """What darkens all pictures by the same moves all latents by the same, and their changes not at all."""
    store = SegmentStore(64, np.random.default_rng(0))
    for segment in drive(model, torch.ones(3), 64):
        store.add(segment)
    dark = ColouredWorld()
    dark.colours[:, 1] = -0.1
    now, darker = (as_seen(m, store.all()) for m in (model, dark))
    assert float(seeing_loss(dark, darker)) == pytest.approx(float(seeing_loss(model, now)), abs=1e-3)
    assert colours_loss(dark, darker) > colours_loss(model, now) + 0.1


def test_a_model_without_pictures_has_no_colours_to_learn() -> None:
    spec = ModelSpec(InputSpec(image_size=0, scan_beams=8), latent_dim=8, predictor_width=16, head_width=16)
    with pytest.raises(AmiError, match="no pictures to learn colours from"):
        Adapter(WorldModel(spec).eval(), QUICK_WITH_COLOURS)
