"""What sensors, the camera and the depth camera add to the truth."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.core.config import from_mapping
from ami_ros.core.depth import DepthConfig, DepthScanner
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import relative
from ami_ros.core.robots.derived import depth_camera, depth_settings
from ami_ros.core.robots.description import load_robot
from ami_ros.core.robots.sensors import LaserSensor
from ami_ros.simulation.floor_plan import FloorPlan, obstacles_of
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.noise import (
    UNTINTED,
    CameraNoise,
    Odometry,
    SensorNoise,
    drawn_size,
    measured,
    noise_of,
    plan_depth,
    scan_of,
    tinted,
)
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world import World

from .conftest import PERFECT

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


def test_odometry_comes_home_from_a_square_without_noise_and_drifts_but_stays_near_with_it() -> None:
    assert drive(Odometry(PERFECT, np.random.default_rng(0))) == pytest.approx(np.zeros(3), abs=1e-6)
    ends = np.array([drive(Odometry(SensorNoise(), np.random.default_rng(seed))) for seed in range(15)])
    assert 0.03 < np.median(np.hypot(ends[:, 0], ends[:, 1])) < 0.6


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


# The camera

CAMERA = load_robot("ami_bot").camera
EDGE = np.repeat(np.where(np.arange(96) < 48, 40, 200)[None, :, None], 96, 0).repeat(3, 2).astype(np.uint8)


def camera(**errors: float) -> CameraNoise:
    assert CAMERA is not None
    return CameraNoise(SensorNoise(**errors), CAMERA, seed=1)


def test_without_errors_a_picture_stays_as_it_is() -> None:
    assert camera().taken(EDGE, turning=2.0) is EDGE


def test_a_turn_blurs_across_and_more_the_faster_it_is() -> None:
    steep = [
        np.abs(np.diff(camera(shutter=0.03).taken(EDGE, turning)[:, :, 0].astype(int), axis=1)).max()
        for turning in (0.0, 1.0, 2.0)
    ]
    assert steep[0] == 160 and steep[0] > steep[1] > steep[2]


def test_exposure_is_regulated_within_some_pictures() -> None:
    eye, dark = camera(auto_exposure=0.5), EDGE // 3
    eye.taken(EDGE)
    means = [eye.taken(dark).mean() for _ in range(12)]
    assert means[0] < 70 and means[-1] == pytest.approx(127, abs=8)
    assert eye.taken(dark, photograph=True).mean() == pytest.approx(127, abs=4)


def test_noise_and_compression_differ_from_picture_to_picture_and_white_balance_stays() -> None:
    eye = camera(image=4.0, white_balance=0.05, jpeg=80)
    first, second = (eye.taken(EDGE).astype(float) for _ in range(2))
    assert 1.0 < np.abs(first - second).mean() < 10.0
    assert (first - second).mean(axis=(0, 1)) == pytest.approx(np.zeros(3), abs=0.5)
    assert np.ptp(first.mean(axis=(0, 1))) > 1.0


def test_a_late_camera_shows_what_was_and_motors_with_dead_time_wait() -> None:
    robot = load_robot("ami_bot")
    late = replace(robot, simulated=replace(robot.simulated, camera_latency=0.1, dead_time=0.1))
    simulator = Simulator("two_rooms", late, seed=0)
    simulator.reset(np.array([1.0, 1.0, 0.0]))
    before = simulator.photograph(np.array([1.0, 1.0, 0.0]))
    simulator.step((0.0, 1.8), 0.1)
    assert simulator.ground_truth().pose[2] == pytest.approx(0.0, abs=1e-3)
    simulator.step((0.0, 1.8), 0.1)
    shown = simulator.observe().image
    assert shown is not None and (shown == before).all()
    simulator.step((0.0, 1.8), 0.2)
    shown = simulator.observe().image
    assert shown is not None and (shown != before).any()
    simulator.close()


# The depth camera

REALSENSE = load_robot("realsense")
POSE = np.array([1.2, 1.2, 0.5])


def scanner() -> DepthScanner:
    return DepthScanner(from_mapping(DepthConfig, depth_settings(REALSENSE)), depth_camera(REALSENSE))


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_renderer_and_plan_give_the_scan_that_a_laser_would_measure(scale: float) -> None:
    noise = SensorNoise(scale=scale)
    robots = Simulator("two_rooms", REALSENSE, noise=noise), Loopback("two_rooms", robot=REALSENSE, noise=noise)
    for robot in robots:
        robot.reset(POSE, seed=1)
        seen = robot.observe()
        depth = robot.depth()
        assert depth is not None and depth.shape == drawn_size(REALSENSE.depth)  # type: ignore[arg-type]
        made, true = scanner().scan(depth).ranges, seen.scan.ranges
        both = np.isfinite(made) & np.isfinite(true)
        assert both.mean() > 0.3
        assert np.median(np.abs(made[both] - true[both])) < 0.02 + 0.02 * scale
        assert (np.isinf(made) <= ~(true < 2.7)).all()  # free is what was seen to be
    robots[0].close()  # type: ignore[union-attr]


def test_it_errs_by_the_square_of_the_depth_and_sees_no_edges_and_nothing_out_of_range() -> None:
    sensor, rng = REALSENSE.depth, np.random.default_rng(5)
    assert sensor is not None
    errors = []
    for distance in (1.0, 3.0):
        true = np.full((120, 160), distance, np.float32)
        seen = measured(true, sensor, SensorNoise(), rng)
        errors.append(np.nanstd(seen - true))
        assert 0.9 < np.isfinite(seen).mean() < 1.0
    assert errors[0] == pytest.approx(0.007, rel=0.2) and errors[1] == pytest.approx(9 * errors[0], rel=0.3)
    edge = np.full((120, 160), 1.0, np.float32)
    edge[:, 80:] = 2.0
    assert np.isnan(measured(edge, sensor, SensorNoise(), rng)[:, 79:81]).all()
    for outside in (0.1, 9.0, math.inf):
        assert np.isnan(measured(np.full((8, 8), outside, np.float32), sensor, SensorNoise(), rng)).all()


def test_the_floor_of_a_plan_is_where_the_mount_says() -> None:
    assert REALSENSE.depth is not None
    robot = Loopback("two_rooms", robot=REALSENSE)
    floor = scanner().floor(plan_depth(robot._doors.seen, POSE, REALSENSE.depth))
    assert floor is not None and abs(floor.tilt) < 0.01 and abs(floor.height) < 0.01
