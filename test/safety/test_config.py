"""What the gate is told about the robot, and what of it makes no sense."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError
from typing import Any

import numpy as np
import pytest

from ami_ros.core.config import from_mapping
from ami_ros.core.errors import AmiError
from ami_ros.safety.config import Footprint, SafetyConfig, polygon


def test_what_is_not_said_is_as_documented_and_does_not_change() -> None:
    config = SafetyConfig()
    assert (config.max_linear, config.max_angular, config.max_lateral) == (0.5, 1.8, 0.0)
    assert (config.max_linear_acceleration, config.max_angular_acceleration) == (1.0, 5.0)
    assert (config.command_timeout, config.scan_timeout, config.silence_timeout, config.clock_timeout) == (
        0.3,
        0.6,
        1.0,
        0.4,
    )
    assert (config.require_scan, config.measured, config.robot_radius, config.footprint) == (True, True, 0.18, ())
    assert (config.margin, config.reaction, config.deceleration, config.turn_lag) == (0.03, 0.25, 0.8, 0.4)
    assert (config.obstacle_speed, config.track_margin, config.memory) == (0.0, 0.2, 3.0)
    with pytest.raises(FrozenInstanceError):
        config.margin = 0.0  # type: ignore[misc]


POSITIVE = ["max_linear", "max_linear_acceleration", "max_angular_acceleration", "command_timeout", "scan_timeout"]
POSITIVE += ["silence_timeout", "clock_timeout", "robot_radius", "reaction", "deceleration"]
NOT_NEGATIVE = ["max_angular", "max_lateral", "margin", "obstacle_speed", "track_margin", "memory", "turn_lag"]


def made(name: str, value: float) -> SafetyConfig:
    """A configuration that says one number."""
    return SafetyConfig(**{name: value})  # type: ignore[arg-type]


@pytest.mark.parametrize("name", POSITIVE)
@pytest.mark.parametrize("value", [0.0, -0.1, -1.0, math.inf, math.nan, float("inf")])
def test_some_numbers_are_greater_than_0(name: str, value: float) -> None:
    with pytest.raises(ValueError, match=f"{name} must be greater than 0, and finite"):
        made(name, value)


@pytest.mark.parametrize("name", NOT_NEGATIVE)
def test_others_may_be_0_and_not_less(name: str) -> None:
    for value in (-0.1, float("inf"), math.nan):
        with pytest.raises(ValueError, match=f"{name} must be 0 or greater, and finite"):
            made(name, value)
    if name != "turn_lag":
        assert getattr(made(name, 0.0), name) == 0.0
    assert SafetyConfig(require_scan=False, measured=False).require_scan is False


@pytest.mark.parametrize(
    ("good", "bad", "words"),
    [
        ({"turn_lag": 0.25}, {"turn_lag": 0.24}, "turn_lag 0.24 s is less than reaction 0.25 s"),
        ({"scan_timeout": 0.26}, {"scan_timeout": 0.25}, "scan_timeout 0.25 s must be longer than reaction"),
        ({"scan_timeout": 0.3}, {"scan_timeout": 0.2}, "scan_timeout 0.2 s must be longer than reaction"),
        ({"memory": 60.0}, {"memory": 60.1}, "memory 60.1 s is more than 60 s"),
        ({"robot_radius": 20.0}, {"robot_radius": 20.1}, "20 m at most"),
        (
            {"footprint": (20.0, 20.0, -20.0, 20.0, -20.0, -20.0, 20.0, -20.0)},
            {"footprint": (1.0, 1.0, -1.0, 1.0, -1.0, -20.1, 1.0, -1.0)},
            "20 m at most",
        ),
        # 8 m/s take 0.25 s, and 10 s in which it comes 40 m; 1.8 rad/s for 10.25 s.
        ({"max_linear": 8.7}, {"max_linear": 8.8}, "it looks 50 m and 100 rad ahead at most"),
        ({"max_linear": 5.2, "max_lateral": 6.9}, {"max_linear": 5.3, "max_lateral": 7.1}, "to stop"),
        ({"max_angular": 114.0}, {"max_angular": 114.5}, "a turn of 100 rad to stop"),
        ({"turn_lag": 55.5}, {"turn_lag": 55.6}, "a turn of 100 rad"),
        ({"reaction": 3.0, "turn_lag": 3.0, "scan_timeout": 4.0, "max_linear": 6.8},
         {"reaction": 3.0, "turn_lag": 3.0, "scan_timeout": 4.0, "max_linear": 6.9}, "50.* m"),
    ],
)  # fmt: skip
def test_how_far_it_has_to_look_and_how_large_it_is_has_limits(
    good: dict[str, Any], bad: dict[str, Any], words: str
) -> None:
    SafetyConfig(**good)
    with pytest.raises(ValueError, match=words):
        SafetyConfig(**bad)


def test_a_footprint_is_a_convex_polygon_around_base_link_counter_clockwise() -> None:
    kite = (0.3, 0.0, 0.0, 0.2, -0.1, 0.0, 0.0, -0.2)
    corners = np.array(kite).reshape(-1, 2)
    assert polygon(kite).tolist() == corners.tolist()
    assert polygon(tuple(corners[::-1].ravel())).tolist() == corners.tolist()
    assert polygon(()).shape == (0, 2) and len(polygon((1.0, 0.0, -1.0, 1.0, -1.0, -1.0))) == 3


@pytest.mark.parametrize(
    ("numbers", "words"),
    [
        ((1.0,), "three or more corners"),
        ((1.0, 0.0, -1.0, 1.0), "three or more corners"),
        ((1.0, 0.0, -1.0, 1.0, -1.0), "three or more corners"),
        ((1.0, 0.0, -1.0, 1.0, -1.0, -1.0, 0.0), "three or more corners"),
        ((1.0, 0.0, -1.0, 1.0, -1.0, math.nan), "three or more corners"),
        ((1.0, 0.0, -1.0, 1.0, -0.2, 0.0, -1.0, -1.0), "convex"),
        ((1.0, 0.0, -1.0, -1.0, -0.2, 0.0, -1.0, 1.0), "convex"),
        ((2.0, 0.0, 1.0, 1.0, 1.0, -1.0), "hold base_link"),
        ((2.0, 0.0, 1.0, -1.0, 1.0, 1.0), "hold base_link"),
        ((1.0, 0.0, 0.0, 1.0, 0.0, -1.0), "hold base_link"),
        ((1.0, 0.0, 0.0, -1.0, 0.0, 1.0), "hold base_link"),
        ((1.0, 1.0, 0.0, 1.0, -1.0, 1.0, -1.0, -1.0, 1.0, -1.0), "convex"),
        ((1.0, 1.0, 1.0, -1.0, -1.0, -1.0, -1.0, 1.0, 0.0, 1.0), "convex"),
    ],
)
def test_other_footprints_are_refused(numbers: tuple[float, ...], words: str) -> None:
    with pytest.raises(ValueError, match=words):
        polygon(numbers)


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"footprint": [0.2, 0.2, -0.2, 0.2, -0.2, -0.2, math.nan, 0.0]}, "expected a number, found NaN"),
        ({"deceleration": 1e-9}, "m and a turn of .* rad to stop"),
        ({"max_linear": 1e6}, "to stop"),
    ],
)
def test_from_a_file_too_what_cannot_be_is_refused(values: dict[str, Any], words: str) -> None:
    with pytest.raises(AmiError, match=words):
        from_mapping(SafetyConfig, values)


BOX = (0.3, 0.2, -0.1, 0.2, -0.1, -0.2, 0.3, -0.2)


@pytest.mark.parametrize(("radius", "count"), [(0.1, 16), (0.2, 26), (0.18, 23), (1.0, 126)])
def test_the_outline_of_a_round_robot_has_a_point_every_5_cm_and_sixteen_at_least(radius: float, count: int) -> None:
    disc = Footprint(SafetyConfig(robot_radius=radius))
    assert disc.is_round and disc.radius == radius and disc.outline.shape == (count, 2)
    assert np.hypot(*disc.outline.T) == pytest.approx(radius) and disc.outline[0] == pytest.approx([radius, 0.0])
    steps = np.hypot(*(np.roll(disc.outline, -1, axis=0) - disc.outline).T)
    assert steps == pytest.approx(2 * radius * np.sin(np.pi / count))


def test_the_outline_of_a_polygon_has_its_corners_and_a_point_every_5_cm() -> None:
    for corners in (BOX, tuple(np.array(BOX).reshape(-1, 2)[::-1].ravel())):  # either way round
        box = Footprint(SafetyConfig(footprint=corners))
        assert not box.is_round and box.radius == pytest.approx(np.hypot(0.3, 0.2)) and len(box.outline) == 32
        steps = np.hypot(*(np.roll(box.outline, -1, axis=0) - box.outline).T)
        assert steps == pytest.approx(0.05)
        assert {(0.3, 0.2), (-0.1, 0.2), (-0.1, -0.2), (0.3, -0.2)} <= {
            (round(x, 9), round(y, 9)) for x, y in box.outline
        }
        assert box.distance(box.outline) == pytest.approx(0.0, abs=1e-12)
    odd = Footprint(SafetyConfig(footprint=(0.12, 0.0, -0.1, 0.1, -0.1, -0.1)))
    steps = np.hypot(*(np.roll(odd.outline, -1, axis=0) - odd.outline).T)
    assert len(odd.outline) == 5 + 4 + 5 and steps.max() < 0.0501 and steps.min() > 0.045


def test_how_far_points_are_from_it() -> None:
    points = np.array([[[0.5, 0.0], [0.0, -0.5], [0.0, 0.0]], [[-0.4, 0.3], [0.3, 0.4], [-0.25, -0.05]]])
    disc = Footprint(SafetyConfig(robot_radius=0.2))
    assert disc.distance(points) == pytest.approx(np.array([[0.3, 0.3, -0.2], [0.3, 0.3, 0.25495 - 0.2]]), abs=1e-5)
    box = Footprint(SafetyConfig(footprint=BOX))
    assert box.distance(points) == pytest.approx(np.array([[0.2, 0.3, -0.1], [0.3, 0.2, 0.15]]))
    assert box.distance([0.3, 0.25]) == pytest.approx(0.05) and disc.distance([0.0, 0.0]) == pytest.approx(-0.2)
    kite = Footprint(SafetyConfig(footprint=(0.3, 0.0, 0.0, 0.4, -0.3, 0.0, 0.0, -0.4)))
    assert kite.distance([[0.3, 0.4], [-0.6, -0.4], [0.0, 0.0]]) == pytest.approx([0.24, 0.48, -0.24])


def test_a_polygon_is_near_what_its_edges_are_near() -> None:
    for corners in ((0.4, 0.2, -0.2, 0.2, -0.2, -0.2, 0.4, -0.2), (0.4, -0.2, -0.2, -0.2, -0.2, 0.2, 0.4, 0.2)):
        shape = Footprint(SafetyConfig(footprint=corners))
        assert shape.distance([[0.5, 0.0], [0.0, 0.3], [-0.1, 0.0]]) == pytest.approx([0.1, 0.1, -0.1])
        assert np.abs(shape.distance(shape.outline)).max() < 1e-9 and len(shape.outline) > 30
