"""The navigator: one goal from start to end, whatever happens on the way."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor

from ami_ros.errors import AmiError
from ami_ros.geometry import Array, compose, relative
from ami_ros.memory.codes import Code as MemoryCode
from ami_ros.memory.types import Location, Place, Route
from ami_ros.planning.codes import Code
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.navigator import Navigator
from ami_ros.planning.navigator_config import NavigatorConfig
from ami_ros.planning.types import Decision, Goal, Percept, State
from ami_ros.simulation.loopback import Loopback
from harness.exact_model import ExactModel, latent_of

from .conftest import PERIOD, UNHURRIED, percept_of, robot_at

FLAT = NavigatorConfig(use_memory=False, planner=UNHURRIED)
WITH_MEMORY = NavigatorConfig(planner=UNHURRIED)
GOAL = np.array([2.9, 2.4, 0.6])


def location_of(robot: Loopback, localised: bool = True) -> Location:
    """A memory whose map is the world's own frame."""
    pose, odometry = robot.ground_truth().pose, robot.odometry()[0]
    return Location(robot.time, pose, odometry, 1.0 if localised else 0.1, 0.0, localised, 1)


def route_to(goal: Array, *points: tuple[float, float]) -> Route:
    places = []
    for k, point in enumerate(points):
        pose = np.array([*point, 0.0])
        places.append(Place(k + 1, pose, latent_of(pose), "", "", 0.0, 0.0, 1))
    return Route(places, 3.0, np.asarray(goal), 1.0)


Answer = Route | AmiError | None


class Course:
    """A navigator, the robot that it drives, and a memory that answers as the test wants."""

    def __init__(self, navigator: Navigator, robot: Loopback, answer: Answer = None, localised: bool = True) -> None:
        self.navigator, self.robot, self.answer, self.localised = navigator, robot, answer, localised
        self.decisions: list[Decision] = []

    def percept(self) -> Percept:
        location = location_of(self.robot, self.localised) if self.navigator.config.use_memory else None
        return percept_of(self.robot, location)

    def step(self, **changes: Any) -> Decision:
        """One moment; `changes` are of the percept."""
        decision = self.navigator.step(replace(self.percept(), **changes))
        self.decisions.append(decision)
        if decision.wants_route is not None and self.answer is not None:
            self.navigator.set_route(self.answer)
        if not decision.done:
            command = decision.commands[0] if len(decision.commands) else (0.0, 0.0)
            self.robot.step((float(command[0]), float(command[1])), PERIOD)
        return decision

    def run(self, seconds: float, until: Callable[[Decision], bool] = lambda d: d.done) -> Decision:
        """Moments until something is decided; fails if it is not within `seconds`."""
        for _ in range(round(seconds / PERIOD)):
            if until(decision := self.step()):
                return decision
        raise AssertionError(f"not within {seconds} s: {decision.state.name} {decision.message}")


@pytest.fixture
def flat(model: ExactModel) -> Course:
    return Course(Navigator(model, FLAT), robot_at(1.2, 1.5, 2.0))


@pytest.fixture
def course(model: ExactModel) -> Course:
    """With a memory that knows the way across the room."""
    route = route_to(GOAL, (1.2, 1.5), (1.6, 1.6), (2.0, 1.8), (2.4, 2.0), (2.8, 2.3))
    return Course(Navigator(model, WITH_MEMORY), robot_at(1.2, 1.5, 2.0), route)


def assert_at(robot: Loopback, goal: Array) -> None:
    truth = robot.ground_truth()
    assert np.hypot(*(truth.pose - goal)[:2]) < 0.2 and abs(relative(goal, truth.pose)[2]) < 0.35
    assert abs(truth.velocity[0]) < 0.05 and truth.contacts == 0


# To the goal


def test_without_a_goal_it_idles(flat: Course) -> None:
    decision = flat.step()
    assert decision.state is State.IDLE and len(decision.commands) == 0 and not decision.done


