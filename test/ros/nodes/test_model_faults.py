"""Whatever the model does, the robot stands, the client gets a coded result, and the node lives on."""

from __future__ import annotations

import threading
import time
from typing import Any

import numpy as np
import pytest
from action_msgs.msg import GoalStatus
from geometry_msgs.msg import PoseStamped

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import NavigationGoal, PlannerState
from ami_ros.planning.types import Decision, Percept
from ami_ros.world_model.layers import Floats

Result = NavigateToGoal.Result


@pytest.fixture
def standing(shared_stack: Any) -> Any:
    """A robot without a goal; tests leave it standing, with all nodes active."""
    if not shared_stack.nodes:
        shared_stack.start("safety", "perception", "planner")
    shared_stack.ros.spin_until(lambda: not shared_stack.moves, what="standing")
    return shared_stack


@pytest.fixture
def driving(standing: Any) -> Any:
    """The same on its way to a goal: `driving.handle`."""
    standing.handle = standing.drive_off((3.0, 2.8, 0.0) if standing.pose[0] < 2.0 else (1.0, 1.0, 3.0))
    return standing


def assert_alive(stack: Any) -> None:
    """The planner still reaches a goal: where it stands."""
    stack.ros.spin_until(lambda: not stack.moves)
    status, _ = stack.result(stack.send(stack.picture_goal(tuple(float(v) for v in stack.pose))))
    assert status == GoalStatus.STATUS_SUCCEEDED


