"""Yaw angles and quaternions (x, y, z, w), as in geometry_msgs."""

from __future__ import annotations

import math


def quaternion_from_yaw(yaw: float) -> tuple[float, float, float, float]:
    """The quaternion that turns by `yaw` [rad] about z."""
    return 0.0, 0.0, math.sin(yaw / 2), math.cos(yaw / 2)


def yaw_from_quaternion(xyzw: tuple[float, float, float, float]) -> float:
    """The turn about z [rad] in a quaternion of any length but 0: yaw of the angles about fixed x, y, z."""
    x, y, z, w = xyzw
    return math.atan2(2.0 * (w * z + x * y), w * w + x * x - y * y - z * z)
