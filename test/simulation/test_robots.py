"""What simulated robots of all drives do, with physics and without."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import relative
from ami_ros.core.robots.description import load_robot
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.noise import SensorNoise
from ami_ros.simulation.robot import CONTROL_PERIOD, Robot, simulated
from ami_ros.simulation.world import World

from .conftest import loopback, placed, simulator

CAR, SIDEWAYS = load_robot("ami_bot_ackermann"), load_robot("ami_bot_omnidirectional")
ROBOTS = {"ami_bot": (0.4, 0.0), "ami_bot_ackermann": (0.4, 0.0), "ami_bot_omnidirectional": (0.0, 0.0, 0.4)}
RADIUS, TIGHTEST = load_robot("ami_bot").shape.radius, CAR.drive.turning_radius
Make = Callable[..., Robot]
both = pytest.mark.parametrize("make", [simulator, loopback])


@both
def test_drives_straight_at_the_commanded_speed(make: Make, empty: World) -> None:
    robot = placed(make(empty), 0.6, 2.0, 0.0)
    robot.step((0.4, 0.0), 1.0)
    assert robot.ground_truth().velocity == pytest.approx((0.4, 0.0), abs=0.01)
    before = robot.ground_truth().pose
    robot.step((0.4, 0.0), 4.0)
    assert relative(before, robot.ground_truth().pose) == pytest.approx([1.6, 0.0, 0.0], abs=0.03)


@both
def test_turns_left_on_the_spot_drives_backwards_and_in_arcs(make: Make, empty: World) -> None:
    robot = placed(make(empty), 2.0, 2.0, 0.0)
    robot.step((0.0, 1.0), 1.0)
    moved = robot.ground_truth().pose - (2.0, 2.0, 0.0)
    assert 0.6 < moved[2] < 1.0 and np.hypot(moved[0], moved[1]) < 0.01
    placed(robot, 2.0, 2.0, 0.0).step((-0.3, 0.0), 2.0)
    assert robot.ground_truth().pose[0] < 1.6
    placed(robot, 2.0, 1.5, 0.0).step((0.3, 0.6), 2 * np.pi / 0.6 // 0.02 * 0.02)
    assert robot.ground_truth().pose[:2] == pytest.approx([2.0, 1.5], abs=0.15)  # a full circle to the left


@both
def test_speed_and_acceleration_are_limited(make: Make, empty: World) -> None:
    robot, speeds = placed(make(empty), 0.6, 2.0, 0.0), []
    for _ in range(100):
        robot.step((9.0, 0.0), CONTROL_PERIOD)
        speeds.append(robot.ground_truth().velocity[0])
    assert max(speeds) == pytest.approx(0.5, abs=0.01)
    assert 0.2 < speeds[19] < 0.45  # after 0.4 s at 1 m/s^2, less the lag
    placed(robot, 2.0, 2.0, 0.0).step((0.0, -9.0), 2.0)
    assert robot.ground_truth().velocity[1] == pytest.approx(-1.8, abs=0.03)
    aside = placed(make(empty, SIDEWAYS), 2.0, 0.5, 0.0)
    aside.step((0.0, 0.0, 9.0), 0.2)
    assert aside.ground_truth().velocity[2] < 0.25
    aside.step((0.0, 0.0, 9.0), 1.5)
    assert aside.ground_truth().velocity[2] == pytest.approx(SIDEWAYS.limits.lateral, abs=0.01)


@both
@pytest.mark.parametrize("heading", [0.0, 0.5, np.pi / 2, 2.5, -2.0])
def test_no_command_gets_it_through_a_wall(make: Make, heading: float, empty: World) -> None:
    robot = placed(make(empty), 2.0, 2.0, heading)
    for turn in (0.0, 0.3, -0.3):
        robot.step((0.5, turn), 6.0)
        x, y, _ = robot.ground_truth().pose
        assert min(x, y) >= 0.05 + RADIUS - 0.015 and max(x, y) <= 3.95 - RADIUS + 0.015
    assert robot.ground_truth().contacts >= 1


@both
@pytest.mark.parametrize("name", ROBOTS)
def test_a_push_at_a_wall_is_one_contact_and_backing_off_works(make: Make, name: str, empty: World) -> None:
    push = np.array(ROBOTS[name])
    robot = placed(make(empty, name), 2.0, 2.9, 0.0 if len(push) == 3 else np.pi / 2)
    robot.step(tuple(push), 4.0)
    truth = robot.ground_truth()
    assert truth.contacts == 1 and 3.6 < truth.pose[1] <= 3.95 - robot.description.shape.radius + 0.015
    assert np.abs(robot.odometry()[1]).max() < 0.02 or name == "ami_bot", "its wheels do not spin at a wall"
    robot.step(tuple(-0.75 * push), 2.0)
    assert robot.ground_truth().pose[1] < 3.4
    robot.step(tuple(push), 4.0)
    assert robot.ground_truth().contacts == 2


@both
def test_passes_an_open_door_and_not_a_closed_one_and_its_scan_sees_it(make: Make, two_rooms: World) -> None:
    robot = make(two_rooms)
    for is_open in (True, False, True):
        robot.set_door("middle", is_open)
        placed(robot, 1.0, 1.6, 0.0)
        assert robot.observe().scan.ranges[36] == pytest.approx(2.95 if is_open else 0.97, abs=0.01)
        assert robot.doors == {"middle": is_open}
        robot.step((0.5, 0.0), 5.0)
        assert (robot.ground_truth().pose[0] > 2.5) == is_open


@both
def test_what_cannot_be_is_refused(make: Make, two_rooms: World) -> None:
    robot = make(two_rooms)
    with pytest.raises(AmiError, match="no door 'barn': known are middle"):
        robot.set_door("barn", False)
    placed(robot, 2.0, 1.6, 0.0)
    with pytest.raises(AmiError, match="cannot close"):
        robot.set_door("middle", False)
    impossible = {"does not fit": (0.1, 1.0, 0.0), "outside": (9.0, 1.0, 0.0), "a pose is": (1.0, np.nan, 0.0)}
    for message, pose in [*impossible.items(), ("a pose is", (1.0,))]:
        with pytest.raises(AmiError, match=message):
            robot.place(np.array(pose))
    for command, duration in (((np.nan, 0.0), 0.1), ((0.0, np.inf), 0.1), ((0.1, 0.0), 0.013), ((0.1, 0.0), 0.0)):
        with pytest.raises(AmiError):
            robot.step(command, duration)


def run(robot: Robot) -> list[np.ndarray]:
    rng, record = np.random.default_rng(5), []
    for _ in range(30):
        robot.step((rng.uniform(-0.2, 0.5), rng.uniform(-1.5, 1.5)), 0.2)
        seen = robot.observe()
        record.append(np.concatenate([seen.scan.ranges, seen.odometry, seen.velocity, robot.ground_truth().pose]))
    return record


@both
def test_the_same_seed_and_commands_make_the_same_run(make: Make, two_rooms: World) -> None:
    first, second = (make(two_rooms, seed=seed, noise=SensorNoise()) for seed in (3, 8))
    ran = run(first)
    first.reset(seed=3)
    second.reset(seed=3)
    assert np.array_equal(run(first), run(second))
    assert not np.array_equal(ran, run(make(two_rooms, seed=4, noise=SensorNoise())))
    assert np.array_equal(ran, run(make(two_rooms, seed=3, noise=SensorNoise())))


@both
@pytest.mark.parametrize("name, commands", [
    ("ami_bot", [(0.3, 0.4), (-0.2, 0.8)]),
    ("ami_bot_ackermann", [(0.3, 0.9), (0.3, -1.0), (-0.3, 0.8), (0.0, 0.5)]),
    ("ami_bot_omnidirectional", [(0.2, 0.0, 0.3), (0.0, 1.0, 0.3), (-0.2, -0.8, -0.2), (0.1, 0.5, 0.0)]),
])  # fmt: skip
def test_without_noise_odometry_follows_any_motion_but_no_kidnapping(
    make: Make, name: str, commands: list[tuple[float, ...]], empty: World
) -> None:
    robot = placed(make(empty, name), 2.0, 2.0, 0.7)
    pose, odometry = robot.ground_truth().pose, robot.odometry()[0]
    for command in commands:
        robot.step(command, 1.0)
        seen, true = relative(odometry, robot.odometry()[0]), relative(pose, robot.ground_truth().pose)
        assert np.abs(seen - true).max() < 0.05, "wheels slip a little while they are turned, no more"
    robot.step(commands[0], 1.0)
    pose, velocity = robot.odometry()
    observed = robot.observe()
    assert np.array_equal(pose, observed.odometry) and velocity == pytest.approx(observed.velocity)
    assert velocity == pytest.approx(robot.ground_truth().velocity, abs=0.02)
    robot.place(np.array([3.0, 3.0, -2.0]))
    assert robot.odometry()[0] == pytest.approx(pose)


@both
def test_a_reset_gives_odometry_another_origin_and_keeps_time_running(make: Make, empty: World) -> None:
    robot = make(empty)
    robot.step((0.0, 0.0), 1.0)
    before = robot.observe().odometry
    robot.reset()
    assert robot.observe().stamp == robot.time == pytest.approx(1.0)
    assert np.abs(robot.observe().odometry - before).max() > 0.1


@both
@pytest.mark.parametrize("name, command", [
    ("ami_bot", (0.4, 0.8)), ("ami_bot_ackermann", (0.4, 0.8)), ("ami_bot_omnidirectional", (0.4, 0.0, 0.2)),
])  # fmt: skip
def test_worn_wheels_slow_all_directions(make: Make, name: str, command: tuple[float, ...], empty: World) -> None:
    robot = placed(make(empty, name), 2.0, 2.0, 0.0)
    robot.wheel_gains = (0.5, 0.5)
    robot.step(command, 2.0)
    assert robot.ground_truth().velocity == pytest.approx(np.array(command) / 2, abs=0.01)


def test_physics_and_loopback_agree_on_free_driving(home: World) -> None:
    robots = [placed(make(home), 2.6, 2.4, 0.0) for make in (simulator, loopback)]
    for command in ((0.3, 0.5), (0.1, -1.0), (-0.2, 0.4), (0.4, 0.0), (0.0, 1.5), (0.2, -0.3)):
        for robot in robots:
            robot.step(command, 1.0)
    a, b = (robot.ground_truth() for robot in robots)
    assert a.pose == pytest.approx(b.pose, abs=0.06)
    assert a.contacts == b.contacts == 0


@both
def test_a_robot_that_is_longer_behind_comes_nearer_to_a_wall_with_its_front(make: Make, empty: World) -> None:
    robot, stops = make(empty, "turtlebot3_waffle_pi"), []
    for heading, command in ((0.0, (0.2, 0.0)), (np.pi, (-0.2, 0.0))):
        placed(robot, 3.3, 2.0, heading).step(command, 5.0)
        stops.append(3.95 - robot.ground_truth().pose[0])
    disc = robot.description.shape.disc
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


# Sideways


@both
@pytest.mark.parametrize("yaw", [0.0, 1.0, -2.5])
def test_the_third_number_moves_it_to_the_left_with_its_heading_kept(make: Make, yaw: float, empty: World) -> None:
    robot = placed(make(empty, SIDEWAYS), 2.0, 2.0, yaw)
    robot.step((0.0, 0.0, 0.3), 1.0)
    assert robot.ground_truth().velocity == pytest.approx((0.0, 0.0, 0.3), abs=0.01)
    before = robot.ground_truth().pose
    robot.step((0.0, 0.0, 0.3), 2.0)
    assert relative(before, robot.ground_truth().pose) == pytest.approx([0.0, 0.6, 0.0], abs=0.02)


@both
def test_ahead_sideways_and_turning_add_up(make: Make, empty: World) -> None:
    robot = placed(make(empty, SIDEWAYS), 2.0, 2.0, 0.0)
    robot.step((0.3, 0.6, -0.3), 1.0)
    assert robot.ground_truth().velocity == pytest.approx((0.3, 0.6, -0.3), abs=0.02)
    placed(robot, 1.0, 2.0, 0.0).step((0.3, 0.0, 0.15), 3.0)
    moved = robot.ground_truth().pose
    assert (moved[1] - 2.0) / (moved[0] - 1.0) == pytest.approx(0.5, abs=0.03)


@both
def test_a_differential_robot_leaves_the_third_number_out(make: Make, empty: World) -> None:
    robot = placed(make(empty), 1.0, 2.0, 0.0)
    robot.step((0.3, 0.0, 0.3), 2.0)
    truth = robot.ground_truth()
    assert len(truth.velocity) == 2 and abs(truth.pose[1] - 2.0) < 0.02 and truth.pose[0] > 1.4


@both
def test_with_noise_odometry_errs_to_the_sides_too(make: Make, empty: World) -> None:
    robot = placed(make(empty, SIDEWAYS, noise=SensorNoise(odometry_error=0.2)), 2.0, 1.0, 0.0)
    pose, odometry = robot.ground_truth().pose, robot.odometry()[0]
    robot.step((0.0, 0.0, 0.3), 3.0)
    seen, true = relative(odometry, robot.odometry()[0])[1], relative(pose, robot.ground_truth().pose)[1]
    assert 1.05 < seen / true < 1.35


# Cars


def radius_driven(robot: Robot, command: tuple[float, float]) -> float:
    """Of the circle [m] that it drives once it steers as it is told: chord over twice the sine of half the turn."""
    robot.step(command, 1.0)
    before = robot.ground_truth().pose
    robot.step(command, 1.0)
    x, y, turn = relative(before, robot.ground_truth().pose)
    return float(np.hypot(x, y) / (2 * np.sin(turn / 2)))


@both
@pytest.mark.parametrize("command", [(0.3, 0.6), (0.4, -0.6), (-0.3, 0.5), (0.3, 9.0), (0.1, -1.5), (-0.3, 9.0)])
def test_a_car_drives_the_curve_of_a_command_as_tight_as_it_can(
    make: Make, command: tuple[float, float], empty: World
) -> None:
    robot = placed(make(empty, CAR), 2.0, 2.0, 0.3)
    wanted = abs(command[0]) / command[1]
    wanted = wanted if abs(wanted) > TIGHTEST else np.copysign(TIGHTEST, wanted)
    assert radius_driven(robot, command) == pytest.approx(wanted, rel=0.03)


@both
def test_a_car_does_not_turn_without_moving(make: Make, empty: World) -> None:
    robot = placed(make(empty, CAR), 2.0, 2.0, 0.3)
    robot.step((0.0, 1.5), 1.0)
    assert robot.ground_truth().pose == pytest.approx([2.0, 2.0, 0.3], abs=1e-3)
    robot.step((0.3, 0.9), 1.0)
    robot.step((0.0, 1.5), 1.0)
    stood = robot.ground_truth().pose
    robot.step((0.0, -1.5), 1.0)
    assert robot.ground_truth().pose == pytest.approx(stood, abs=1e-3)


@both
def test_a_car_takes_time_to_steer_over_and_drives_straight_on_when_put_elsewhere(make: Make, empty: World) -> None:
    robot = placed(make(empty, CAR), 2.0, 2.0, 0.0)
    robot.step((0.3, 1.0), 1.0)
    robot.step((0.3, -1.0), 0.1)
    assert robot.ground_truth().velocity[1] > 0.3
    robot.step((0.3, -1.0), 0.5)
    assert robot.ground_truth().velocity[1] == pytest.approx(-1.0, abs=0.05)
    placed(robot, 1.0, 2.0, 0.0).step((0.3, 0.0), 2.0)
    assert robot.ground_truth().pose[1:] == pytest.approx([2.0, 0.0], abs=1e-3)


@both
def test_the_middle_of_a_cars_rear_axle_never_moves_sideways(make: Make, empty: World) -> None:
    robot = placed(make(empty, CAR), 2.0, 1.5, 0.0)
    for command in ((0.3, 0.9), (0.4, -1.0), (-0.3, 0.6), (0.3, 0.0)):
        for _ in range(50):
            before = robot.ground_truth().pose
            robot.step(command, CONTROL_PERIOD)
            x, y, turn = relative(before, robot.ground_truth().pose)
            assert abs(y - x * turn / 2) < 4e-4


# Without physics


def test_loopback_gives_pictures_that_depend_on_the_pose_and_nothing_else_and_only_if_asked(empty: World) -> None:
    blind, robot = Loopback(empty), placed(Loopback(empty, image_size=32), 1.0, 1.0, 0.3)
    assert blind.observe().image is None
    with pytest.raises(AmiError, match="image size"):
        blind.photograph(np.zeros(3))
    image = robot.observe().image
    assert image is not None and image.shape == (32, 32, 3) and image.dtype == np.uint8
    assert np.array_equal(image, robot.photograph(np.array([1.0, 1.0, 0.3])))
    for change in 0.3 * np.eye(3):
        other = robot.photograph(np.array([1.0, 1.0, 0.3]) + change)
        assert np.abs(other.astype(float) - image).mean() > 3.0


def test_loopback_turns_while_it_is_blocked(empty: World) -> None:
    robot = placed(Loopback(empty), 3.6, 2.0, 0.0)
    robot.step((0.5, 0.0), 2.0)
    robot.step((0.3, 1.5), 3.0)
    assert robot.ground_truth().pose[0] < 3.7


def test_a_robot_that_is_longer_behind_does_not_turn_into_a_wall(empty: World) -> None:
    robot = placed(Loopback(empty, robot="turtlebot3_waffle_pi"), 3.69, 2.0, np.pi / 2)
    robot.step((0.0, 1.0), 6.0)
    disc, pose = robot.description.shape.disc, robot.ground_truth().pose
    assert 3.95 - disc.centre(pose)[0] > disc.radius - 0.002
    robot.step((0.0, -1.0), 1.0)
    assert abs(robot.ground_truth().pose[2] - pose[2]) > 0.5, "it turns away"