@pytest.mark.fault("model slow")
def test_slow_model_does_not_slow_the_control_loop(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.start("safety", "perception", "planner", patience__plan_timeout=0.4, patience__fault_tolerance=60.0)
    stack.drive_off()
    navigator = stack.nodes["planner"].navigator
    step = navigator.step

    def slow_step(percept: Percept) -> Decision:
        time.sleep(2.0)
        return step(percept)

    monkeypatch.setattr(navigator, "step", slow_step)
    stack.ros.spin_until(lambda: stack.state.error_code == Result.DEADLINE_MISSED and not stack.moves)
    before = len(stack.planned)
    stack.ros.spin_until(lambda: len(stack.planned) >= before + 10)
    stamps = [m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in stack.planned[before:]]
    assert np.median(np.diff(stamps)) <= 0.2  # and not 2 s; the simulated clock ticks every 0.02 s


@pytest.mark.fault("goal cancelled in any phase")
@pytest.mark.fault("model hangs")
def test_goal_whose_model_hangs_can_be_canceled(stack: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stack.start("safety", "perception", "planner", patience__plan_timeout=0.4, patience__fault_tolerance=60.0)
    handle = stack.drive_off()
    release = threading.Event()
    navigator = stack.nodes["planner"].navigator
    step = navigator.step
    with monkeypatch.context() as patch:
        patch.setattr(navigator, "step", lambda percept: release.wait(60.0) and step(percept))
        stack.ros.spin_until(lambda: stack.state.state == PlannerState.FAULT and not stack.moves)
        assert stack.nodes["planner"].health.count("DEADLINE_MISSED") > 0
        handle.cancel_goal_async()
        assert stack.result(handle)[0] == GoalStatus.STATUS_CANCELED
        release.set()
    assert_alive(stack)


@pytest.mark.fault("model predicts NaN")
def test_model_that_predicts_nan_never_reaches_the_wheels(driving: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    model = driving.nodes["planner"].navigator.model

    def nan_rollout(latent: Floats, commands: Floats, previous: Floats) -> tuple[Floats, Floats]:
        batch, steps = commands.shape[:2]
        latents, motions = (np.full((batch, steps, n), np.nan, np.float32) for n in (latent.shape[1], 3))
        return latents, motions

    with monkeypatch.context() as patch:
        patch.setattr(model, "rollout", nan_rollout)
        status, result = driving.result(driving.handle)
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Result.MODEL_FAILURE)
    sent = [(m.twist.linear.x, m.twist.angular.z) for m in driving.commands + driving.planned]
    assert np.isfinite(sent).all()
    assert_alive(driving)


@pytest.mark.fault("model raises, or memory runs out")
@pytest.mark.parametrize("error", [RuntimeError("out of memory"), KeyError("bug")], ids=["memory", "bug"])
def test_model_that_raises_ends_the_goal_and_not_the_node(
    driving: Any, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    def fail(*_: object) -> None:
        raise error

    with monkeypatch.context() as patch:
        patch.setattr(driving.nodes["planner"].navigator.planner, "plan", fail)
        status, result = driving.result(driving.handle)
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Result.MODEL_FAILURE)
    assert str(error.args[0]) in result.error_msg
    assert_alive(driving)


@pytest.mark.fault("goal cancelled in any phase")
def test_cancel_stops_the_robot_at_once(driving: Any) -> None:
    sent = len(driving.planned)
    driving.handle.cancel_goal_async()
    status, result = driving.result(driving.handle)
    assert status == GoalStatus.STATUS_CANCELED and result.error_code == Result.NONE
    driving.ros.spin_until(lambda: not driving.moves)
    assert driving.planned[-1].twist.linear.x == driving.planned[-1].twist.angular.z == 0.0
    assert len(driving.planned) > sent


@pytest.mark.fault("goal cancelled in any phase")
def test_goal_can_be_canceled_before_the_first_plan(standing: Any) -> None:
    handle = standing.send(standing.picture_goal((3.0, 2.8, 0.0)))
    handle.cancel_goal_async()
    assert standing.result(handle)[0] == GoalStatus.STATUS_CANCELED
    assert_alive(standing)


def test_newer_goal_takes_over(driving: Any) -> None:
    second = driving.send(driving.picture_goal((1.8, 1.5, 0.3)))
    status, result = driving.result(driving.handle)
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Result.PREEMPTED)
    assert driving.result(second)[0] == GoalStatus.STATUS_SUCCEEDED


def test_deactivated_planner_ends_the_goal_and_stops(driving: Any) -> None:
    driving.nodes["planner"].trigger_deactivate()
    status, result = driving.result(driving.handle)
    assert (status, result.error_code) == (GoalStatus.STATUS_ABORTED, Result.DEACTIVATED)
    driving.ros.spin_until(lambda: not driving.moves)
    driving.nodes["planner"].trigger_activate()
    assert_alive(driving)


def goal_of(kind: int) -> NavigateToGoal.Goal:
    return NavigateToGoal.Goal(goal=NavigationGoal(type=kind))


def nan_pose() -> NavigateToGoal.Goal:
    goal = goal_of(NavigationGoal.TYPE_POSE)
    goal.goal.pose = PoseStamped()
    goal.goal.pose.header.frame_id = "odom"
    goal.goal.pose.pose.position.x = float("nan")
    return goal


@pytest.mark.fault("goal not finite, or of an unknown frame")
def test_goals_that_make_no_sense_are_rejected_with_a_code(standing: Any) -> None:
    unknown_frame = goal_of(NavigationGoal.TYPE_POSE)
    wrong_encoder = goal_of(NavigationGoal.TYPE_LATENT)
    wrong_encoder.goal.latent.encoder_id = "other@0"
    negative = goal_of(NavigationGoal.TYPE_PLACE)
    negative.goal.place_label, negative.max_linear_speed = "kitchen", -1.0
    cases = [
        (goal_of(NavigationGoal.TYPE_UNSET), Result.INVALID_GOAL),
        (goal_of(99), Result.INVALID_GOAL),
        (goal_of(NavigationGoal.TYPE_IMAGE), Result.INVALID_GOAL),
        (nan_pose(), Result.INVALID_GOAL),
        (negative, Result.INVALID_GOAL),
        (unknown_frame, Result.TF_ERROR),
        (wrong_encoder, Result.ENCODER_MISMATCH),
    ]
    for goal, code in cases:
        assert not standing.send(goal).accepted
        standing.ros.spin_until(lambda code=code: standing.state.error_code == code and standing.state.error_msg)
    assert_alive(standing)


@pytest.mark.fault("100 goals one after the other")
def test_a_hundred_goals_leave_the_last_and_answer_all(standing: Any) -> None:
    here = standing.picture_goal(tuple(float(v) for v in standing.pose))
    handles = [standing.send(here) for _ in range(100)]
    statuses = [standing.result(handle)[0] for handle in handles]
    assert statuses[-1] == GoalStatus.STATUS_SUCCEEDED
    assert set(statuses) <= {GoalStatus.STATUS_SUCCEEDED, GoalStatus.STATUS_ABORTED}
