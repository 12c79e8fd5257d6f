"""Yaw angles and quaternions: tf_transformations on a ROS machine, transforms3d, which it wraps, elsewhere."""

from __future__ import annotations

try:
    from tf_transformations import euler_from_quaternion, quaternion_from_euler
except ImportError:
    from transforms3d.euler import euler2quat, quat2euler

    def quaternion_from_euler(roll: float, pitch: float, yaw: float) -> tuple[float, float, float, float]:
        w, x, y, z = euler2quat(roll, pitch, yaw)  # transforms3d puts w first
        return x, y, z, w

    def euler_from_quaternion(xyzw: tuple[float, float, float, float]) -> tuple[float, float, float]:
        x, y, z, w = xyzw
        return quat2euler((w, x, y, z))


def quaternion_from_yaw(yaw: float) -> tuple[float, float, float, float]:
    """The quaternion (x, y, z, w) that turns by `yaw` [rad] about z."""
    x, y, z, w = quaternion_from_euler(0.0, 0.0, yaw)
    return float(x), float(y), float(z), float(w)


def yaw_from_quaternion(xyzw: tuple[float, float, float, float]) -> float:
    """The turn about z [rad] in a quaternion (x, y, z, w)."""
    return float(euler_from_quaternion(xyzw)[2])
