"""Where one frame lies in another, by poses in both of which some are wrong: a memory in the world, or in another."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, compose, inverse, relative, wrap

AGREE_DISTANCE = 0.4  # [m]
AGREE_HEADING = 0.35  # [rad]
CANDIDATES = 64


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
    tried = estimates[np.linspace(0, len(estimates) - 1, min(CANDIDATES, len(estimates))).astype(int)]
    votes = [agreeing(candidate, believed, true) for candidate in tried]
    best = max(votes, key=lambda vote: int(vote.sum()))
    return _mean_pose(believed[best], true[best])


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
    error = relative(true, compose(frame, believed))
    near = np.hypot(error[:, 0], error[:, 1]) < AGREE_DISTANCE
    return np.asarray(near & (np.abs(error[:, 2]) < AGREE_HEADING))


def _mean_pose(believed: Array, true: Array) -> Array:
    """The rigid motion from believed to true poses: mean turn, then mean offset."""
    turn = wrap(true[:, 2] - believed[:, 2])
    yaw = float(np.arctan2(np.sin(turn).mean(), np.cos(turn).mean()))
    turned = compose(np.array([0.0, 0.0, yaw]), believed)
    return np.array([*(true[:, :2] - turned[:, :2]).mean(axis=0), yaw])
