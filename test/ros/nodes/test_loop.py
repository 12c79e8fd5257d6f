"""The whole loop on the kinematic robot: pictures in, commands out, at the goal a result."""

from __future__ import annotations

from typing import Any

import numpy as np
from action_msgs.msg import GoalStatus
from diagnostic_msgs.msg import DiagnosticArray
from geometry_msgs.msg import Pose
from nav_msgs.msg import Path
from std_msgs.msg import String

from ami_interfaces.action import NavigateToGoal
from ami_interfaces.msg import ModelInfo, PlannerState, Rollout, Surprise
from ami_ros.core.geometry import wrap
from ami_ros.ros.node.qos import LATCHED, RELIABLE

Result = NavigateToGoal.Result


def test_robot_reaches_where_a_picture_was_taken_and_stands_still(stack: Any) -> None:
    goal = (2.2, 1.7, 0.8)
    stack.start("safety", "perception", "planner")
    plans = stack.ros.collect(Path, "plan", RELIABLE)
    said = stack.ros.collect(String, "planner/decision", RELIABLE)
    feedback: list[Any] = []
    handle = stack.send(stack.picture_goal(goal), feedback.append)
    status, result = stack.result(handle)
    assert status == GoalStatus.STATUS_SUCCEEDED and result.error_code == Result.NONE
    stack.ros.spin_until(lambda: not stack.moves, what="standing still")
    assert np.hypot(*(stack.pose[:2] - goal[:2])) < 0.3 and abs(wrap(stack.pose[2] - goal[2])) < 0.5
    assert plans and plans[0].header.frame_id == "odom" and feedback[-1].feedback.distance_at_start > 0.5
    stack.ros.spin_until(lambda: said and said[-1].data == "reached the goal")
    stack.ros.spin_until(lambda: stack.state.state == PlannerState.IDLE)


def test_robot_comes_home_by_its_memory_of_places(stack: Any) -> None:
    stack.start("safety", "perception", "memory", "planner", use_memory=True)
    for pose in ((2.8, 2.5, 0.5), (1.0, 1.5, 3.0)):
        status, result = stack.result(stack.send(stack.picture_goal(pose)))
        assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    assert result.number_of_replans >= 1, "the way back was not planned through the places of the way there"


def test_predictions_come_true_and_cause_no_surprise(stack: Any) -> None:
    stack.start("safety", "perception", "world_model", "planner")
    surprises = stack.ros.collect(Surprise, "surprise", RELIABLE)
    stack.drive_off()
    stack.ros.spin_until(lambda: len(surprises) > 10)
    assert np.median([s.surprise for s in surprises]) < 0.2  # over two model steps; the exact model knows no lag


def test_model_is_introduced_to_those_who_come_late(stack: Any) -> None:
    stack.start("safety", "perception")
    infos = stack.ros.collect(ModelInfo, "model_info", LATCHED)
    stack.ros.spin_until(lambda: infos)
    assert infos[0].encoder_id == "exact@" + "0" * 12 and infos[0].latent_dim == 4


def test_rollouts_are_published_when_somebody_looks(stack: Any) -> None:
    stack.start("safety", "perception", "planner")
    rollouts = stack.ros.collect(Rollout, "planner/rollout", RELIABLE)
    stack.drive_off()
    stack.ros.spin_until(lambda: rollouts)
    shown = rollouts[-1]
    assert len(shown.poses) == len(shown.commands) > 0 and isinstance(shown.poses[0], Pose)


def test_it_tells_which_cost_decided_when_somebody_wants_to_know(stack: Any) -> None:
    stack.start("safety", "perception", "planner")
    costs = stack.ros.collect(DiagnosticArray, "planner/costs", RELIABLE)
    stack.drive_off()
    stack.ros.spin_until(lambda: any(s.message == "decided" for message in costs for s in message.status))
    told = next(message.status for message in costs if any(s.message == "decided" for s in message.status))
    assert {"smoothness", "obstacles"} <= {s.name for s in told}, "near the goal others decide than far from it"
    stack.ros.spin_until(lambda: any(s.name == "latent_goal" for message in costs for s in message.status))


def test_planner_commands_at_its_rate(stack: Any) -> None:
    stack.start("safety", "perception", "planner")
    stack.drive_off()
    stack.ros.spin_until(lambda: len(stack.planned) > 20)
    stamps = np.array([m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in stack.planned])
    assert np.median(np.diff(stamps)) <= 0.13  # the simulated clock ticks every 0.02 s
