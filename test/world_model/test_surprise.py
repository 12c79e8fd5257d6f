"""Surprise: quiet while the world does what the model expects, loud when it does not."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_ros.world_model.surprise import Surprise, SurpriseMonitor
from harness.exact_model import ExactModel, latent_of


class Drive:
    """A robot on a circle whose every latent is a little off, watched by a monitor."""

    def __init__(self, monitor: SurpriseMonitor, seed: int = 0) -> None:
        self.monitor, self.rng = monitor, np.random.default_rng(seed)
        self.pose = np.zeros(3)

    def on(self, jump: tuple[float, float, float] = (0.0, 0.0, 0.0), standing: bool = False) -> Surprise:
        """One model step; `jump` is added to the pose meanwhile."""
        before = latent_of(self.pose)
        model, speed, turn = self.monitor.model, 0.0 if standing else 0.3, 0.0 if standing else 0.5
        for _ in range(model.spec.chunk):
            self.pose[2] += turn * model.spec.period / 2
            self.pose[:2] += speed * model.spec.period * np.array([np.cos(self.pose[2]), np.sin(self.pose[2])])
            self.pose[2] += turn * model.spec.period / 2
        self.pose += jump
        now = latent_of(self.pose) + self.rng.normal(0.0, 0.001 if standing else 0.02, 4)
        return self.monitor.observe(before, np.tile([speed, turn], (3, 1)), [speed, turn], now)


@pytest.fixture
def drive() -> Drive:
    return Drive(SurpriseMonitor(ExactModel()))


def test_ordinary_motion_gives_no_alarm(drive: Drive) -> None:
    readings = [drive.on() for _ in range(300)]
    assert not any(r.alarm for r in readings)
    assert np.nanmedian([abs(r.z_score) for r in readings]) < 1.5


def test_a_teleport_gives_an_alarm_once(drive: Drive) -> None:
    for _ in range(40):
        drive.on()
    jump = drive.on(jump=(1.0, 0.5, 0.0))
    assert jump.alarm and jump.z_score > 20 and jump.surprise > 10 * jump.baseline
    assert not any(drive.on().alarm for _ in range(20))


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
    readings = [drive.on(jump=(0.4, 0.0, 0.0)) for _ in range(80)]
    assert readings[0].alarm and not readings[-1].alarm


def test_driving_off_after_a_long_rest_is_no_surprise_but_being_carried_off_is(drive: Drive) -> None:
    for _ in range(40):
        drive.on()
    assert not any(drive.on(standing=True).alarm for _ in range(300))
    assert drive.on(jump=(1.0, 0.0, 0.0), standing=True).alarm
    assert not any(drive.on().alarm for _ in range(20))


def test_an_error_below_what_rounding_makes_gives_no_alarm(drive: Drive) -> None:
    """A perfect model in a perfect world: every reading is all but zero."""
    drive.rng = type("NoNoise", (), {"normal": staticmethod(lambda *_: 0.0)})()  # type: ignore[assignment]
    assert not any(drive.on().alarm for _ in range(60))
