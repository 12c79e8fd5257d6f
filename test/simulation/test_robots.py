"""What every simulated robot does, with physics and without."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import relative
from ami_ros.core.robots.description import default_robot, load_robot
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.noise import SensorNoise
from ami_ros.simulation.robot import Robot, simulated
from ami_ros.simulation.simulator import Simulator
from ami_ros.simulation.world import World

PERFECT = SensorNoise(scale=0.0)
RADIUS = default_robot().shape.radius
Make = Callable[..., Robot]


def simulator(world: World, seed: int = 0, noise: SensorNoise = PERFECT) -> Robot:
    return Simulator(world, seed=seed, noise=noise, pictures=False)


def loopback(world: World, seed: int = 0, noise: SensorNoise = PERFECT) -> Robot:
    return Loopback(world, seed=seed, noise=noise)


both = pytest.mark.parametrize("make", [simulator, loopback])


@both
def test_drives_straight_at_the_commanded_speed(make: Make, empty: World) -> None:
    robot = make(empty)
    robot.reset(np.array([0.6, 2.0, 0.0]))
    robot.step((0.4, 0.0), 1.0)
    assert robot.ground_truth().velocity == pytest.approx((0.4, 0.0), abs=0.01)
    before = robot.ground_truth().pose
    robot.step((0.4, 0.0), 4.0)
    assert relative(before, robot.ground_truth().pose) == pytest.approx([1.6, 0.0, 0.0], abs=0.03)


@both
def test_a_positive_angular_command_turns_left_on_the_spot(make: Make, empty: World) -> None:
    robot = make(empty)
    robot.reset(np.array([2.0, 2.0, 0.0]))
    robot.step((0.0, 1.0), 1.0)
    moved = robot.ground_truth().pose - (2.0, 2.0, 0.0)
    assert 0.6 < moved[2] < 1.0 and np.hypot(moved[0], moved[1]) < 0.01


@both
def test_drives_backwards_and_in_arcs(make: Make, empty: World) -> None:
    robot = make(empty)
    robot.reset(np.array([2.0, 2.0, 0.0]))
    robot.step((-0.3, 0.0), 2.0)
    assert robot.ground_truth().pose[0] < 1.6
    robot.reset(np.array([2.0, 1.5, 0.0]))
    robot.step((0.3, 0.6), 2 * np.pi / 0.6 // 0.02 * 0.02)
    assert robot.ground_truth().pose[:2] == pytest.approx([2.0, 1.5], abs=0.15)  # a full circle to the left


@both
def test_speed_and_acceleration_are_limited(make: Make, empty: World) -> None:
    robot = make(empty)
    robot.reset(np.array([0.6, 2.0, 0.0]))
    speeds = []
    for _ in range(100):
        robot.step((9.0, 0.0), 0.02)
        speeds.append(robot.ground_truth().velocity[0])
    assert max(speeds) == pytest.approx(0.5, abs=0.01)
    assert 0.2 < speeds[19] < 0.45  # after 0.4 s at 1 m/s^2, less the lag
    robot.reset(np.array([2.0, 2.0, 0.0]))
    robot.step((0.0, -9.0), 2.0)
    assert robot.ground_truth().velocity[1] == pytest.approx(-1.8, abs=0.03)


@both
@pytest.mark.parametrize("heading", [0.0, 0.5, np.pi / 2, 2.5, -2.0])
def test_no_command_gets_it_through_a_wall(make: Make, heading: float, empty: World) -> None:
    robot = make(empty)
    robot.reset(np.array([2.0, 2.0, heading]))
    for turn in (0.0, 0.3, -0.3):
        robot.step((0.5, turn), 6.0)
        x, y, _ = robot.ground_truth().pose
        assert min(x, y) >= 0.05 + RADIUS - 0.015 and max(x, y) <= 3.95 - RADIUS + 0.015
    assert robot.ground_truth().contacts >= 1


@both
def test_a_push_at_a_wall_is_one_contact_and_backing_off_works(make: Make, empty: World) -> None:
    robot = make(empty)
    robot.reset(np.array([3.0, 2.0, 0.0]))
    robot.step((0.5, 0.0), 4.0)
    assert robot.ground_truth().contacts == 1
    robot.step((-0.3, 0.0), 2.0)
    assert robot.ground_truth().pose[0] < 3.5
    robot.step((0.5, 0.0), 4.0)
    assert robot.ground_truth().contacts == 2


@both
def test_passes_an_open_door_and_not_a_closed_one(make: Make, two_rooms: World) -> None:
    robot = make(two_rooms)
    for is_open in (True, False, True):
        robot.set_door("middle", is_open)
        robot.reset(np.array([1.0, 1.6, 0.0]))
        robot.step((0.5, 0.0), 5.0)
        assert (robot.ground_truth().pose[0] > 2.5) == is_open


@both
def test_the_scan_sees_a_door_close(make: Make, two_rooms: World) -> None:
    robot = make(two_rooms)
    robot.reset(np.array([1.0, 1.6, 0.0]))
    assert robot.observe().scan.ranges[36] == pytest.approx(2.95, abs=0.01)
    robot.set_door("middle", False)
    assert robot.observe().scan.ranges[36] == pytest.approx(0.97, abs=0.01)
    assert robot.doors == {"middle": False}


@both
def test_a_door_that_is_unknown_or_has_the_robot_in_it_is_refused(make: Make, two_rooms: World) -> None:
    robot = make(two_rooms)
    with pytest.raises(AmiError, match="no door 'barn': known are middle"):
        robot.set_door("barn", False)
    robot.reset(np.array([2.0, 1.6, 0.0]))
    with pytest.raises(AmiError, match="cannot close"):
        robot.set_door("middle", False)


@both
@pytest.mark.parametrize(
    ("pose", "message"),
    [
        ([0.1, 1.0, 0.0], "does not fit"),
        ([9.0, 1.0, 0.0], "outside"),
        ([1.0, np.nan, 0.0], "pose"),
        ([1.0, 1.0], "pose"),
    ],
)
def test_an_impossible_pose_is_refused(make: Make, pose: list[float], message: str, two_rooms: World) -> None:
    with pytest.raises(AmiError, match=message):
        make(two_rooms).place(np.array(pose))


@both
def test_bad_commands_and_durations_are_refused(make: Make, empty: World) -> None:
    robot = make(empty)
    for command, duration in (((np.nan, 0.0), 0.1), ((0.0, np.inf), 0.1), ((0.1, 0.0), 0.013), ((0.1, 0.0), 0.0)):
        with pytest.raises(AmiError):
            robot.step(command, duration)


def run(robot: Robot) -> list[np.ndarray]:
    rng = np.random.default_rng(5)
    record = []
    for _ in range(30):
        robot.step((rng.uniform(-0.2, 0.5), rng.uniform(-1.5, 1.5)), 0.2)
        seen = robot.observe()
        record.append(np.concatenate([seen.scan.ranges, seen.odometry, seen.velocity, robot.ground_truth().pose]))
    return record


@both
def test_the_same_seed_and_commands_make_the_same_run(make: Make, two_rooms: World) -> None:
    first, second = make(two_rooms, seed=3, noise=SensorNoise()), make(two_rooms, seed=8, noise=SensorNoise())
    ran = run(first)
    second.reset(seed=3)
    first.reset(seed=3)
    again, other = run(first), run(second)
    assert np.array_equal(again, other)
    assert not np.array_equal(ran, run(make(two_rooms, seed=4, noise=SensorNoise())))
    assert np.array_equal(ran, run(make(two_rooms, seed=3, noise=SensorNoise())))


@both
def test_odometry_follows_the_true_motion_but_not_a_kidnapping(make: Make, empty: World) -> None:
    robot = make(empty)
    robot.reset(np.array([1.0, 1.0, 0.5]))
    truth, odometry = robot.ground_truth().pose, robot.observe().odometry
    robot.step((0.3, 0.4), 4.0)
    driven = relative(odometry, robot.observe().odometry)
    assert driven == pytest.approx(relative(truth, robot.ground_truth().pose), abs=0.03)
    robot.place(np.array([3.0, 3.0, -2.0]))
    assert relative(odometry, robot.observe().odometry) == pytest.approx(driven)


@both
def test_a_reset_gives_odometry_another_origin_and_keeps_time_running(make: Make, empty: World) -> None:
    robot = make(empty)
    robot.step((0.0, 0.0), 1.0)
    before = robot.observe().odometry
    robot.reset()
    assert robot.time == pytest.approx(1.0)
    assert np.abs(robot.observe().odometry - before).max() > 0.1
    assert robot.observe().stamp == robot.time


@both
def test_measured_velocity_and_odometry_alone_agree_with_the_full_observation(make: Make, empty: World) -> None:
    robot = make(empty)
    robot.reset(np.array([1.0, 1.0, 0.5]))
    robot.step((0.3, 0.4), 2.0)
    pose, velocity = robot.odometry()
    seen = robot.observe()
    assert np.array_equal(pose, seen.odometry) and velocity == pytest.approx(seen.velocity)
    assert velocity == pytest.approx((0.3, 0.4), abs=0.01)


def test_physics_and_loopback_agree_on_free_driving(home: World) -> None:
    robots = [make(home) for make in (simulator, loopback)]
    for robot in robots:
        robot.reset(np.array([2.6, 2.4, 0.0]))
    for command in ((0.3, 0.5), (0.1, -1.0), (-0.2, 0.4), (0.4, 0.0), (0.0, 1.5), (0.2, -0.3)):
        for robot in robots:
            robot.step(command, 1.0)
    a, b = (robot.ground_truth() for robot in robots)
    assert a.pose == pytest.approx(b.pose, abs=0.06)
    assert a.contacts == b.contacts == 0


@pytest.mark.parametrize("kind", [Simulator, Loopback])
def test_a_robot_that_is_longer_behind_comes_nearer_to_a_wall_with_its_front(kind: Any, empty: World) -> None:
    more = {"pictures": False} if kind is Simulator else {}
    waffle = load_robot("turtlebot3_waffle_pi")
    robot = kind(empty, robot=waffle, noise=PERFECT, **more)
    stops = []
    for heading, command in ((0.0, (0.2, 0.0)), (np.pi, (-0.2, 0.0))):
        robot.reset(np.array([3.3, 2.0, heading]))
        robot.step(command, 5.0)
        stops.append(3.95 - robot.ground_truth().pose[0])
    disc = waffle.shape.disc
    assert stops == pytest.approx([disc.reach(0.0), disc.reach(np.pi)], abs=0.02)


def test_large_pictures_are_drawn_smaller_and_show_the_same() -> None:
    described = load_robot("turtlebot4")
    assert described.camera is not None and described.camera.width == 1280
    lens = {"fov": None, "intrinsics": (931.0, 928.0, 630.0, 370.0)}
    for robot in (described, described.with_sensor("oakd", **lens)):
        drawn = simulated(robot).camera
        assert robot.camera is not None and drawn is not None and (drawn.width, drawn.height) == (640, 360)
        assert drawn.half_view == pytest.approx(robot.camera.half_view)
        assert [(c + 0.5) / 2 for c in robot.camera.matrix[2:]] == pytest.approx([c + 0.5 for c in drawn.matrix[2:]])
    assert simulated("ami_bot") == load_robot("ami_bot")
