"""Zones as those of Nav2's collision monitor: readings in them stop, slow down, limit, or are approached with care."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_ros.config import from_mapping
from ami_ros.errors import AmiError
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.footprint import Footprint
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.observations import Readings
from ami_ros.safety.output import SafetyOutput
from ami_ros.safety.zones import VelocityZone, Zone, Zones
from harness.scans import NOTHING, scan_of_points

CONFIG = SafetyConfig()
DISC = Footprint(CONFIG)
SQUARE = "[[0.5, 0.5], [0.5, -0.5], [-0.5, -0.5], [-0.5, 0.5]]"
COMMAND = (0.4, 0.5, 0.0)
FORWARD = {"points": SQUARE, "linear_min": 0.0, "linear_max": 1.0, "theta_min": -2.0, "theta_max": 2.0}
POINTS = st.lists(st.tuples(st.floats(-2.0, 2.0), st.floats(-2.0, 2.0)), max_size=12).map(
    lambda found: np.array(found, dtype=np.float64).reshape(-1, 2)
)
COMMANDS = st.tuples(st.floats(-0.5, 0.5), st.floats(-1.8, 1.8), st.floats(-0.4, 0.4))


def share(zones: dict[str, Zone], command: tuple[float, ...], points: Any) -> tuple[float, str]:
    """What is left of a command with one reading at each of `points`."""
    points = np.array(points, dtype=np.float64).reshape(-1, 2)
    return Zones(zones, DISC).share(command, Readings(points, np.full(len(points), "scan")))


def settled(gate: SafetyGate, points: list[tuple[float, float]], command: tuple[float, float]) -> SafetyOutput:
    """What the gate sends once a command has been asked for for a while, with something at `points`."""
    for k in range(30):
        gate.command(*command, 0.1 * k)
        gate.scan(scan_of_points(np.array(points)) if points else NOTHING, 0.1 * k)
        output = gate.output(0.1 * k)
    return output


def test_a_polygon_holds_what_lies_inside_its_corners_convex_or_not() -> None:
    hook = Zone(points=[0.0, 0.0, 2.0, 0.0, 2.0, 2.0, 1.0, 2.0, 1.0, 1.0, 0.0, 1.0])
    points = np.array([[0.5, 0.5], [1.5, 1.5], [0.5, 1.5], [-0.1, 0.5], [1.5, 2.1], [1.5, 0.5]])
    assert hook.holds(points, DISC).tolist() == [True, True, False, False, False, True]
    assert hook.holds(points.reshape(2, 3, 2), DISC).shape == (2, 3)


def test_corners_as_text_and_as_numbers_are_the_same() -> None:
    numbers = Zone(points=[0.5, 0.5, 0.5, -0.5, -0.5, -0.5, -0.5, 0.5])
    np.testing.assert_array_equal(Zone(points=SQUARE).outline(DISC), numbers.outline(DISC))
    circle = Zone("circle", radius=0.3).outline(DISC)
    assert np.hypot(*circle.T) == pytest.approx(0.3)
    assert Zone(action_type="approach").outline(DISC) is DISC.outline


@given(POINTS, st.integers(1, 6), st.sampled_from(["stop", "slowdown", "limit"]), COMMANDS)
@settings(max_examples=60, deadline=None)
def test_it_acts_from_min_points_readings_in_it_and_not_before(
    points: np.ndarray, least: int, action: Any, command: tuple[float, float, float]
) -> None:
    zone = Zone(action_type=action, points=SQUARE, min_points=least, linear_limit=0.1, angular_limit=0.2)
    left, reason = share({"front": zone}, command, points)
    if (np.abs(points) < 0.5 - 1e-9).all(1).sum() >= least:
        linear, angular, lateral = (left * value for value in command)
        bound = {"stop": 0.0, "slowdown": 0.5}.get(action, 1.0)
        assert left <= bound and (left == 1.0 or reason == f"zone: front, {action}")
        if action == "limit":
            assert math.hypot(linear, lateral) <= 0.1 + 1e-9 and abs(angular) <= 0.2 + 1e-9
    elif (np.abs(points) <= 0.5 + 1e-9).all(1).sum() < least:
        assert (left, reason) == (1.0, "")


@given(POINTS, st.integers(1, 4), COMMANDS)
@settings(max_examples=60, deadline=None)
def test_an_approach_leaves_the_share_of_time_until_it_comes_upon_readings(
    points: np.ndarray, least: int, command: tuple[float, float, float]
) -> None:
    zone = Zone("circle", "approach", radius=0.3, min_points=least, simulation_time_step=0.05)
    left, _ = share({"body": zone}, command, points)
    pose, met = np.zeros(3), math.inf
    for step in range(41):  # as Nav2 does it, pose by pose
        linear, angular, lateral = command
        middle = pose[2] + angular * 0.025
        move = np.array([[math.cos(middle), -math.sin(middle)], [math.sin(middle), math.cos(middle)]])
        pose[:2] += 0.05 * np.sinc(angular * 0.025 / math.pi) * move @ [linear, lateral]
        pose[2] += angular * 0.05
        if met == math.inf and (np.hypot(*(points - pose[:2]).T) <= 0.3).sum() >= least:
            met = step * 0.05
    assert left == pytest.approx(min(1.0, met / 2.0), abs=0.026)


def test_the_zone_that_leaves_least_counts_and_is_named() -> None:
    ring = Zone("circle", "slowdown", radius=1.0, min_points=1, slowdown_ratio=0.7)
    zones = {"far": ring, "near": Zone("circle", "limit", radius=0.5, min_points=1, linear_limit=0.1)}
    assert share(zones, COMMAND, [[0.4, 0.0]]) == (0.25, "zone: near, limit")
    assert share(zones, COMMAND, [[0.7, 0.0]]) == (0.7, "zone: far, slowdown")
    assert share(zones, COMMAND, [[1.2, 0.0]]) == (1.0, "")
    off = {"far": Zone("circle", "stop", radius=1.0, min_points=1, enabled=False)}
    assert share(off, COMMAND, [[0.4, 0.0]]) == (1.0, "") and not Zones(off, DISC)


def test_an_approach_without_points_is_that_of_the_robots_outline() -> None:
    body = {"body": Zone(action_type="approach", min_points=1)}
    assert share(body, (0.4, 0.0, 0.0), [[0.4, 0.0]])[0] == pytest.approx(0.25, abs=0.03)
    assert share(body, (-0.4, 0.0, 0.0), [[0.4, 0.0]])[0] == 1.0


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


def test_the_gate_obeys_its_zones_within_the_limits_of_speed_and_says_which_acted() -> None:
    gate = SafetyGate(CONFIG, {"slow": Zone("circle", "slowdown", radius=1.2, min_points=2, slowdown_ratio=0.5)})
    beside = [(0.0, 1.0), (0.02, 1.0)]
    assert settled(gate, beside[:1], (9.0, 0.0)).linear == CONFIG.max_linear
    slow = settled(SafetyGate(CONFIG, {"slow": gate._zones._zones["slow"]}), beside, (9.0, 0.0))
    assert slow.linear == pytest.approx(CONFIG.max_linear / 2) and slow.guarantee == 9
    assert slow.zone == ("slow", "slowdown") and SafetyOutput(0.0, 0.0, "").zone == ("", "")
    stop = SafetyGate(CONFIG, {"stop": Zone(points=SQUARE, min_points=1)})
    assert settled(stop, [(-0.4, 0.0)], (0.3, 1.0)) == SafetyOutput(0.0, 0.0, "zone: stop, stop")


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"type": "hexagon"}, "'hexagon' is not one of polygon, circle, velocity_polygon"),
        ({"type": "velocity_polygon"}, "velocity_polygons must name"),
        ({"points": SQUARE, "velocity_polygons": {"a": FORWARD}}, "and none of other types"),
        ({"type": "velocity_polygon", "velocity_polygons": {"a": {"points": SQUARE}}}, "at which velocities"),
        ({"type": "velocity_polygon", "velocity_polygons": {"a": FORWARD | {"linear_min": 2.0}}}, "at most linear_max"),
        ({"type": "velocity_polygon", "velocity_polygons": {"a": FORWARD | {"theta_min": 9.0}}}, "at most linear_max"),
        (
            {"type": "velocity_polygon", "velocity_polygons": {"a": FORWARD | {"points": "[[0, 0]]"}}},
            "three or",
        ),
        ({"points": SQUARE, "footprint_topic": "f"}, "for approach without points"),
        ({"type": "circle"}, "radius"),
        ({"type": "circle", "radius": math.inf}, "radius"),
        ({}, "points must be"),
        ({"points": "[[0, 0], [1, 1]]"}, "three or more corners"),
        ({"points": [0.0, 1.0, 2.0]}, "points must be"),
        ({"points": "[[0, 0], [1, x], [0, 1]]"}, "points must be"),
        ({"points": "[[0, 0"}, "points must be"),
        ({"points": [0.0, 0.0, 1.0, math.nan, 0.0, 1.0]}, "points must be finite"),
        ({"action_type": "hover"}, "is not one of stop"),
        ({"min_points": 0}, "min_points"),
        ({"slowdown_ratio": 1.5}, "slowdown_ratio"),
        ({"linear_limit": -0.1}, "linear_limit"),
        ({"angular_limit": math.inf}, "angular_limit"),
        ({"simulation_time_step": 0.0}, "simulation_time_step"),
        ({"time_before_collision": 1e6}, "1000 times"),
        ({"colour": "red"}, "unknown key 'colour'"),
    ],
)
def test_zones_that_make_no_sense_are_refused(values: dict[str, Any], words: str) -> None:
    good = {} if "type" in values or "points" in values or not values else {"points": SQUARE}
    with pytest.raises(AmiError, match=words):
        from_mapping(Zone, good | values)


def test_a_zone_counts_the_readings_of_its_sources_alone() -> None:
    zones = {name: Zone(points=SQUARE, min_points=1, sources_names=(name,)) for name in ("scan", "depth")}
    gate = SafetyGate(CONFIG, {"low": zones["depth"]}, {"depth": 1.0})
    for source, sent in (("scan", 0.2), ("depth", 0.0)):
        gate.odometry(np.zeros(3), (0.0, 0.0, 0.0), 0.0)
        at = np.array([[-0.45, 0.0]])  # behind it: not in its way
        gate.scan(scan_of_points(at if source == "scan" else np.array([[-3.0, 0.0]])), 0.0)
        gate.observe("depth", at if source == "depth" else np.array([[-3.0, 0.0]]), 0.0)
        gate.command(0.2, 0.0, 0.0)
        output = gate.output(0.05)
        assert (output.linear > 0.0) == (sent > 0.0), source
    assert output.reason == "zone: low, stop"


def test_a_zone_of_a_source_that_there_is_not_is_refused() -> None:
    with pytest.raises(AmiError, match=r"low.sources_names: there is no source depht; there are depth, scan"):
        SafetyGate(CONFIG, {"low": Zone(points=SQUARE, sources_names=("depht",))}, {"depth": 1.0})
