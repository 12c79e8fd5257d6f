"""What is wrong with a robot's odometry in the same way all the time, learned where scans say how it has moved.

Wheels that are worn, or a base that is narrower than described, make each distance and each turn too long or too short
by the same share (Borenstein and Feng, "Measurement and correction of systematic odometry errors in mobile robots",
1996). Where a laser sees little, as in a large hall, odometry is all there is: a turn around may be 14 degrees off.
"""

from __future__ import annotations

import numpy as np

from ami_ros.geometry import Array

PRIOR = 3.0  # [m] and [rad] of motion that speak for odometry being right; larger learns more slowly
TURNING = 1.0  # [rad/m] from which a step is a turn; others tell of distances
MOST = 0.15  # share by which it may be wrong


class WheelGains:
    """How far the robot moved for each metre and radian of odometry."""

    def __init__(self) -> None:
        self._said, self._moved = np.full(2, PRIOR), np.full(2, PRIOR)  # distance [m] and turning [rad] so far

    @property
    def gains(self) -> Array:
        """(2,) by which distances and turns of odometry are to be multiplied."""
        return np.clip(self._moved / self._said, 1 - MOST, 1 + MOST)

    def corrected(self, motion: Array) -> Array:
        """`motion` (3,) of odometry as it probably was."""
        distance, turn = self.gains
        return np.asarray(motion * [distance, distance, turn])

    def learn(self, said: Array, moved: Array, distance: bool, turn: bool) -> None:
        """Odometry said (3,), and the robot moved (3,); whether scans tell for sure how far, and how far it turned."""
        length, angle = float(np.hypot(*said[:2])), abs(float(said[2]))
        if angle > TURNING * length:
            if turn:
                self._said[1] += angle
                self._moved[1] += np.sign(said[2]) * moved[2]
        elif distance:
            self._said[0] += length
            self._moved[0] += said[:2] @ moved[:2] / length
