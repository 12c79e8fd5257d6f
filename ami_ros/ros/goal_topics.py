"""The goal under way, for those who look: where it is believed to be, its picture, and what is done about it."""

from __future__ import annotations

import array
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import CompressedImage
from visualization_msgs.msg import MarkerArray

from ami_ros.geometry import Array
from ami_ros.images import encode_png
from ami_ros.parts.goal_execution import GoalExecution
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages.goals import Frames
from ami_ros.ros.messages.markers import goal_markers
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.qos import LATCHED

MOVED = 0.05  # [m] or [rad] by which the belief changes before it is said again


class GoalTopics:
    """Publishers of the planner node, all latched.

    Args:
        node: whose publishers they are.
        frames: names of frames.
    """

    def __init__(self, node: AmiNode[Any], frames: Frames) -> None:
        self._node, self._frame = node, frames.odom
        self._pose = node.publisher(PoseStamped, "goal", LATCHED)
        self._markers = node.publisher(MarkerArray, "goal_markers", LATCHED)
        self._picture = node.publisher(CompressedImage, "goal_picture/compressed", LATCHED)
        self._execution: GoalExecution | None = None
        self._told: tuple[Array | None, str] = None, ""

    def follow(self, execution: GoalExecution) -> None:
        """What the newest decision knows of the goal."""
        decision = execution.plan.decision
        if execution is not self._execution:
            self._execution, self._told = execution, (None, "")
            if execution.photographs:
                header = conversions.header_at(self._node.get_clock().now().to_msg(), "")
                data = array.array("B", encode_png(execution.photographs[0].image))
                self._picture.publish(CompressedImage(header=header, format="png", data=data))
        if decision is None or decision.goal is None:
            return
        pose, words = self._told
        moved = pose is None or bool((np.abs(decision.goal - pose) > MOVED).any())
        if not moved and words == decision.message:
            return
        self._told = decision.goal, decision.message
        header = conversions.header_at(execution.plan.stamp, self._frame)
        if moved:
            self._pose.publish(PoseStamped(header=header, pose=conversions.pose_to_message(decision.goal)))
        self._markers.publish(goal_markers(decision.goal, decision.message, header))
