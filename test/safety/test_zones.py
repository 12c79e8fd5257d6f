"""Zones as those of Nav2's collision monitor: readings in them stop, slow down, limit, or are approached with care."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_ros.core.config import from_mapping, parse_yaml
from ami_ros.core.errors import AmiError
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.output import SafetyOutput
from ami_ros.safety.zones import VelocityZone, Zone, Zones
from harness.scans import scan_of_points
from harness.zones import CONFIG, DISC, SQUARE, settled, share

COMMAND = (0.4, 0.5, 0.0)
POINTS = st.lists(st.tuples(st.floats(-2.0, 2.0), st.floats(-2.0, 2.0)), max_size=12).map(
    lambda found: np.array(found, dtype=np.float64).reshape(-1, 2)
)
COMMANDS = st.tuples(st.floats(-0.5, 0.5), st.floats(-1.8, 1.8), st.floats(-0.4, 0.4))


def test_a_polygon_holds_what_lies_inside_its_corners_convex_or_not() -> None:
    hook = Zone(points=[0.0, 0.0, 2.0, 0.0, 2.0, 2.0, 1.0, 2.0, 1.0, 1.0, 0.0, 1.0])
    points = np.array([[0.5, 0.5], [1.5, 1.5], [0.5, 1.5], [-0.1, 0.5], [1.5, 2.1], [1.5, 0.5]])
    assert hook.holds(points, DISC).tolist() == [True, True, False, False, False, True]
    assert hook.holds(points.reshape(2, 3, 2), DISC).shape == (2, 3)


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


def test_the_zone_that_leaves_least_counts_and_is_named() -> None:
    ring = Zone("circle", "slowdown", radius=1.0, min_points=1, slowdown_ratio=0.7)
    zones = {"far": ring, "near": Zone("circle", "limit", radius=0.5, min_points=1, linear_limit=0.1)}
    assert share(zones, COMMAND, [[0.4, 0.0]]) == (0.25, "zone: near, limit")
    assert share(zones, COMMAND, [[0.7, 0.0]]) == (0.7, "zone: far, slowdown")
    assert share(zones, COMMAND, [[1.2, 0.0]]) == (1.0, "")
    off = {"far": Zone("circle", "stop", radius=1.0, min_points=1, enabled=False)}
    assert share(off, COMMAND, [[0.4, 0.0]]) == (1.0, "") and not Zones(off, DISC)


def test_the_gate_obeys_its_zones_within_the_limits_of_speed_and_says_which_acted() -> None:
    gate = SafetyGate(CONFIG, {"slow": Zone("circle", "slowdown", radius=1.2, min_points=2, slowdown_ratio=0.5)})
    beside = [(0.0, 1.0), (0.02, 1.0)]
    assert settled(gate, beside[:1], (9.0, 0.0)).linear == CONFIG.max_linear
    slow = settled(SafetyGate(CONFIG, {"slow": gate._zones._zones["slow"]}), beside, (9.0, 0.0))
    assert slow.linear == pytest.approx(CONFIG.max_linear / 2) and slow.guarantee == 9
    assert slow.zone == ("slow", "slowdown") and SafetyOutput(0.0, 0.0, "").zone == ("", "")
    stop = SafetyGate(CONFIG, {"stop": Zone(points=SQUARE, min_points=1)})
    assert settled(stop, [(-0.4, 0.0)], (0.3, 1.0)) == SafetyOutput(0.0, 0.0, "zone: stop, stop")


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


def test_a_circle_is_drawn_all_around_evenly() -> None:
    around = Zone("circle", radius=2.0).outline(DISC)
    steps = np.hypot(*(np.roll(around, -1, axis=0) - around).T)
    assert around[0] == pytest.approx([2.0, 0.0]) and steps == pytest.approx(4.0 * math.sin(math.pi / 32))


def test_how_far_readings_may_be_that_change_a_command() -> None:
    """No reading within it is left out, and it is no farther than the zone, and for an approach the way, reach."""
    square = Zone(points=SQUARE)
    for zone, command, reach in (
        (square, (0.4, 0.0, 0.3), math.sqrt(0.5)),
        (Zone("circle", radius=0.3), (0.4, 0.0, 0.3), 0.3),
        (Zone("circle", "approach", radius=0.3), (0.4, 9.0, 0.3), 0.3 + 0.5 * 2.1),
        (Zone(action_type="approach", time_before_collision=3.0), (0.4, 0.0, 0.0), 0.18 + 0.4 * 3.1),
        (Zone(points=SQUARE, action_type="limit"), (0.4, 0.0, 0.0), math.sqrt(0.5)),
    ):
        assert reach < zone.reach(command, DISC) < reach + 2e-6, zone
    both = Zones({"a": square, "b": Zone("circle", radius=0.3)}, DISC)
    assert both.reach(COMMAND) == square.reach(COMMAND, DISC) and Zones({}, DISC).reach(COMMAND) == 0.0


def test_a_polygon_ends_at_its_slanted_sides() -> None:
    kite = Zone(points="[[2.0, 0.0], [0.5, 1.0], [-1.0, 0.5], [-0.5, -1.0], [1.0, -1.0]]")
    grid = np.stack(np.meshgrid(np.linspace(-1.3, 2.3, 37), np.linspace(-1.3, 1.3, 27)), -1) + [0.0031, 0.0017]
    corners = kite.outline(DISC)
    edges = np.roll(corners, -1, axis=0) - corners
    away = grid[..., None, :] - corners
    inside = (edges[:, 0] * away[..., 1] - edges[:, 1] * away[..., 0] > 0).all(-1)  # convex, counter-clockwise
    with np.errstate(all="raise"):
        np.testing.assert_array_equal(kite.holds(grid, DISC), inside)


def test_a_reading_on_the_side_of_two_zones_counts_in_one() -> None:
    left, right = Zone(points=[0.0, 0.0, 1.0, 0.0, 1.0, 1.0, 0.0, 1.0]), Zone(points=[1, 0, 2, 0, 2, 1, 1, 1])
    points = np.array([[1.0, 0.5], [1.0, 0.25]])
    assert (left.holds(points, DISC) ^ right.holds(points, DISC)).all()
    assert left.holds(np.array([[0.0, 0.5]]), DISC).all() and not right.holds(np.array([[2.0, 0.5]]), DISC).any()


def test_a_limit_leaves_what_is_no_faster_as_it_is() -> None:
    zone = {"z": Zone("circle", "limit", radius=1.0, min_points=1, linear_limit=0.4, angular_limit=0.5)}
    for command, left in (((0.4, -0.5, 0.0), 1.0), ((0.0, -1.0, 0.0), 0.5), ((0.48, 0.0, -0.64), 0.5)):
        assert share(zone, command, [[0.5, 0.5]])[0] == pytest.approx(left)


def test_a_reading_on_the_rim_of_a_circle_is_in_it() -> None:
    assert Zone("circle", radius=0.5).holds(np.array([[0.5, 0.0], [0.0, -0.5], [0.51, 0.0]]), DISC).tolist() == [
        1,
        1,
        0,
    ]
    outline = Zone(action_type="approach")
    assert outline.holds(np.array([[DISC.radius, 0.0], [DISC.radius + 1e-3, 0.0]]), DISC).tolist() == [1, 0]


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


def test_an_approach_without_points_is_that_of_the_robots_outline() -> None:
    body = {"body": Zone(action_type="approach", min_points=1)}
    assert share(body, (0.4, 0.0, 0.0), [[0.4, 0.0]])[0] == pytest.approx(0.25, abs=0.03)
    assert share(body, (-0.4, 0.0, 0.0), [[0.4, 0.0]])[0] == 1.0


@pytest.mark.parametrize(
    "command",
    [(0.4, 0.0, 0.0), (-0.4, 0.0, 0.0), (0.0, 0.0, 0.3), (0.2, 0.0, -0.4), (0.4, 0.9, 0.0), (0.3, -1.1, 0.25)]
    + [(0.0, 0.7, 0.4), (-0.3, 0.8, -0.3), (0.4, 1e-7, 0.2)],
)
@pytest.mark.parametrize("step", [4, 10, 19])
def test_on_straight_and_bent_ways_an_approach_acts_one_step_before_it_is_there(
    command: tuple[float, float, float], step: int
) -> None:
    linear, angular, lateral = command
    turns = angular * (np.arange(1000 * step) + 0.5) * 1e-4  # the way up to the reading, in pieces of 0.1 ms
    x = float((linear * np.cos(turns) - lateral * np.sin(turns)).sum() * 1e-4)
    y = float((linear * np.sin(turns) + lateral * np.cos(turns)).sum() * 1e-4)
    zone = Zone("circle", "approach", radius=0.01, min_points=1)
    assert share({"body": zone}, command, [[x, y]])[0] == pytest.approx((step - 1) / 20)


@pytest.mark.parametrize(("longest", "step", "last"), [(2.0, 0.1, 20), (0.3, 0.1, 3), (0.7, 0.1, 7), (1.0, 0.4, 3)])
def test_an_approach_looks_ahead_for_all_of_its_time(longest: float, step: float, last: int) -> None:
    zone = Zone("circle", "approach", 1, "", 0.001, 1, time_before_collision=longest, simulation_time_step=step)
    assert share({"body": zone}, (0.5, 0.0, 0.0), [[0.5 * step * last, 0.0]])[0] == pytest.approx(
        step * (last - 1) / longest
    )


@pytest.mark.parametrize(("steps", "readings", "left"), [(5, 80_000, 1.0), (7, 57_143, 0.0)])
def test_an_approach_has_time_for_400_000_looks_at_readings_and_no_more(steps: int, readings: int, left: float) -> None:
    assert steps * readings == 400_000 + (left == 0.0)
    zone = Zone("circle", "approach", radius=0.1, min_points=1, time_before_collision=0.1 * (steps - 1))
    behind = np.tile([[-0.2, 0.0]], (readings, 1))
    assert share({"body": zone}, (0.3, 0.0, 0.0), behind)[0] == left


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


FORWARD = {"points": SQUARE, "linear_min": 0.0, "linear_max": 1.0, "theta_min": -2.0, "theta_max": 2.0}


def test_corners_as_text_and_as_numbers_are_the_same() -> None:
    numbers = Zone(points=[0.5, 0.5, 0.5, -0.5, -0.5, -0.5, -0.5, 0.5])
    np.testing.assert_array_equal(Zone(points=SQUARE).outline(DISC), numbers.outline(DISC))
    circle = Zone("circle", radius=0.3).outline(DISC)
    assert np.hypot(*circle.T) == pytest.approx(0.3)
    assert Zone(action_type="approach").outline(DISC) is DISC.outline


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
            {"type": "velocity_polygon", "velocity_polygons": {"a": FORWARD | {"points": "[[0, 0], [1, 0]]"}}},
            "three or",
        ),
        ({"points": SQUARE, "footprint_topic": "f"}, "for approach without points"),
        (
            {
                "type": "velocity_polygon",
                "velocity_polygons": {
                    "a": {"points": SQUARE, "linear_min": 1.0, "linear_max": 1.0, "theta_min": 1.0, "theta_max": 0.0}
                },
            },
            "at most linear_max",
        ),
        ({"type": "velocity_polygon", "velocity_polygons": {"a": {"points": SQUARE, "linear_min": 1.0}}}, "at most"),
        ({"points": SQUARE, "footprint_topic": "f", "action_type": "approach"}, "for approach without points"),
        ({"points": [0.0, 1.0], "footprint_topic": "f", "action_type": "approach"}, "for approach without points"),
        ({"footprint_topic": "f", "action_type": "limit", "type": "circle", "radius": 1.0}, "for approach without"),
        ({"footprint_topic": "f", "action_type": "a", "type": "circle", "radius": 1.0}, "is not one of stop"),
        ({"type": "circle", "radius": -0.5}, "radius"),
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
        ({"slowdown_ratio": -0.5}, "slowdown_ratio"),
        ({"linear_limit": -0.1}, "linear_limit"),
        ({"angular_limit": math.inf}, "angular_limit"),
        ({"simulation_time_step": 0.0}, "greater than 0"),
        ({"simulation_time_step": -0.1}, "greater than 0"),
        ({"simulation_time_step": 2.5}, "at most time_before_collision"),
        ({"time_before_collision": math.inf}, "at most time_before_collision"),
        ({"simulation_time_step": 0.0019}, "1000 times"),
        ({"time_before_collision": 1e6}, "1000 times"),
        ({"colour": "red"}, "unknown key 'colour'"),
    ],
)
def test_zones_that_make_no_sense_are_refused(values: dict[str, Any], words: str) -> None:
    good = {} if "type" in values or "points" in values or not values else {"points": SQUARE}
    with pytest.raises(AmiError, match=words):
        from_mapping(Zone, good | values)


def test_a_zone_of_a_source_that_there_is_not_is_refused() -> None:
    with pytest.raises(AmiError, match=r"low.sources_names: there is no source depht; there are depth, scan"):
        SafetyGate(CONFIG, {"low": Zone(points=SQUARE, sources_names=("zcan", "depht"))}, {"depth": 1.0})


@pytest.mark.parametrize(
    "limits",
    [
        {"linear_max": 1.0},
        {"linear_min": -1.0},
        {"theta_max": 1.0},
        {"theta_min": -1.0},
        {"linear_min": 1.0, "linear_max": 1.0},
        {"linear_min": -1.0, "linear_max": -1.0},
        {"linear_min": -1.0, "linear_max": -1.0, "theta_min": -1.0},
        dict.fromkeys(("linear_min", "linear_max", "theta_min", "theta_max"), 1.0),
        dict.fromkeys(("linear_min", "linear_max", "theta_min", "theta_max"), -1.0),
    ],
)
def test_a_velocity_polygon_may_name_any_range_of_velocities_and_has_three_corners_at_least(
    limits: dict[str, float],
) -> None:
    assert VelocityZone([0.0, 0.0, 1.0, 0.0, 0.0, 1.0], **limits).linear_max == limits.get("linear_max", 0.0)


def test_zones_of_a_file_are_as_those_of_a_program() -> None:
    """Texts and numbers that were read are other objects than those of the code."""

    def read(text: str) -> Zone:
        return from_mapping(Zone, parse_yaml(text))

    ahead = [[0.3, 0.0]]
    for text, left in (
        ("{type: circle, radius: 0.4, min_points: 1}", 0.0),
        ("{type: circle, radius: 0.2, min_points: 1}", 1.0),
        ("{type: circle, radius: 0.4, min_points: 1, action_type: stop}", 0.0),
        ("{type: circle, radius: 0.4, min_points: 1, action_type: slowdown, slowdown_ratio: 0.3}", 0.3),
        ("{type: circle, radius: 0.4, min_points: 1, action_type: slowdown, slowdown_ratio: 0.0}", 0.0),
        ("{type: circle, radius: 0.4, min_points: 1, action_type: limit, linear_limit: 0.1}", 0.25),
        ("{type: circle, radius: 0.4, min_points: 1, action_type: limit, linear_limit: 0, angular_limit: 0}", 0.0),
        ("{action_type: approach, footprint_topic: f, min_points: 1}", 0.1),
        ("{action_type: approach, footprint_topic: f, points: '', min_points: 1, type: polygon}", 0.1),
        ("{type: polygon, points: '[[0, 1], [1, 0], [0, -1]]', min_points: 1}", 0.0),
        ("{type: circle, radius: 0.2, min_points: 1, time_before_collision: 2.0, simulation_time_step: 2.0}", 1.0),
        ("{type: circle, radius: 0.2, min_points: 1, time_before_collision: 2.0, simulation_time_step: 0.002}", 1.0),
    ):
        assert share({"z": read(text)}, (0.4, 0.0, 0.0), ahead)[0] == pytest.approx(left), text
    circle = read("{type: circle, radius: 0.4}")
    strip = "{a: {points: [0, 1, 1, 0, 0, -1], linear_max: 1.0}}"
    assert (
        share(
            {"z": read(f"{{type: velocity_polygon, min_points: 1, velocity_polygons: {strip}}}")}, (0.4, 0, 0), ahead
        )[0]
        == 0.0
    )
    with pytest.raises(AmiError, match="three or more corners"):
        read("{type: polygon, points: '[[0, 0], [1, 1]]'}")
    assert circle.outline(DISC).shape == (32, 2) and len(DISC.outline) != 32
    assert circle.reach((0.4, 0.0, 0.0), DISC) == pytest.approx(0.4, abs=1e-5)
    with pytest.raises(AmiError, match="radius"):
        read("{type: circle, radius: .inf}")
    with pytest.raises(AmiError, match="linear_limit"):
        read("{type: circle, radius: 1.0, linear_limit: .inf}")
    with pytest.raises(AmiError, match="at most time_before_collision"):
        read("{type: circle, radius: 1.0, time_before_collision: .inf}")
    with pytest.raises(AmiError, match="at which velocities"):
        from_mapping(
            VelocityZone,
            parse_yaml(f"{{points: '{SQUARE}', linear_min: 0.0, linear_max: 0.0, theta_min: 0.0, theta_max: 0.0}}"),
        )


def test_what_is_not_said_is_as_in_nav2() -> None:
    zone, strip = Zone(points=SQUARE), far(1.0, linear_max=1.0)
    assert (zone.action_type, zone.min_points, zone.enabled, zone.visualize) == ("stop", 4, True, False)
    assert (zone.slowdown_ratio, zone.linear_limit, zone.angular_limit) == (0.5, 0.5, 0.5)
    assert (zone.time_before_collision, zone.simulation_time_step, zone.holonomic) == (2.0, 0.1, False)
    assert all(strip.counts((x, 0.0, y), True) for x in (-0.3, 0.3) for y in (-0.3, 0.3)), "any direction"
    assert Zone(points=SQUARE, action_type="slowdown", slowdown_ratio=1.0).slowdown_ratio == 1.0
    for fixed in (zone, strip):
        with pytest.raises(FrozenInstanceError):
            fixed.points = ""  # type: ignore[misc]
