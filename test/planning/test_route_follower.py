"""Which place of a route is aimed at: the farthest that can be seen, never one behind a wall."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.core.geometry import Array, compose, relative
from ami_ros.memory.types import Location, Place, Route
from ami_ros.planning.route_follower import FollowerConfig, RouteFollower, circles_here, in_sight, pose_in_map
from harness.exact_model import latent_of

from .conftest import NOTHING, robot_at, scan_of_points

CONFIG = FollowerConfig()


def route(points: Sequence[tuple[float, float]], goal: Array | None = None) -> Route:
    """A route through these points, whose goal is the last one unless it is given."""
    places = []
    for k, point in enumerate(points):
        pose = np.array([*point, 0.0])
        places.append(Place(k + 1, pose, latent_of(pose), "", "", 0.0, 0.0, 1))
    return Route(places, 1.0, places[-1].pose if goal is None else goal, 1.0)


STRAIGHT = [(0.3 * k, 0.0) for k in range(20)]
# From the west room of `two_rooms` through its door at (2, 1.6) into the corner of the east room.
THROUGH_DOOR = [(0.6, 0.6), (0.9, 0.9), (1.2, 1.2), (1.6, 1.55), (2.0, 1.6), (2.4, 1.5), (2.8, 1.1), (3.2, 0.7)]


def test_it_aims_as_far_ahead_as_the_look_ahead_allows() -> None:
    follower = RouteFollower(route(STRAIGHT), CONFIG)
    sub = follower.subgoal(np.zeros(3), None)
    assert CONFIG.lookahead - 0.3 <= sub.pose[0] <= CONFIG.lookahead + 1e-9
    assert sub.place.id == sub.index + 1
    np.testing.assert_allclose(follower.poses[sub.index], sub.pose)


def test_the_subgoal_moves_on_with_the_robot_and_ends_at_the_last_place() -> None:
    follower, indices = RouteFollower(route(STRAIGHT), CONFIG), []
    for x in np.arange(0.0, 5.7, 0.1):
        pose = np.array([x, 0.05, 0.1])
        assert follower.update(pose) < 0.2
        sub = follower.subgoal(pose, NOTHING)
        np.testing.assert_allclose(compose(pose, sub.pose)[:2], follower.poses[sub.index, :2], atol=1e-9)
        assert sub.index == len(STRAIGHT) - 1 or np.hypot(*sub.pose[:2]) >= 0.35
        indices.append(sub.index)
    assert indices == sorted(indices) and indices[-1] == len(STRAIGHT) - 1


def test_places_behind_a_wall_are_not_aimed_at() -> None:
    far = replace(CONFIG, lookahead=9.0)
    robot = robot_at(0.6, 0.6, 0.0, "two_rooms")
    follower = RouteFollower(route(THROUGH_DOOR), far)
    sub = follower.subgoal(robot.ground_truth().pose, robot.observe().scan)
    assert 1 <= sub.index <= 4  # up to the door, but not round its edge
    blind = follower.subgoal(robot.ground_truth().pose, None)
    assert blind.index == len(THROUGH_DOOR) - 1
    robot.place(np.array([1.7, 1.58, 0.0]))
    follower.update(robot.ground_truth().pose)
    assert follower.subgoal(robot.ground_truth().pose, robot.observe().scan).index >= 5


def test_if_nothing_is_in_sight_the_next_place_is_aimed_at() -> None:
    walled_in = replace(NOTHING, ranges=np.full(72, 0.3, np.float32))
    sub = RouteFollower(route(STRAIGHT), CONFIG).subgoal(np.zeros(3), walled_in)
    assert 0.0 < sub.pose[0] <= 0.35 + 0.3


def test_a_place_that_was_passed_is_not_turned_back_to_where_the_next_lies_beyond_the_lookahead() -> None:
    """It was, as soon as the robot was farther from it than 0.35: to and fro, until it counted as stuck."""
    apart = CONFIG.lookahead + 0.3
    follower = RouteFollower(route([(0.0, 0.0), (apart, 0.0), (2 * apart, 0.0)]), CONFIG)
    for x in np.arange(0.0, apart, 0.1):
        pose = np.array([x, 0.02, 0.0])
        follower.update(pose)
        sub = follower.subgoal(pose, NOTHING)
        assert sub.pose[0] > 0.0 and sub.turn == 0.0, x


def test_a_place_at_a_corner_is_driven_to_until_what_comes_after_it_is_in_sight() -> None:
    """It counted as passed from 0.35 on, so that the robot turned to a place behind the corner, and back again."""
    pose = np.array([0.75, 0.0, 0.0])
    edge = scan_of_points(np.column_stack([np.linspace(-0.2, 0.2, 20), np.full(20, 0.4)]))
    follower = RouteFollower(route([(0.0, 0.0), (1.0, 0.0), (1.0, 1.0)]), CONFIG)
    follower.update(pose)
    assert follower.subgoal(pose, edge).index == 1
    assert follower.subgoal(pose, NOTHING).index == 2


def test_the_way_left_shrinks_by_what_was_driven() -> None:
    follower = RouteFollower(route(THROUGH_DOOR), CONFIG)
    length = float(np.hypot(*np.diff(follower.poses[:, :2], axis=0).T).sum())
    assert follower.remaining(follower.poses[0]) == pytest.approx(length)
    left = []
    for pose in follower.poses:
        follower.update(pose)
        left.append(follower.remaining(pose))
    assert left == sorted(left, reverse=True) and left[-1] == pytest.approx(0.0, abs=1e-9)


def test_the_way_beyond_the_last_place_counts() -> None:
    follower = RouteFollower(route(STRAIGHT[:3], goal=np.array([0.6, 1.0, 0.0])), CONFIG)
    assert follower.remaining(np.zeros(3)) == pytest.approx(1.6)


def test_at_its_last_place_a_route_is_at_its_end_however_far_the_goal_is() -> None:
    follower = RouteFollower(route(STRAIGHT, np.array([7.7, 0.0, 0.0])), CONFIG)
    follower.update(np.array([5.0, 0.0, 0.0]))
    assert not follower.at_end
    follower.update(np.array([5.65, 0.0, 0.0]))
    assert follower.at_end and follower.remaining(np.array([5.65, 0.0, 0.0])) > 2.0


def test_leaving_the_route_shows_in_the_distance() -> None:
    follower = RouteFollower(route(STRAIGHT), CONFIG)
    assert follower.update(np.array([1.0, 2.0, 0.0])) == pytest.approx(2.0, abs=0.1)


def test_a_route_of_one_place_is_fine() -> None:
    follower = RouteFollower(route([(1.0, 0.0)]), CONFIG)
    assert follower.update(np.zeros(3)) == pytest.approx(1.0)
    assert follower.subgoal(np.zeros(3), None).index == 0 and follower.remaining(np.zeros(3)) == pytest.approx(1.0)


def test_a_wall_between_hides_a_point_and_one_beside_does_not() -> None:
    scan = robot_at(3.0, 2.0, 0.0).observe().scan  # a wall 0.95 m ahead
    assert in_sight(np.array([0.7, 0.0]), scan, 0.19) and in_sight(np.array([0.7, 0.6, 1.0]), scan, 0.19)
    assert not in_sight(np.array([1.2, 0.0]), scan, 0.19)
    assert in_sight(np.array([1.2, 0.0]), None, 0.19) and in_sight(np.array([0.1, 0.0]), scan, 5.0)


def test_the_pose_in_the_map_moves_on_with_odometry() -> None:
    location = Location(0.0, np.array([1.0, 2.0, np.pi / 2]), np.array([5.0, 5.0, 0.0]), 1.0, 0.0, True, 1)
    np.testing.assert_allclose(pose_in_map(location, np.array([6.0, 5.0, 0.3])), [1.0, 3.0, np.pi / 2 + 0.3])
    odometry = np.array([4.0, 3.0, 2.0])
    np.testing.assert_allclose(
        relative(location.pose, pose_in_map(location, odometry)), relative(location.odometry, odometry), atol=1e-12
    )


def test_a_way_that_ends_at_a_closed_door_names_the_leg_behind_it() -> None:
    robot = robot_at(1.2, 1.3, 0.5, "two_rooms")
    follower = RouteFollower(route(THROUGH_DOOR), CONFIG)
    pose = robot.ground_truth().pose
    follower.update(pose)
    assert follower.hidden_leg(pose, robot.observe().scan) is None
    robot.place(np.array([1.65, 1.58, 0.0]))
    robot.set_door(next(iter(robot.doors)), False)
    pose = robot.ground_truth().pose
    follower.update(pose)
    assert follower.hidden_leg(pose, None) is None
    assert follower.hidden_leg(pose, robot.observe().scan) in {3, 4}


def test_at_the_end_of_a_route_nothing_is_hidden() -> None:
    walled_in = replace(NOTHING, ranges=np.full(72, 0.3, np.float32))
    follower = RouteFollower(route(STRAIGHT), CONFIG)
    end = np.array([*STRAIGHT[-1], 0.0])
    follower.update(end)
    assert follower.hidden_leg(end, walled_in) is None


def test_circles_of_the_map_are_seen_from_the_robot_and_not_while_it_is_lost() -> None:
    circles = np.array([[1.0, 2.0, 0.5], [0.0, 0.0, 0.1]])
    known = Location(0.0, np.array([1.0, 1.0, np.pi / 2]), np.zeros(3), 1.0, 0.0, True, 1)
    found = circles_here(circles, known, np.zeros(3))
    np.testing.assert_allclose(found, [[1.0, 0.0, 0.5], [-1.0, 1.0, 0.1]], atol=1e-9)
    assert circles_here(circles[:0], known, np.zeros(3)).shape == (0, 3)
    assert len(circles_here(circles, replace(known, localised=False), np.zeros(3))) == 0
    assert len(circles_here(circles, None, np.zeros(3))) == 0


def test_what_was_driven_from_the_places_at_hand_is_known_as_sequences_of_the_horizon() -> None:
    way = route(STRAIGHT[:3])
    driven = np.array([[0.3, 0.0], [0.3, 0.3], [0.3, 0.6], [0.1, 0.0]], np.float32)
    way = replace(way, places=[replace(way.places[0], commands=driven), *way.places[1:]])
    found = RouteFollower(way, CONFIG).experience(steps=3, chunk=2)
    np.testing.assert_allclose(found, [[[0.3, 0.15], [0.2, 0.3], [0.1, 0.0]]], atol=1e-6)
    assert RouteFollower(route(STRAIGHT[:3]), CONFIG).experience(3, 2).shape == (0, 3, 2)


def test_a_spot_where_the_robot_once_looked_around_is_one_step() -> None:
    """A dozen places around it would use up the look-ahead, and send the robot from one to the other."""
    around = [(0.6 + 0.05 * np.cos(a), 0.05 * np.sin(a)) for a in np.linspace(0.0, 6.0, 12)]
    follower = RouteFollower(route([(0.0, 0.0), (0.3, 0.0), *around, (1.0, 0.0), (1.4, 0.0)]), CONFIG)
    assert len(follower.poses) == len(follower.route.places) == len(follower.left) == 5
    assert follower.subgoal(np.zeros(3), None).pose[0] == pytest.approx(1.4)
    assert follower.subgoal(np.array([1.2, 0.0, 0.0]), None).index == 4


def test_on_the_way_to_a_goal_off_all_places_it_is_on_the_route() -> None:
    follower = RouteFollower(route([(0.0, 0.0), (0.5, 0.0)], np.array([2.5, 0.0, 0.0])), CONFIG)
    assert follower.update(np.array([2.0, 0.1, 0.0])) == pytest.approx(0.1)
    assert follower.update(np.array([2.0, 1.5, 0.0])) == pytest.approx(1.5)
