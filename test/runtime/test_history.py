"""Odometry and commands at the moment that is asked for; fresh images told from stale ones."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import compose, wrap
from ami_ros.ros.messages.conversions import quaternion_from_yaw, yaw_from_quaternion
from ami_ros.runtime.history import CommandHistory, OdometryHistory
from ami_ros.runtime.perception import FreshnessConfig, Synchroniser
from ami_ros.world_model.spec import InputSpec

SPEED, TURN = 0.4, 0.8


def on_a_circle(stamp: float) -> np.ndarray:
    """Pose (3,) of a robot that drives an arc."""
    yaw, radius = TURN * stamp, SPEED / TURN
    return np.array([radius * np.sin(yaw), radius * (1 - np.cos(yaw)), wrap(yaw)])


def circling(period: float = 0.04) -> OdometryHistory:
    buffer = OdometryHistory()
    for stamp in np.arange(0.0, 2.0, period):
        assert buffer.add(float(stamp), on_a_circle(stamp), (SPEED, TURN))
    return buffer


@given(st.floats(-0.2, 2.15))
def test_odometry_is_known_between_messages_and_shortly_beyond(stamp: float) -> None:
    found = circling().at(stamp)
    assert found is not None
    np.testing.assert_allclose(found[0], on_a_circle(stamp), atol=2e-3)
    assert found[1] == (SPEED, TURN)


@pytest.mark.parametrize("stamp", [-1.0, 3.0])
def test_odometry_far_from_any_message_is_unknown(stamp: float) -> None:
    assert circling().at(stamp) is None and OdometryHistory().at(0.0) is None


def test_odometry_that_jumps_is_noticed_and_what_was_before_forgotten() -> None:
    buffer = circling()
    assert not buffer.add(2.0, np.array([9.0, 9.0, 0.0]), (0.0, 0.0))
    assert buffer.at(1.0) is None and buffer.at(2.0) is not None


def test_odometry_that_begins_anew_near_its_old_origin_is_noticed() -> None:
    buffer = OdometryHistory()
    for stamp in np.arange(0.0, 1.0, 0.04):
        assert buffer.add(float(stamp), np.array([0.3 + 0.2 * stamp, 0.0, 0.0]), (0.2, 0.0))
    assert not buffer.add(1.0, np.zeros(3), (0.2, 0.0)) and buffer.resets == 1


def test_odometry_of_a_robot_that_brakes_and_turns_hard_between_rare_messages_does_not_count_as_begun_anew() -> None:
    buffer, pose = OdometryHistory(), np.zeros(3)
    for k, (linear, angular) in enumerate([(0.5, 0.0), (0.0, 1.8), (-0.3, -1.8), (0.5, 1.8)] * 5):
        pose = compose(pose, [0.2 * linear, 0.0, 0.2 * angular])
        assert buffer.add(0.2 * k, pose, (linear, angular)), k


def test_odometry_from_the_future_is_dropped_and_what_follows_is_taken() -> None:
    buffer = OdometryHistory()
    buffer.add(1.0, np.zeros(3), (0.0, 0.0), now=1.0)
    with pytest.raises(AmiError, match="future"):
        buffer.add(500.0, np.zeros(3), (0.0, 0.0), now=1.04)
    buffer.add(1.04, np.array([0.01, 0.0, 0.0]), (0.2, 0.0), now=1.04)
    assert buffer.at(1.04) is not None


def test_odometry_keeps_the_last_seconds_only() -> None:
    buffer = OdometryHistory()
    for stamp in range(100):
        buffer.add(stamp * 0.5, np.zeros(3), (0.0, 0.0))
    assert buffer.at(10.0) is None and buffer.at(48.0) is not None


def test_command_is_in_force_until_the_next() -> None:
    history = CommandHistory()
    assert history.at(1.0) == (0.0, 0.0)
    history.add(1.0, (0.2, 0.0))
    history.add(2.0, (0.4, 1.0))
    assert [history.at(t) for t in (0.9, 1.0, 1.9, 2.0, 9.0)] == [(0, 0), (0.2, 0), (0.2, 0), (0.4, 1), (0.4, 1)]


def test_commands_are_as_wide_as_the_robot_takes_them() -> None:
    history = CommandHistory(3)
    assert history.at(0.0) == (0.0, 0.0, 0.0)
    history.add(0.0, (0.2, 0.0, -0.3))
    history.add(1.0, (0.2, 0.0))
    np.testing.assert_allclose(history.means(0.5, 1.0, 1), [[0.2, 0.0, -0.15]])
    narrow = CommandHistory()
    narrow.add(0.0, (0.2, 0.1, 0.3))
    assert narrow.at(1.0) == (0.2, 0.1)


def test_odometry_goes_on_to_the_side_where_the_robot_does() -> None:
    buffer = OdometryHistory()
    buffer.add(1.0, np.array([1.0, 2.0, np.pi / 2]), (0.0, 0.0, 0.4))
    found = buffer.at(1.2)
    assert found is not None
    np.testing.assert_allclose(found[0], [0.92, 2.0, np.pi / 2], atol=1e-9)


def test_mean_command_weighs_each_by_its_time() -> None:
    history = CommandHistory()
    history.add(0.0, (1.0, 0.0))
    history.add(0.3, (0.0, 2.0))
    np.testing.assert_allclose(history.means(0.0, 0.2, 3), [[1.0, 0.0], [0.5, 1.0], [0.0, 2.0]])


def camera(**limits: float) -> Synchroniser:
    """Judges images alone."""
    return Synchroniser(InputSpec(scan_beams=0), FreshnessConfig(**limits), 1.0, 1e6)


@pytest.mark.parametrize("rate", [5.0, 10.0, 30.0, 60.0])
def test_frozen_camera_is_told_from_a_standing_robot_at_any_rate(rate: float) -> None:
    frames, stamps = camera(frozen_after=1.0), iter(np.arange(1000) / rate)

    def check(moving: bool, colour: int = 0) -> float:
        stamp = float(next(stamps))
        frames.take_velocity(stamp, (0.3 if moving else 0.0, 0.0))
        frames.take_image(stamp, np.full((4, 4, 3), colour, np.uint8), stamp)
        return stamp

    for _ in range(100):
        still_until = check(moving=False)
    with pytest.raises(AmiError, match="frozen"):
        while True:
            moved_until = check(moving=True)
    assert 0.8 <= moved_until + 1 / rate - still_until <= 1.2
    with pytest.raises(AmiError, match="frozen"):
        check(moving=False)
    check(moving=False, colour=1)


@pytest.mark.parametrize(("stamp", "words"), [(4.0, "old"), (11.0, "future"), (9.0, "not newer")])
def test_image_of_another_time_is_refused(stamp: float, words: str) -> None:
    frames, image = camera(max_age=5.0), np.zeros((4, 4, 3), np.uint8)
    frames.take_image(9.0, image, 9.5)
    with pytest.raises(AmiError, match=words):
        frames.take_image(stamp, image, 10.0)
    frames.clear()
    frames.take_image(9.0, image, 9.5)


@given(st.floats(-10.0, 10.0))
def test_yaw_survives_the_quaternion(yaw: float) -> None:
    x, y, z, w = quaternion_from_yaw(yaw)
    assert x == y == 0.0 and z**2 + w**2 == pytest.approx(1.0)
    assert abs(wrap(yaw_from_quaternion((x, y, z, w)) - yaw)) < 1e-9


@given(st.floats(-3.0, 3.0), st.floats(-1.5, 1.5))
def test_yaw_of_a_robot_on_a_slope_is_where_its_nose_points(yaw: float, pitch: float) -> None:
    s, c = np.sin(pitch / 2), np.cos(pitch / 2)
    tilted = (-s * np.sin(yaw / 2), s * np.cos(yaw / 2), c * np.sin(yaw / 2), c * np.cos(yaw / 2))
    assert abs(wrap(yaw_from_quaternion(tilted) - yaw)) < 1e-9
