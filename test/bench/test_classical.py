from __future__ import annotations

import numpy as np

from ami_ros.behaviour.ways import Ways
from ami_ros.bench.classical import ClassicalRobot, Eye, Mapping, compare
from ami_ros.core.geometry import relative, wrap
from ami_ros.core.robots.description import load_robot
from ami_ros.planning.types import Code
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator


def test_the_map_goes_where_its_places_go_when_a_loop_is_closed() -> None:
    robot, mapping = Simulator("two_rooms", pictures=False, seed=1), Mapping()
    start = np.array([1.0, 1.5, 0.0])
    robot.reset(start, 1)
    for x in np.arange(1.0, 3.0, 0.1):
        pose = np.array([x, 1.5, 0.0])
        robot.place(pose)
        mapping.take(x, relative(start, pose), robot.observe().scan)
    assert mapping.localised and np.hypot(*(mapping.pose - relative(start, pose))[:2]) < 0.05
    anchor, before = mapping.anchor(), mapping.grid
    mapping.memory.map.index.poses[:] += (0.5, 0.0, 0.0)
    mapping.pose = mapping.pose + (0.5, 0.0, 0.0)
    assert np.allclose(mapping.pose_of(anchor), mapping.pose)
    mapping.take(3.0, relative(start, pose) + (0.2, 0.0, 0.0), robot.observe().scan)
    assert mapping.grid is not before  # the robot is not where it would be by odometry: scans are drawn anew
    way = Ways(mapping.grid, mapping.pose, 0.18).to(mapping.pose[:2] - (1.5, 0.0))
    assert len(way) > 20
    robot.close()


def test_two_pictures_tell_how_the_robot_turned_and_where_it_went() -> None:
    eye, robot = Eye(load_robot("ami_bot")), Simulator("home", seed=1)
    first, turned, moved = (
        eye.look(robot.photograph(np.array(pose))) for pose in ((2.6, 2.2, -2.2), (2.6, 2.2, -1.95), (2.3, 1.9, -2.2))
    )
    turn = compare(first, turned)
    assert turn is not None and abs(turn.turn - 0.25) < 0.06 and turn.parallax < 0.03
    way = compare(first, moved)
    assert way is not None and way.parallax > 0.03
    assert abs(wrap(way.direction - (np.arctan2(-0.3, -0.3) + 2.2))) < 0.35
    space, rng = FreeSpace(robot.world), np.random.default_rng(0)
    others = [eye.look(robot.photograph(space.sample_pose(rng, "bedroom"))) for _ in range(8)]
    assert sum(compare(first, other) is not None for other in others) <= 1
    robot.close()


def test_it_goes_to_a_picture_of_a_place_that_it_has_seen_and_refuses_others() -> None:
    robot = Simulator("two_rooms", seed=1)
    start = np.array([0.6, 1.0, 0.5])
    robot.reset(start, 1)
    classical = ClassicalRobot(robot)
    classical.explore(12.0, lambda done: None)
    trial = classical.drive("near", robot.ground_truth().pose, start, 1.0, 60.0)
    assert trial.there and trial.collisions == 0
    grey = np.full((96, 96, 3), 128, np.uint8)
    assert classical.seek(grey, 30.0).code is Code.GOAL_NOT_REMEMBERED
    robot.close()
