"""What a scan says about surfaces and directions, and about corners out of which somebody may come."""

from __future__ import annotations

import math
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest

from ami_ros.core.geometry import Disc
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.scan_geometry import WhoComesOut, edges_of_sight, free_near, unhurried
from ami_ros.simulation.floor_plan import Obstacle
from harness.walked_room import disc, scan_at

from .conftest import NOTHING, scan_of_points

WALL = scan_of_points(np.column_stack([np.full(41, 1.0), np.linspace(-1.0, 1.0, 41)]))  # across, 1 m ahead


def test_a_pose_where_nothing_is_stays_where_it_is() -> None:
    pose = np.array([0.7, 0.1, 0.4])
    for scan in (WALL, NOTHING, None):
        np.testing.assert_array_equal(free_near(pose, scan, Disc(0.2)), pose)


def test_a_pose_inside_of_something_moves_to_the_nearest_free_spot_and_keeps_its_heading() -> None:
    moved = free_near(np.array([0.95, 0.0, 0.4]), WALL, Disc(0.2))
    assert moved[0] < 0.82 and np.hypot(*(moved[:2] - [0.95, 0.0])) < 0.3 and moved[2] == 0.4


def test_it_does_not_move_behind_what_it_lies_in() -> None:
    assert free_near(np.array([1.1, 0.0, 0.0]), WALL, Disc(0.2))[0] < 0.82


def test_a_pose_with_no_free_spot_near_stays_where_it_is() -> None:
    pose = np.array([0.95, 0.0, 0.4])
    np.testing.assert_array_equal(free_near(pose, WALL, Disc(1.5)), pose)


def test_a_robot_that_is_longer_behind_comes_nearer_with_its_front() -> None:
    facing, turned = np.array([0.95, 0.0, 0.0]), np.array([0.95, 0.0, np.pi])
    long_behind = Disc(0.2, -0.1)
    assert free_near(facing, WALL, long_behind)[0] > free_near(facing, WALL, Disc(0.2))[0] + 0.05
    assert free_near(turned, WALL, long_behind)[0] < free_near(turned, WALL, Disc(0.2))[0] - 0.05


# Slower where somebody may come out: how fast before which edge, and what is no edge


QUICK = Kinematics(max_linear=1.0)
RADIUS = 0.18
STRAIGHT = np.array([[3.0, 0.0]])  # the way, on the axis of the corridor


def wall(start: float, stop: float, y: float) -> Obstacle:
    return Obstacle("wall", "box", ((start + stop) / 2, y), 0.0, ((stop - start) / 2, 0.05), 2.0)


def wall_across(x: float) -> Obstacle:
    return Obstacle("wall", "box", (x + 0.05, 0.0), 0.0, (0.05, 1.0), 2.0)


def corridor(half_width: float, door: float = math.inf, beyond: float = 4.0) -> list[Obstacle]:
    """Along the x axis; with an opening of 1 m from `door` [m] on to the left, into a room `beyond` [m] deep."""
    right = [wall(-6.0, 9.0, -half_width - 0.05)]
    if door == math.inf:
        return [*right, wall(-6.0, 9.0, half_width + 0.05)]
    left = [wall(-6.0, door, half_width + 0.05), wall(door + 1.0, 9.0, half_width + 0.05)]
    return [*right, *left, wall(-6.0, 9.0, half_width + beyond)]


def limit(things: list[Obstacle], x: float = 0.0, robot: Kinematics = QUICK, beams: int = 360) -> float:
    """Of a robot at `x` [m] that looks along the axis."""
    return unhurried(scan_at(things, np.array([x, 0.0, 0.0]), beams), STRAIGHT, RADIUS, robot)


@pytest.mark.parametrize("beams", [72, 360])
@pytest.mark.parametrize("seed", range(5))
def test_a_corridor_without_doors_is_driven_at_full_speed(beams: int, seed: int) -> None:
    scan = scan_at(corridor(1.0), np.zeros(3), beams, 0.02, seed)
    assert unhurried(scan, STRAIGHT, RADIUS, QUICK) >= QUICK.max_linear


