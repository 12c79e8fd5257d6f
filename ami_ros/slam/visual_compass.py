"""How far the robot has turned, by pictures: each is compared with a keyframe, so that errors do not add up from one to
the next, and what wheels say in between counts by its doubt."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import NamedTuple

import numpy as np

from ami_ros.geometry import Array, compose, relative
from ami_ros.places.index import Latents
from ami_ros.scan import Scan
from ami_ros.slam.wheel_gains import WheelGains
from ami_ros.world_model.visual_odometry import Turn

TURNED, DRIVEN = 0.4, 0.35  # [rad], [m] from a keyframe to the next one
# Of wheels that slip, or turn where the robot is stuck, one standard deviation: share of the turn, and [rad/m].
SLIP = 0.4
AGREE = 3.0  # standard deviations up to which wheels and pictures agree
LEAST = 1e-3  # [rad] standard deviation that a step adds at least

# The turn between two pictures: by their codes, the motion (3,) and turn by odometry, and the scan of the first one.
Turns = Callable[[Latents, Latents, Array, Turn, Scan], Turn | None]


class _Keyframe(NamedTuple):
    odometry: Array  # (3,) in odom
    code: Latents | None
    scan: Scan


class VisualCompass:
    """Follows one robot from picture to picture, and teaches its wheels how far they turn.

    Args:
        turns: see there; None: nothing compares pictures.
        gains: of the robot's odometry.
    """

    def __init__(self, turns: Turns | None, gains: WheelGains) -> None:
        self._turns, self._gains = turns, gains
        self._keyframe: _Keyframe | None = None

    def begin(self, odometry: Array, code: Latents | None, scan: Scan) -> None:
        """Begins at another moment: (3,) in odom, the code of its picture, and its scan."""
        self._keyframe = _Keyframe(np.array(odometry), code, scan)
        self._moved = np.zeros(3)  # since then
        self._wheels = self._told = Turn(0.0, 0.0)  # likewise by wheels alone, and by all that is known

    def step(self, motion: Array, variance: float, odometry: Array, code: Latents | None, scan: Scan) -> Turn:
        """How far the robot turned since the moment before.

        Args:
            motion: (3,) since then by wheels, in base_link as it was.
            variance: [rad^2] of its turn.
            odometry: (3,) of the newest moment, in odom.
            code: of its picture; None: there is none.
            scan: of it, in base_link.
        """
        keyframe = self._keyframe
        assert keyframe is not None, "begin comes first"
        moved, before = compose(self._moved, motion), self._told
        self._wheels = Turn(self._wheels.angle + float(motion[2]), math.hypot(self._wheels.deviation, variance**0.5))
        seen = None
        if self._turns is not None and keyframe.code is not None and code is not None:
            slips = math.hypot(self._wheels.deviation, SLIP * (abs(self._wheels.angle) + float(np.hypot(*moved[:2]))))
            seen = self._turns(keyframe.code, code, moved, Turn(self._wheels.angle, slips), keyframe.scan)
        said = relative(keyframe.odometry, odometry)
        if seen is None:
            self._gains.learn(said, moved, False, False)
            self.begin(odometry, code, scan)
            return Turn(float(motion[2]), variance**0.5)
        self._told = _fused(self._wheels, seen)
        self._moved = np.array([*moved[:2], self._told.angle])
        told = self._told
        if abs(seen.angle) > TURNED or np.hypot(*moved[:2]) > DRIVEN:
            self._gains.learn(said, np.array([*moved[:2], seen.angle]), False, True, seen.deviation**2)
            self.begin(odometry, code, scan)
        added = max(told.deviation**2 - before.deviation**2, LEAST**2)
        return Turn(told.angle - before.angle, added**0.5)


def _fused(wheels: Turn, seen: Turn) -> Turn:
    """One turn by two that have no errors in common; where they differ, wheels have slipped."""
    doubt = max(wheels.deviation, abs(seen.angle - wheels.angle) / AGREE) ** 2
    share = doubt / (doubt + seen.deviation**2)
    return Turn(wheels.angle + share * (seen.angle - wheels.angle), (doubt * (1.0 - share)) ** 0.5)
