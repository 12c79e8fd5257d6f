"""Planar rigid motions. A pose is an array (..., 3): x [m], y [m], yaw [rad], axes as in REP-103."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

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


def inverted(step: tuple[Array, Array]) -> tuple[Array, Array]:
    """The step back: pose (3,) and covariance (3, 3)."""
    pose, covariance = step
    c, s = np.cos(pose[2]), np.sin(pose[2])
    x, y = pose[:2]
    jacobian = np.array([[-c, -s, s * x - c * y], [s, -c, c * x + s * y], [0.0, 0.0, -1.0]])
    return inverse(pose), jacobian @ covariance @ jacobian.T


def combined(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """Pose (3,) and covariance (3, 3) of a step behind a step: errors are added up in the frame of the first.

    Smith, Self and Cheeseman, "Estimating uncertain spatial relationships in robotics" (1990).
    """
    (a, a_covariance), (b, b_covariance) = first, second
    c, s = np.cos(a[2]), np.sin(a[2])
    dx, dy = c * b[0] - s * b[1], s * b[0] + c * b[1]
    by_first = np.array([[1.0, 0.0, -dy], [0.0, 1.0, dx], [0.0, 0.0, 1.0]])
    by_second = np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])
    covariance = by_first @ a_covariance @ by_first.T + by_second @ b_covariance @ by_second.T
    return compose(a, b), covariance


def fused(first: tuple[Array, Array], second: tuple[Array, Array]) -> tuple[Array, Array]:
    """Pose (3,) and covariance (3, 3) of one step that was measured twice, by errors that have nothing in common."""
    (a, a_covariance), (b, b_covariance) = first, second
    gain = a_covariance @ np.linalg.inv(a_covariance + b_covariance)
    off = b - a
    off[2] = wrap(off[2])
    return a + gain @ off, a_covariance - gain @ a_covariance


def register(believed: Array, true: Array) -> Array | None:
    """The pose (3,) of the believed frame in the true one, by the largest set of pairs that agree.

    A belief may be wrong for as long as the robot is lost; such pairs are outvoted.

    Args:
        believed: poses (n, 3) in the frame of the memory.
        true: the same robot at the same times (n, 3) in the frame of the world.
    """
    if len(believed) == 0:
        return None
    estimates = compose(true, inverse(believed))
    tried = estimates[np.linspace(0, len(estimates) - 1, min(64, len(estimates))).astype(int)]
    votes = [agreeing(candidate, believed, true) for candidate in tried]
    best = max(votes, key=lambda vote: int(vote.sum()))
    believed, true = believed[best], true[best]
    turn = wrap(true[:, 2] - believed[:, 2])  # the mean turn, then the mean offset
    yaw = float(np.arctan2(np.sin(turn).mean(), np.cos(turn).mean()))
    turned = compose(np.array([0.0, 0.0, yaw]), believed)
    return np.array([*(true[:, :2] - turned[:, :2]).mean(axis=0), yaw])


def believed_at(pose: Array, believed: Array, true: Array) -> Array | None:
    """Where the robot would believe to be at the true `pose` (3,), by the nearest belief of those that agree: maps bend
    a little from end to end. None without beliefs. Arguments as of `register`."""
    frame = register(believed, true)
    if frame is None:
        return None
    good = agreeing(frame, believed, true)
    believed, true = believed[good], true[good]
    nearest = int(np.argmin(np.hypot(*(true[:, :2] - pose[:2]).T)))
    return compose(believed[nearest], relative(true[nearest], pose))


def agreeing(frame: Array, believed: Array, true: Array) -> NDArray[np.bool_]:
    """Which beliefs (n,) lie at the truth if their frame lies at `frame` (3,)."""
    distance, heading = 0.4, 0.35  # [m], [rad] by which a belief may be off
    error = relative(true, compose(frame, believed))
    near = np.hypot(error[:, 0], error[:, 1]) < distance
    return np.asarray(near & (np.abs(error[:, 2]) < heading))


@dataclass(frozen=True)
class Disc:
    """Wheels seldom sit in the middle of a robot: a disc around base_link would hold much that the robot is not."""

    radius: float  # [m]
    middle: float = 0.0  # [m] of it ahead of base_link; negative: behind

    def reach(self, bearing: float) -> float:
        """How far it reaches from base_link along a `bearing` [rad]; 0 where base_link lies beyond its edge [m]."""
        aside = self.middle * math.sin(bearing)
        return self.middle * math.cos(bearing) + math.sqrt(max(self.radius**2 - aside**2, 0.0))

    def centre(self, poses: Array) -> Array:
        """Its middle (..., 2) where base_link is at `poses` (..., 3)."""
        ahead = np.stack([np.cos(poses[..., 2]), np.sin(poses[..., 2])], axis=-1)
        return np.asarray(poses[..., :2] + self.middle * ahead)


def disc_around(corners: Sequence[tuple[float, float]]) -> Disc:
    """The smallest disc with its middle on the x axis of base_link that holds `corners` x, y [m] of an outline.

    The squared distance of each from a middle c is c^2 - 2 x c + x^2 + y^2: the greatest of them is least at a corner's
    own x, or where two are equal.
    """
    x, y = np.array(corners).T
    square, apart = x**2 + y**2, 2 * (x[:, None] - x)
    equal = (square[:, None] - square)[apart != 0] / apart[apart != 0]
    middles = np.concatenate([x, equal])
    farthest = np.hypot(x - middles[:, None], y).max(axis=1)
    best = int(np.argmin(farthest))
    return Disc(float(farthest[best]), float(middles[best]))
