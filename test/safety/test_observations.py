"""Sensors beside the laser: what they show is kept off as what the laser sees, and their silence stops the robot."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import FrozenInstanceError
from functools import partial
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_ros.bench.gate_drives import Drive
from ami_ros.bench.gate_trials import STEP, Robot
from ami_ros.core.commands import Command
from ami_ros.core.geometry import Array, transform_points
from ami_ros.core.scan import Scan
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.observations import (
    BINS,
    NOT_SEEN,
    LookLimits,
    Observation,
    Observations,
    Readings,
    Snapshot,
    filled,
    one_a_cell,
    usable,
    within,
)
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


def driven(
    shown: Callable[[float], dict[str, Array]], config: SafetyConfig = CONFIG, zones: dict[str, Zone] | None = None
) -> tuple[float, float, set[str]]:
    """Full speed ahead for six seconds; `shown(x)` is what each sensor shows of a robot at x [m].

    Returns:
        How far it came [m], its greatest speed [m/s], and why it was slowed down in the end.
    """
    gate = SafetyGate(config, zones, dict.fromkeys(shown(0.0), 1.0))
    robot, fastest = Robot(Drive(0), np.zeros(3)), 0.0
    sent: Command = (0.0, 0.0, 0.0)
    why: set[str] = set()
    for tick in range(600):
        now = tick * STEP
        if tick % 5 == 0:
            for name, points in shown(robot.pose[0]).items():
                gate.observe(name, points, now)
            gate.scan(NOTHING, now)
            gate.odometry(robot.pose, tuple(robot.velocity), now)
            gate.command(0.5, 0.0, now)
            output = gate.output(now)
            sent, why = output.command, {*why, output.reason} - {"", "limit"}
        robot.step(sent)
        fastest = max(fastest, robot.velocity[0])
    return float(robot.pose[0]), float(fastest), why


def off_the_way(count: int, seed: int = 0) -> Array:
    """Points (n, 2) [m] in a square of 7 m, none of them nearer than 0.24 m to the x axis."""
    points = np.random.default_rng(seed).uniform(-3.5, 3.5, (count, 2))
    points[:, 1] = np.copysign(0.24 + np.abs(points[:, 1]) * 0.93, points[:, 1])
    return points


def past(points: Array, x: float) -> dict[str, Array]:
    """What a sensor shows of points (n, 2) [m] to a robot at `x` [m]."""
    return {"depth": points - [x, 0.0]}


POST = np.array([[1.5, 0.01]])


@pytest.mark.fault("dense clouds, many sensors, readings without end")
@pytest.mark.parametrize(("count", "seed"), [(0, 0), (2_300, 1), (6_000, 1), (60_000, 0)])
@pytest.mark.parametrize("sources", [1, 3])
def test_a_post_straight_ahead_is_not_touched_however_much_there_is_off_the_way(
    count: int, seed: int, sources: int
) -> None:
    """Of 2,300 points all were brought to 500 cells, each with its nearest point: the post was hit at 0.3 m/s."""
    cloud = np.concatenate([off_the_way(count, seed), POST])
    shares = np.array_split(cloud, sources)
    x, fastest, why = driven(lambda x: {f"depth{k}": share - [x, 0.0] for k, share in enumerate(shares)})
    assert 0.4 < x + CONFIG.robot_radius < 1.5 and fastest > 0.3
    assert "obstacle ahead" in why


@pytest.mark.fault("dense clouds, many sensors, readings without end")
def test_a_wall_of_any_density_is_kept_off_and_driven_along() -> None:
    for spacing in (0.05, 0.004, 0.0004):
        along = np.arange(-1.0, 1.0, spacing)
        wall = np.column_stack([np.full(len(along), 1.0), along])
        x, *_ = driven(partial(past, wall))
        assert 0.0 < 1.0 - x - CONFIG.robot_radius < 0.1, spacing
        beside = np.column_stack([3.0 * along, np.full(len(along), 0.3)])
        assert driven(partial(past, beside))[0] > 2.0, spacing


@pytest.mark.fault("dense clouds, many sensors, readings without end")
def test_where_there_is_more_than_it_can_look_at_in_time_it_stands_and_says_so() -> None:
    fast = SafetyConfig(max_linear=2.0, max_linear_acceleration=50.0)
    gate = SafetyGate(fast, sources={"depth": 1.0})
    gate.observe("depth", np.random.default_rng(1).uniform([1.2, -0.22], [3.2, 0.22], (90_000, 2)), 0.0)
    speed, reason = sent(gate, 0, 2.0)
    assert 0.5 < speed < 1.5 and reason == "too much to look at", "slower it has less to look at"
    many = np.full((100_000, 2), 50.0)
    gate = SafetyGate(CONFIG, sources={"a": 1.0, "b": 1.0})
    gate.observe("a", many, 0.0)
    gate.observe("b", many, 0.0)
    assert sent(gate, 0)[0] > 0.0 and len(many) == 100_000
    gate.observe("b", np.full((100_001, 2), 50.0), 0.1)
    assert sent(gate, 1) == (0.0, "too much to look at") and gate.output(0.1).guarantee == 3


@pytest.mark.fault("dense clouds, many sensors, readings without end")
@pytest.mark.parametrize("elsewhere", [0, 3_000, 40_000])
def test_a_zone_counts_each_reading_however_many_there_are_elsewhere(elsewhere: int) -> None:
    """A stop zone with 300 readings in it let 0.3 m/s pass: they were counted where one for many of them lay."""
    rng = np.random.default_rng(0)
    corners = [[0.5, 0.6], [0.9, 0.6], [0.9, 1.0], [0.5, 1.0]]
    inside = rng.uniform([0.5, 0.6], [0.9, 1.0], (300, 2))
    around = off_the_way(elsewhere)
    outside = around[~((around > 0.45) & (around < 1.05)).all(1)]
    for least, share in ((300, 0.0), (301, 1.0)):
        zones = {"side": Zone("polygon", points=corners, min_points=least)}
        gate = SafetyGate(CONFIG, zones, {"depth": 1.0})
        for k in range(8):
            gate.observe("depth", np.concatenate([outside, inside]), 0.1 * k)
            speed = sent(gate, k)
        assert speed[0] == pytest.approx(0.3 * share)
        assert speed[1] == ("zone: side, stop" if not share else "")


def test_an_approach_with_more_readings_than_there_is_time_for_stands() -> None:
    zones = {"body": Zone(action_type="approach", min_points=10)}
    points = np.full((20_000, 2), [0.0, 0.7])
    gate = SafetyGate(CONFIG, zones, {"depth": 1.0})
    gate.observe("depth", points, 0.0)
    assert sent(gate, 0) == (0.0, "zone: body, approach")
    gate.observe("depth", points[:1000], 0.1)
    assert sent(gate, 1)[0] > 0.0


@given(st.integers(0, 2**31 - 1), st.integers(1, 1000), st.floats(0.001, 30.0))
@settings(max_examples=25, deadline=None)
def test_any_point_is_near_one_that_stands_for_it(seed: int, count: int, spread: float) -> None:
    points = np.random.default_rng(seed).normal(0.0, spread, (count, 2))
    few = points[one_a_cell(points)]
    gaps = np.hypot(*(points[:, None] - few).transpose(2, 0, 1)).min(1)
    assert gaps.max() <= LookLimits().shift and len(np.unique(few, axis=0)) == len(few)


def test_points_that_are_nowhere_are_left_out() -> None:
    assert usable(np.array([[np.nan, 0.0], [np.inf, 1.0], [1e9, 0.0], [0.5, 0.5]])).tolist() == [[0.5, 0.5]]


def shown(*points: tuple[float, float], pose: tuple[float, ...] = (0.0, 0.0, 0.0), stamp: float = 0.0) -> Observation:
    """What a message showed at `pose`; it came 100 s later on steady time."""
    return Observation(np.array(pose), 0.0, stamp, stamp + 100.0, np.array(points, dtype=np.float64).reshape(-1, 2))


def test_readings_are_where_they_are_from_the_robot_now_each_with_its_source() -> None:
    here = np.array([2.0, 1.0, np.pi / 2])
    seen = {
        "depth": shown((1.0, 0.0), (9.0, 0.0), pose=(2.0, 0.0, 0.0)),
        "bumper": shown((0.5, 0.2), pose=(2.0, 1.0, np.pi / 2)),
        "sonar": shown(),
    }
    readings = Readings.of(seen, here, 2.0)
    assert readings.points == pytest.approx(np.array([[-1.0, -1.0], [0.5, 0.2]]))
    assert readings.sources.tolist() == ["depth", "bumper"]
    assert readings.only(["bumper", "sonar"]).points == pytest.approx(np.array([[0.5, 0.2]]))
    assert readings.only(["bumper"]).sources.tolist() == ["bumper"]
    assert readings.only([]) is readings and len(readings.only(["other"]).points) == 0
    assert Readings.of({}, here, 2.0).points.shape == Readings.of({"sonar": shown()}, here, 2.0).points.shape == (0, 2)


def test_of_each_source_the_newest_message_counts() -> None:
    others = Observations({"a": 1.0, "b": 1.0})
    assert others.count == 0 and others.newest == {} and not others.has_newer("a", -9.0)
    others.put("a", shown((1.0, 0.0), (2.0, 0.0), stamp=5.0))
    others.put("b", shown((3.0, 0.0), stamp=6.0))
    assert others.count == 3 and others.has_newer("a", 4.9) and not others.has_newer("a", 5.0)
    others.put("a", shown(stamp=7.0))
    assert others.count == 1 and others.newest["a"].stamp == 7.0
    others.newest.clear()
    assert [*others.newest] == ["a", "b"]
    for what in (others.newest["a"], Readings(np.zeros((0, 2)), np.zeros(0, np.str_))):
        with pytest.raises(FrozenInstanceError):
            what.points = np.zeros((1, 2))  # type: ignore[misc]


def test_a_source_is_missing_once_it_is_older_than_its_timeout_on_either_clock() -> None:
    others = Observations({"a": 0.5, "b": 0.0, "c": 2.0})
    assert others.missing(0.0, 100.0) == "a"
    others.put("a", shown(stamp=0.0))
    assert others.missing(0.0, 100.0) == "b", "it has to say something once"
    others.put("b", shown(stamp=0.0))
    others.put("c", shown(stamp=0.0))
    for now, steady, missing in (
        (0.5, 100.5, ""),
        (0.51, 100.0, "a"),
        (0.0, 100.51, "a"),
        (0.51, 0.0, "a"),
        (-9.0, 100.2, ""),
    ):
        assert others.missing(now, steady) == missing, (now, steady)
    others.put("a", shown(stamp=9.0))
    assert others.missing(9.0, 109.0) == "c"
    others.put("c", shown(stamp=9.0))
    assert others.missing(9.0, 109.0) == "", "what b said holds until it says something else"


def test_what_is_ten_kilometres_away_or_nowhere_is_no_place() -> None:
    for x, y, is_place in ((9999.0, -9999.0, True), (-9999.9, 1.0, True), (1e4, 0.0, False), (0.0, -10001.0, False)):
        assert len(usable(np.array([[x, y]]))) == is_place, (x, y)


def test_what_is_just_as_far_away_as_it_looks_is_seen() -> None:
    points = np.array([[3.0, 4.0], [-3.0, -4.0], [3.0, 4.001], [0.0, -5.1], [5.1, 0.0]])
    assert within(5.0, points).tolist() == points[:2].tolist()


def test_one_point_stands_for_each_cell_of_1_cm() -> None:
    cells = np.stack(np.meshgrid(np.arange(-70.0, 70.0), np.arange(-70.0, 70.0)), -1).reshape(-1, 2)
    points: Array = (cells + 0.3) * 0.01
    assert len(one_a_cell(points)) == len(points), "whatever is in other cells"
    twice = np.concatenate([points, points + 0.004])
    assert sorted(one_a_cell(twice)) == [*range(len(points))], "the first of each"
    assert len(one_a_cell(points[:10], 1.0)) == 1
    far = np.array([[9999.0, -9999.0], [9999.0, 9999.0], [-9999.0, 9999.0], [-9999.0, -9999.0], [9999.0, -9998.99]])
    assert len(one_a_cell(far)) == 5
    assert LookLimits().shift == pytest.approx(0.01 * 2**0.5)
    assert (LookLimits().exact, LookLimits().cells) == (500, 3000), (
        "as docs/safety.md says; test_obstruction.py has what follows"
    )


INF, NAN = math.inf, math.nan


def snapshot(
    ranges: Any, first: float = 0.0, degrees: float = 15.0, pose: tuple[float, ...] = (0.0, 0.0, 0.0), **scan: Any
) -> Snapshot:
    """Of beams so far apart; the laser reaches 10 m."""
    given = {"max_range": 10.0} | scan
    turn = Scan(np.array(ranges, np.float32), first, math.radians(degrees), **given)
    return Snapshot.of(turn, np.array(pose), 0.5, 7.0)


@pytest.mark.parametrize(
    ("degrees", "sectors"),
    [(0.1, 120), (1.0, 120), (3.0, 120), (5.0, 72), (-5.0, 72), (15.0, 24), (40.0, 24), (-1, 120)],
)
def test_sectors_are_as_wide_as_beams_are_apart_from_3_to_15_degrees(degrees: float, sectors: int) -> None:
    assert len(snapshot(np.full(5, 1.0), degrees=degrees).free) == sectors


def test_of_each_sector_the_nearest_return_counts() -> None:
    ranges = [3.0, 2.0, INF, 4.0, INF, INF, INF, INF, NAN, 0.0, -1.0, 0.0, 6.0, NAN, 9.95, 9.89, NAN]
    seen = snapshot(ranges, math.radians(-1.0), 1.0, (1.0, 2.0, 3.0), origin=(0.1, -0.2), blind=0.4)
    assert seen.free[:6] == pytest.approx([2.0, 4.0, 10.0, 6.0, 6.0, 9.89], rel=1e-6), (
        "a single one is as the nearer beside"
    )
    assert (seen.free[6:] == NOT_SEEN).all()
    assert np.flatnonzero(seen.empty).tolist() == [2]
    angles = np.radians([0.0, 2.0, 11.0, 14.0])
    ends = np.array([[2.0], [4.0], [6.0], [9.89]]) * np.column_stack([np.cos(angles), np.sin(angles)])
    assert seen.points == pytest.approx(ends + [0.1, -0.2], rel=1e-6)
    assert (seen.error, seen.stamp, seen.origin, seen.blind, seen.max_range) == (0.5, 7.0, (0.1, -0.2), 0.4, 10.0)
    assert seen.pose.tolist() == [1.0, 2.0, 3.0] and seen.first == math.radians(-1.0)
    assert seen.increment == pytest.approx(math.radians(1.0))
    assert np.isinf(seen.beams).sum() == 6 and np.isnan(seen.beams).sum() == 6
    with pytest.raises(FrozenInstanceError):
        seen.stamp = 0.0  # type: ignore[misc]
    assert snapshot([20.0], max_range=INF).free[0] == 20.0
    assert snapshot([INF], max_range=INF).free[0] == INF


def test_a_single_sector_without_a_reading_is_as_the_nearer_of_its_neighbours_and_two_are_not() -> None:
    free = np.array([1.0, NOT_SEEN, 3.0, NOT_SEEN, NOT_SEEN, 2.0, NOT_SEEN])
    assert filled(free).tolist() == [1.0, 1.0, 3.0, NOT_SEEN, NOT_SEEN, 2.0, 1.0]


def test_points_are_looked_at_from_the_scanner_where_it_was() -> None:
    pose, origin = (2.0, 1.0, math.pi / 2), (0.5, 0.0)
    seen = snapshot([3.0, 5.0, NAN, NAN, NAN] + [NAN] * 19, pose=pose, origin=origin)
    local = np.array(
        [[3.4, 0.0], [3.6, 0.0], [0.5 + 4.8 * math.cos(0.26), 4.8 * math.sin(0.26)], [0.5, 4.0], [0.4, 0.0]]
    )
    points = transform_points(np.array(pose), local)
    assert seen.bearings(points) == pytest.approx([0.0, 0.0, 0.26, math.pi / 2, math.pi])
    looked, free = seen.look(points)
    assert looked.tolist() == [True, True, True, False, False] and free[:3].tolist() == [True, False, True]
    assert seen.look(points, 0.3)[1][:3].tolist() == [False, False, False]
    assert seen.look(points, 0.05)[1][:3].tolist() == [True, False, True]
    blind = snapshot([NAN] * 24)
    assert not any(part.any() for part in blind.look(np.zeros((1, 2)))), "not even where it stands"
    exact = snapshot([3.0] * 24)
    assert exact.look(np.array([[3.0, 0.0]]))[1].all() and not exact.look(np.array([[3.0, 0.0]]), 0.001)[1].any()


def test_directions_belong_to_the_nearest_sector_all_around() -> None:
    seen = snapshot(np.full(24, 1.0), math.radians(-90.0))
    bearings = np.radians([-90.0, -83.0, -82.0, 0.0, 180.0, -97.0, -98.0, 270.0])
    assert seen.sector(bearings).tolist() == [0, 0, 1, 6, 18, 0, 23, 0]


@pytest.mark.parametrize("turns", [1.0, -1.0])
def test_what_the_nearest_beam_reads_of_a_point(turns: float) -> None:
    ranges = [1.0, 2.0, NAN, INF, 5.0]
    pose = (2.0, 1.0, 0.5)
    seen = snapshot(ranges, turns * math.radians(20.0), turns * 2.0, pose, origin=(0.3, 0.1))
    degrees = np.array([20.0, 20.9, 21.1, 22.0, 24.0, 26.0, 28.9, 28.0, 35.4, 35.6, 12.6, 12.4, 19.1, 200.0])
    angles = turns * np.radians(degrees)
    away = np.linspace(0.5, 6.0, len(degrees))
    local = away[:, None] * np.column_stack([np.cos(angles), np.sin(angles)]) + [0.3, 0.1]
    far, read, bins, in_view = seen.readings(transform_points(np.array(pose), local))
    assert far == pytest.approx(away)
    assert in_view.tolist() == [True] * 8 + [False, False, False, False, True, False]
    assert read[:8] == pytest.approx([1.0, 1.0, 2.0, 2.0, NAN, INF, 5.0, 5.0], nan_ok=True) and read[12] == 1.0
    assert np.isnan(read[~in_view]).all()
    beams = np.array([0, 0, 1, 1, 2, 3, 4, 4])
    wanted = np.floor((turns * (20.0 + 2.0 * beams)) % 360.0 * 2 + 1e-6).astype(int)
    assert bins[:8].tolist() == wanted.tolist()
    assert np.flatnonzero(seen.returning()).tolist() == sorted({*wanted[[0, 2, 6]]})


def test_beams_far_apart_answer_for_7_5_degrees_to_each_side() -> None:
    seen = snapshot([1.0, 2.0, 3.0], degrees=30.0)
    degrees = np.radians([0.0, 7.4, 7.6, 22.4, 22.6, 30.0, 37.4, 60.0, 67.4, 67.6, -7.4, -7.6])
    *_, in_view = seen.readings(np.column_stack([np.cos(degrees), np.sin(degrees)]))
    assert in_view.tolist() == [True, True, False, False, True, True, True, True, True, False, True, False]
    _, read, _, _ = seen.readings(np.column_stack([np.cos(degrees), np.sin(degrees)]))
    assert read[[0, 1, 4, 6, 8, 10]] == pytest.approx([1.0, 1.0, 2.0, 2.0, 3.0, 1.0])


def test_directions_of_the_laser_are_half_a_degree_wide() -> None:
    assert BINS == 720
    full = snapshot(np.where(np.arange(720) % 3, np.inf, 1.0), degrees=0.5)
    assert np.flatnonzero(full.returning()).tolist() == list(range(0, 720, 3))
    behind = snapshot([1.0, 1.0], math.radians(-1.0), 0.5)
    assert np.flatnonzero(behind.returning()).tolist() == [718, 719]


def test_the_first_beam_counts_as_others_do_and_none_stands_for_a_sector_without_one() -> None:
    first = snapshot([3.0, 4.0])
    assert first.points == pytest.approx(
        np.array([[3.0, 0.0], [4.0 * math.cos(math.pi / 12), 4.0 * math.sin(math.pi / 12)]])
    )
    assert not first.empty.any() and np.flatnonzero(snapshot([INF, 4.0]).empty).tolist() == [0]
    last = snapshot([3.0, INF])
    assert last.empty.dtype == bool and len(last.points) == 1 and np.flatnonzero(last.empty).tolist() == [1]
    assert snapshot(np.full(24, 1.0)).look(np.array([[0.9, 0.0], [1.1, 0.0]]))[0].all()


def test_from_99_percent_of_the_range_on_nothing_returned() -> None:
    assert np.isinf(snapshot([99.0, 98.9], max_range=100.0).beams).tolist() == [True, False]


@pytest.mark.parametrize("first", [0.0, 2.0, -3.0])
@pytest.mark.parametrize("turns", [15.0, -15.0])
def test_all_around_each_point_is_that_of_the_beam_that_looks_there(first: float, turns: float) -> None:
    ranges = 1.0 + np.arange(24)
    seen = snapshot(ranges, first, turns, max_range=99.0)
    angles = first + np.radians(turns) * np.arange(24)
    for aside in (-0.12, 0.0, 0.12):
        away, read, _, in_view = seen.readings(2.0 * np.column_stack([np.cos(angles + aside), np.sin(angles + aside)]))
        assert in_view.all() and read.tolist() == ranges.tolist() and away == pytest.approx(2.0)
    part = snapshot(ranges[:4], first, turns, max_range=99.0)
    points = 2.0 * np.column_stack([np.cos(angles), np.sin(angles)])
    assert part.readings(points)[3].tolist() == [True] * 4 + [False] * 20
