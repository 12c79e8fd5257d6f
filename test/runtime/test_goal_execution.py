"""What may be sent at a tick, from the age of things alone."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_ros.planning.types import Code, Decision, Goal, State
from ami_ros.runtime.goal_execution import Ages, GoalExecution, Patience, PlanTracker

COMMANDS = np.array([[0.1, 0.0], [0.2, 0.0], [0.3, 1.0]])
FRESH = Ages(observation=0.05, silence=0.05, thinking=0.05)
PATIENCE = Patience(observation_timeout=0.5, plan_timeout=1.0, silence_timeout=2.0, fault_tolerance=3.0)


def execution(stamp: float | None = 10.0) -> GoalExecution:
    made = GoalExecution(Goal(), (), PATIENCE, period=0.2, began=10.0)
    if stamp is not None:
        made.follow(Decision(State.CONTROLLING, "driving", COMMANDS, distance=2.0), stamp)
    return made


@pytest.mark.parametrize(
    ("now", "command"), [(10.0, (0.1, 0.0)), (10.25, (0.2, 0.0)), (10.55, (0.3, 1.0)), (10.7, (0.0, 0.0))]
)
def test_plan_is_played_by_the_age_of_its_observation(now: float, command: tuple[float, float]) -> None:
    assert execution().act(now, 0.0, FRESH).command == command


def test_plan_of_the_future_begins_at_its_first_command() -> None:
    player = PlanTracker(0.2, 1.0)
    player.take(Decision(State.CONTROLLING, "", COMMANDS), 10.0)
    due = player.due(9.9)
    assert due is not None and due.command == (0.1, 0.0)


def test_robot_stands_and_thinks_before_the_first_plan() -> None:
    verdict = execution(None).act(10.1, 0.0, FRESH)
    assert (verdict.command, verdict.state, verdict.code) == ((0.0, 0.0), State.PLANNING, Code.NONE)


def test_a_goal_in_place_of_another_goes_on_with_its_plan_until_it_has_one() -> None:
    """Each leg of exploring braked the robot by 0.2 m/s."""
    second, third = execution(None), execution(None)
    second.take_over(execution())
    third.take_over(second)
    verdict = third.act(10.25, 0.0, FRESH)
    assert (verdict.command, verdict.state, verdict.code) == ((0.2, 0.0), State.PLANNING, Code.NONE)
    assert third.act(11.1, 0.0, FRESH).command == (0.0, 0.0)  # that plan is too old
    third.follow(Decision(State.CONTROLLING, "", COMMANDS[2:], distance=1.0), 10.2)
    assert third.act(10.25, 0.0, FRESH).command == (0.3, 1.0)
    second.plan.clear()
    assert second.act(10.25, 0.0, FRESH).command == (0.0, 0.0)


@pytest.mark.parametrize(
    ("ages", "now", "code"),
    [
        (Ages(0.6, 0.05, 0.0), 10.1, Code.STALE_OBSERVATION),
        (Ages(0.05, 2.1, 0.0), 10.1, Code.STALE_OBSERVATION),
        (Ages(math.inf, math.inf, 0.0), 10.1, Code.STALE_OBSERVATION),
        (Ages(0.05, 0.05, 2.1), 10.1, Code.DEADLINE_MISSED),
        (FRESH, 11.1, Code.DEADLINE_MISSED),
    ],
    ids=["old", "silent", "never", "hangs", "late"],
)
def test_robot_stands_when_something_is_late(ages: Ages, now: float, code: Code) -> None:
    verdict = execution().act(now, 0.0, ages)
    assert (verdict.command, verdict.state, verdict.code) == ((0.0, 0.0), State.FAULT, code) and verdict.message


def test_goal_is_given_up_after_the_fault_lasted_and_not_after_it_came_back() -> None:
    watched = execution()
    late = Ages(0.6, 0.6, 0.0)
    assert not watched.act(10.1, 100.0, late).give_up
    assert not watched.act(10.1, 102.0, FRESH).give_up
    assert not watched.act(10.1, 103.5, late).give_up
    assert watched.act(10.1, 107.0, late).give_up


def test_distance_at_the_start_is_that_of_the_first_decision() -> None:
    watched = execution()
    watched.follow(Decision(State.CONTROLLING, "", COMMANDS, distance=1.0), 10.2)
    assert watched.distance_at_start == 2.0


def test_patience_must_be_positive() -> None:
    with pytest.raises(ValueError, match="plan_timeout"):
        Patience(plan_timeout=0.0)
