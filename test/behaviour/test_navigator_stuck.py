"""The navigator where it does not get on: stuck robots and blocked ways."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.behaviour.looks import Look
from ami_ros.behaviour.navigator import Navigator
from ami_ros.behaviour.recovery import RecoveryRules
from ami_ros.behaviour.routing import BlockedWay
from ami_ros.core.errors import AmiError
from ami_ros.memory.types import Code as MemoryCode
from ami_ros.planning.monitors import ProgressConfig
from ami_ros.planning.types import Code, Decision, Goal, State
from harness.course import GOAL, WITH_MEMORY, Course, course_with_memory, flat_course, route_to
from harness.exact_model import ExactModel, latent_of
from harness.recognising import NOT_FOUND
from harness.recognising import course as recognising_course

from .conftest import PERIOD, robot_at


@pytest.fixture
def flat(model: ExactModel) -> Course:
    return flat_course(model)


@pytest.fixture
def course(model: ExactModel) -> Course:
    return course_with_memory(model)


def held(course: Course, seconds: float) -> list[Decision]:
    """Moments in which the robot does not get anywhere, whatever it is told."""
    frozen, decisions = course.percept(), []
    for k in range(round(seconds / PERIOD)):
        location = frozen.location
        percept = replace(frozen, stamp=frozen.stamp + k * PERIOD, location=location)
        decisions.append(course.navigator.step(percept))
        if decisions[-1].wants_route is not None and course.answer is not None:
            course.navigator.set_route(course.answer)
        if decisions[-1].done:
            break
    return decisions


def test_a_stuck_robot_recovers_and_finally_gives_up(flat: Course) -> None:
    flat.navigator.start(Goal(latent=latent_of(GOAL)))
    decisions = held(flat, 200.0)
    recovering = [d for d in decisions if d.state is State.RECOVERING]
    assert any(len(d.commands) and d.commands[0, 0] < 0 for d in recovering)
    assert any(len(d.commands) and d.commands[0, 1] != 0 for d in recovering)
    last, most = decisions[-1], RecoveryRules.recoveries[0]
    assert last.done and last.code is Code.FAILED_TO_MAKE_PROGRESS and "stuck" in last.message
    assert {d.recoveries for d in decisions} >= set(range(1, most + 1))


def test_where_it_got_stuck_the_route_is_avoided(course: Course) -> None:
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    course.step()
    requests = [d.wants_route for d in held(course, 20.0) if d.wants_route is not None]
    assert requests and requests[-1].avoid_edges and len(requests[-1].avoid_edges[0]) == 2


def test_where_it_did_not_get_to_what_it_saw_no_way_is_blocked(model: ExactModel) -> None:
    """It had left the route: after two such places a goal ended as if every way to it were blocked."""
    course = course_with_memory(model)
    course.navigator.start(Goal(latent=latent_of(course.robot.ground_truth().pose + [0.9, 0.0, 0.0])))
    assert course.run(10.0, lambda d: d.message == "approaching the goal").message == "approaching the goal"
    requests = [d.wants_route for d in held(course, 20.0) if d.wants_route is not None]
    assert requests and not any(request.avoid_edges for request in requests)


def block(course: Course) -> None:
    """The way between the first places was found blocked, just now."""
    now = course.percept().stamp
    course.navigator.blocked.add(BlockedWay((1, 2), np.array([1.4, 1.55]), now, near=True))


def test_if_no_way_is_left_avoided_ways_are_tried_again(course: Course) -> None:
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    block(course)
    course.answer = None
    request = course.step().wants_route
    assert request is not None and request.avoid_edges == ((1, 2),)
    course.navigator.set_route(AmiError("no way", MemoryCode.NO_ROUTE))
    request = course.step().wants_route
    assert request is not None and request.avoid_edges == ()


def test_a_closed_door_on_the_way_is_seen_and_another_way_asked_for(model: ExactModel) -> None:
    robot = robot_at(1.2, 1.3, 0.5, "two_rooms")
    way = route_to(np.array([3.2, 0.7, 0.0]), (1.2, 1.3), (1.6, 1.55), (2.0, 1.6), (2.4, 1.5), (2.8, 1.1), (3.2, 0.7))
    course = Course(Navigator(model, WITH_MEMORY), robot, way)
    course.navigator.start(Goal(latent=latent_of(np.array([3.2, 0.7, 0.0]))))
    robot.set_door(next(iter(robot.doors)), False)
    decision = course.run(20.0, lambda d: "blocked" in d.message)
    assert decision.wants_route is not None
    assert decision.wants_route.avoid_edges in {((2, 3),), ((3, 4),)} and "a wall across the way" in decision.message
    assert robot.time < 2.0  # seen from afar, not by driving up to it
    assert robot.ground_truth().contacts == 0 and course.navigator.recovery.recoveries == 0


def test_a_long_way_round_is_not_measured_by_what_was_left_of_the_way_that_is_blocked(model: ExactModel) -> None:
    robot, goal = robot_at(1.2, 1.3, 0.5, "two_rooms"), np.array([3.2, 0.7, 0.0])
    straight = route_to(goal, (1.2, 1.3), (1.6, 1.55), (2.0, 1.6), (2.4, 1.5), (2.8, 1.1), (3.2, 0.7))
    points = [
        (1.2, 1.3),
        (0.9, 1.0),
        (0.6, 0.8),
        (0.5, 1.2),
        (0.5, 1.6),
        (0.5, 2.0),
        (0.5, 2.4),
        (0.9, 2.5),
        (1.3, 2.4),
    ]
    around = route_to(goal, *points)  # longer by the way back from there
    impatient = replace(WITH_MEMORY, progress=ProgressConfig(stall_seconds=4.0))
    course = Course(Navigator(model, impatient), robot, straight)
    course.navigator.start(Goal(latent=latent_of(goal)))
    robot.set_door(next(iter(robot.doors)), False)
    course.step()
    course.answer = around
    course.run(5.0, lambda d: "blocked" in d.message)
    course.run(30.0, lambda d: d.subgoals == len(points) and d.subgoal == len(points) - 1)
    assert State.RECOVERING not in {d.state for d in course.decisions}


def test_when_every_way_was_found_blocked_twice_the_goal_is_given_up(course: Course) -> None:
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    course.answer = AmiError("no way", MemoryCode.NO_ROUTE)
    for _ in range(2):
        block(course)
        course.step()
    decision = course.step()
    assert decision.done and decision.code == Code.FAILED_TO_MAKE_PROGRESS
    assert decision.message == "every known way to the goal is blocked"


def test_if_no_further_hypothesis_is_left_it_begins_with_the_first_again(course: Course) -> None:
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    course.navigator.routing.hypothesis = 2
    course.navigator.set_route(AmiError("only two", MemoryCode.NOT_FOUND))
    request = course.step().wants_route
    assert request is not None and request.hypothesis == 0


def test_a_way_that_is_seen_to_be_open_again_is_asked_for_at_once(model: ExactModel) -> None:
    robot = robot_at(1.5, 0.5, 1.5, "two_rooms")
    way = route_to(np.array([0.4, 2.6, 1.0]), (1.5, 0.5), (1.4, 0.9), (1.2, 1.3), (0.9, 1.7), (0.6, 2.2), (0.4, 2.6))
    course = Course(Navigator(model, WITH_MEMORY), robot, way)
    course.navigator.start(Goal(place_id=6))
    robot.set_door("middle", False)
    course.navigator.blocked.add(BlockedWay((7, 8), np.array([2.0, 1.6]), 0.0, near=True))
    assert course.step().wants_route is not None
    assert all(course.step().wants_route is None for _ in range(3))
    robot.set_door("middle", True)
    decision = course.step()
    assert "places 7 and 8 is open again" in decision.message
    assert decision.wants_route is not None and decision.wants_route.avoid_edges == ()
    assert decision.subgoals == 6  # the way in use stays meanwhile


@pytest.mark.parametrize("end", [Code.FAILED_TO_MAKE_PROGRESS, Code.TIMEOUT])
@pytest.mark.parametrize(
    ("looked_from", "at_goal", "sees_it", "unknown"),
    [(2, False, False, True), (2, True, False, False), (2, False, True, False), (0, False, False, False)],
)
def test_a_robot_stuck_or_out_of_time_while_it_looks_for_a_picture_says_that_nobody_knows_the_place(
    looked_from: int, at_goal: bool, sees_it: bool, unknown: bool, end: Code
) -> None:
    """Of 48 pictures of other buildings four ended as if the way to them had been blocked, five by their time."""
    seeing = recognising_course(NOT_FOUND, blind=True)
    navigator, percept = seeing.navigator, seeing.percept()
    navigator.controller.finder.search.spots += [np.array([float(k), 0.0]) for k in range(looked_from)]
    if sees_it:
        posterior = navigator.belief.posterior
        posterior.look(percept.stamp, percept.odometry, Look(np.array([2.0, 0.0, 0.0]), 0.1, 3.0))
        navigator.belief.driven = posterior.hypotheses[0]
    found, reason = navigator._given_up(end, "did not move", percept, at_goal)
    assert found is (Code.UNKNOWN_PLACE if unknown else end)
    assert "did not move" in reason and ("2 spots" in reason) == unknown
