"""The depth that simulated cameras measure: of the renderer, of the plan, and what a real one adds."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_ros.core.config import from_mapping
from ami_ros.core.depth import DepthConfig, DepthScanner
from ami_ros.core.robots.derived import depth_camera, depth_settings
from ami_ros.core.robots.description import load_robot
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.noise import SensorNoise, drawn_size, measured, plan_depth
from ami_ros.simulation.simulator import Simulator

ROBOT = load_robot("realsense")
POSE = np.array([1.2, 1.2, 0.5])


def scanner() -> DepthScanner:
    return DepthScanner(from_mapping(DepthConfig, depth_settings(ROBOT)), depth_camera(ROBOT))


@pytest.mark.parametrize("scale", [0.0, 1.0])
def test_renderer_and_plan_give_the_scan_that_a_laser_would_measure(scale: float) -> None:
    noise = SensorNoise(scale=scale)
    robots = Simulator("two_rooms", ROBOT, noise=noise), Loopback("two_rooms", robot=ROBOT, noise=noise)
    for robot in robots:
        robot.reset(POSE, seed=1)
        seen = robot.observe()
        depth = robot.depth()
        assert depth is not None and depth.shape == drawn_size(ROBOT.depth)  # type: ignore[arg-type]
        made, true = scanner().scan(depth).ranges, seen.scan.ranges
        both = np.isfinite(made) & np.isfinite(true)
        assert both.mean() > 0.3
        assert np.median(np.abs(made[both] - true[both])) < 0.02 + 0.02 * scale
        assert (np.isinf(made) <= ~(true < 2.7)).all()  # free is what was seen to be
    robots[0].close()  # type: ignore[union-attr]


def test_it_errs_by_the_square_of_the_depth_and_sees_no_edges_and_nothing_out_of_range() -> None:
    sensor, rng = ROBOT.depth, np.random.default_rng(5)
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
    assert ROBOT.depth is not None
    robot = Loopback("two_rooms", robot=ROBOT)
    floor = scanner().floor(plan_depth(robot._doors.seen, POSE, ROBOT.depth))
    assert floor is not None and abs(floor.tilt) < 0.01 and abs(floor.height) < 0.01
