"""How experience is gathered: at random, in a car's strokes, and with a purpose."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import pytest

from ami_ros.core.robots.description import load_robot
from ami_ros.core.scan import Scan
from ami_ros.simulation.exploration import PERIOD, Explorer, Exploring, Strokes, keeps_clear
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.routes import RouteDriver, Routes
from ami_ros.simulation.world import World

CAR = load_robot("ami_bot_ackermann")
CLEAR = CAR.shape.radius + 0.05
NOTHING = np.zeros((0, 2))


class Run(NamedTuple):
    commands: np.ndarray  # (n, 2 or 3)
    poses: np.ndarray  # (n, 3)
    rooms: set[str | None]
    contacts: int


def explore(world: World, steps: int, seed: int, name: str = "ami_bot") -> Run:
    robot, explorer = Loopback(world, seed=seed, robot=name), Explorer(np.random.default_rng(seed), load_robot(name))
    commands, poses, space = [], [], FreeSpace(world)
    for _ in range(steps):
        commands.append(explorer.command(robot.observe().scan))
        robot.step(commands[-1], PERIOD)
        poses.append(robot.ground_truth().pose)
    rooms = {space.room_of(pose) for pose in poses[::10]}
    return Run(np.array(commands), np.array(poses), rooms, robot.ground_truth().contacts)


def headings(poses: np.ndarray) -> int:
    """How many eighths of all headings there were."""
    return len(np.unique(np.floor((poses[:, 2] + np.pi) / (np.pi / 4))))


def test_it_gets_into_every_room_of_home_and_rarely_touches_anything(home: World) -> None:
    run = explore(home, 1500, 1)
    assert {room.name for room in home.rooms} <= run.rooms and run.contacts <= 2


def test_it_drives_at_all_speeds_both_ways_and_changes_its_mind(two_rooms: World) -> None:
    run = explore(two_rooms, 1200, 3)
    linear, angular = run.commands.T
    limit, fastest = Exploring().turn_limit, load_robot("ami_bot").limits.linear
    assert (np.abs(angular) <= limit + 1e-9).all() and (linear <= fastest).all()
    assert (linear > 0.4).mean() > 0.1 and (linear < -0.05).mean() > 0.005 and (np.abs(linear) < 0.02).mean() > 0.02
    assert (angular > 0.5).mean() > 0.05 and (angular < -0.5).mean() > 0.05
    assert headings(run.poses) == 8 and (np.abs(np.diff(angular)) > 0.05).mean() > 0.2


def test_a_car_drives_curves_both_ways_and_touches_nothing(home: World) -> None:
    run = explore(home, 1200, 5, "ami_bot_ackermann")
    linear, angular = run.commands.T
    assert (np.abs(angular) * CAR.drive.turning_radius <= np.abs(linear) + 1e-9).all()
    assert (linear > 0.3).mean() > 0.1 and (linear < -0.05).mean() > 0.05 and (linear > 0.0).mean() > 0.5
    assert run.contacts <= 2 and headings(run.poses) == 8 and len(run.rooms) >= 3


def test_an_omnidirectional_robot_uses_the_sides_alone_and_together_with_all_else(home: World) -> None:
    run = explore(home, 800, 5, "ami_bot_omnidirectional")
    linear, angular, lateral = run.commands.T
    assert np.abs(lateral).max() <= load_robot("ami_bot_omnidirectional").limits.lateral and run.contacts <= 2
    aside = np.abs(lateral) > 0.1
    assert 0.1 < aside.mean() < 0.7 and (lateral[aside] > 0).mean() == pytest.approx(0.5, abs=0.25)
    assert abs(np.corrcoef(lateral, angular)[0, 1]) < 0.5 and abs(np.corrcoef(lateral, linear)[0, 1]) < 0.5
    assert (aside & (np.abs(linear) < 0.05)).any() and (aside & (np.abs(angular) > 0.3)).any()


def test_walled_in_it_turns_and_a_scan_that_returns_nothing_is_open_space() -> None:
    for distance in (0.2, np.inf):
        scan = Scan(np.full(72, distance, dtype=np.float32), -np.pi, 2 * np.pi / 72)
        explorer = Explorer(np.random.default_rng(0))
        linear, angular = np.abs([explorer.command(scan) for _ in range(100)]).T
        assert (linear.max() < 0.05 and angular.max() > 0.3) if distance < 1.0 else linear.max() > 0.2


# A car's strokes


def test_what_is_clear_and_no_tighter_than_a_car_turns_is_driven_as_wished() -> None:
    strokes = Strokes(CAR, 0.2)
    for wish in ((0.4, -0.7), (-0.2, 0.3), (0.0, 0.0)):
        assert strokes.command(NOTHING, wish, CLEAR) == wish
    linear, angular = strokes.command(NOTHING, (0.0, -0.7), CLEAR)  # on the spot
    assert linear > 0 and angular < 0 and linear / -angular == pytest.approx(CAR.drive.turning_radius)


def test_before_a_wall_it_goes_back_turning_the_same_way_and_then_ahead_again() -> None:
    strokes, wall = Strokes(CAR, 0.2), np.stack([np.full(41, 0.3), np.linspace(-1.0, 1.0, 41)], axis=1)
    linear, angular = strokes.command(wall, (0.3, 1.0), CLEAR)
    assert linear < 0 < angular
    commands = [strokes.command(NOTHING, (0.3, 0.8), CLEAR) for _ in range(20)]
    assert commands[0][0] < 0 and commands[-1] == (0.3, 0.8)


def test_every_command_is_clear_whatever_stands_around() -> None:
    rng = np.random.default_rng(2)
    for _ in range(300):
        strokes = Strokes(CAR, 0.2)
        points = rng.uniform(-0.6, 0.6, (rng.integers(1, 12), 2))
        command = strokes.command(points, (rng.uniform(-0.3, 0.5), rng.uniform(-1.5, 1.5)), CLEAR)
        assert keeps_clear(points, (*command, 0.0), CLEAR)
        assert abs(command[1]) * CAR.drive.turning_radius <= abs(command[0]) + 1e-9


# Routes


@pytest.mark.parametrize("name", ["ami_bot", "ami_bot_ackermann"])
def test_a_drive_with_a_purpose_gets_into_every_room_and_hardly_touches_anything(name: str, home: World) -> None:
    description = load_robot(name)
    robot, space = Loopback(home, seed=3, robot=description), FreeSpace(home, radius=description.shape.radius)
    driver = RouteDriver(Routes(space, description.shape.radius), np.random.default_rng(3), description)
    missing = {room.name for room in home.rooms}
    for _ in range(1500):
        robot.step(driver.command(robot.ground_truth().pose, robot.observe().scan), PERIOD)
        missing.discard(space.room_of(robot.ground_truth().pose) or "")
        if not missing:
            break
    assert not missing and robot.ground_truth().contacts <= 1


def test_ways_keep_clear_of_things_where_there_is_room(home: World) -> None:
    space = FreeSpace(home)
    way = Routes(space, 0.18).way(np.array([1.0, 2.6]), np.array([7.0, 4.3]))
    assert len(way) > 20
    assert space.plan.clearance(way).min() > 0.18 and np.median(space.plan.clearance(way)) > 0.35
