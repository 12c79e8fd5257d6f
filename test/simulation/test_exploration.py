from __future__ import annotations

import numpy as np

from ami_ros.core.robots.description import default_robot
from ami_ros.core.scan import Scan
from ami_ros.simulation.exploration import PERIOD, TURN_LIMIT, Explorer
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.loopback import Loopback
from ami_ros.simulation.world import World


def explore(world: World, minutes: float, seed: int) -> tuple[np.ndarray, np.ndarray, int]:
    """Commands (n, 2), poses (n, 3) and contacts of a run on the loopback robot."""
    robot, explorer = Loopback(world, seed=seed), Explorer(np.random.default_rng(seed))
    commands, poses = [], []
    for _ in range(round(minutes * 60 / PERIOD)):
        command = explorer.command(robot.observe().scan)
        robot.step(command, PERIOD)
        commands.append(command)
        poses.append(robot.ground_truth().pose)
    return np.array(commands), np.array(poses), robot.ground_truth().contacts


def test_it_gets_into_every_room_of_home_and_rarely_touches_anything(home: World) -> None:
    space = FreeSpace(home)
    rooms: set[str | None] = set()
    contacts = 0
    for seed in (1, 2):
        _, poses, touched = explore(home, 5.0, seed)
        rooms |= {space.room_of(pose) for pose in poses[::10]}
        contacts += touched
    assert {room.name for room in home.rooms} <= rooms
    assert contacts <= 3


def test_it_drives_at_all_speeds_both_ways_and_changes_its_mind(two_rooms: World) -> None:
    commands, poses, _ = explore(two_rooms, 4.0, 3)
    linear, angular = commands.T
    assert (np.abs(angular) <= TURN_LIMIT + 1e-9).all() and (linear <= default_robot().limits.linear).all()
    assert (linear > 0.4).mean() > 0.1 and (linear < -0.05).mean() > 0.005 and (np.abs(linear) < 0.02).mean() > 0.02
    assert (angular > 0.5).mean() > 0.05 and (angular < -0.5).mean() > 0.05
    assert len(np.unique(np.floor((poses[:, 2] + np.pi) / (np.pi / 4)))) == 8
    assert (np.abs(np.diff(angular)) > 0.05).mean() > 0.2


def test_walled_in_it_turns_instead_of_pushing() -> None:
    scan = Scan(np.full(72, 0.2, dtype=np.float32), -np.pi, 2 * np.pi / 72)
    explorer = Explorer(np.random.default_rng(0))
    commands = np.array([explorer.command(scan) for _ in range(100)])
    assert np.abs(commands[:, 0]).max() < 0.05
    assert np.abs(commands[:, 1]).max() > 0.3


def test_a_scan_that_returns_nothing_is_open_space() -> None:
    scan = Scan(np.full(72, np.inf, dtype=np.float32), -np.pi, 2 * np.pi / 72)
    explorer = Explorer(np.random.default_rng(0))
    commands = np.array([explorer.command(scan) for _ in range(100)])
    assert np.isfinite(commands).all() and commands[:, 0].max() > 0.2
