"""Whether a belief follows from odometry. One that jumped was carried, or looks at the double of a place it knows.

False short-cuts are the classic failure of topological maps: two places that look alike become one. So a belief that
odometry does not allow is used, but nothing is learned by it until it has proved itself over some metres; if it
returns to where odometry said, it was the double of a place, and nothing has happened.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ami_ros.geometry import Array, compose, pose_gap, relative


@dataclass(frozen=True)
class ContinuityConfig:
    """When a pose contradicts odometry, and how long it then takes to be trusted."""

    gate: tuple[float, float] = (0.6, 0.5)  # [m], [rad] from odometry at which a pose counts as a jump ...
    drift: float = 0.15  # ... plus this for each metre driven and radian turned; larger accepts worse odometry
    proof: float = 10.0  # [m] driven until a pose that jumped is trusted; larger: safer, learns later


class Continuity:
    """Follows one robot's odometry from the last belief that was trusted."""

    def __init__(self, config: ContinuityConfig) -> None:
        self.config = config
        self.restart()

    def restart(self) -> None:
        """Odometry began anew, or the map was moved: the next sure belief is trusted."""
        self._trusted: tuple[Array, Array] | None = None  # the robot in the map, and in odom
        self._odometry: Array | None = None
        self._length = self._turn = 0.0  # driven since then

    def move(self, odometry: Array) -> None:
        """The robot is at `odometry` (3,) now."""
        if self._odometry is not None:
            length, turn = pose_gap(self._odometry, odometry)
            self._length, self._turn = self._length + float(length), self._turn + float(turn)
        self._odometry = np.array(odometry)

    def allows(self, pose: Array) -> bool:
        """Whether a sure belief `pose` (3,) in the map may be learned from."""
        assert self._odometry is not None
        if self._trusted is not None:
            led = compose(self._trusted[0], relative(self._trusted[1], self._odometry))
            distance, turn = pose_gap(pose, led)
            config = self.config
            jumped = bool(
                distance > config.gate[0] + config.drift * (self._length + 0.3 * self._turn)
                or turn > config.gate[1] + config.drift * (self._length + self._turn)
            )
            if jumped and self._length < config.proof:
                return False
        self._trusted, self._length, self._turn = (np.array(pose), self._odometry), 0.0, 0.0
        return True
