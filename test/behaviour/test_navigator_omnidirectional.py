"""The navigator of a robot that also drives sideways."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.behaviour.navigator import Navigator
from ami_ros.behaviour.recovery import BackAndTurn, Trail
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import wrap
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import LatentPlanner
from ami_ros.planning.protocols import Target
from ami_ros.planning.solvers import BUILT_IN, SolverConfig
from ami_ros.planning.types import Goal
from harness.course import FLAT, Course, assert_at
from harness.exact_model import OMNIDIRECTIONAL, ExactModel, latent_of

from .conftest import NOTHING, UNHURRIED, robot_at, scan_of_points

ROBOT = replace(UNHURRIED, kinematics=Kinematics("omnidirectional"))
BESIDE = np.array([2.0, 2.6, 0.0])  # a goal straight to the left of where the robot starts


def course() -> Course:
    navigator = Navigator(ExactModel(OMNIDIRECTIONAL), replace(FLAT, planner=ROBOT))
    return Course(navigator, robot_at(2.0, 1.9, 0.0, robot="ami_bot_omnidirectional"))


def seconds_to(course: Course, goal: np.ndarray) -> tuple[float, float]:
    """How long it took, and how far it ever turned away from the goal's heading [rad]."""
    course.navigator.start(Goal(latent=latent_of(goal)))
    turned = [0.0]

    def done() -> bool:
        turned.append(abs(float(wrap(course.robot.ground_truth().pose[2] - goal[2]))))
        return course.step().done

    began = course.robot.time
    while not done():
        assert course.robot.time - began < 60.0
    assert course.decisions[-1].succeeded
    assert_at(course.robot, goal)
    return course.robot.time - began, max(turned)


def test_a_goal_beside_it_is_reached_sideways_with_the_heading_kept_and_sooner_than_by_turning(
    model: ExactModel,
) -> None:
    ours, turned = seconds_to(course(), BESIDE)
    theirs, away = seconds_to(Course(Navigator(model, FLAT), robot_at(2.0, 1.9, 0.0)), BESIDE)
    assert turned < 0.3 < away and ours < 0.8 * theirs


@pytest.mark.parametrize("name", BUILT_IN)
def test_every_search_finds_the_side(name: str) -> None:
    config = replace(ROBOT, solver=SolverConfig(name))
    planner = LatentPlanner(ExactModel(OMNIDIRECTIONAL), config)
    goal = latent_of([0.0, -0.9, 0.0])
    plan = planner.plan(0.0, latent_of([0.0, 0.0, 0.0]), (0.0, 0.0), NOTHING, Target(goal, None, True))
    assert plan.commands[:6, 2].mean() < -0.1 and np.hypot(*(plan.poses[-1, :2] - (0.0, -0.9))) < 0.3


def test_it_does_not_drive_to_a_side_that_its_scanner_does_not_see() -> None:
    seen = scan_of_points(np.column_stack([np.full(41, 3.0), np.linspace(-1.0, 1.0, 41)]))
    ahead_only = replace(seen, ranges=np.roll(seen.ranges, 45)[:90], angle_min=-np.pi / 4)
    steps, robot = [], course()
    robot.navigator.start(Goal(latent=latent_of(BESIDE)))
    for scan in (ahead_only, robot.robot.observe().scan):
        steps.append(robot.step(scan=scan).commands[:6, 2].mean())
    assert steps[0] == 0.0 < steps[1]


def test_it_goes_back_the_way_it_came_without_turning() -> None:
    trail, robot = Trail(), robot_at(2.0, 2.0, 0.0, robot="ami_bot_omnidirectional")
    start = robot.odometry()[0]
    for _ in range(10):
        trail.add(robot.odometry()[0])
        robot.step((0.0, 0.0, 0.3), 0.2)
    robot.step((0.0, 0.0, 0.0), 1.0)
    here, turned = robot.ground_truth().pose, robot.odometry()[0][2]
    back = BackAndTurn(robot.time, robot.odometry()[0], trail, "omnidirectional")
    while back.backing and (command := back.command(robot.time, robot.odometry()[0], None)) is not None:
        if back.backing:
            robot.step(command, 0.2)
    assert here[1] - robot.ground_truth().pose[1] > 0.3 and abs(wrap(robot.odometry()[0][2] - turned)) < 0.05
    assert abs(wrap(start[2] - turned)) < 1e-6


def test_robot_and_model_must_take_the_same_commands(model: ExactModel) -> None:
    for known, config in ((model, ROBOT), (ExactModel(OMNIDIRECTIONAL), UNHURRIED)):
        with pytest.raises(AmiError, match=r"commands of \d numbers, but the drive \w+ takes \d; set kin"):
            LatentPlanner(known, config)


def test_commands_that_say_nothing_of_the_side_are_as_good_as_zero_there() -> None:
    here, goal = latent_of([0.0, 0.0, 0.0]), Target(latent_of([0.6, 0.0, 0.0]), None, True)
    plans = [
        LatentPlanner(ExactModel(OMNIDIRECTIONAL), ROBOT).plan(0.0, here, previous, NOTHING, goal)
        for previous in ((0.2, 0.1), (0.2, 0.1, 0.0))
    ]
    np.testing.assert_array_equal(plans[0].commands, plans[1].commands)
