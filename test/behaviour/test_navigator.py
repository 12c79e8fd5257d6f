"""The navigator: one goal from start to end."""

from __future__ import annotations

import re

import numpy as np
import pytest

from ami_ros.behaviour.goal_controller import GoalController
from ami_ros.behaviour.navigator import Navigator
from ami_ros.core.geometry import compose, relative
from ami_ros.planning.types import Code, Goal, State
from harness.course import FLAT, GOAL, Course, assert_at, course_with_memory, flat_course
from harness.exact_model import ArrayOrTensor, ExactModel, latent_of
from harness.processes import REPOSITORY

from .conftest import PERIOD, robot_at


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
