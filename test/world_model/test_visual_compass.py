"""How far a robot has turned by pictures, and what its wheels learn from them."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.geometry import Array, compose, relative, wrap
from ami_ros.core.scan import Scan
from ami_ros.memory.index import Latents
from ami_ros.world_model.scan_odometry import DRIVEN, TURNED, VisualCompass, WheelGains
from ami_ros.world_model.two_views import Turn

SCAN = Scan(np.ones(3, np.float32), -0.5, 0.5)
SIGMA = 0.004  # [rad] of a turn between two pictures


class Drive:
    """A robot whose pictures are its true headings, to SIGMA, and whose wheels turn too little."""

    def __init__(self, seed: int = 0, share: float = 0.95) -> None:
        self.rng, self.share = np.random.default_rng(seed), share
        self.true, self.wheels = np.zeros(3), np.zeros(3)
        self.gains, self.asked = WheelGains(), list[tuple[float, float]]()
        self.compass = VisualCompass(self.between, self.gains)
        self.compass.begin(self.wheels, self.code, SCAN)
        self.heading, self.variance = 0.0, 0.0

    @property
    def code(self) -> Latents:
        return np.array([self.true[2]], np.float32)

    def between(self, here: Latents, there: Latents, motion: Array, expected: Turn, scan: Scan) -> Turn | None:
        turned = float(there[0] - here[0])
        self.asked.append((turned, float(np.hypot(*motion[:2]))))
        if abs(turned - expected.angle) > 3 * expected.deviation:
            return None
        return Turn(turned + SIGMA * float(self.rng.normal()), SIGMA)

    def go(self, ahead: float, turn: float, shows: bool = True, share: float | None = None) -> None:
        step = np.array([ahead, 0.0, turn])
        said = step * [1.0, 1.0, self.share if share is None else share]
        before, self.true = self.wheels, np.array([*compose(self.true, step)[:2], self.true[2] + turn])
        self.wheels = compose(before, said)
        motion = self.gains.corrected(relative(before, self.wheels))
        code = self.code if shows else None
        turned = self.compass.step(motion, 0.01**2 + (0.05 * turn) ** 2, self.wheels, code, SCAN)
        self.heading, self.variance = self.heading + turned.angle, self.variance + turned.deviation**2

    def spin(self, turn: float) -> None:
        """Only its wheels turn."""
        self.wheels = self.wheels + [0.0, 0.0, turn]
        turned = self.compass.step(self.gains.corrected(np.array([0.0, 0.0, turn])), 0.01, self.wheels, self.code, SCAN)
        self.heading, self.variance = self.heading + turned.angle, self.variance + turned.deviation**2

    @property
    def off(self) -> float:
        return abs(float(wrap(self.heading - self.true[2])))


def test_three_turns_around_leave_it_as_sure_as_its_pictures_are() -> None:
    drive = Drive()
    for _ in range(70):
        drive.go(0.0, 0.27)
    assert drive.off < 3 * drive.variance**0.5 < 0.15
    assert drive.gains.gains[1] == pytest.approx(1 / 0.95, abs=0.005)


def test_the_doubt_is_as_large_as_the_errors_are() -> None:
    drives = [Drive(seed) for seed in range(30)]
    for drive in drives:
        for k in range(40):
            drive.go(0.08, 0.2 if k % 8 < 2 else 0.0)
    errors = np.array([drive.off / drive.variance**0.5 for drive in drives])
    assert 0.4 < np.sqrt(np.mean(errors**2)) < 1.6


def test_a_picture_is_compared_with_one_keyframe_until_that_is_far_behind() -> None:
    drive = Drive()
    for _ in range(30):
        drive.go(0.08, 0.0)
    way = np.array([way for _, way in drive.asked])
    assert way.max() < DRIVEN + 0.1 and (np.diff(way) < 0).sum() in (5, 6, 7)
    drive = Drive()
    for _ in range(30):
        drive.go(0.0, 0.1)
    turned = np.array([turned for turned, _ in drive.asked])
    assert TURNED <= turned.max() < TURNED + 0.11


def test_wheels_that_slip_for_once_turn_no_heading() -> None:
    drive = Drive(share=1.0)
    for k in range(20):
        drive.go(0.0, 0.25, share=0.8 if k == 10 else 1.0)
    assert drive.off < 0.03


def test_a_robot_that_is_stuck_does_not_turn_with_its_wheels() -> None:
    drive = Drive(share=1.0)
    for _ in range(20):
        drive.go(0.0, 0.25)
    for _ in range(8):
        drive.spin(0.25)
    assert drive.off < 0.05


def test_between_pictures_wheels_tell_by_what_they_have_learned() -> None:
    taught, untaught = Drive(), Drive()
    for _ in range(60):
        taught.go(0.0, 0.25)
    begun = taught.heading - taught.true[2]
    for drive in (taught, untaught):
        for _ in range(40):
            drive.go(0.0, 0.25, shows=False)
    assert abs(taught.heading - taught.true[2] - begun) < 0.06 < 0.3 < untaught.off


def test_where_nothing_compares_pictures_wheels_tell_alone() -> None:
    gains = WheelGains()
    compass = VisualCompass(None, gains)
    code = np.zeros(1, np.float32)
    compass.begin(np.zeros(3), code, SCAN)
    turned = compass.step(np.array([0.1, 0.0, 0.2]), 0.01, np.array([0.1, 0.0, 0.2]), code, SCAN)
    assert turned == pytest.approx((0.2, 0.1)) and gains.gains == pytest.approx([1.0, 1.0, 0.0])
