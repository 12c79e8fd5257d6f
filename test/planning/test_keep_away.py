"""Places that somebody named as not to be entered: nothing scans them, and the navigator goes round."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.behaviour.navigator import Navigator
from ami_ros.core.geometry import compose, relative
from ami_ros.memory.types import Location
from ami_ros.planning.types import Goal
from harness.exact_model import ExactModel

from .conftest import PERIOD, UNHURRIED, percept_of, robot_at


def test_a_circle_to_keep_away_from_is_driven_round(model: ExactModel) -> None:
    """Nobody scans it; the straight way goes through its middle."""
    robot, goal = robot_at(1.0, 2.0, 0.0), np.array([3.0, 2.0, 0.0])
    circle, odometry = np.array([2.0, 2.05, 0.35]), robot.odometry()[0]
    navigator = Navigator(model, NavigatorConfig(use_memory=False, planner=UNHURRIED))
    navigator.start(Goal(pose=compose(odometry, relative(robot.ground_truth().pose, goal))))
    nearest = np.inf
    for _ in range(150):
        percept = percept_of(
            robot, Location(robot.time, robot.ground_truth().pose, robot.odometry()[0], 1.0, 0.0, True, 1)
        )
        decision = navigator.step(replace(percept, keep_away=circle[None]))
        if decision.done:
            break
        robot.step((float(decision.commands[0, 0]), float(decision.commands[0, 1])), PERIOD)
        nearest = min(nearest, float(np.hypot(*(robot.ground_truth().pose - circle)[:2])))
    assert decision.succeeded and nearest > 0.33
