"""Towards a pose that no remembered way leads to: over ground that scans show to be free, from frontier to frontier.

A robot that was just started remembers nothing, and the first goal that it gets may be a click on a map.
"""

from __future__ import annotations

import numpy as np

from ami_ros.geometry import Array, compose
from ami_ros.mission.drawing import Drawing
from ami_ros.mission.ways import Ways
from ami_ros.planning.types import Percept

SIGHT = 2.0  # [m] to the next spot, at most
REACHED, RENEWED = 0.4, 3.0  # [m] from a spot, or [s] since it was chosen, from which the next one is


class Scout:
    """Draws what scans show on the way to one goal, in odom, and says where to drive next.

    Args:
        radius: [m] of the robot's disc.
        measured: whether a sensor measures scans; else they are guessed from pictures.
    """

    def __init__(self, radius: float, measured: bool = True) -> None:
        self._radius, self._measured = radius, measured
        self.restart()

    def restart(self) -> None:
        """Odometry began anew."""
        self._drawing = Drawing(self._measured)
        self._vain: list[Array] = []  # (2,) each, where it did not get on
        self._spot: Array | None = None  # (3,) to which it drives
        self._chosen = 0.0  # [s] stamp of that choice

    def carry(self, correction: Array) -> None:
        """Odometry drifted by `correction` (3,): what is drawn is left, and the next scans draw over it."""
        if self._spot is not None:
            self._spot = compose(correction, self._spot)

    def stuck(self) -> None:
        """It does not get to where it was sent."""
        if self._spot is not None:
            self._vain.append(self._spot[:2])
        self._spot = None

    def next_spot(self, percept: Percept, goal: Array) -> Array | None:
        """Where (3,) to drive next on the way to `goal` (3,), all in odom; None: nothing is left in reach."""
        here = percept.odometry
        self._drawing.draw(percept.stamp, here, here, percept.scan, percept.things)
        if self._drawing.grid is None:
            return None
        spot, age = self._spot, percept.stamp - self._chosen
        if spot is not None and np.hypot(*(spot - here)[:2]) > REACHED and 0.0 <= age < RENEWED:
            return spot
        ways = Ways(self._drawing.grid, here, self._radius, self._vain)
        way = ways.to(goal[:2])
        if not len(way):
            way = ways.to_frontier(self._vain, goal[:2])
        if not len(way):
            self._spot = None
            return None
        at = way[ways.onward(way, SIGHT) - 1]
        self._spot, self._chosen = np.array([*at, np.arctan2(*(at - here[:2])[::-1])]), percept.stamp
        return self._spot
