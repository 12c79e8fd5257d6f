"""Surprise: quiet while the world does what the model expects, loud when it does not."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch

from ami_ros.world_model.spec import InputSpec, ModelSpec
from ami_ros.world_model.surprise import HORIZON, Surprise, SurpriseMonitor, surprises
from ami_ros.world_model.torch_model import WorldModel
from harness.exact_model import ExactModel, latent_of


class Drive:
    """A robot on a circle whose every latent is a little off, watched by a monitor; a reading each period."""

    def __init__(self, monitor: SurpriseMonitor, seed: int = 0) -> None:
        self.monitor, self.rng = monitor, np.random.default_rng(seed)
        self.pose = np.zeros(3)
        self.latents = [latent_of(self.pose)]
        self.commands = [(0.0, 0.0)]
        for _ in range(monitor.reach):
            self._move((0.0, 0.0, 0.0), False)

    def _move(self, jump: tuple[float, float, float], standing: bool) -> None:
        period, speed, turn = self.monitor.model.spec.period, 0.0 if standing else 0.3, 0.0 if standing else 0.5
        self.pose[2] += turn * period / 2
        self.pose[:2] += speed * period * np.array([np.cos(self.pose[2]), np.sin(self.pose[2])])
        self.pose[2] += turn * period / 2
        self.pose += jump
        noise = self.rng.normal(0.0, 0.001 if standing else 0.02, 4)
        self.latents.append((latent_of(self.pose) + noise).astype(np.float32))
        self.commands.append((speed, turn))

    def on(self, jump: tuple[float, float, float] = (0.0, 0.0, 0.0), standing: bool = False) -> Surprise:
        """One period of driving; `jump` is added to the pose meanwhile."""
        self._move(jump, standing)
        reach = self.monitor.reach
        before, *sent = self.commands[-reach - 1 :]
        return self.monitor.observe(self.latents[-reach - 1], sent, before, self.latents[-1])


@pytest.fixture
def drive() -> Drive:
    return Drive(SurpriseMonitor(ExactModel()))


def test_ordinary_motion_gives_no_alarm(drive: Drive) -> None:
    readings = [drive.on() for _ in range(300)]
    assert not any(r.alarm for r in readings)
    assert np.nanmedian([abs(r.z_score) for r in readings]) < 1.5


def test_a_teleport_gives_an_alarm_until_it_is_two_model_steps_old(drive: Drive) -> None:
    for _ in range(40):
        drive.on()
    jump = drive.on(jump=(1.0, 0.5, 0.0))
    assert jump.z_score > 20 and jump.surprise > 8 * jump.baseline
    assert any([drive.on().alarm for _ in range(drive.monitor.reach)])
    assert not any(drive.on().alarm for _ in range(20))


def test_a_single_odd_reading_is_no_alarm(drive: Drive) -> None:
    """One bad picture is wrong when it comes, and again when it is what a prediction begins at; never in a row."""
    for _ in range(40):
        drive.on()
    drive.on()
    drive.latents[-1] = drive.latents[-1] + 1.0
    assert not any(drive.on().alarm for _ in range(30))


def test_there_is_no_score_before_there_is_a_baseline(drive: Drive) -> None:
    first = drive.on(jump=(5.0, 0.0, 0.0))
    assert math.isnan(first.z_score) and not first.alarm and first.surprise == first.baseline > 1.0
    early = [drive.on() for _ in range(drive.monitor.warm_up - 1)]
    assert all(math.isnan(r.z_score) for r in early)
    assert not math.isnan(drive.on().z_score)


def test_after_a_reset_the_baseline_begins_anew(drive: Drive) -> None:
    for _ in range(40):
        drive.on()
    drive.monitor.reset()
    assert math.isnan(drive.on(jump=(1.0, 0.0, 0.0)).z_score)


def test_a_lasting_change_becomes_the_new_normal() -> None:
    drive = Drive(SurpriseMonitor(ExactModel(), window=50))
    for _ in range(50):
        drive.on()
    alarms = [drive.on(jump=(0.2, 0.0, 0.0)).alarm for _ in range(80)]
    assert any(alarms[:10]) and not any(alarms[-10:])


def test_driving_off_after_a_long_rest_is_no_surprise_but_being_carried_off_is(drive: Drive) -> None:
    for _ in range(40):
        drive.on()
    assert not any(drive.on(standing=True).alarm for _ in range(300))
    drive.on(jump=(1.0, 0.0, 0.0), standing=True)
    assert any([drive.on(standing=True).alarm for _ in range(drive.monitor.reach)])
    assert not any(drive.on().alarm for _ in range(20))


def test_an_error_below_what_rounding_makes_gives_no_alarm(drive: Drive) -> None:
    """A perfect model in a perfect world: every reading is all but zero."""
    drive.rng = type("NoNoise", (), {"normal": staticmethod(lambda *_: 0.0)})()  # type: ignore[assignment]
    assert not any(drive.on().alarm for _ in range(60))


def test_a_model_with_an_ensemble_says_what_error_it_had_expected() -> None:
    spec = ModelSpec(InputSpec(image_size=0, scan_beams=8), latent_dim=4, encoder_width=16, head_width=16)
    given = np.zeros(4, np.float32), np.full((6, 2), 0.1), np.zeros(2), np.ones(4, np.float32)
    model = WorldModel(replace(spec, ensemble=2)).eval()
    reading = SurpriseMonitor(model).observe(*given)
    start, chunks, previous = torch.zeros(1, 4), torch.full((1, 2, 3, 2), 0.1), torch.zeros(1, 2)
    with torch.inference_mode():
        latents, _ = model.rollout(start, chunks, previous)
        steps = model.path_disagreement(start, latents, chunks, previous)[0]
    assert reading.uncertainty == pytest.approx(float(steps.square().sum().sqrt()))
    assert math.isnan(SurpriseMonitor(WorldModel(spec).eval()).observe(*given).uncertainty)


def test_in_a_recording_what_lasts_stays_surprising() -> None:
    """The floor is slippery in its second half: where the robot is, it lags behind what it commands."""
    model, rows = ExactModel(), 200
    period = model.spec.period
    slips = np.arange(rows) >= rows // 2
    commands = np.tile(np.array([0.4, 0.0], np.float32), (rows, 1))
    x = np.cumsum(np.append(0.0, 0.4 * period * np.where(slips, 0.5, 1.0)))[:rows]
    latents = latent_of(np.stack([x, 0 * x, 0 * x], 1))
    found = surprises(model, latents, commands, [(0, rows)])
    reach = HORIZON * model.spec.chunk
    assert np.isnan(found[:reach]).all() and np.isfinite(found[reach:]).all()
    assert found[reach : rows // 2].max() < 0.01 < 0.2 < found[rows // 2 + reach :].min()
    # The same as a robot's monitor has, which compares one moment.
    now = rows // 2 + 2
    reading = SurpriseMonitor(model).observe(
        latents[now - reach], commands[now - reach : now], commands[now - reach - 1], latents[now]
    )
    way = 0.4 * period * reach / 2  # root mean square of four numbers, of which one changes
    assert found[now] == pytest.approx(reading.surprise / (2 * way), rel=1e-3)


def test_an_episode_that_is_too_short_to_predict_surprises_nobody_knows_how() -> None:
    short = surprises(ExactModel(), np.zeros((4, 4), np.float32), np.zeros((4, 2), np.float32), [(0, 3), (3, 4)])
    assert np.isnan(short).all()
