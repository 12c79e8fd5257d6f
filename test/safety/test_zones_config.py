"""Which zones a file or a program may ask for, and what is meant where nothing is said."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from ami_ros.core.config import from_mapping, parse_yaml
from ami_ros.core.errors import AmiError
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.zones import VelocityZone, Zone
from harness.zones import CONFIG, DISC, SQUARE, share

FORWARD = {"points": SQUARE, "linear_min": 0.0, "linear_max": 1.0, "theta_min": -2.0, "theta_max": 2.0}


def test_corners_as_text_and_as_numbers_are_the_same() -> None:
    numbers = Zone(points=[0.5, 0.5, 0.5, -0.5, -0.5, -0.5, -0.5, 0.5])
    np.testing.assert_array_equal(Zone(points=SQUARE).outline(DISC), numbers.outline(DISC))
    circle = Zone("circle", radius=0.3).outline(DISC)
    assert np.hypot(*circle.T) == pytest.approx(0.3)
    assert Zone(action_type="approach").outline(DISC) is DISC.outline


def far(reach: float, **limits: float) -> VelocityZone:
    """A strip ahead, `reach` [m] long."""
    corners = [0.0, 0.2, reach, 0.2, reach, -0.2, 0.0, -0.2]
    return VelocityZone(corners, **{"theta_min": -3.0, "theta_max": 3.0} | limits)


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
