"""Sensors beside the laser: what they show is kept off as what the laser sees, and their silence stops the robot."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.observations import MOST_CELLS, gathered
from ami_ros.safety.zones import Zone
from harness.scans import NOTHING

CONFIG = SafetyConfig()
BUMPER = np.array([[0.19, -0.05], [0.2, 0.0], [0.19, 0.05]])


def sent(gate: SafetyGate, k: int, linear: float = 0.3, angular: float = 0.0) -> tuple[float, str]:
    """Speed and reason at the k-th tenth of a second, with nothing before the laser."""
    gate.scan(NOTHING, 0.1 * k)
    gate.command(linear, angular, 0.1 * k)
    output = gate.output(0.1 * k)
    return output.linear, output.reason


def test_a_bumper_stops_the_way_on_and_lets_it_back_up() -> None:
    gate = SafetyGate(CONFIG, sources={"bumper": 0.0})
    assert sent(gate, 0) == (0.0, "no data: bumper")
    gate.observe("bumper", np.zeros((0, 2)), 0.0)
    assert [sent(gate, k)[1] for k in range(1, 9)][-1] == "" and sent(gate, 9)[0] == 0.3
    gate.observe("bumper", BUMPER, 1.0)
    assert sent(gate, 10)[1] == "obstacle ahead" and sent(gate, 14)[0] == 0.0
    assert sent(gate, 15, -0.2)[0] < 0.0
    gate.observe("bumper", np.zeros((0, 2)), 2.0)
    assert sent(gate, 20)[1] in ("", "limit")


@pytest.mark.fault("another sensor of the gate falls silent")
def test_a_source_that_falls_silent_stops_the_robot_and_is_named() -> None:
    gate = SafetyGate(CONFIG, sources={"depth": 0.5})
    gate.observe("depth", np.zeros((0, 2)), 0.0, steady=0.0)
    assert sent(gate, 4)[0] > 0
    assert sent(gate, 6) == (0.0, "no data: depth")
    gate.command(0.3, 0.0, 0.65)
    assert gate.output(0.65).guarantee == 5
    gate.stop()
    gate.observe("depth", np.zeros((0, 2)), 0.7, steady=0.0)
    assert gate._others.missing(0.8, 0.1) == "" and gate._others.missing(0.8, 0.6) == "depth"


def test_what_comes_too_late_or_out_of_order_is_not_used() -> None:
    gate = SafetyGate(CONFIG, sources={"depth": 0.5})
    assert "old when it comes" in gate.observe("depth", BUMPER, 10.0, 7.0)
    assert "old when it comes" in gate.observe("depth", BUMPER, 10.0, 11.0)
    assert "old when it comes" in gate.observe("depth", BUMPER, 10.0, float("nan"))
    assert gate.observe("depth", BUMPER, 10.0, 9.9) == ""
    assert "something newer" in gate.observe("depth", BUMPER, 10.0, 9.8)


def test_what_it_showed_stays_where_it_was_while_the_robot_moves() -> None:
    gate = SafetyGate(CONFIG, sources={"depth": 0.0})
    gate.odometry(np.array([5.0, 2.0, 0.0]), (0.0, 0.0), 0.0)
    gate.observe("depth", np.array([[1.0, 0.0]]), 0.0)
    speeds = []
    for k in range(76):
        gate.odometry(np.array([5.0 + 0.01 * k, 2.0, 0.0]), (0.1, 0.0), 0.1 * k)
        speeds.append(sent(gate, k, 0.4)[0])
    assert max(speeds[:20]) == 0.4 and speeds[-1] < 0.2


def test_a_robot_without_laser_is_stopped_by_what_other_sensors_show() -> None:
    gate = SafetyGate(SafetyConfig(require_scan=False), sources={"depth": 0.0})
    gate.observe("depth", np.array([[0.3, 0.0]]), 0.0)
    for k in range(10):
        gate.command(0.4, 0.0, 0.1 * k)
        ahead = gate.output(0.1 * k)
    assert ahead.reason == "obstacle ahead" and ahead.linear < 0.2
    gate.command(-0.4, 0.0, 1.0)
    assert gate.output(1.0).linear < 0.0


def test_zones_count_the_readings_of_all_sensors() -> None:
    gate = SafetyGate(CONFIG, {"stop": Zone("circle", radius=0.6, min_points=30)}, {"depth": 0.0})
    gate.observe("depth", np.full((29, 2), 0.35), 0.0)
    assert sent(gate, 0, -0.3)[0] < 0.0
    gate.observe("depth", np.full((30, 2), 0.35), 0.1)
    assert sent(gate, 1, -0.3) == (0.0, "zone: stop, stop")


@given(st.integers(0, 2**31 - 1), st.integers(0, 5000), st.floats(0.01, 30.0))
@settings(max_examples=25, deadline=None)
def test_few_points_stand_for_all_and_none_is_nearer_than_was_seen(seed: int, count: int, spread: float) -> None:
    points = np.random.default_rng(seed).normal(0.0, spread, (count, 2))
    few, counts = gathered(points)
    assert len(few) == len(counts) <= MOST_CELLS and counts.sum() == count
    if count:
        away = np.hypot(*points.T)
        assert np.hypot(*few.T).min() == away.min()
        assert {tuple(point) for point in few} <= {tuple(point) for point in points}


def test_points_that_are_nowhere_are_left_out() -> None:
    few, counts = gathered(np.array([[np.nan, 0.0], [np.inf, 1.0], [1e9, 0.0], [0.5, 0.5]]))
    assert few.tolist() == [[0.5, 0.5]] and counts == pytest.approx([1.0])
