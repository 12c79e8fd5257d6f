"""The navigator: one goal from start to end, with each kind of drive."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.behaviour.goal_controller import GoalController
from ami_ros.behaviour.navigator import Drift, Navigator
from ami_ros.behaviour.posterior import GoalPosterior, Likelihoods
from ami_ros.behaviour.recovery import BackAndTurn, Trail
from ami_ros.behaviour.search import GoalSearch
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, relative, wrap
from ami_ros.memory.types import Location
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import LatentPlanner
from ami_ros.planning.protocols import Target
from ami_ros.planning.route_follower import pose_in_map
from ami_ros.planning.solvers import BUILT_IN, SolverConfig
from ami_ros.planning.types import Code, Goal, State
from harness.course import FLAT, GOAL, WITH_MEMORY, Course, assert_at, course_with_memory, flat_course
from harness.exact_model import OMNIDIRECTIONAL, ArrayOrTensor, ExactModel, latent_of
from harness.processes import REPOSITORY

from .conftest import NOTHING, PERIOD, UNHURRIED, robot_at, scan_of_points


@pytest.fixture
def flat(model: ExactModel) -> Course:
    return flat_course(model)


@pytest.fixture
def course(model: ExactModel) -> Course:
    return course_with_memory(model)


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
    decided = list(dict.fromkeys(d.behaviour for d in course.decisions))
    assert decided[:3] == ["wait", "follow_path", "final_approach"] and last.behaviour == ""


def test_documentation_has_every_behaviour() -> None:
    documented = re.findall(r"^\| `(\w+)` \|", (REPOSITORY / "docs" / "planning.md").read_text(), re.MULTILINE)
    assert {name for name, _ in GoalController.BEHAVIOURS} <= set(documented)


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


def test_a_new_goal_replaces_the_old_one(flat: Course) -> None:
    flat.navigator.start(Goal(latent=latent_of(GOAL)))
    flat.step()
    other = np.array([0.8, 1.0, -1.0])
    flat.navigator.start(Goal(latent=latent_of(other)))
    assert flat.run(25.0).succeeded
    assert_at(flat.robot, other)


class Diverged(ExactModel):
    """A model whose predictions are not numbers."""

    def step(
        self, latent: ArrayOrTensor, chunk: ArrayOrTensor, previous: ArrayOrTensor
    ) -> tuple[ArrayOrTensor, ArrayOrTensor]:
        latents, motions = super().step(latent, chunk, previous)
        return latents * np.nan, motions


def test_a_broken_model_is_a_coded_failure() -> None:
    course = Course(Navigator(Diverged(), FLAT), robot_at(1.2, 1.5, 2.0))
    course.navigator.start(Goal(latent=latent_of(GOAL)))
    decision = course.step()
    assert decision.done and not decision.succeeded and decision.code is Code.MODEL_FAILURE
    assert len(decision.commands) == 0


def test_one_seed_gives_one_drive(model: ExactModel) -> None:
    paths = []
    for _ in range(2):
        course = Course(Navigator(model, FLAT, seed=3), robot_at(1.2, 1.5, 2.0))
        course.navigator.start(Goal(latent=latent_of(GOAL)))
        for _ in range(5):
            course.step()
        paths.append(course.robot.ground_truth().pose)
    np.testing.assert_array_equal(paths[0], paths[1])


# The navigator of a robot that does not turn on the spot


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


# The navigator of a robot that also drives sideways


ROBOT = replace(UNHURRIED, kinematics=Kinematics("omnidirectional"))
BESIDE = np.array([2.0, 2.6, 0.0])  # a goal straight to the left of where the robot starts


def omnidirectional() -> Course:
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
    ours, turned = seconds_to(omnidirectional(), BESIDE)
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
    steps, robot = [], omnidirectional()
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


# What was noted in odom stays where it was on the map, however odometry drifts


SPOT = np.array([2.0, 1.0, 0.4])


def at(pose: Array, odometry: Array) -> Location:
    """The robot is at `pose` (3,) of the map, and odometry says `odometry` (3,)."""
    return Location(0.0, pose, odometry, 1.0, 0.0, True, 1)


def test_a_spot_stays_where_it_was_on_the_map_while_odometry_drifts() -> None:
    """A robot looked for a goal three times from one spot: each turn had moved all earlier ones by centimetres."""
    drift, search, posterior = Drift(), GoalSearch(), GoalPosterior(Likelihoods())
    pose, odometry = np.array([1.0, 1.0, 0.0]), np.array([5.0, -2.0, 0.3])
    noted = compose(odometry, SPOT)
    search.spots.append(noted)
    posterior.stood(noted, Likelihoods().unproven)
    was = pose_in_map(at(pose, odometry), noted)
    for turned in range(200):  # each time odometry counts 1 % more than the robot turns, and a little of way
        location = at(compose(pose, [0.0, 0.0, 0.1 * turned]), compose(odometry, [1e-3 * turned, 0.0, 0.101 * turned]))
        if (correction := drift.update(location, location.odometry)) is not None:
            search.carry(correction)
            posterior.carry(correction)
    np.testing.assert_allclose(pose_in_map(location, search.spots[0]), was, atol=1e-6)
    assert np.hypot(*(search.spots[0] - noted)[:2]) > 0.3
    assert posterior.is_refuted(search.spots[0]) and search.has_looked_from(search.spots[0])


def test_a_belief_that_jumps_or_is_lost_or_begins_moves_nothing() -> None:
    drift, here = Drift(), np.zeros(3)
    assert drift.update(None, here) is None
    assert drift.update(at(here, here), here) is None
    assert drift.update(at(here, here), here) is None
    assert drift.update(at(np.array([0.6, 0.0, 0.0]), here), here) is None
    assert drift.update(at(np.array([0.7, 0.0, 0.0]), here), here) is not None
    assert Drift().update(at(np.array([0.8, 0.0, 0.0]), here), here) is None