def test_it_drives_to_where_a_picture_was_taken_and_stands_there(flat: Course) -> None:
    flat.navigator.start(Goal(latent=latent_of(GOAL)))
    first = flat.step()
    assert first.state is State.CONTROLLING and first.distance == pytest.approx(1.92, abs=0.05)
    assert first.energy == pytest.approx(first.distance, abs=0.05) and first.wants_route is None
    last = flat.run(25.0)
    assert last.succeeded and last.code is Code.NONE and last.recoveries == 0
    assert_at(flat.robot, GOAL)
    assert State.STOPPING in {d.state for d in flat.decisions}
    assert flat.step().state is State.IDLE


def test_it_drives_to_a_pose_in_odom(flat: Course) -> None:
    start, odometry = flat.robot.ground_truth().pose, flat.robot.odometry()[0]
    flat.navigator.start(Goal(pose=compose(odometry, relative(start, GOAL))))
    assert flat.run(25.0).succeeded
    assert_at(flat.robot, GOAL)


def test_it_follows_a_route_and_then_approaches_the_goal(course: Course) -> None:
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    last = course.run(30.0)
    assert last.succeeded and last.replans == 1
    assert_at(course.robot, GOAL)
    messages = [d.message for d in course.decisions]
    assert any(m.startswith("on the way") for m in messages) and "approaching the goal" in messages


def test_subgoals_are_counted(course: Course) -> None:
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    decision = course.run(2.0, until=lambda d: d.message.startswith("on the way"))
    assert decision.subgoals == 5 and 0 <= decision.subgoal < 5 and decision.distance > 1.5


def test_the_callers_tolerance_and_speeds_hold(flat: Course) -> None:
    flat.navigator.start(Goal(latent=latent_of(GOAL), distance_tolerance=0.5, max_linear=0.15, max_angular=0.5))
    last = flat.run(40.0)
    assert last.succeeded and last.distance < 0.75
    commands = np.concatenate([d.commands for d in flat.decisions if len(d.commands)])
    assert np.abs(commands[:, 0]).max() <= 0.15 + 1e-6 and np.abs(commands[:, 1]).max() <= 0.5 + 1e-6


def test_the_expected_poses_are_in_odom(flat: Course) -> None:
    flat.navigator.start(Goal(latent=latent_of(GOAL)))
    percept = flat.percept()
    decision = flat.step()
    assert len(decision.poses) > 0 and decision.commands.shape[1] == 2
    assert np.hypot(*(decision.poses[0] - percept.odometry)[:2]) < 0.3


# Ends


def test_a_goal_that_takes_too_long_is_given_up(flat: Course) -> None:
    flat.navigator.start(Goal(latent=latent_of(GOAL), time_allowance=1.0))
    last = flat.run(3.0)
    assert last.done and not last.succeeded and last.code is Code.TIMEOUT and len(last.commands) == 0
    assert len(flat.decisions) * PERIOD == pytest.approx(1.4, abs=0.21)


def test_the_allowance_counts_from_the_first_moment_not_from_time_zero(flat: Course) -> None:
    flat.navigator.start(Goal(latent=latent_of(GOAL), time_allowance=5.0))
    assert not flat.step(stamp=1e9).done


def test_a_cancelled_goal_is_dropped_at_once(flat: Course) -> None:
    flat.navigator.start(Goal(latent=latent_of(GOAL)))
    flat.step()
    flat.navigator.cancel()
    decision = flat.step()
    assert decision.state is State.IDLE and len(decision.commands) == 0 and decision.wants_route is None


def test_a_new_goal_replaces_the_old_one(flat: Course) -> None:
    flat.navigator.start(Goal(latent=latent_of(GOAL)))
    flat.step()
    other = np.array([0.8, 1.0, -1.0])
    flat.navigator.start(Goal(latent=latent_of(other)))
    assert flat.run(25.0).succeeded
    assert_at(flat.robot, other)


class Diverged(ExactModel):
    """A model whose predictions are not numbers."""

    def step(self, latent: Tensor, chunk: Tensor, previous: Tensor) -> tuple[Tensor, Tensor]:
        latents, motions = super().step(latent, chunk, previous)
        return latents * torch.nan, motions


def test_a_broken_model_is_a_coded_failure() -> None:
    course = Course(Navigator(Diverged(), FLAT), robot_at(1.2, 1.5, 2.0))
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    decision = course.step()
    assert decision.done and not decision.succeeded and decision.code is Code.MODEL_FAILURE
    assert len(decision.commands) == 0


