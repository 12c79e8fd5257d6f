"""Somebody crosses the robot's way."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from ami_ros.behaviour.arrival import Arrival
from ami_ros.behaviour.belief import Sight
from ami_ros.behaviour.config import NavigatorConfig
from ami_ros.behaviour.navigator import Navigator
from ami_ros.core.config import from_mapping, to_mapping
from ami_ros.core.geometry import Array, compose, relative
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.protocols import Target
from ami_ros.planning.types import Decision, Goal, Reading
from ami_ros.safety.moving_things import Kind, MovingThing, MovingThings
from ami_ros.simulation.loopback import Loopback
from ami_ros.world_model.layers import Floats
from harness.course import FLAT, Course
from harness.exact_model import ExactModel
from harness.percepts import PERIOD, robot_at

START, GOAL = np.array([0.8, 2.6, 0.0]), np.array([3.2, 2.6, 0.0])
RADIUS = 0.3  # [m]


def crossing(seconds: float) -> Array:
    """Somebody who walks straight across the way, and meets a robot that does not mind after about three seconds."""
    return np.array([1.9, 0.6 + 0.7 * seconds])


def drive(navigator: Navigator) -> tuple[list[Decision], float]:
    """Drives to the goal while somebody crosses; what was decided, and the least gap [m] to them."""
    course = Course(navigator, robot_at(*START))
    robot, gaps = course.robot, []
    navigator.start(Goal(pose=compose(robot.odometry()[0], relative(START, GOAL))))
    for _ in range(round(25.0 / PERIOD)):
        truth, odometry = robot.ground_truth().pose, robot.odometry()[0]
        here = crossing(robot.time)
        gaps.append(float(np.hypot(*(truth[:2] - here))) - RADIUS - 0.18)
        turn = odometry[2] - truth[2]
        velocity = np.array([-np.sin(turn), np.cos(turn)]) * 0.7
        place = compose(odometry, relative(truth, np.array([*here, 0.0])))[:2]
        thing = MovingThing(1, place, velocity, np.diag([0.01, 0.01, 0.02, 0.02]), RADIUS, Kind.PERSON, 0.99)
        if course.step(things=MovingThings(robot.time, (thing,))).done:
            break
    return course.decisions, min(gaps)


def without_people(config: NavigatorConfig) -> NavigatorConfig:
    values = to_mapping(config)
    values["planner"]["costs"]["people"]["enabled"] = False
    return from_mapping(NavigatorConfig, values)


def test_a_robot_gives_way_to_who_crosses_says_so_and_arrives(model: ExactModel) -> None:
    decisions, gap = drive(Navigator(model, FLAT))
    _, blind = drive(Navigator(model, without_people(FLAT)))
    assert blind < 0.1 < gap, "the crossing is no test, or nobody gave way"
    said = {decision.message for decision in decisions}
    assert any("somebody who passes" in message for message in said)
    assert decisions[-1].succeeded, decisions[-1].message


def test_who_waits_for_somebody_is_not_stuck(model: ExactModel) -> None:
    navigator = Navigator(model, FLAT)
    decisions, _ = drive(navigator)
    assert decisions[-1].recoveries == 0


def coming(robot: Loopback, stands: bool) -> MovingThings:
    """Somebody who walks at where the robot started, from 1.6 m ahead of it there, at 0.5 m/s; or stands at it."""
    start = compose(robot.odometry()[0], relative(robot.ground_truth().pose, START))
    place = compose(start, np.array([0.5 if stands else 1.6 - 0.5 * robot.time, 0.0, 0.0]))
    velocity = (0.0 if stands else 0.5) * np.array([-np.cos(start[2]), -np.sin(start[2])])
    doubt = np.diag([0.01, 0.01, 0.02, 0.02])
    return MovingThings(robot.time, (MovingThing(1, place[:2], velocity, doubt, RADIUS, Kind.PERSON, 0.99),))


@pytest.mark.parametrize("stands", [True, False])
@pytest.mark.parametrize("surprised", [True, False])
def test_a_robot_that_stands_and_looks_or_turns_makes_way_for_who_walks_at_it_or_stands_there(
    model: ExactModel, surprised: bool, stands: bool
) -> None:
    """The goal is where it stands, the other way round."""

    def left(met: bool) -> float:
        course = Course(Navigator(model, FLAT), robot_at(*START))
        robot = course.robot
        goal = relative(START, compose(START, np.array([0.0, 0.0, np.pi])))
        course.navigator.start(Goal(pose=compose(robot.odometry()[0], goal)))
        for _ in range(14):
            reading = Reading(robot.time, 20.0, True) if surprised else None
            course.step(things=coming(robot, stands) if met else MovingThings(robot.time), surprise=reading)
        return float(np.hypot(*(robot.ground_truth().pose - START)[:2]))

    assert left(met=False) < 0.03 < 0.06 < left(met=True)


@pytest.mark.parametrize("wary", ["", "surprised: slower"])
@pytest.mark.parametrize(
    ("aside", "final", "fast"), [(0.0, False, True), (1.2, False, False), (1.2, True, True)],
    ids=["who walks at it is left", "who walks past is not", "it backs up to its goal"],
)  # fmt: skip
def test_it_backs_up_fast_from_who_walks_at_it_and_to_its_goal(
    model: ExactModel, monkeypatch: pytest.MonkeyPatch, aside: float, final: bool, fast: bool, wary: str
) -> None:
    """At 0.15 m/s it was run into, and slower still where people surprised it. From who made way for somebody, near
    goals were out of reach for ten seconds."""
    course = Course(Navigator(model, FLAT), robot_at(*START))
    course.navigator.start(Goal())
    lows, project = [], Kinematics.project

    def noted(robot: Kinematics, commands: Floats) -> Floats:
        lows.append(float(robot.low[0]))
        return project(robot, commands)

    monkeypatch.setattr(Kinematics, "project", noted)
    place = compose(course.robot.odometry()[0], np.array([1.5, aside, 0.0]))
    walks = -np.array([np.cos(place[2]), np.sin(place[2])])
    comes = MovingThing(1, place[:2], walks, np.diag([0.01, 0.01, 0.02, 0.02]), RADIUS, Kind.PERSON, 0.99)
    percept = replace(course.percept(), things=MovingThings(course.robot.time, (comes,)))
    ahead = Target(None, np.array([2.4, 0.0, 0.0]), final)
    course.navigator.steering.drive(percept, ahead, "", Sight(None, None, 0.0), warning=wary)
    robot = FLAT.planner.kinematics
    wary_most = FLAT.recovery.slow * robot.max_linear if wary and aside else np.inf
    most = robot.max_retreat if fast else robot.max_reverse
    assert min(lows) == pytest.approx(-min(most, wary_most))


def test_who_made_way_at_its_goal_is_not_there_until_it_has_come_back(model: ExactModel) -> None:
    """A goal was claimed 0.39 m off: who has been there may be half as far off again as who comes."""
    course = Course(Navigator(model, FLAT), robot_at(*START))
    goal = compose(course.robot.odometry()[0], np.array([0.2, 0.0, np.pi]))
    course.navigator.start(Goal(pose=goal))
    before = course.navigator.controller
    for _ in range(10):
        course.step(things=coming(course.robot, stands=True))
    assert before.stop.state is Arrival.APPROACHING
    course.run(20.0)
    assert course.decisions[-1].succeeded
    assert np.hypot(*relative(course.robot.odometry()[0], goal)[:2]) < FLAT.distance_tolerance


def test_what_no_tracker_tells_changes_nothing(model: ExactModel) -> None:
    course = Course(Navigator(model, FLAT), robot_at(*START))
    course.navigator.start(Goal(pose=compose(course.robot.odometry()[0], relative(START, GOAL))))
    decision = course.step(things=replace(MovingThings(0.0)))
    assert "somebody" not in decision.message and all(share.name != "people" for share in decision.shares)
