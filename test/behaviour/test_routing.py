"""Which way is asked for and taken, and what blocks it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.behaviour.routing import BlockedWay, BlockedWays, Routing, RoutingRules, wall_across
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, relative
from ami_ros.memory.types import Code as MemoryCode
from ami_ros.planning.types import Code, Goal
from ami_ros.safety.moving_things import Kind, MovingThing, MovingThings
from ami_ros.simulation.loopback import Loopback
from harness.course import FLAT, GOAL, WITH_MEMORY, location_of, route_to
from harness.exact_model import latent_of
from harness.scans import scan_of_points

from .conftest import NOTHING, percept_of, robot_at

PICTURE = Goal(latent=latent_of(GOAL))
ROBOT = robot_at(1.2, 1.5, 2.0)
HERE = percept_of(ROBOT, location_of(ROBOT))
ROUTE = route_to(GOAL, (1.2, 1.5), (2.0, 1.8), (2.8, 2.3))
NO_ROUTE = AmiError("no way", MemoryCode.NO_ROUTE)


def routing_of(goal: Goal, config: NavigatorConfig = WITH_MEMORY) -> Routing:
    return Routing(goal, config, BlockedWays())


def test_without_memory_nothing_is_asked() -> None:
    routing = routing_of(PICTURE, FLAT)
    assert routing.flat and routing.request(HERE) is None


def test_a_pose_in_odom_is_asked_for_in_the_map_once_it_is_known_where_that_is() -> None:
    routing = routing_of(Goal(pose=HERE.odometry))
    assert routing.request(replace(HERE, location=None)) is None
    request = routing.request(HERE)
    assert request is not None and request.goal.pose is not None
    np.testing.assert_allclose(request.goal.pose, ROBOT.ground_truth().pose, atol=1e-9)


def test_memory_is_told_from_where_a_picture_was_looked_for_and_how_far_the_robot_may_go() -> None:
    request = routing_of(PICTURE).request(HERE, [compose(HERE.odometry, np.array([1.0, 0.0, 0.5]))], 7.0)
    assert request is not None and request.goal.search.reach == 7.0
    truth = ROBOT.ground_truth().pose
    np.testing.assert_allclose(request.goal.search.looked_from, [compose(truth, np.array([1.0, 0.0, 0.0]))[:2]])


def test_the_route_stays_while_another_is_asked_for_and_not_when_it_is_dropped() -> None:
    routing = routing_of(PICTURE)
    routing.answer(ROUTE)
    assert routing.request(HERE) is None and routing.replans == 1
    routing.ask()
    assert routing.request(HERE) is not None and routing.follower is not None
    routing.ask_again()
    assert routing.follower is None


@pytest.mark.parametrize("measured", [True, False], ids=["measured", "guessed"])
@pytest.mark.parametrize("ahead", [2.0, 1.0], ids=["far", "near"])
def test_a_wall_that_is_guessed_from_afar_says_less_than_that_somebody_drove_there(
    ahead: float, measured: bool
) -> None:
    routing, start = routing_of(PICTURE, replace(WITH_MEMORY, measured=measured)), ROBOT.ground_truth().pose
    places = [compose(start, np.array([x, 0.0, 0.0])) for x in (0.0, 0.8, 1.6, 2.4, 3.2)]
    routing.answer(route_to(places[-1], *(tuple(place[:2]) for place in places)))
    routing.misfit(HERE)
    wall = scan_of_points(np.column_stack([np.full(201, ahead), np.linspace(-1.5, 1.5, 201)]))
    reasons = [routing.closed(replace(HERE, stamp=HERE.stamp + 0.1 * k, scan=wall)) for k in range(40)]
    assert any(reasons) is (measured or ahead < RoutingRules.near)


@pytest.mark.parametrize(
    ("goal", "refusal"), [(PICTURE, None), (Goal(place_id=9), Code.GOAL_NOT_REMEMBERED)], ids=["picture", "place"]
)
def test_what_memory_does_not_know_is_looked_for_by_sight_or_refused(goal: Goal, refusal: Code | None) -> None:
    routing = routing_of(goal)
    routing.answer(NO_ROUTE)
    assert routing.flat == (refusal is None)
    assert (routing.refusal[0] if routing.refusal else None) is refusal


def test_a_picture_to_whose_best_match_no_way_is_known_is_looked_for_at_the_next() -> None:
    routing = routing_of(replace(PICTURE, recognised=True))
    routing.answer(NO_ROUTE)
    request = routing.request(HERE)
    assert request is not None and request.hypothesis == 1 and not routing.flat
    routing.answer(ROUTE)
    assert routing.follower is not None


def test_a_blocked_way_elsewhere_does_not_make_a_picture_that_nobody_knows_unreachable() -> None:
    routing = routing_of(replace(PICTURE, recognised=True))
    routing.answer(ROUTE)
    routing.misfit(HERE)
    routing.stuck_here()
    routing.look_up_again()
    request = routing.request(HERE)
    assert request is not None and request.avoid_edges
    routing.answer(AmiError("memory: the goal has only 1 hypotheses", MemoryCode.NOT_FOUND))
    assert routing.flat and routing.refusal is None


@pytest.mark.parametrize(("confidence", "refused"), [(0.0, False), (0.9, True)], ids=["guess", "certain"])
def test_a_spot_to_look_from_whose_ways_are_blocked_gives_way_to_the_next_one(confidence: float, refused: bool) -> None:
    routing = routing_of(replace(PICTURE, recognised=True))
    routing.answer(replace(ROUTE, goal_confidence=confidence))
    routing.misfit(HERE)
    for _ in range(RoutingRules.rounds):
        routing.stuck_here()
        routing.ask()
        request = routing.request(HERE)
        assert request is not None and request.avoid_edges and not request.hypothesis
        routing.answer(NO_ROUTE)
    assert (routing.refusal is not None) == refused
    request = routing.request(HERE)
    assert request is None if refused else request is not None and request.hypothesis == 1


def test_where_it_got_stuck_is_avoided() -> None:
    routing = routing_of(PICTURE)
    routing.stuck_here()
    assert not len(routing.blocked.ways)
    routing.answer(ROUTE)
    routing.misfit(HERE)
    routing.stuck_here()
    assert routing.blocked.legs(HERE.stamp) == ((1, 2),)


FAR = Goal(pose=np.array([9.0, 9.0, 0.0]), in_map=True)  # of which memory knows free ground on the way, at GOAL
ON = replace(ROUTE, goal_confidence=0.0)


def test_to_a_pose_that_no_way_is_known_to_it_goes_on_from_free_ground_on_the_way() -> None:
    routing = routing_of(FAR)
    routing.answer(ON)
    assert routing.follower is not None and not routing.is_at_frontier(HERE)
    robot = robot_at(*GOAL)
    assert routing.is_at_frontier(percept_of(robot, location_of(robot)))
    request = routing.request(HERE)
    assert request is not None and request.goal.pose is not None and request.hypothesis == 0
    routing.answer(ON)  # the same again: it has been there
    request = routing.request(HERE)
    assert routing.follower is None and request is not None and request.hypothesis == 1
    routing.answer(replace(ROUTE, goal_confidence=1.0))  # memory knows the way by now
    assert routing.follower is not None and not routing.is_at_frontier(HERE)


def test_free_ground_that_it_does_not_get_to_is_left_and_when_none_is_left_the_robot_explores() -> None:
    routing = routing_of(FAR)
    for _ in range(2):
        routing.answer(ON)
        assert routing.follower is not None
        routing.ask_again()
    routing.answer(ON)
    assert routing.follower is None
    routing.answer(NO_ROUTE)
    assert routing.refusal is None and routing.scouting
    asked = []
    for seconds in (0.0, 1.0, RoutingRules.scout + 1.5):
        routing.scouted(HERE.stamp + seconds)
        asked.append(routing.request(HERE) is not None)
    assert asked == [False, False, True]  # memory may know more by now
    routing.answer(ROUTE)
    assert not routing.scouting and routing.follower is not None


def test_to_a_pose_in_odom_that_no_way_is_known_to_it_drives_without_memory() -> None:
    routing = routing_of(Goal(pose=np.array([3.0, 0.0, 0.0])))
    routing.answer(ON)
    assert routing.flat and routing.follower is None


# Walls across a way: seen from afar, not where there is none, remembered, and forgotten once they are gone


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
