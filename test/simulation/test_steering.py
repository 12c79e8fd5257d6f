"""The geometry of a car's front wheels, and how fast they are turned."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ami_ros.core.robots.description import load_robot
from ami_ros.simulation.robot import CONTROL_PERIOD, Steering, curvature_of, wheel_angles

CAR = load_robot("ami_bot_ackermann")
DRIVE, RADIUS = CAR.drive, CAR.drive.turning_radius
curvatures = st.floats(-1 / RADIUS, 1 / RADIUS)


def steered(command: tuple[float, float], periods: int) -> float:
    """The curvature [1/m] after so many control periods."""
    steering, curvature = Steering(CAR), 0.0
    for _ in range(periods):
        curvature = steering.follow(command)
    return curvature


@given(curvatures)
def test_the_axes_of_all_wheels_meet_in_one_point_of_the_rear_axle(curvature: float) -> None:
    """In the wheel's direction, the way from its place to the centre of the curve, (0, 1 / curvature), is nothing."""
    for angle, side in zip(wheel_angles(DRIVE, curvature), (DRIVE.track / 2, -DRIVE.track / 2), strict=True):
        ahead, aside = -DRIVE.wheelbase * curvature, 1.0 - side * curvature  # times the curvature: straight on has none
        assert ahead * math.cos(angle) + aside * math.sin(angle) == pytest.approx(0.0, abs=1e-9)


@given(curvatures)
def test_angles_tell_the_curve_that_they_were_made_for(curvature: float) -> None:
    assert curvature_of(DRIVE, *wheel_angles(DRIVE, curvature)) == pytest.approx(curvature, abs=1e-9)


def test_it_steers_into_the_curve_of_a_command_as_far_as_it_turns() -> None:
    least, most = -1 / RADIUS, 1 / RADIUS
    curves = {(0.3, 0.6): 2.0, (-0.3, 0.6): -2.0, (0.3, -9.0): least, (1e-320, 1.0): most, (0.4, 0.0): 0.0}
    assert {command: steered(command, 50) for command in curves} == pytest.approx(curves)


def test_wheels_take_their_time_to_turn() -> None:
    angle = math.atan(DRIVE.wheelbase / RADIUS)
    periods = math.ceil(angle / (CAR.simulated.steering_rate * CONTROL_PERIOD))
    assert steered((0.3, 9.0), periods - 1) < 1 / RADIUS - 0.01
    assert steered((0.3, 9.0), periods) == pytest.approx(1 / RADIUS)


def test_without_a_speed_wheels_stay_as_they_are() -> None:
    steering = Steering(CAR)
    for _ in range(50):
        steering.follow((0.3, 0.6))
    assert [steering.follow((0.0, turn)) for turn in (0.0, 1.0, -1.0)] == pytest.approx([2.0] * 3)
