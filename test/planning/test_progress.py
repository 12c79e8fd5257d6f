"""When the robot counts as stuck: it does not move, or it moves and gets no nearer."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ami_ros.core.geometry import Array
from ami_ros.planning.monitors import ProgressChecker, ProgressConfig

CONFIG = ProgressConfig()
Track = Callable[[float], tuple[Array, float]]  # time [s] -> odometry (3,), way left [m]


def first_word(track: Track, seconds: float, checker: ProgressChecker | None = None) -> tuple[float, str]:
    """When the checker first calls the robot stuck, and why; the end and "" if it never does."""
    checker = checker or ProgressChecker(CONFIG)
    for stamp in np.arange(0.0, seconds, 0.2):
        if reason := checker.stuck(50.0 + float(stamp), *track(float(stamp))):
            return float(stamp), reason
    return seconds, ""


def pose(x: float, y: float = 0.0, yaw: float = 0.0) -> Array:
    return np.array([x, y, yaw])


def test_a_robot_that_gets_on_is_not_stuck() -> None:
    assert first_word(lambda t: (pose(0.05 * t), 5.0 - 0.05 * t), 60.0)[1] == ""


def test_pushing_at_something_is_noticed() -> None:
    when, reason = first_word(lambda t: (pose(0.0), 2.0), 60.0)
    assert reason.startswith("did not move") and when <= 4.0 + 0.4


def test_trembling_is_no_motion() -> None:
    assert "move" in first_word(lambda t: (pose(0.02 * np.sin(9 * t), yaw=0.1 * np.sin(7 * t)), 2.0), 60.0)[1]


def test_turning_on_the_spot_is_motion_but_not_for_ever() -> None:
    when, reason = first_word(lambda t: (pose(0.0, yaw=(0.5 * t) % 6.0 - 3.0), 2.0), 60.0)
    assert reason.startswith("no progress") and when == pytest.approx(CONFIG.stall_seconds, abs=0.5)


def test_circling_is_noticed() -> None:
    when, reason = first_word(lambda t: (pose(np.cos(t), np.sin(t)), 2.0 + 0.1 * np.sin(t)), 60.0)
    assert reason.startswith("no progress") and when < CONFIG.stall_seconds + 4.0


def test_a_detour_is_forgiven_while_it_is_short() -> None:
    assert first_word(lambda t: (pose(0.3 * t), 3.0 + 0.1 * t if t < 4 else 3.4 - 0.2 * (t - 4)), 20.0)[1] == ""


def test_after_a_reset_it_waits_anew() -> None:
    checker = ProgressChecker(CONFIG)
    stamps = np.arange(0.0, 0.8 * 4.0, 0.2)
    assert not any(checker.stuck(float(t), pose(0.0), 2.0) for t in stamps)
    checker.reset()
    assert not any(checker.stuck(10.0 + float(t), pose(0.0), 2.0) for t in stamps)
    assert checker.stuck(10.0 + 4.0, pose(0.0), 2.0)
