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


def test_robot_reaches_where_a_picture_was_taken_and_stands_still(stack: Any) -> None:
    """And whoever looks sees why: plans, words, futures, costs, and the model."""
    goal, ros = (2.2, 1.7, 0.8), stack.ros
    stack.start("safety", "perception", "planner")
    plans, infos = ros.collect(Path, "plan", RELIABLE), ros.collect(ModelInfo, "model_info", LATCHED)
    said, rollouts = (
        ros.collect(String, "planner/decision", RELIABLE),
        ros.collect(Rollout, "planner/rollout", RELIABLE),
    )
    costs = ros.collect(DiagnosticArray, "planner/costs", RELIABLE)
    feedback: list[Any] = []
    handle = stack.send(stack.picture_goal(goal), feedback.append)
    ros.spin_until(lambda: stack.moves, what="driving")
    first = len(stack.planned)
    ros.spin_until(lambda: len(stack.planned) > first + 20, what="commands")
    stamps = np.array([m.header.stamp.sec + m.header.stamp.nanosec * 1e-9 for m in stack.planned[first:]])
    assert np.median(np.diff(stamps)) <= 0.13  # its rate; the simulated clock ticks every 0.02 s
    status, result = stack.result(handle)
    assert status == GoalStatus.STATUS_SUCCEEDED and result.error_code == NavigateToGoal.Result.NONE
    ros.spin_until(lambda: not stack.moves, what="standing still")
    assert np.hypot(*(stack.pose[:2] - goal[:2])) < 0.3 and abs(wrap(stack.pose[2] - goal[2])) < 0.5
    assert plans and plans[0].header.frame_id == "odom" and feedback[-1].feedback.distance_at_start > 0.5
    ros.spin_until(lambda: said and said[-1].data == "reached the goal")
    ros.spin_until(lambda: stack.state.state == PlannerState.IDLE)
    assert infos[0].encoder_id == "exact@" + "0" * 12 and infos[0].latent_dim == 4
    assert len(rollouts[-1].poses) == len(rollouts[-1].commands) > 0 and isinstance(rollouts[-1].poses[0], Pose)
    decided = [message.status for message in costs if any(s.message == "decided" for s in message.status)]
    assert {"smoothness", "obstacles"} <= {s.name for s in decided[0]}, "near the goal others decide than far from it"
    assert any(s.name == "latent_goal" for status in decided for s in status)


def test_robot_comes_home_by_its_memory_of_places(stack: Any) -> None:
    stack.start("safety", "perception", "memory", "planner", use_memory=True)
    for pose in ((2.4, 2.1, 0.5), (1.0, 1.4, 3.0)):
        status, result = stack.result(stack.send(stack.picture_goal(pose)))
        assert status == GoalStatus.STATUS_SUCCEEDED, result.error_msg
    assert result.number_of_replans >= 1, "the way back was not planned through the places of the way there"


def test_predictions_come_true_and_cause_no_surprise(stack: Any) -> None:
    stack.start("safety", "perception", "world_model", "planner")
    surprises = stack.ros.collect(Surprise, "surprise", RELIABLE)
    stack.drive_off()
    stack.ros.spin_until(lambda: len(surprises) > 10)
    assert np.median([s.surprise for s in surprises]) < 0.2  # over two model steps; the exact model knows no lag
