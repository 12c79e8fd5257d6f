"""The navigator on the ways that memory knows."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.behaviour.navigator import Navigator
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import compose
from ami_ros.memory.types import Code as MemoryCode
from ami_ros.planning.types import Code, Goal, State
from harness.course import GOAL, WITH_MEMORY, Answer, Course, assert_at, course_with_memory, flat_course, route_to
from harness.exact_model import ExactModel, latent_of

from .conftest import PERIOD, robot_at, room_with_box


@pytest.fixture
def flat(model: ExactModel) -> Course:
    return flat_course(model)


@pytest.fixture
def course(model: ExactModel) -> Course:
    return course_with_memory(model)


def test_a_robot_that_does_not_know_where_it_is_looks_around(course: Course) -> None:
    course.localised, course.answer = False, AmiError("lost", MemoryCode.NOT_LOCALISED)
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    for _ in range(5):
        decision = course.step()
        assert decision.state is State.PLANNING and decision.commands[0, 0] == 0.0 and decision.commands[0, 1] > 0
        assert decision.wants_route is not None
    course.localised, course.answer = True, route_to(GOAL, (1.2, 1.5), (2.0, 1.8), (2.8, 2.3))
    assert course.run(30.0).succeeded


def test_if_looking_around_does_not_help_it_drives_without_memory(course: Course) -> None:
    course.localised, course.answer = False, AmiError("lost", MemoryCode.NOT_LOCALISED)
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    course.run(11.0, until=lambda d: d.state is State.CONTROLLING)
    assert len(course.decisions) * PERIOD >= 10.0
    assert course.run(30.0).succeeded


def test_it_asks_memory_for_the_goal(course: Course) -> None:
    course.navigator.start(Goal(place_id=7))
    request = course.step().wants_route
    assert request is not None and request.goal.place_id == 7
    assert (request.hypothesis, request.avoid_edges) == (0, ())


def test_it_does_not_ask_twice_once_answered(course: Course) -> None:
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    assert course.step().wants_route is not None
    assert all(course.step().wants_route is None for _ in range(5))


def test_a_picture_that_memory_does_not_know_is_driven_to_by_sight(course: Course) -> None:
    course.answer = AmiError("never seen", MemoryCode.NOT_FOUND)
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    assert course.run(30.0).succeeded
    assert course.decisions[-1].replans == 0


@pytest.mark.parametrize("goal", [Goal(place_id=99), Goal(place_label="nowhere")])
def test_a_place_that_memory_does_not_know_cannot_be_a_goal(course: Course, goal: Goal) -> None:
    course.answer = AmiError("memory: no such place", MemoryCode.NOT_FOUND)
    course.navigator.start(goal)
    last = course.run(3.0)
    assert last.code is Code.GOAL_NOT_REMEMBERED and not last.succeeded


def test_a_place_is_no_goal_without_memory(flat: Course) -> None:
    flat.navigator.start(Goal(place_id=1))
    assert flat.run(1.0).code is Code.GOAL_NOT_REMEMBERED


def test_a_goal_in_the_map_is_driven_to_by_the_route(course: Course) -> None:
    course.navigator.start(Goal(pose=GOAL, in_map=True))
    assert course.run(30.0).succeeded
    assert_at(course.robot, GOAL)


@pytest.mark.parametrize("code", [MemoryCode.NO_ROUTE, MemoryCode.NOT_FOUND])
def test_a_goal_in_the_map_of_a_robot_that_was_just_started_is_explored_towards(
    model: ExactModel, code: MemoryCode
) -> None:
    course = before_a_box(model, 1.8, AmiError("memory: no way to the goal's place is known", code))
    goal = np.array([3.2, 1.8, 0.6])
    course.navigator.start(Goal(pose=goal, in_map=True))
    assert course.run(60.0).succeeded
    assert_at(course.robot, goal)
    assert "exploring towards the goal" in {d.message for d in course.decisions}


def test_a_goal_in_the_map_that_nothing_leads_to_is_given_up_once_all_is_explored(course: Course) -> None:
    course.answer = AmiError("memory: no way to the goal's place is known", MemoryCode.NO_ROUTE)
    course.navigator.start(Goal(pose=np.array([30.0, 30.0, 0.0]), in_map=True))
    last = course.run(200.0)
    assert last.code is Code.GOAL_NOT_REMEMBERED and "nothing is left" in last.message


@pytest.mark.parametrize("goal", [Goal(latent=latent_of(GOAL)), Goal(place_id=5)])
def test_when_memory_falls_silent_on_the_way_the_robot_stays_in_command(course: Course, goal: Goal) -> None:
    course.navigator.start(goal)
    for _ in range(4):
        course.step()
    for _ in range(5):
        decision = course.step(location=None)
        assert (decision.commands == 0).all() and "memory" in decision.message
    assert course.run(30.0).succeeded  # once it speaks again


def test_a_route_that_was_left_is_asked_for_anew(course: Course) -> None:
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    for _ in range(3):
        course.step()
    course.robot.place(np.array([1.0, 3.5, 0.0]))  # kidnapped
    course.answer = route_to(GOAL, (1.0, 3.4), (1.6, 3.1), (2.2, 2.7), (2.8, 2.3))
    assert course.step().wants_route is not None
    assert course.run(40.0).succeeded and course.decisions[-1].replans == 2


def test_being_lost_for_a_moment_is_forgiven_and_for_longer_is_not(course: Course) -> None:
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    for _ in range(3):
        course.step()
    course.localised, course.answer = False, AmiError("lost", MemoryCode.NOT_LOCALISED)
    lost = [course.step().wants_route is not None for _ in range(15)]
    assert not any(lost[:5]) and lost[-1]


def test_a_goal_that_the_latents_refute_is_looked_for_elsewhere(course: Course) -> None:
    """Memory takes the robot's own place for the goal; its latents say that the goal is two metres away."""
    here = course.robot.ground_truth().pose
    course.answer = route_to(here, (1.2, 1.5))
    course.navigator.start(Goal(pose=None, latent=latent_of(compose(here, [0.0, 1.9, 0.0]))))
    course.navigator.set_route(course.answer)
    course.answer = None
    decision = course.run(20.0, until=lambda d: d.wants_route is not None)
    assert decision.wants_route is not None and len(decision.wants_route.goal.search.looked_from) == 1


