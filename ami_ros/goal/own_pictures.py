"""How much two pictures of this camera differ, taken from nearly one place: the measure for whether another was, too.

Noise, compression, and what lies at other distances than it is guessed to, make a right place look like another one;
and each camera has its own, in each light. The robot's last pictures on the way to a place have all of it.
"""

from __future__ import annotations

from collections import deque

import numpy as np

from ami_ros.geometry import Array, relative
from ami_ros.planning.types import Percept
from ami_ros.world_model.array_pairs import ArrayPairs
from ami_ros.world_model.arrays import Floats

KEPT = 8  # pictures
STEP = 0.015  # [m] between two of them; a turn by 1 rad counts as TURN [m]
TURN = 0.6
BEST, MOST = 0.035, 0.15  # [m] likewise from the newest, of the one that it is compared with
STEADY = 0.4  # [rad/s] of turning above which pictures are blurred


class OwnPictures:
    """The last pictures of one robot on its way."""

    def __init__(self) -> None:
        self._kept: deque[tuple[Array, Floats]] = deque(maxlen=KEPT)  # odometry (3,) and code of each

    def add(self, percept: Percept) -> None:
        """Keeps the picture of a moment, if it is sharp and from another pose than the last."""
        if percept.picture is None or abs(percept.velocity[1]) > STEADY:
            return
        if not self._kept or _far(self._kept[-1][0], percept.odometry) > STEP:
            self._kept.append((np.asarray(percept.odometry), percept.picture))

    def usual(self, pairs: ArrayPairs, percept: Percept) -> Floats | None:
        """What the picture of a moment differs by (2,), once aligned, from one that was taken beside it; None: there
        is none."""
        apart = [(_far(odometry, percept.odometry), k) for k, (odometry, _) in enumerate(self._kept)]
        beside = [(abs(far - BEST), k) for far, k in apart if STEP < far < MOST]
        if not beside or percept.picture is None:
            return None
        odometry, there = self._kept[min(beside)[1]]
        x, y, yaw = relative(percept.odometry, odometry)
        pose = np.array([x, y, np.cos(yaw), np.sin(yaw)], np.float32)
        return pairs.align(percept.picture, there, pose, percept.scan).off

    def forget(self) -> None:
        """Odometry restarted."""
        self._kept.clear()


def _far(a: Array, b: Array) -> float:
    """[m] from one pose (3,) to another, turns counted."""
    x, y, yaw = relative(a, b)
    return float(np.hypot(x, y) + TURN * abs(yaw))
