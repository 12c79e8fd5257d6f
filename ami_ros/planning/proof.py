"""Proof of an arrival: the goal was recognised, twice, from two poses."""

from __future__ import annotations

import math
from collections import deque

import numpy as np

from ami_ros.geometry import Array, compose, pose_gap

AGREE = 0.15, 0.2  # [m], [rad] between looks, and what is believed, that tell of one place
APART = 0.25, 0.3  # [m], [rad] between two poses that see something different
PROOF_SECONDS = 20.0  # [s] for which a look counts
RECENT = 1.5  # [s] the same of that from here


class Proof:
    """That the goal was recognised where it is believed to be: twice, from two poses, and both times at one place.

    One look may be mistaken, and the same look again is mistaken likewise; another pose changes what is seen.
    """

    def __init__(self) -> None:
        self._looks: deque[tuple[float, Array, Array]] = deque()  # stamp, robot and goal, both in odom

    def add(self, stamp: float, odometry: Array, pose: Array) -> None:
        """The goal was recognised at `pose` (3,) in base_link, from `odometry` (3,)."""
        self._looks.append((stamp, np.asarray(odometry), compose(odometry, pose)))
        while self._looks and stamp - self._looks[0][0] > PROOF_SECONDS:
            self._looks.popleft()

    def forget(self) -> None:
        """The goal turned out to be elsewhere."""
        self._looks.clear()

    def newest(self, stamp: float) -> float:
        """How long ago the goal was recognised [s]; inf if never."""
        return stamp - self._looks[-1][0] if self._looks else math.inf

    def holds(self, stamp: float, odometry: Array, pose: Array) -> bool:
        """Whether looks from here and from elsewhere agree that the goal is at `pose` (3,) in base_link."""
        believed = compose(odometry, pose)
        here = elsewhere = False
        for seen, robot, goal in self._looks:
            distance, turn = pose_gap(goal, believed)
            if distance > AGREE[0] or turn > AGREE[1]:
                continue
            moved, turned = pose_gap(robot, odometry)
            apart = moved > APART[0] or turned > APART[1]
            elsewhere |= bool(apart)
            here |= not apart and stamp - seen < RECENT
        return here and elsewhere
