"""Where a goal was found not to be, and when that is taken back."""

from __future__ import annotations

import numpy as np

from ami_ros.geometry import Array, compose, pose_gap

ELSEWHERE = 0.6, 0.6  # [m], [rad] from a place that was refuted, within which the goal is not seen again


class Refuted:
    """Poses (3,) in odom that only look like the goal.

    What is refuted on the way rests on looks that may err by decimetres, and the goal itself may lie within ELSEWHERE
    of it; from there pictures may differ by what stands close by. An exact look that is certain takes it back, once.
    """

    def __init__(self) -> None:
        self._firm: list[Array] = []
        self._doubtful: list[Array] = []
        self._taken_back: list[Array] = []

    def __bool__(self) -> bool:
        return bool(self._firm or self._doubtful)

    def add(self, pose: Array, firmly: bool = False) -> None:
        """The goal is not at `pose`; `firmly`: for it cannot be got to there."""
        firmly = firmly or _covers(self._taken_back, pose)
        (self._firm if firmly else self._doubtful).append(np.asarray(pose))

    def covers(self, pose: Array) -> bool:
        """Whether `pose` is one that was refuted, or beside one."""
        return _covers(self._firm, pose) or _covers(self._doubtful, pose)

    def take_back(self, pose: Array) -> bool:
        """The goal is certainly seen at `pose`; whether that may be."""
        if _covers(self._firm, pose):
            return False
        self._taken_back += [other for other in self._doubtful if _covers([other], pose)]
        self._doubtful = [other for other in self._doubtful if not _covers([other], pose)]
        return True

    def carry(self, correction: Array) -> None:
        """Odometry drifted; see `Drift`."""
        for poses in (self._firm, self._doubtful, self._taken_back):
            poses[:] = [compose(correction, pose) for pose in poses]

    def clear(self) -> None:
        """Odometry restarted: all that lies nowhere any more."""
        for poses in (self._firm, self._doubtful, self._taken_back):
            poses.clear()


def _covers(refuted: list[Array], pose: Array) -> bool:
    return any(np.less(pose_gap(pose, other), ELSEWHERE).all() for other in refuted)
