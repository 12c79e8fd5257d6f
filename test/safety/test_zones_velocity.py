"""Zones that change with the velocity of the robot."""

from __future__ import annotations

import math

import pytest

from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.zones import VelocityZone, Zone
from harness.zones import CONFIG, DISC, SQUARE, settled, share


def far(reach: float, **limits: float) -> VelocityZone:
    """A strip ahead, `reach` [m] long."""
    corners = [0.0, 0.2, reach, 0.2, reach, -0.2, 0.0, -0.2]
    return VelocityZone(corners, **{"theta_min": -3.0, "theta_max": 3.0} | limits)


def test_a_velocity_polygon_is_the_first_that_names_the_velocity_and_else_the_last() -> None:
    strips = {
        "fast": far(2.0, linear_min=0.3, linear_max=1.0),
        "slow": far(1.0, linear_min=0.0, linear_max=0.3),
        "stopped": far(0.5, linear_min=-1.0, linear_max=1.0, theta_min=-1.0, theta_max=1.0),
    }
    zones = {"ahead": Zone("velocity_polygon", "stop", min_points=1, velocity_polygons=strips)}
    for command, reach in (
        ((0.5, 0.0, 0.0), 2.0),
        ((0.3, 2.5, 0.0), 2.0),
        ((0.2, 0.0, 0.0), 1.0),
        ((-0.2, 0.0, 0.0), 0.5),
        ((0.0, -3.5, 0.0), 0.5),  # that none names
    ):
        assert share(zones, command, [[reach - 0.1, 0.0]]) == (0.0, "zone: ahead, stop"), command
        assert share(zones, command, [[reach + 0.1, 0.0]]) == (1.0, ""), command
        assert zones["ahead"].at(command).outline(DISC)[:, 0].max() == reach
    assert zones["ahead"].at((0.0, 0.0, 0.0)).min_points == 1


@pytest.mark.parametrize(
    ("start", "end", "inside", "outside"),
    [(-0.5, 0.5, [(0.4, 0.1), (0.4, -0.1)], [(-0.4, 0.0), (0.0, 0.4)]), (2.6, -2.6, [(-0.4, 0.1)], [(0.4, 0.0)])],
)
def test_a_holonomic_velocity_polygon_goes_by_speed_and_direction(
    start: float, end: float, inside: list[tuple[float, float]], outside: list[tuple[float, float]]
) -> None:
    at = far(2.0, linear_min=0.3, linear_max=0.5, direction_start_angle=start, direction_end_angle=end)
    assert all(at.counts((x, 0.0, y), True) for x, y in inside)
    assert not any(at.counts((x, 0.0, y), True) for x, y in outside)
    assert not at.counts((0.1, 0.0, 0.0), True) and not at.counts((0.6, 0.0, 0.0), True)
    assert not at.counts((inside[0][0], 4.0, inside[0][1]), True)


def test_a_velocity_polygon_slows_a_fast_robot_and_leaves_a_slow_one() -> None:
    strips = {
        "fast": far(2.0, linear_min=0.21, linear_max=1.0),
        "slow": far(0.4, linear_min=-1.0, linear_max=0.21),
    }
    zone = Zone("velocity_polygon", "slowdown", min_points=2, slowdown_ratio=0.4, velocity_polygons=strips)
    ahead = [(1.5, 0.0), (1.5, 0.03)]
    assert settled(SafetyGate(CONFIG, {"ahead": zone}), ahead, (0.5, 0.0)).linear == pytest.approx(0.2)
    assert settled(SafetyGate(CONFIG, {"ahead": zone}), ahead, (0.2, 0.0)).linear == pytest.approx(0.2)


def test_the_ends_of_a_range_of_velocities_belong_to_it() -> None:
    at = far(1.0, linear_min=0.1, linear_max=0.4, theta_min=-0.5, theta_max=0.5)
    for linear, angular, counts in (
        (0.1, -0.5, True),
        (0.4, 0.5, True),
        (0.09, 0.0, False),
        (0.41, 0.0, False),
        (0.2, -0.51, False),
        (0.2, 0.51, False),
    ):
        assert at.counts((linear, angular, 0.0), False) == counts, (linear, angular)
        assert at.counts((linear, angular, 0.0), True) == counts, (linear, angular)
    assert at.counts((0.2, 0.0, 9.0), False), "how fast it drives aside counts for holonomic ones alone"


@pytest.mark.parametrize(
    ("start", "end", "inside", "outside"),
    [(-1.0, 0.5, (-0.9, 0.0, 0.4), (-1.1, -3.0, 0.6, 3.0)), (2.0, -2.0, (2.1, 3.0, -3.0, -2.1), (1.9, 0.0, -1.9))],
)
def test_directions_count_from_the_start_to_the_end_also_by_way_of_straight_back(
    start: float, end: float, inside: tuple[float, ...], outside: tuple[float, ...]
) -> None:
    at = far(1.0, linear_min=0.1, linear_max=0.4, direction_start_angle=start, direction_end_angle=end)
    for direction in (*inside, *outside):
        command = 0.3 * math.cos(direction), 0.0, 0.3 * math.sin(direction)
        assert at.counts(command, True) == (direction in inside), direction
    ends = math.atan2(0.2, 0.1), math.atan2(-0.2, 0.1)
    for first, last in (ends, ends[::-1]):
        exact = VelocityZone(SQUARE, 0.1, 0.4, -1.0, 1.0, first, last)
        assert exact.counts((0.1, 0.0, 0.2), True) and exact.counts((0.1, 0.0, -0.2), True), "the ends belong to it"
    one = VelocityZone(SQUARE, 0.1, 0.4, -1.0, 1.0, 0.0, 0.0)
    assert one.counts((0.2, 0.0, 0.0), True) and not one.counts((0.2, 0.0, 0.01), True)
