"""What only the robot with physics and pictures does."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.robots.description import load_robot
from ami_ros.core.robots.sensors import Pose3
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.mjcf import mujoco
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world import World

from .conftest import PERFECT, seeing


def test_pictures_have_the_asked_size_and_show_something(two_rooms: World) -> None:
    seen = Simulator(two_rooms, seeing(48)).observe()
    assert seen.image is not None and seen.image.shape == (48, 48, 3) and seen.image.dtype == np.uint8
    assert seen.image.std() > 10.0
    blind = Simulator(two_rooms, pictures=False)
    assert blind.observe().image is None
    with pytest.raises(AmiError, match="takes no pictures here"):
        blind.photograph(np.zeros(3))


def test_a_picture_shows_what_is_ahead_and_not_the_robot_itself(empty: World) -> None:
    robot = Simulator(empty)
    views = [robot.photograph(np.array([2.0, 2.0, yaw])) for yaw in np.arange(4) * np.pi / 2]
    for i, view in enumerate(views):
        for other in views[:i]:
            assert np.abs(view.astype(float) - other).mean() > 15.0
    yellow = np.abs(np.array(views).astype(int) - (255, 226, 20)).sum(axis=-1) < 60
    assert yellow.mean() < 0.05


def test_taking_photographs_does_not_disturb_the_run(two_rooms: World) -> None:
    plain, photographed = (Simulator(two_rooms, seeing(32), seed=1) for _ in range(2))
    for i in range(5):
        for robot in (plain, photographed):
            robot.step((0.3, 0.5 - 0.2 * i), 0.2)
        photographed.photograph(np.array([1.0, 1.0, 0.3 * i]))
        a, b = plain.observe(), photographed.observe()
        assert a.image is not None and np.array_equal(a.image, np.asarray(b.image))
        assert np.array_equal(a.scan.ranges, b.scan.ranges) and np.array_equal(a.odometry, b.odometry)


def test_a_photograph_is_the_picture_that_the_robot_takes_there_with_doors_as_they_are(two_rooms: World) -> None:
    robot, pose = Simulator(two_rooms, seeing(48)), np.array([1.0, 1.6, 0.0])
    before = robot.photograph(pose)
    robot.reset(pose)
    robot.step((0.0, 0.0), 0.2)
    taken = robot.observe().image
    assert taken is not None and np.abs(taken.astype(float) - before).mean() < 3.0
    robot.set_door("middle", False)
    assert np.abs(robot.photograph(pose).astype(float) - before).mean() > 10.0
    robot.set_door("middle", True)
    assert np.array_equal(robot.photograph(pose), before)


def test_robots_that_cannot_be_simulated_are_refused(empty: World) -> None:
    robot = load_robot("ami_bot")
    blind = replace(robot, sensors=tuple(s for s in robot.sensors if s is not robot.laser))
    with pytest.raises(AmiError, match="has no laser"):
        Simulator(empty, blind, pictures=False)


def test_robot_is_as_large_and_as_fast_and_sees_as_far_as_described(empty: World) -> None:
    robot = Simulator(empty, "turtlebot4", noise=PERFECT, pictures=False)
    laser = robot.description.laser
    assert laser is not None
    robot.reset(np.array([2.0, 2.0, 0.0]))
    scan = robot.observe().scan
    assert len(scan.ranges) == laser.beams and scan.origin == (-0.04, 0.0)
    points = scan.ranges[:, None] * np.stack([np.cos(scan.angles), np.sin(scan.angles)], -1) + scan.origin
    np.testing.assert_allclose(np.abs(points).max(1), 1.95, atol=1e-5)  # on the walls of the room, seen from base_link
    robot.step((9.0, 0.0), 4.0)
    assert robot.ground_truth().velocity[0] == pytest.approx(robot.description.limits.linear, abs=0.01)
    robot.step((9.0, 0.0), 6.0)
    assert robot.ground_truth().pose[0] == pytest.approx(3.95 - robot.description.shape.radius, abs=0.02)
    with pytest.raises(AmiError, match=r"something solid is within 0.175 m"):
        robot.place(np.array([3.8, 2.0, 0.0]))


def test_pictures_are_as_wide_and_as_far_ahead_as_the_camera_is_described(empty: World) -> None:
    wide = load_robot("ami_bot").with_sensor("front", width=64, height=48, mount=Pose3(z=0.25))
    turned = wide.with_sensor("front", mount=Pose3(z=0.25, yaw=np.pi / 2))
    pose = np.array([2.0, 2.0, 0.0])
    views = [Simulator(empty, r).photograph(pose + (0.0, 0.0, yaw)) for r, yaw in ((wide, np.pi / 2), (turned, 0.0))]
    assert views[0].shape == (48, 64, 3)
    assert np.abs(views[0].astype(float) - views[1]).mean() < 2.0


def test_the_scan_agrees_with_rays_cast_by_the_physics_engine(home: World) -> None:
    """The scan comes from the floor plan; MuJoCo's own rays against the solid model must say the same."""
    robot = Simulator(home, pictures=False, noise=PERFECT)
    robot.set_door("study_hall", False)
    rng = np.random.default_rng(2)
    space = FreeSpace(home, robot.doors)
    for _ in range(10):
        robot.reset(space.sample_pose(rng))
        scan, pose = robot.observe().scan, robot.ground_truth().pose
        angles = pose[2] + scan.angles
        rays = np.stack([np.cos(angles), np.sin(angles), np.zeros_like(angles)], axis=-1)
        expected = _engine_rays(robot, np.array([*pose[:2], 0.2]), rays)
        expected[expected > 8.0] = np.inf
        assert scan.ranges == pytest.approx(expected, abs=0.02)


