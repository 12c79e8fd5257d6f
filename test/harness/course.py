"""A navigator, the robot that it drives, and a memory that answers as a test wants."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.behaviour.navigator import Navigator
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, relative
from ami_ros.memory.types import Location, Place, Route
from ami_ros.planning.types import Decision, Percept
from ami_ros.simulation.loopback import Loopback
from harness.exact_model import ExactModel, latent_of
from harness.percepts import PERIOD, UNHURRIED, percept_of, robot_at

FLAT = NavigatorConfig(use_memory=False, planner=UNHURRIED)
WITH_MEMORY = NavigatorConfig(planner=UNHURRIED)
GOAL = np.array([2.9, 2.4, 0.6])


def location_of(robot: Loopback, localised: bool = True) -> Location:
    """A memory whose map is the world's own frame."""
    pose, odometry = robot.ground_truth().pose, robot.odometry()[0]
    return Location(robot.time, pose, odometry, 1.0 if localised else 0.1, 0.0, localised, 1)


def route_to(goal: Array, *points: tuple[float, float], confidence: float = 0.1) -> Route:
    places = []
    for k, point in enumerate(points):
        pose = np.array([*point, 0.0])
        places.append(Place(k + 1, pose, latent_of(pose), "", "", 0.0, 0.0, 1))
    return Route(places, 3.0, np.asarray(goal), confidence)


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
            self.robot.step(tuple(map(float, command)), PERIOD)
        return decision

    def run(self, seconds: float, until: Callable[[Decision], bool] = lambda d: d.done) -> Decision:
        """Moments until something is decided; fails if it is not within `seconds`."""
        for _ in range(round(seconds / PERIOD)):
            if until(decision := self.step()):
                return decision
        raise AssertionError(f"not within {seconds} s: {decision.state.name} {decision.message}")


def flat_course(model: ExactModel) -> Course:
    """Without a memory."""
    return Course(Navigator(model, FLAT), robot_at(1.2, 1.5, 2.0))


def course_with_memory(model: ExactModel) -> Course:
    """With one that knows the way across the room."""
    route = route_to(GOAL, (1.2, 1.5), (1.6, 1.6), (2.0, 1.8), (2.4, 2.0), (2.8, 2.3))
    return Course(Navigator(model, WITH_MEMORY), robot_at(1.2, 1.5, 2.0), route)


def assert_at(robot: Loopback, goal: Array) -> None:
    truth = robot.ground_truth()
    assert np.hypot(*(truth.pose - goal)[:2]) < 0.2 and abs(relative(goal, truth.pose)[2]) < 0.35
    assert abs(truth.velocity[0]) < 0.05 and truth.contacts == 0
