from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import relative
from ami_ros.core.robots.description import load_robot
from ami_ros.core.robots.sensors import LaserSensor
from ami_ros.simulation.floor_plan import FloorPlan, obstacles_of
from ami_ros.simulation.noise import UNTINTED, Odometry, SensorNoise, noise_of, scan_of, tinted
from ami_ros.simulation.world import World

PERFECT = SensorNoise(scale=0.0)
LASER = LaserSensor("scan", "scan", 10.0, beams=72, range_min=0.12, range_max=8.0)


def drive(odometry: Odometry) -> np.ndarray:
    """A square of 2 m, as the wheels tell it; the pose afterwards from where it began."""
    start = odometry.pose
    for _ in range(4):
        for _ in range(100):
            odometry.advance(0.02, 0.0)
        for _ in range(100):
            odometry.advance(0.0, np.pi / 200)
    return relative(start, odometry.pose)


def test_odometry_without_noise_comes_home_from_a_square() -> None:
    odometry = Odometry(PERFECT, np.random.default_rng(0))
    assert drive(odometry) == pytest.approx(np.zeros(3), abs=1e-6)


def test_odometry_drifts_but_stays_near() -> None:
    ends = np.array([drive(Odometry(SensorNoise(), np.random.default_rng(seed))) for seed in range(30)])
    off = np.hypot(ends[:, 0], ends[:, 1])
    assert 0.03 < np.median(off) < 0.6


def test_each_run_starts_at_another_origin_and_heading_with_another_gain() -> None:
    odometry = Odometry(SensorNoise(odometry_step=0.0), np.random.default_rng(0))
    starts, lengths = [], []
    for _ in range(20):
        odometry.restart()
        starts.append(odometry.pose)
        odometry.advance(1.0, 0.0)
        lengths.append(np.hypot(*(odometry.pose - starts[-1])[:2]))
    assert np.std(starts, axis=0).min() > 0.5
    assert 0.01 < np.std(lengths) < 0.06


def test_scan_beams_run_from_behind_to_the_left_and_agree_with_the_walls(empty: World) -> None:
    plan = FloorPlan(obstacles_of(empty, {}))
    scan = scan_of(plan, np.array([1.0, 2.0, 0.0]), LASER, PERFECT, np.random.default_rng(0))
    assert len(scan.ranges) == 72 and scan.ranges.dtype == np.float32
    looking = {name: scan.ranges[np.abs(scan.angles - angle).argmin()] for name, angle in
               {"ahead": 0.0, "left": np.pi / 2, "right": -np.pi / 2, "back": -np.pi}.items()}  # fmt: skip
    assert looking == pytest.approx({"ahead": 2.95, "left": 1.95, "right": 1.95, "back": 0.95}, abs=1e-5)


def test_scan_noise_is_about_a_centimetre_and_a_percent(empty: World) -> None:
    plan, pose = FloorPlan(obstacles_of(empty, {})), np.array([1.0, 2.0, 0.3])
    rng = np.random.default_rng(0)
    truth = scan_of(plan, pose, LASER, PERFECT, rng).ranges
    errors = np.array([scan_of(plan, pose, LASER, SensorNoise(), rng).ranges - truth for _ in range(200)])
    assert errors.mean() == pytest.approx(0.0, abs=0.002)
    assert errors.std(axis=0) == pytest.approx(np.hypot(0.01, 0.01 * truth), rel=0.25)


def test_what_is_beyond_the_scanners_range_returns_nothing() -> None:
    scan = scan_of(FloorPlan([]), np.zeros(3), LASER, SensorNoise(), np.random.default_rng(0))
    assert np.isinf(scan.ranges).all()


def test_a_fixed_error_of_odometry_is_the_same_in_every_run() -> None:
    noise = SensorNoise(odometry_gain=0.0, odometry_bend=0.0, odometry_step=0.0, odometry_error=0.05)
    odometry = Odometry(noise, np.random.default_rng(0))
    for _ in range(2):
        odometry.restart()
        start = odometry.pose
        odometry.advance(1.0, 0.0)
        odometry.advance(0.0, 1.0)
        assert relative(start, odometry.pose) == pytest.approx([1.05, 0.0, 1.05])


def test_tint_is_a_gain_of_each_colour_within_what_a_picture_holds() -> None:
    image = np.full((2, 2, 3), 200, np.uint8)
    assert tinted(image, (0.6, 1.0, 1.3))[0, 0].tolist() == [120, 200, 255]
    assert tinted(image, UNTINTED) is image


def test_noise_of_a_robot_is_as_described_and_unknown_names_are_refused() -> None:
    robot = load_robot("ami_bot")
    louder = replace(robot, simulated=replace(robot.simulated, noise={"scan": 0.05}))
    assert noise_of(louder, 2.0) == SensorNoise(scan=0.05, scale=2.0)
    with pytest.raises(AmiError, match="unknown key 'fog'"):
        noise_of(replace(robot, simulated=replace(robot.simulated, noise={"fog": 1.0})))