# Memory


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
    seconds = course.navigator.config.look_around_seconds
    course.run(seconds + 1.0, until=lambda d: d.state is State.CONTROLLING)
    assert len(course.decisions) * PERIOD >= seconds
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


@pytest.mark.parametrize("goal", [Goal(place_id=99), Goal(place_label="nowhere"), Goal(pose=np.zeros(3), in_map=True)])
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
    wrong = course.navigator
    assert wrong.tracker is not None
    wrong.tracker.config = replace(wrong.tracker.config, memory_sigma=0.02)  # memory is very sure
    course.answer = None
    decision = course.run(20.0, until=lambda d: d.wants_route is not None)
    assert decision.wants_route is not None and decision.wants_route.hypothesis == 1


# Stuck


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
    last, most = decisions[-1], flat.navigator.config.max_recoveries
    assert last.done and last.code is Code.FAILED_TO_MAKE_PROGRESS and "stuck" in last.message
    assert {d.recoveries for d in decisions} >= set(range(1, most + 1))


def test_where_it_got_stuck_the_route_is_avoided(course: Course) -> None:
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    course.step()
    requests = [d.wants_route for d in held(course, 20.0) if d.wants_route is not None]
    assert requests and requests[-1].avoid_edges and len(requests[-1].avoid_edges[0]) == 2


def test_if_no_way_is_left_avoided_ways_are_tried_again(course: Course) -> None:
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    course.navigator.avoid.append((1, 2))
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
    assert decision.wants_route.avoid_edges in {((2, 3),), ((3, 4),)}
    assert robot.ground_truth().contacts == 0 and course.navigator.recoveries == 0


def test_when_every_way_was_found_blocked_twice_the_goal_is_given_up(course: Course) -> None:
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    for _ in range(2):
        course.step()
        course.navigator.avoid.append((1, 2))
        course.navigator.set_route(AmiError("no way", MemoryCode.NO_ROUTE))
    decision = course.step()
    assert decision.done and decision.code == Code.FAILED_TO_MAKE_PROGRESS
    assert decision.message == "every way to the goal that is known was found blocked"


def test_if_no_further_hypothesis_is_left_it_begins_with_the_first_again(course: Course) -> None:
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    course.navigator.hypothesis = 2
    course.navigator.set_route(AmiError("only two", MemoryCode.NOT_FOUND))
    request = course.step().wants_route
    assert request is not None and request.hypothesis == 0


def test_one_seed_gives_one_drive(model: ExactModel) -> None:
    paths = []
    for _ in range(2):
        course = Course(Navigator(model, FLAT, seed=3), robot_at(1.2, 1.5, 2.0))
        course.navigator.start(Goal(latent=latent_of(GOAL)))
        for _ in range(5):
            course.step()
        paths.append(course.robot.ground_truth().pose)
    np.testing.assert_array_equal(paths[0], paths[1])


# A car


def test_a_car_arrives_with_the_goals_heading_and_never_turns_on_the_spot(model: ExactModel) -> None:
    car = replace(UNHURRIED, kinematics=Kinematics("ackermann", max_reverse=0.3, turning_radius=0.3))
    goal = np.array([2.9, 2.4, 1.2])
    course = Course(Navigator(model, replace(FLAT, planner=car)), robot_at(1.0, 1.2, 0.0))
    course.navigator.start(Goal(latent=latent_of(goal)))
    assert course.run(60.0).succeeded
    assert_at(course.robot, goal)
    commands = np.concatenate([d.commands for d in course.decisions])
    assert (np.abs(commands[:, 1]) * 0.3 <= np.abs(commands[:, 0]) + 1e-5).all()


def test_a_lost_car_looks_around_by_driving_a_circle(model: ExactModel) -> None:
    car = replace(UNHURRIED, kinematics=Kinematics("ackermann"))
    lost = Course(Navigator(model, replace(WITH_MEMORY, planner=car)), robot_at(2.0, 2.0, 0.0), localised=False)
    lost.navigator.start(Goal(latent=latent_of(GOAL)))
    linear, angular = lost.step().commands[0]
    assert linear > 0 and angular > 0 and linear / angular == pytest.approx(car.kinematics.turning_radius)
