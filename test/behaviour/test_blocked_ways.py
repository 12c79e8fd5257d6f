"""Walls across a way: seen from afar, not where there is none, remembered, and forgotten once they are gone."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.behaviour.routing import BlockedWay, BlockedWays, RoutingRules, wall_across
from ami_ros.core.geometry import Array, compose, relative
from ami_ros.safety.moving_things import Kind, MovingThing, MovingThings
from ami_ros.simulation.loopback import Loopback

from .conftest import NOTHING, robot_at

DOOR = np.array([2.0, 1.6])
# From the west room of `two_rooms` through its door into the corner of the east room.
WAY = np.array([(0.6, 0.6), (0.9, 0.9), (1.2, 1.2), (1.6, 1.55), (1.9, 1.6), (2.2, 1.6), (2.6, 1.4), (3.2, 0.7)])


def robot_before(closed: bool, x: float = 0.6, y: float = 0.6) -> Loopback:
    robot = robot_at(x, y, 0.4, "two_rooms")
    robot.set_door("middle", not closed)
    return robot


def wall(robot: Loopback, way: Array = WAY, error: Array | None = None) -> int | None:
    """What is seen from where the robot is, believing to be off by `error` (3,)."""
    believed = compose(robot.ground_truth().pose, np.zeros(3) if error is None else error)
    path = relative(believed, np.column_stack([way, np.zeros(len(way))]))[:, :2]
    return wall_across(path, robot.observe().scan, RoutingRules.sight)


@pytest.mark.parametrize("at", [(0.6, 0.6), (1.2, 1.2), (1.5, 2.4), (0.5, 1.6)])
def test_a_closed_door_is_seen_from_anywhere_in_the_room(at: tuple[float, float]) -> None:
    assert wall(robot_before(True, *at)) in {3, 4, 5}


@pytest.mark.parametrize("at", [(0.6, 0.6), (1.2, 1.2), (1.5, 2.4), (0.5, 1.6), (1.8, 1.6), (2.2, 1.5), (3.2, 2.4)])
@pytest.mark.parametrize("error", [(0.0, 0.0, 0.0), (0.0, 0.15, 0.0), (0.1, -0.15, 0.05), (-0.15, 0.0, -0.06)])
def test_an_open_door_is_no_wall_though_the_robot_errs_about_where_it_is(
    at: tuple[float, float], error: tuple[float, float, float]
) -> None:
    assert wall(robot_before(False, *at), error=np.array(error)) is None


def test_what_is_not_in_sight_is_not_judged() -> None:
    robot = robot_before(True)
    assert wall_across(WAY - robot.ground_truth().pose[:2], robot.observe().scan, sight=0.8) is None
    assert wall_across(WAY - [5.0, 0.0], robot.observe().scan, RoutingRules.sight) is None
    assert wall_across(WAY, None, 9.0) is None and wall_across(WAY[:1], NOTHING, 9.0) is None


def test_the_end_of_a_way_may_lie_at_a_wall() -> None:
    robot = robot_before(False)
    assert wall(robot, np.array([(0.6, 0.6), (0.25, 0.6), (-0.03, 0.6)])) is None


def way(leg: tuple[int, int], middle: Array = DOOR, stamp: float = 100.0, near: bool = True) -> BlockedWay:
    return BlockedWay(leg, np.asarray(middle), stamp, near)


def test_what_is_blocked_is_avoided_for_a_while() -> None:
    ways = BlockedWays()
    ways.add(way((1, 2)))
    ways.add(way((1, 2), stamp=110.0))
    assert ways.legs(110.0 + RoutingRules.remembered) == ((1, 2),)
    assert ways.legs(110.1 + RoutingRules.remembered) == () and not ways.ways


def test_a_clock_that_began_anew_frees_all_ways() -> None:
    ways = BlockedWays()
    ways.add(way((1, 2)))
    assert ways.legs(5.0) == ()


def test_a_door_that_is_open_again_is_seen_in_passing() -> None:
    ways, robot = BlockedWays(), robot_before(True)
    ways.add(way((4, 5)))
    ways.add(replace(way((8, 9)), by_scan=False))  # whatever it was, the scanner did not see it
    pose = robot.ground_truth().pose
    assert ways.look(pose, robot.observe().scan) == [] and ways.look(pose, None) == []
    robot.set_door("middle", True)
    assert [w.leg for w in ways.look(pose, robot.observe().scan)] == [(4, 5)]
    assert ways.legs(100.0) == ((8, 9),)


def test_with_no_way_left_the_nearest_that_is_in_doubt_is_looked_at_again() -> None:
    ways, here = BlockedWays(), np.zeros(3)
    ways.reconsider(here, 100.0)
    for leg, x, near in (((1, 2), 0.5, True), ((3, 4), 3.0, False), ((5, 6), 2.0, False)):
        ways.add(way(leg, np.array([x, 0.0]), near=near))
    ways.reconsider(here, 101.0)
    assert ways.legs(101.0) == ((1, 2), (3, 4))
    ways.reconsider(here, 101.0)
    assert ways.legs(101.0) == ((1, 2),)
    ways.reconsider(here, 101.0)  # nothing is in doubt: the newest
    assert ways.legs(101.0) == ()


@pytest.mark.parametrize("by_scan", [True, False])
def test_a_way_that_somebody_blocked_is_open_as_soon_as_it_is_seen_through_again(by_scan: bool) -> None:
    """Also where the robot got stuck at them, and with a wall close behind."""
    robot = robot_before(False)
    pose, stamp = robot.ground_truth().pose, 10.0
    middle = pose[:2] + [0.6, 0.6]
    ways = BlockedWays()
    ways.add(BlockedWay((1, 2), middle, stamp, True, by_scan, 0.1))
    elsewhere = MovingThing(1, middle + [0.0, 5.0], np.zeros(2), np.eye(4), 0.3, Kind.PERSON)
    ways.footprints.add(MovingThings(stamp, (elsewhere,)), stamp, pose, pose)
    assert by_scan or not ways.look(pose, robot.observe().scan), "what stopped it may be what no scan shows"
    ways.add(BlockedWay((1, 2), middle, stamp, True, by_scan, 0.1))
    leaving = MovingThing(2, middle + [0.0, 0.3], np.array([0.0, 0.5]), np.eye(4), 0.3, Kind.PERSON)
    ways.footprints.add(MovingThings(stamp, (leaving,)), stamp, pose, pose)
    assert [way.leg for way in ways.look(pose, robot.observe().scan)] == [(1, 2)]
    assert not ways.legs(stamp)
