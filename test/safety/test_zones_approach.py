"""Zones that slow the robot down by the time until it comes upon something."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_ros.safety.zones import Zone
from harness.zones import share

POINTS = st.lists(st.tuples(st.floats(-2.0, 2.0), st.floats(-2.0, 2.0)), max_size=12).map(
    lambda found: np.array(found, dtype=np.float64).reshape(-1, 2)
)
COMMANDS = st.tuples(st.floats(-0.5, 0.5), st.floats(-1.8, 1.8), st.floats(-0.4, 0.4))


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
