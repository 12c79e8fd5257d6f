"""Odometry of the last seconds, interpolated to the time of an image."""

from __future__ import annotations

import math
from bisect import bisect_left
from collections import deque

from ami_ros.commands import Command, lateral
from ami_ros.errors import AmiError
from ami_ros.geometry import Array, advance, compose, relative

LENGTH = 5.0  # kept [s]
REACH = 0.25  # [s] beyond the newest message that its velocity may be trusted
MAX_FUTURE = 0.5  # [s] that a stamp may lie ahead of now
# How far a pose may be from where the last velocity led: more means that odometry restarted.
JUMP, JUMP_SPEED = (0.1, 0.15), (1.0, 2.0)  # [m], [rad], and for each second since [m/s], [rad/s]


class OdometryHistory:
    """Poses (3,) in odom and velocities by stamp; stamps grow.

    Attributes:
        resets: how often odometry restarted.
        pose: the newest (3,); None before the first.
    """

    def __init__(self) -> None:
        self.resets = 0
        self._stamps: deque[float] = deque()
        self._poses: deque[Array] = deque()
        self._velocities: deque[Command] = deque()

    def clear(self) -> None:
        """Forgets everything."""
        self._stamps.clear()
        self._poses.clear()
        self._velocities.clear()

    @property
    def pose(self) -> Array | None:
        return self._poses[-1] if self._poses else None

    def add(self, stamp: float, pose: Array, velocity: Command, now: float = math.inf) -> bool:
        """Keeps a message; False if odometry restarted: what was before is then forgotten.

        Raises:
            AmiError: its stamp lies in the future of `now` [s]; it would hide every later message.
        """
        if stamp > now + MAX_FUTURE:
            raise AmiError(f"stamp lies {stamp - now:.2f} s in the future: dropped; are clocks synchronised?")
        if self._stamps and stamp <= self._stamps[-1]:
            return True
        jumped = bool(self._stamps) and self._jumped(stamp, pose, velocity)
        if jumped:
            self.clear()
            self.resets += 1
        self._stamps.append(stamp)
        self._poses.append(pose)
        self._velocities.append(velocity)
        while self._stamps[0] < stamp - LENGTH:
            self._stamps.popleft()
            self._poses.popleft()
            self._velocities.popleft()
        return not jumped

    def _jumped(self, stamp: float, pose: Array, velocity: Command) -> bool:
        """Whether neither the last velocity nor the new one leads from the last pose to this one."""
        elapsed = max(stamp - self._stamps[-1], 0.02)
        far, turned = (jump + elapsed * speed for jump, speed in zip(JUMP, JUMP_SPEED, strict=True))
        for known in (self._velocities[-1], velocity):
            x, y, turn = relative(_extrapolate(self._poses[-1], known, elapsed), pose)
            if math.hypot(x, y) < far and abs(turn) < turned:
                return False
        return True

    def at(self, stamp: float) -> tuple[Array, Command] | None:
        """Pose and velocity at `stamp` [s], between two messages or shortly after the last; None if far from any."""
        if not self._stamps or stamp < self._stamps[0] - REACH or stamp > self._stamps[-1] + REACH:
            return None
        after = bisect_left(self._stamps, stamp)
        if after == len(self._stamps):
            return _extrapolate(self._poses[-1], self._velocities[-1], stamp - self._stamps[-1]), self._velocities[-1]
        if after == 0:
            return _extrapolate(self._poses[0], self._velocities[0], stamp - self._stamps[0]), self._velocities[0]
        before = after - 1
        gap = self._stamps[after] - self._stamps[before]
        share = (stamp - self._stamps[before]) / gap
        step = relative(self._poses[before], self._poses[after])
        nearer = before if share < 0.5 else after
        return compose(self._poses[before], share * step), self._velocities[nearer]


def _extrapolate(pose: Array, velocity: Command, seconds: float) -> Array:
    return advance(pose, velocity[0] * seconds, velocity[1] * seconds, lateral(velocity) * seconds)
