"""The navigator of a robot that does not turn on the spot."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.behaviour.navigator import Navigator
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.types import Goal
from harness.course import FLAT, GOAL, WITH_MEMORY, Course, assert_at
from harness.exact_model import ExactModel, latent_of

from .conftest import UNHURRIED, robot_at


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
