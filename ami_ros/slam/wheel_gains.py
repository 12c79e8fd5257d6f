"""What is wrong with a robot's odometry in the same way all the time, learned where scans say how it has moved.

Wheels that are worn, or a base that is narrower than described, make each distance and each turn too long or too short
by the same share, and wheels that differ bend each straight way (Borenstein and Feng, "Measurement and correction of
systematic odometry errors in mobile robots", 1996). Where a laser sees little, as in a large hall, odometry is all
there is: a turn around may be 14 degrees off, and 30 m ahead 40 degrees.
"""

from __future__ import annotations

import numpy as np

from ami_ros.geometry import Array

PRIOR = 3.0  # [m] of motion that speak for distances being right; larger learns more slowly
SIGMA = 0.05, 0.05, 0.02  # deviations before anything is learned: of distance, of turn, and of bend [rad/m]
TURNING = 1.0  # [rad/m] from which a step is a turn; others tell of distances
MOST, MOST_BEND = 0.15, 0.1  # share by which it may be wrong; [rad/m]
NOISE = 0.002  # [rad^2] of what scans say of a turn, for each metre and radian


class WheelGains:
    """How far the robot moved for each metre and radian of odometry, and how far it turned for each metre."""

    def __init__(self) -> None:
        self._said = self._moved = PRIOR  # [m] so far
        # Of turn and bend by recursive least squares: the inverse of their covariance, and that times their mean.
        self._information = np.diag(np.power(SIGMA[1:], -2.0))
        self._weighted = self._information @ [1.0, 0.0]
        self.stand()

    def stand(self) -> None:
        """Scans say where the robot is."""
        self._alone = np.zeros(3)  # travel [m], turn [rad] and way [m] since scans told of them

    @property
    def gains(self) -> Array:
        """(3,): factors of distances and of turns of odometry, and what is turned for each metre ahead [rad/m]."""
        turn, bend = np.linalg.solve(self._information, self._weighted)
        return np.clip(
            [self._moved / self._said, turn, bend], [1 - MOST, 1 - MOST, -MOST_BEND], [1 + MOST, 1 + MOST, MOST_BEND]
        )

    def corrected(self, motion: Array) -> Array:
        """`motion` (3,) of odometry as it probably was."""
        distance, turn, bend = self.gains
        return np.asarray(motion * [distance, distance, turn] + [0.0, 0.0, bend * motion[0]])

    def doubt(self, motion: Array) -> tuple[float, float]:
        """Variances of way [m^2] and heading [rad^2] that `motion` (3,) adds, by what is not known of the gains.

        They are off in each step alike: the deviation grows with the way, and not with its root.
        """
        before, after = self._alone, self._after(motion)
        covariance = np.linalg.inv(self._information)
        turn = after[:2] @ covariance @ after[:2] - before[:2] @ covariance @ before[:2]
        way = SIGMA[0] ** 2 * PRIOR / self._said * (after[2] ** 2 - before[2] ** 2)
        return float(way), max(float(turn), 0.0)

    def _after(self, motion: Array) -> Array:
        return self._alone + [motion[0], motion[2], np.hypot(*motion[:2])]

    def learn(self, said: Array, moved: Array, distance: bool, turn: bool, variance: float = 0.0) -> None:
        """Odometry said (3,), and the robot moved (3,); whether scans tell for sure how far, and how far it turned.

        The first scan that tells after some that did not may correct all of them at once, and teaches nothing.

        Args:
            said: see above.
            moved: see above.
            distance: see above.
            turn: see above.
            variance: [rad^2] of the turn; 0: it is by a scan.
        """
        length, angle = float(np.hypot(*said[:2])), abs(float(said[2]))
        turned_alone, drove_alone = bool(self._alone[:2].any()), bool(self._alone[2])
        self._alone = self._after(said) * [not turn, not turn, not distance]
        if turn and not turned_alone:
            row = said[[2, 0]]
            precision = 1.0 / (variance or NOISE * (length + angle))
            self._information = self._information + precision * np.outer(row, row)
            self._weighted = self._weighted + precision * row * moved[2]
        if distance and not drove_alone and angle <= TURNING * length:
            self._said += length
            self._moved += float(said[:2] @ moved[:2]) / length
