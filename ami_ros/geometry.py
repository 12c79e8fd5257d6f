"""Planar rigid motions. A pose is an array (..., 3): x [m], y [m], yaw [rad], axes as in REP-103."""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import ArrayLike, NDArray

Array = NDArray[np.float64]

ONE = (3,)  # the shape of a single pose, of which nodes compose thousands a second: five times as fast without NumPy


def wrap(angle: ArrayLike) -> Array:
    """Brings angles [rad] into [-pi, pi)."""
    return np.asarray((np.asarray(angle, dtype=np.float64) + np.pi) % (2 * np.pi) - np.pi)


def _wrapped(angle: float) -> float:
    return (angle + math.pi) % (2 * math.pi) - math.pi


def from_cos_sin(values: ArrayLike) -> Array:
    """Poses (..., 3) of values (..., 4 or more): x [m], y [m], cos and sin of the yaw, as heads give them."""
    values = np.asarray(values, dtype=np.float64)
    return np.concatenate([values[..., :2], np.arctan2(values[..., 3:4], values[..., 2:3])], axis=-1)


def compose(a: ArrayLike, b: ArrayLike) -> Array:
    """The pose that is `b` as seen from `a`: a ∘ b, in the frame of `a`'s parent. Broadcasts over (..., 3)."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape == b.shape == ONE:
        (x, y, yaw), (u, v, turn) = a.tolist(), b.tolist()
        c, s = math.cos(yaw), math.sin(yaw)
        return np.array([x + c * u - s * v, y + s * u + c * v, _wrapped(yaw + turn)])
    c, s = np.cos(a[..., 2]), np.sin(a[..., 2])
    x = a[..., 0] + c * b[..., 0] - s * b[..., 1]
    y = a[..., 1] + s * b[..., 0] + c * b[..., 1]
    return np.stack([x, y, wrap(a[..., 2] + b[..., 2])], axis=-1)


def relative(a: ArrayLike, b: ArrayLike) -> Array:
    """The pose `b` in the frame of `a`: a^-1 ∘ b. Broadcasts over (..., 3)."""
    a, b = np.asarray(a, dtype=np.float64), np.asarray(b, dtype=np.float64)
    if a.shape == b.shape == ONE:
        (x, y, yaw), (u, v, other) = a.tolist(), b.tolist()
        c, s, x, y = math.cos(yaw), math.sin(yaw), u - x, v - y
        return np.array([c * x + s * y, -s * x + c * y, _wrapped(other - yaw)])
    c, s = np.cos(a[..., 2]), np.sin(a[..., 2])
    dx, dy = b[..., 0] - a[..., 0], b[..., 1] - a[..., 1]
    return np.stack([c * dx + s * dy, -s * dx + c * dy, wrap(b[..., 2] - a[..., 2])], axis=-1)


def advance(pose: ArrayLike, ahead: float, turn: float, aside: float = 0.0) -> Array:
    """The pose (3,) after a way of `ahead` and `aside` [m] on which it turned by `turn` [rad], half of it before."""
    c, s = math.cos(turn / 2), math.sin(turn / 2)
    return compose(pose, [c * ahead - s * aside, s * ahead + c * aside, turn])


def inverse(a: ArrayLike) -> Array:
    """The pose of the parent's frame in the frame of `a`."""
    a = np.asarray(a, dtype=np.float64)
    return relative(a, np.zeros_like(a))


def transform_points(pose: ArrayLike, points: ArrayLike) -> Array:
    """Points (..., n, 2) [m] given in the frame of `pose` (..., 3), in the frame of its parent."""
    pose, points = np.asarray(pose, dtype=np.float64), np.asarray(points, dtype=np.float64)
    c, s = np.cos(pose[..., 2, None]), np.sin(pose[..., 2, None])
    x, y = points[..., 0], points[..., 1]
    east = pose[..., 0, None] + c * x - s * y
    moved = np.empty((*east.shape, 2))
    moved[..., 0], moved[..., 1] = east, pose[..., 1, None] + s * x + c * y
    return moved


def pose_gap(a: Array, b: Array) -> tuple[Array, Array]:
    """Distances [m] and absolute yaw differences [rad] between poses that broadcast over (..., 3)."""
    return np.hypot(a[..., 0] - b[..., 0], a[..., 1] - b[..., 1]), np.abs(wrap(a[..., 2] - b[..., 2]))


def mean_pose(poses: Array, weights: Array) -> Array:
    """Weighted mean (3,) of poses (n, 3) that lie close together."""
    total = weights.sum()
    x, y = (poses[:, :2] * weights[:, None]).sum(0) / total
    yaw = np.arctan2((weights * np.sin(poses[:, 2])).sum(), (weights * np.cos(poses[:, 2])).sum())
    return np.array([x, y, yaw])


def rotation(roll: float, pitch: float, yaw: float) -> Array:
    """The matrix (3, 3) that turns about fixed x, y and z in turn [rad]."""
    (a, x), (b, y), (c, z) = ((np.cos(angle), np.sin(angle)) for angle in (roll, pitch, yaw))
    return np.array([
        [c * b, c * y * x - z * a, c * y * a + z * x],
        [z * b, z * y * x + c * a, z * y * a - c * x],
        [-y, b * x, b * a],
    ])  # fmt: skip
