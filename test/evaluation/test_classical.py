from __future__ import annotations

import numpy as np

from ami_ros.evaluation.classical.drive import ClassicalRobot
from ami_ros.evaluation.classical.drive import MatchingGrid as Grid
from ami_ros.evaluation.classical.views import Eye, compare
from ami_ros.geometry import wrap
from ami_ros.mission.occupancy import Ways
from ami_ros.planning.codes import Code
from ami_ros.robots.description import load_robot
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator


def test_a_scan_is_matched_to_where_it_was_taken_and_ways_go_around_walls() -> None:
    robot = Simulator("two_rooms", pictures=False, seed=1)
    grid, start = Grid(), np.array([1.0, 1.5, 0.0])
    for pose in (start, np.array([2.0, 1.6, 0.0]), np.array([3.0, 1.5, 0.0])):
        robot.place(pose)
        grid.add(pose, robot.observe().scan)
    robot.place(np.array([1.2, 1.4, 0.2]))
    found = grid.match(np.array([1.25, 1.36, 0.25]), robot.observe().scan)
    assert np.abs(found - (1.2, 1.4, 0.2)).max() < 0.04
    way = Ways(grid, np.array([1.0, 2.5, 0.0]), 0.18).to(np.array([3.0, 2.5]))
    door = way[np.abs(way[:, 0] - 2.0).argmin()]
    assert len(way) > 20 and 1.1 < door[1] < 2.1


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
    trial = classical.trial("near", robot.ground_truth().pose, start, 1.0, 60.0)
    assert trial.there and trial.collisions == 0
    grey = np.full((96, 96, 3), 128, np.uint8)
    assert classical.drive(grey, 30.0).code is Code.GOAL_NOT_REMEMBERED
    robot.close()
