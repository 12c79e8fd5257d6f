"""What is known to stand, and to be free, around the robot: the newest scan, and what has gone out of sight since."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, inverse, relative, transform_points
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.footprint import Footprint
from ami_ros.safety.snapshot import Snapshot
from ami_ros.safety.vanished import SURELY, Vanished, inner

APART = (0.1, 0.2, 0.3)  # [m], [rad], [s]: a scan nearer than this to the one before it takes that one's place


class Surroundings:
    """The newest scan says what stands around the robot; it and those before it say what is free."""

    def __init__(self, config: SafetyConfig, footprint: Footprint) -> None:
        self._memory, self._measured, self._footprint = config.memory, config.measured, footprint
        self._seen: deque[Snapshot] = deque()
        self._vanished = Vanished(config.memory)

    @property
    def newest(self) -> Snapshot | None:
        """What was seen last."""
        return self._seen[-1] if self._seen else None

    def add(self, snapshot: Snapshot, measured: bool = True) -> str:
        """Takes a scan, unless it is wrong: then it says why, and the ones before it stay.

        Args:
            snapshot: it.
            measured: odometry says how the robot has moved.
        """
        if not (snapshot.free > 0).any():
            return "scan without a reading"
        if self._seen:
            if self._measured and self._lost_everything(self._seen[-1], snapshot):
                return "scan without what stood there"
            # Guesses come and go; none of them says more than the newest.
            snapshot = self._vanished.look(self._seen, snapshot, measured and self._measured)
        if len(self._seen) > 1:
            a, b = self._seen[-2], self._seen[-1]
            x, y, turn = np.abs(relative(a.pose, b.pose))
            if all(np.array([max(x, y), turn, b.stamp - a.stamp]) < APART):
                self._seen.pop()
        self._seen.append(snapshot)
        while snapshot.stamp - self._seen[0].stamp > self._memory:
            self._seen.popleft()
        return ""

    @property
    def gone(self) -> Array:
        """Points (n, 2) in the gate's frame that an earlier scan showed, and of which none since says that they have
        gone."""
        return self._vanished.points

    def came_late(self, snapshot: Snapshot) -> bool:
        """A scan that is older than the newest: if that shows the same to the last bit, it is this one that is
        repeated, and no newer. Whether it is so."""
        same = bool(len(snapshot.points) and np.array_equal(self._seen[-1].points, snapshot.points))
        if same:
            self._seen[-1] = snapshot
        return same

    def free(self, points: Array) -> NDArray[np.bool_]:
        """Which of `points` (n, 2) of the gate's frame are known to be free (n,): by the newest scan that looks there,
        or because the robot has stood there."""
        free = np.zeros(len(points), dtype=bool)
        left = np.arange(len(points))  # not decided yet
        for snapshot in reversed(self._seen):
            seen, clear = snapshot.look(points[left])
            stood = self._footprint.distance(transform_points(inverse(snapshot.pose), points[left])) <= 0
            free[left] = clear | (~seen & stood)
            left = left[~seen & ~stood]
            if not len(left):
                break
        return free

    def _lost_everything(self, before: Snapshot, now: Snapshot) -> bool:
        """Whether a scan shows nothing at all, also where something stood that cannot have gone so fast, and that some
        beam had to meet."""
        if len(now.points) or not len(surely := before.points[inner(before)]):
            return False
        local = transform_points(relative(now.pose, before.pose), surely)
        return bool(now.look(transform_points(now.pose, local * (1.0 / SURELY)))[1].any())
