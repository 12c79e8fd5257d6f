"""Goals in any frame that transforms lead to, as goals in the frame of odometry or of the memory."""

from __future__ import annotations

from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from rclpy.qos import QoSProfile

from ami_interfaces.msg import NavigationGoal
from ami_ros.errors import AmiError
from ami_ros.planning.codes import Code
from ami_ros.ros.messages import conversions
from ami_ros.ros.messages.goals import Frames
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.sensors.scanner import TF_STATIC
from ami_ros.ros.sensors.tf import TFMessage
from ami_ros.static_frames import MAX_FRAMES, StaticFrames, rigid

MAX_AGE = 1.0  # [s] of a transform that is sent again and again; older, its frame may be anywhere by now


class GoalFrames:
    """Knows the newest transforms, where tf2_msgs is installed; else goals are in the frames of `names` only.

    A goal in a frame that moves, as one metre ahead in base_link, is where that is when the goal comes.

    Args:
        node: hears /tf and /tf_static.
        names: of the frames that goals end up in.
    """

    def __init__(self, node: AmiNode[Any], names: Frames) -> None:
        self._node, self._names = node, names
        self._newest: dict[str, tuple[Any, bool]] = {}  # by child; whether it is sent again and again
        if TFMessage is not None:
            node.subscribe(TFMessage, "/tf", lambda message: self._take(message, True), QoSProfile(depth=100))
            node.subscribe(TFMessage, "/tf_static", lambda message: self._take(message, False), TF_STATIC, always=True)

    def resolve_goal(self, goal: NavigationGoal) -> None:
        """Puts the pose of a goal that has one into a frame that goals end up in; raises as `resolve`."""
        if goal.type == NavigationGoal.TYPE_POSE:
            goal.pose = self.resolve(goal.pose)

    def resolve(self, given: PoseStamped) -> PoseStamped:
        """The pose in the frame of odometry if its own hangs below that, else in that of the memory.

        Raises:
            AmiError: no pose, or with `Code.TF_ERROR` no transform leads there, or only an old one.
        """
        frame, names = given.header.frame_id.lstrip("/"), self._names
        conversions.pose_from_message(given.pose)  # refuses what is no pose
        if frame not in (names.odom, names.map):
            frames = self._frames()
            target = names.odom if names.odom in frames.above(frame) else names.map
            pose = frames.pose_of(frame, target) if frame else None
            if pose is None:
                raise AmiError(self._unknown(frame), Code.TF_ERROR)
            self._check_age(set(frames.above(frame)) ^ set(frames.above(target)))
            given, frame = _moved(given, pose), target
        return PoseStamped(header=conversions.header_at(given.header.stamp, frame), pose=given.pose)

    def _take(self, message: Any, repeated: bool) -> None:
        for transform in message.transforms:
            child, move, turn = transform.child_frame_id.lstrip("/"), *_numbers(transform)
            if child not in self._newest and len(self._newest) >= MAX_FRAMES:
                raise AmiError(f"transforms of more than {MAX_FRAMES} frames: that of '{child}' is left out")
            if not np.isfinite(rigid(move, turn)).all():  # else no goal could be placed by any
                raise AmiError(f"the transform of frame '{child}' is no pose, and left out")
            self._newest[child] = transform, repeated

    def _frames(self) -> StaticFrames:
        frames = StaticFrames()
        for child, (transform, _) in self._newest.items():
            frames.put(transform.header.frame_id, child, *_numbers(transform))
        return frames

    def _unknown(self, frame: str) -> str:
        names = f"{self._names.odom} and {self._names.map}"
        if TFMessage is None:
            return f"goal: frame '{frame}' is not known: without tf2_msgs only {names} are"
        return f"goal: no transform leads from frame '{frame}' to {names}; is its publisher running, in this namespace?"

    def _check_age(self, passed: set[str]) -> None:
        """Of the transforms of all frames that are passed on the way from one to another."""
        for child in passed:
            transform, repeated = self._newest[child]
            age = self._node.now() - conversions.stamp_of(transform)
            if repeated and age > MAX_AGE:
                raise AmiError(f"goal: the transform of frame '{child}' is {age:.1f} s old", Code.TF_ERROR)


def _numbers(transform: Any) -> tuple[tuple[float, ...], tuple[float, ...]]:
    """Translation and quaternion of a TransformStamped."""
    move, turn = transform.transform.translation, transform.transform.rotation
    return (move.x, move.y, move.z), (turn.x, turn.y, turn.z, turn.w)


def _moved(given: PoseStamped, frame: Any) -> PoseStamped:
    """A pose in a frame that has itself the pose `frame` (4, 4)."""
    at, turn = given.pose.position, given.pose.orientation
    pose = frame @ rigid((at.x, at.y, at.z), (turn.x, turn.y, turn.z, turn.w))
    planar = np.array([pose[0, 3], pose[1, 3], np.arctan2(pose[1, 0], pose[0, 0])])
    return PoseStamped(header=given.header, pose=conversions.pose_to_message(planar))
