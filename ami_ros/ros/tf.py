"""The transform odom -> base_link, where tf2_msgs is installed (the ROS wheels do not have it)."""

from __future__ import annotations

from typing import Any

from geometry_msgs.msg import TransformStamped
from nav_msgs.msg import Odometry

try:
    from tf2_msgs.msg import TFMessage
except ImportError:
    TFMessage = None


def transform_of(odometry: Odometry) -> TransformStamped:
    """The transform that an odometry message implies."""
    transform = TransformStamped(header=odometry.header, child_frame_id=odometry.child_frame_id)
    position, translation = odometry.pose.pose.position, transform.transform.translation
    translation.x, translation.y, translation.z = position.x, position.y, position.z
    transform.transform.rotation = odometry.pose.pose.orientation
    return transform


def tf_message(odometry: Odometry) -> Any | None:
    """A message for /tf, or None without tf2_msgs."""
    return None if TFMessage is None else TFMessage(transforms=[transform_of(odometry)])
