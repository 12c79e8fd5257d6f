"""Odometry of the last moments, to be asked for the moment of an image."""

from __future__ import annotations

from bisect import bisect_left
from collections import deque

import numpy as np

from ami_ros.commands import Command, lateral
from ami_ros.geometry import Array, compose, relative

LENGTH = 5.0  # kept [s]
REACH = 0.25  # [s] beyond the newest message that its velocity may be trusted
JUMP_SPEED = 5.0  # [m/s] and [rad/s] that no robot of ours reaches: odometry was restarted


class OdometryBuffer:
    """Poses (3,) in odom and velocities by stamp; stamps grow."""

    def __init__(self) -> None:
        self._stamps: deque[float] = deque()
        self._poses: deque[Array] = deque()
        self._velocities: deque[Command] = deque()

    def clear(self) -> None:
        """Forgets everything."""
        self._stamps.clear()
        self._poses.clear()
        self._velocities.clear()

    def add(self, stamp: float, pose: Array, velocity: Command) -> bool:
        """Keeps a message; False if odometry jumped, as after a restart: what was before is then forgotten."""
        steady = True
        if self._stamps and stamp <= self._stamps[-1]:
            return True
        if self._stamps:
            elapsed = max(stamp - self._stamps[-1], 0.02)
            moved = relative(self._poses[-1], pose)
            steady = bool(
                np.hypot(moved[0], moved[1]) < JUMP_SPEED * elapsed + 0.3 and abs(moved[2]) < JUMP_SPEED * elapsed + 0.5
            )
        if not steady:
            self.clear()
        self._stamps.append(stamp)
        self._poses.append(pose)
        self._velocities.append(velocity)
        while self._stamps[0] < stamp - LENGTH:
            self._stamps.popleft()
            self._poses.popleft()
            self._velocities.popleft()
        return steady

    def at(self, stamp: float) -> tuple[Array, Command] | None:
        """Pose and velocity at `stamp` [s], between two messages or shortly after the last; None if far from any."""
        if not self._stamps or stamp < self._stamps[0] - REACH or stamp > self._stamps[-1] + REACH:
            return None
        after = bisect_left(self._stamps, stamp)
        if after == len(self._stamps):
            return _ahead(self._poses[-1], self._velocities[-1], stamp - self._stamps[-1]), self._velocities[-1]
        if after == 0:
            return _ahead(self._poses[0], self._velocities[0], stamp - self._stamps[0]), self._velocities[0]
        before = after - 1
        gap = self._stamps[after] - self._stamps[before]
        share = (stamp - self._stamps[before]) / gap
        step = relative(self._poses[before], self._poses[after])
        nearer = before if share < 0.5 else after
        return compose(self._poses[before], share * step), self._velocities[nearer]


def _ahead(pose: Array, velocity: Command, seconds: float) -> Array:
    turn = velocity[1] * seconds
    half = np.array([0.0, 0.0, turn / 2])
    return compose(compose(compose(pose, half), [velocity[0] * seconds, lateral(velocity) * seconds, 0.0]), half)
