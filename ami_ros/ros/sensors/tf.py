"""Transforms, where tf2_msgs is installed (the ROS wheels do not have it): odom -> base_link and map -> odom."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import Pose, TransformStamped
from std_msgs.msg import Header

try:
    from tf2_msgs.msg import TFMessage
except ImportError:
    TFMessage = None


def transform_message(header: Header, child_frame: str, pose: Pose) -> TransformStamped:
    """The transform that says that `child_frame` has `pose` in the frame of `header`."""
    transform = TransformStamped(header=header, child_frame_id=child_frame)
    translation = transform.transform.translation
    translation.x, translation.y, translation.z = pose.position.x, pose.position.y, pose.position.z
    transform.transform.rotation = pose.orientation
    return transform


def tf_publisher(node: Any) -> Any | None:
    """A publisher of /tf that lives until the node's cleanup; None without tf2_msgs."""
    return None if TFMessage is None else node.publisher(TFMessage, "/tf")


def send_transform(publisher: Any | None, header: Header, child_frame: str, pose: Pose) -> None:
    """Publishes a transform, if there is a publisher."""
    if publisher is not None:
        publisher.publish(TFMessage(transforms=[transform_message(header, child_frame, pose)]))
