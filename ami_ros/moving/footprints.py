"""Where moving things were lately: what stood there and is seen through now has gone."""

from __future__ import annotations

from collections import deque

import numpy as np

from ami_ros.geometry import Array, compose, relative, transform_points
from ami_ros.moving.things import MovingThings

LASTS = 20.0  # [s] for which a footprint counts: by then a robot that drives on has looked there again
STEP = 0.1  # [m] of a thing's way between two of its footprints
BESIDE = 0.3  # [m] beyond its radius: both legs, and half of what it turns and sways by
BEFORE = np.array([0.9, 0.6, 0.3, 0.0])  # [m] that a thing has come when it is first reported (TrackerConfig.certain)
MOST = 256  # footprints, the newest


class Footprints:
    """Discs where things that move have been, in the frame of the poses that they are added with."""

    def __init__(self) -> None:
        self._discs: deque[tuple[float, Array]] = deque(maxlen=MOST)  # stamp [s], (3,): x, y, radius [m]
        self._last: dict[int, Array] = {}  # (2,) in odom, where the newest footprint of each id is

    def add(self, things: MovingThings | None, stamp: float, pose: Array, odometry: Array) -> None:
        """Notes where `things` (in odom) are at `stamp` [s], with the robot at `pose` (3,) and at `odometry` (3,)."""
        while self._discs and not 0.0 <= stamp - self._discs[0][0] <= LASTS:
            self._discs.popleft()
        if things is None:
            return
        known, self._last = self._last, {}
        for thing in things.things:
            last = known.get(thing.id)
            if last is None:
                came = thing.velocity / max(float(np.hypot(*thing.velocity)), 1e-6)
                self._press(stamp, thing.position - BEFORE[:, None] * came, thing.radius, pose, odometry)
            elif np.hypot(*(thing.position - last)) > STEP:
                self._press(stamp, thing.position[None], thing.radius, pose, odometry)
            else:
                self._last[thing.id] = last
                continue
            self._last[thing.id] = thing.position

    def _press(self, stamp: float, places: Array, radius: float, pose: Array, odometry: Array) -> None:
        """A footprint at each of `places` (n, 2) in odom."""
        there = transform_points(compose(pose, relative(odometry, np.zeros(3))), places)
        self._discs.extend((stamp, np.array([x, y, radius + BESIDE])) for x, y in there)

    def discs(self) -> Array:
        """(n, 3): x, y and radius [m]."""
        return np.array([disc for _, disc in self._discs]).reshape(-1, 3)

    def within(self, points: Array, margin: float = 0.0) -> Array:
        """Which of `points` (n, 2) [m] lie on a footprint, or up to `margin` [m] beside it: (n,) bool."""
        discs = self.discs()
        apart = np.hypot(*(points[:, None] - discs[None, :, :2]).transpose(2, 0, 1))
        return np.asarray((apart < discs[:, 2] + margin).any(1))
