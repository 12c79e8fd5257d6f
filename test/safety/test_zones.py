"""Zones as those of Nav2's collision monitor: readings in them stop, slow down, limit, or are approached with care."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.output import SafetyOutput
from ami_ros.safety.zones import Zone, Zones
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