def _engine_rays(robot: Simulator, origin: np.ndarray, rays: np.ndarray) -> np.ndarray:
    model, data = robot._model, robot._data
    solid = np.flatnonzero(model.geom_contype == 2)
    groups = model.geom_group.copy()
    model.geom_group[:] = 1
    model.geom_group[solid] = 0
    only_solid = np.array([1, 0, 0, 0, 0, 0], dtype=np.uint8)
    hit = np.zeros(1, dtype=np.int32)
    found = [mujoco.mj_ray(model, data, origin, ray, only_solid, 1, -1, hit) for ray in rays]
    model.geom_group[:] = groups
    return np.array([distance if distance >= 0 else np.inf for distance in found])


def test_it_neither_tips_nor_jitters_when_pushed_at_a_wall(empty: World) -> None:
    robot = Simulator(empty, pictures=False, noise=PERFECT)
    robot.reset(np.array([3.0, 2.0, 0.0]))
    robot.step((0.5, 0.0), 4.0)
    speeds = []
    for _ in range(50):
        robot.step((0.5, 0.0), 0.02)
        speeds.append(robot.ground_truth().velocity[0])
        qx, qy = robot._data.qpos[4:6]
        assert 2 * np.hypot(qx, qy) < np.radians(2.0)
    assert np.std(speeds) < 0.02


def test_it_slides_along_a_wall_of_several_pieces_without_catching(home: World) -> None:
    """The living room's south wall goes on into the kitchen's: two walls of the file, one body."""
    robot = Simulator(home, pictures=False, noise=PERFECT)
    robot.reset(np.array([6.85, 0.5, -0.5]))
    robot.step((0.4, 0.0), 2.0)
    assert robot.ground_truth().pose[0] > 7.0


def test_another_robot_is_seen_by_laser_and_camera_and_is_solid(empty: World) -> None:
    robot = Simulator(empty, seeing(48), noise=PERFECT, others=1)
    robot.place(np.array([1.5, 2.0, 0.0]))
    alone = robot.observe()
    robot.show_other(0, np.array([2.5, 2.0, 1.0]))
    both = robot.observe()
    ahead = int(np.argmin(np.abs(alone.scan.angles)))
    assert alone.scan.ranges[ahead] > 1.5 and both.scan.ranges[ahead] == pytest.approx(0.82, abs=0.02)
    assert alone.image is not None and both.image is not None
    assert (np.abs(both.image.astype(float) - alone.image).max(axis=-1) > 40.0).sum() > 20, "pixels of the other"
    robot.step((0.3, 0.0), 4.0)
    truth = robot.ground_truth()
    assert truth.contacts == 1 and truth.pose[0] < 2.5 - 0.34, "two radii apart"
