"""The safety gate and odometry that leaps, cannot be, or does not come."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.motion import Motion
from harness.gate import driving

CONFIG = SafetyConfig()


def test_odometry_that_leaps_begins_anew_and_moves_nothing() -> None:
    for leap in ((5.0, 0.0, 0.0), (0.0, 0.0, 3.0)):
        motion = Motion(CONFIG)
        motion.odometry(np.zeros(3), (0.2, 0.0, 0.0), 1.0)
        motion.odometry(np.array([0.02, 0.0, 0.0]), (0.2, 0.0, 0.0), 1.1)
        before = motion.at(1.2)[0]
        motion.odometry(np.array(leap), (0.2, 0.0, 0.0), 1.2)
        np.testing.assert_allclose(motion.at(1.2)[0], before, atol=1e-9)


@pytest.mark.fault("odometry of a speed or a place that cannot be")
@pytest.mark.parametrize(
    ("pose", "velocity"),
    [
        ((0.1, 0.0, 0.0), (1e3, 0.0)),
        ((0.1, 0.0, 0.0), (-1e300, 0.0)),
        ((0.1, 0.0, 0.0), (0.0, 1e7)),
        ((0.1, 0.0, 0.0), (0.0, 0.0, 50.0)),
        ((1e90, 0.0, 0.0), (0.0, 0.0)),
        ((math.inf, 0.0, 0.0), (0.0, 0.0)),
    ],
)
def test_odometry_that_no_robot_can_have_is_dropped_with_a_word_and_costs_nothing(
    pose: tuple[float, ...], velocity: tuple[float, ...]
) -> None:
    gate = SafetyGate(CONFIG)
    assert gate.odometry(np.zeros(3), (0.0, 0.0), 1.0, 1.0) == ""
    assert "odometry" in gate.odometry(np.array(pose), velocity, 1.05, 1.05)
    assert driving(gate, 1.1).linear > 0 and gate._motion.at(1.05)[0][0] == 0.0


@pytest.mark.fault("odometry stamped in the future, once")
def test_odometry_of_the_future_the_past_or_no_number_is_dropped() -> None:
    gate = SafetyGate(CONFIG)
    gate.odometry(np.zeros(3), (0.0, 0.0), 1.0, 1.0)
    gate.odometry(np.array([0.1, 0.0, 0.0]), (0.0, 0.0), 900.0, 1.1)
    gate.odometry(np.array([math.nan, 0.0, 0.0]), (0.0, 0.0), 1.1, 1.1)
    gate.odometry(np.array([0.1, 0.0, 0.0]), (0.0, 0.0), 0.9, 1.1)
    assert gate._motion.at(1.1)[0][0] == 0.0
    gate.odometry(np.array([0.1, 0.0, 0.0]), (0.0, 0.0), 1.1, 1.1)
    assert gate._motion.at(1.1)[0][0] == pytest.approx(0.1)


def test_without_odometry_it_reckons_by_its_commands_and_how_far_that_may_be_off() -> None:
    motion = Motion(CONFIG)
    assert motion.at(1.0) == (pytest.approx(np.zeros(3)), 0.0)
    for tick in range(21):
        motion.told((0.4, 0.0, 0.0), 0.1 * tick)
    pose, error = motion.at(2.0)
    assert 0.7 <= pose[0] <= 0.8 and error < 0.1
    assert motion.at(1.0)[0][0] == pytest.approx(0.4, abs=0.06)
    assert motion.at(-9.0)[0][0] == 0.0
    for tick in range(40):
        motion.told((0.0, 0.0, 0.0), 2.0 + 0.1 * tick)
    stop, off = motion.at(6.0)
    assert stop[0] - pose[0] + off - error >= 0.4 * CONFIG.reaction and off - error < 0.2