def test_a_pose_near_by_whose_way_is_seen_to_be_free_waits_for_no_route(course: Course) -> None:
    course.answer = None  # memory says nothing
    course.navigator.start(Goal(pose=compose(course.robot.odometry()[0], np.array([0.8, 0.0, 0.5]))))
    last = course.run(20.0)
    assert last.succeeded
    assert "asking memory for a route" not in {decision.message for decision in course.decisions}


@pytest.mark.parametrize("there", [(3.5, 0.0), (0.8, 1.7)], ids=["far away", "behind the wall"])
def test_any_other_pose_waits_for_one(course: Course, there: tuple[float, float]) -> None:
    course.answer = None
    course.navigator.start(Goal(pose=compose(course.robot.odometry()[0], np.array([*there, 0.0]))))
    assert course.step().message == "asking memory for a route"


def test_a_pose_near_by_is_driven_to_although_a_guess_has_something_in_the_way(model: ExactModel) -> None:
    """A robot without a laser that explored asked memory for a way each time that a guess erred, and turned to and fro
    between places that lay behind it."""
    config = replace(WITH_MEMORY, measured=False)
    course = Course(Navigator(model, config), robot_at(0.8, 2.0, 0.0, room_with_box(1.6, 2.0)), None)
    for ahead, message in ((1.6, "approaching the goal"), (3.5, "asking memory for a route")):
        course.navigator.start(Goal(pose=compose(course.robot.odometry()[0], np.array([ahead, 0.0, 0.0]))))
        assert course.step().message == message
    course.localised = False
    course.navigator.start(Goal(pose=compose(course.robot.odometry()[0], np.array([1.6, 0.0, 0.0]))))
    assert course.step().message == "approaching the goal", "for that nobody has to know where it is"


def before_a_box(model: ExactModel, y: float, answer: Answer) -> Course:
    """A robot that would drive along x at 2 m, and a box of 0.6 m whose middle lies at `y` [m]."""
    return Course(Navigator(model, WITH_MEMORY), robot_at(0.8, 2.0, 0.0, room_with_box(1.6, y)), answer)


def test_a_pose_near_by_past_a_corner_waits_for_no_route(model: ExactModel) -> None:
    course = before_a_box(model, 1.55, None)  # less than the robot's half width is in the way
    course.navigator.start(Goal(pose=compose(course.robot.odometry()[0], np.array([1.6, 0.0, 0.0]))))
    assert course.run(20.0).succeeded
    assert "asking memory for a route" not in {decision.message for decision in course.decisions}


def test_a_pose_behind_a_corner_is_driven_to_from_the_end_of_the_route(model: ExactModel) -> None:
    goal = np.array([2.4, 2.1, 0.0])
    course = before_a_box(model, 1.8, route_to(goal, (0.7, 2.0), (0.8, 2.0)))  # nobody drove farther than to here
    course.navigator.start(Goal(pose=goal, in_map=True))
    assert course.run(20.0).succeeded
    assert_at(course.robot, goal)