@pytest.mark.parametrize("beams", [72, 360])
def test_it_slows_down_on_the_way_to_a_door_and_not_behind_it(beams: int) -> None:
    things = corridor(1.0, door=3.0)
    speeds = [limit(things, x, beams=beams) for x in (0.0, 1.4, 1.8, 2.4, 2.8)]
    assert speeds[0] >= 1.0 and speeds[-1] == WhoComesOut.unhurried
    assert all(later <= earlier for earlier, later in pairwise(speeds))
    assert WhoComesOut.unhurried < min(speeds[1], speeds[2]) < 1.0
    assert limit(things, 4.6, beams=beams) >= 1.0


def test_a_door_far_beside_the_way_or_into_a_shallow_niche_does_not_slow_it_down() -> None:
    beside = corridor(1.0, door=2.0)
    assert limit(beside, 1.4) < 1.0
    assert limit(corridor(3.4, door=2.0), 1.4) >= 1.0
    assert limit(corridor(1.0, door=2.0, beyond=1.0), 1.4) >= 1.0


def test_legs_of_a_table_hide_nobody_and_a_column_does() -> None:
    leg, column = disc(1.2, 0.4, 0.03), disc(1.2, 0.6, 0.25)
    assert limit([*corridor(1.5), leg]) >= 1.0
    assert limit([*corridor(1.5), column]) < 1.0


def test_a_robot_whose_limits_are_those_among_people_drives_as_before() -> None:
    things = corridor(1.0, door=0.6)
    assert limit(things) == WhoComesOut.unhurried
    assert limit(things, robot=replace(QUICK, max_linear=WhoComesOut.unhurried)) == math.inf


def test_without_a_scan_or_with_one_that_shows_nothing_there_is_no_edge() -> None:
    assert unhurried(None, STRAIGHT, RADIUS, QUICK) == math.inf
    assert not len(edges_of_sight(NOTHING))
    unknown = replace(NOTHING, ranges=np.full_like(NOTHING.ranges, np.nan))
    assert unhurried(unknown, STRAIGHT, RADIUS, QUICK) >= QUICK.max_linear


def test_it_comes_up_to_a_wall_as_slowly_as_it_can_stop() -> None:
    speeds = [limit([*corridor(1.0), wall_across(x)]) for x in (2.0, 0.9, 0.7, 0.4)]
    assert speeds[0] >= 1.0 and speeds[-1] == WhoComesOut.unhurried
    assert 1.0 > speeds[1] > speeds[2] >= WhoComesOut.unhurried
    way = 0.9 - RADIUS
    assert speeds[1] * QUICK.reaction + speeds[1] ** 2 / (2 * QUICK.deceleration) < way


@pytest.mark.parametrize("ahead", [0.9, 1.2, 1.6])
@pytest.mark.parametrize("aside", [0.6, 1.0, 1.8, 2.6])
def test_at_that_speed_it_stands_before_who_steps_out_reaches_its_way(ahead: float, aside: float) -> None:
    """A person leaves the edge straight for the way, when the robot sees it first, and walks on across."""
    robot = replace(QUICK, max_linear=3.0)
    found = unhurried(scan_at([*corridor(aside, door=ahead)], np.zeros(3), noise=0.0), STRAIGHT, RADIUS, robot)
    if found == WhoComesOut.unhurried:
        return
    edges = edges_of_sight(scan_at([*corridor(aside, door=ahead)], np.zeros(3), noise=0.0))
    start, speed, at = edges[np.hypot(*(edges - [ahead, aside]).T).argmin()], found, 0.0
    for tick in range(400):
        seconds = 0.01 * tick
        speed -= 0.01 * robot.deceleration if seconds >= robot.reaction else 0.0
        at += 0.01 * max(speed, 0.0)
        person = start[1] - WhoComesOut.walk * seconds
        apart = math.hypot(start[0] - at, person)
        assert speed <= 0.02 or apart > RADIUS + WhoComesOut.body - 0.06, (seconds, at, speed)
