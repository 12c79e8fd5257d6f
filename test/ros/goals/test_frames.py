"""Goals in frames that only transforms know."""

from __future__ import annotations

import importlib
import math
from dataclasses import dataclass
from types import SimpleNamespace
from typing import Any

import pytest
from geometry_msgs.msg import Pose, PoseStamped
from std_msgs.msg import Header

from ami_interfaces.msg import NavigationGoal
from ami_ros.core.errors import AmiError
from ami_ros.planning.types import Code
from ami_ros.ros.goals.action_server import GoalFrames
from ami_ros.ros.messages.conversions import header_at, pose_from_message, pose_to_message
from ami_ros.ros.messages.goals import Frames
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.scanner import TF_STATIC, transform_message
from harness.ros import RosPeer


@dataclass(frozen=True)
class Config:
    pass


class Host(AmiNode[Config], name="host", parameters=Config):
    """A node that is told goals."""

    def configure(self) -> None:
        self.frames = GoalFrames(self, Frames())


class Transforms:
    """Somebody who publishes transforms, and a node that hears them."""

    def __init__(self, ros: RosPeer) -> None:
        self.ros, self.node = ros, ros.start(Host)
        self.frames: GoalFrames = self.node.frames
        kind = importlib.import_module("tf2_msgs.msg").TFMessage
        made = {"/tf": ros.node.create_publisher(kind, "/tf", 10)}
        made["/tf_static"] = ros.node.create_publisher(kind, "/tf_static", TF_STATIC)
        self._kind, self._publishers = kind, made
        ros.spin_until(lambda: all(p.get_subscription_count() for p in made.values()), what="the node's ears")

    def say(self, topic: str, parent: str, child: str, pose: Pose, age: float = 0.0) -> None:
        header = header_at(self.node.now() - age, parent)
        message = self._kind(transforms=[transform_message(header, child, pose)])
        self._publishers[topic].publish(message)
        self.ros.spin_until(lambda: child in self.frames._stamps, what=f"the transform of {child}")
        self.ros.spin_until_idle()

    def resolved(self, frame: str, x: float = 1.0, y: float = 0.0, yaw: float = 0.0) -> tuple[str, Any]:
        goal = NavigationGoal(type=NavigationGoal.TYPE_POSE)
        goal.pose = PoseStamped(header=Header(frame_id=frame), pose=pose_to_message((x, y, yaw)))
        self.frames.resolve_goal(goal)
        return goal.pose.header.frame_id, pose_from_message(goal.pose.pose)


@pytest.fixture
def transforms(ros: RosPeer) -> Transforms:
    return Transforms(ros)


def test_goals_in_frames_below_and_above_come_to_odom_and_map(transforms: Transforms) -> None:
    transforms.say("/tf", "map", "odom", pose_to_message((9.0, 9.0, 1.0)))
    transforms.say("/tf", "odom", "base_link", pose_to_message((2.0, 1.0, math.pi / 2)))
    transforms.say("/tf_static", "map", "dock", pose_to_message((3.0, 0.0, math.pi)))
    transforms.say("/tf_static", "site", "map", pose_to_message((5.0, 0.0, 0.0)))
    for frame in ("odom", "/map"):
        assert transforms.resolved(frame)[0] == frame.strip("/")
    frame, pose = transforms.resolved("base_link")
    assert frame == "odom" and pose == pytest.approx([2.0, 2.0, math.pi / 2])
    frame, pose = transforms.resolved("dock", 0.5, 0.5, 0.2)
    assert frame == "map" and pose == pytest.approx([2.5, -0.5, 0.2 - math.pi])
    frame, pose = transforms.resolved("site", 6.0, 2.0)
    assert frame == "map" and pose == pytest.approx([1.0, 2.0, 0.0])


def test_a_camera_whose_z_looks_ahead_is_turned_into_the_plane(transforms: Transforms) -> None:
    optical = Pose()
    q = optical.orientation
    q.x, q.y, q.z, q.w = -0.5, 0.5, -0.5, 0.5  # REP 103: z ahead, x to the right
    transforms.say("/tf_static", "map", "optical", optical)
    given = PoseStamped(header=Header(frame_id="optical"))
    given.pose.position.z, given.pose.orientation.w = 2.0, 1.0
    assert pose_from_message(transforms.frames.resolve(given).pose)[:2] == pytest.approx([2.0, 0.0])


def test_unknown_frames_and_old_transforms_are_refused_with_a_code(transforms: Transforms) -> None:
    transforms.say("/tf", "odom", "arm", pose_to_message((1.0, 0.0, 0.0)), age=10.0)
    for frame, words in (
        ("moon", "no transform leads"),
        ("", "no transform leads"),
        ("arm", r"'arm' is \d+\.\d s old"),
    ):
        with pytest.raises(AmiError, match=words) as caught:
            transforms.resolved(frame)
        assert caught.value.code == Code.TF_ERROR
    transforms.say("/tf", "odom", "arm", pose_to_message((1.0, 0.0, 0.0)))
    assert transforms.resolved("arm")[0] == "odom"


def test_a_transform_that_is_no_pose_spoils_no_goal_of_another_frame(transforms: Transforms) -> None:
    transforms.say("/tf_static", "map", "dock", pose_to_message((3.0, 0.0, 0.0)))
    for quaternion in ((0.0, 0.0, 0.0, 0.0), (math.nan, 0.0, 0.0, 1.0)):
        broken = Pose()
        q = broken.orientation
        q.x, q.y, q.z, q.w = quaternion
        with pytest.raises(AmiError, match="'thing' has a NaN or infinite number, or no rotation"):
            transforms.frames.take(SimpleNamespace(transforms=[transform_message(Header(), "thing", broken)]))
    assert transforms.resolved("dock")[1] == pytest.approx([4.0, 0.0, 0.0])


def test_names_of_frames_that_somebody_invents_fill_no_memory(
    transforms: Transforms, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ami_ros.core.frames.MAX_FRAMES", 3)
    many = [transform_message(Header(), f"frame{k}", pose_to_message((0.0, 0.0, 0.0))) for k in range(5)]
    with pytest.raises(AmiError, match="more than 3 frames: that of 'frame3' is left out"):
        transforms.frames.take(SimpleNamespace(transforms=many))
    transforms.frames.take(SimpleNamespace(transforms=many[:3]))  # those that are known come again
    assert len(transforms.frames._stamps) == 3
