"""Lets simulated time run as fast as real nodes keep up with it."""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Callable

import numpy as np

from ami_ros.app.telemetry import Telemetry

LOOK = 4.0  # [s], steady, between two looks
ENOUGH = 12  # ages that tell how nodes do
EASY, HARD = 0.10, 0.16  # [s] of the robot's time: images behind commands whose 95th percentile is younger, or older
FASTER, SLOWER = 1.25, 0.7
LEAST, MOST = 0.25, 8.0  # simulated seconds in a second


class Pacer:
    """Call `tick` some times a second while the robot drives.

    Args:
        set_factor: sets the simulator's real-time factor.

    Attributes:
        factor: that it has now.
    """

    def __init__(self, set_factor: Callable[[float], None]) -> None:
        self._set, self.factor = set_factor, 1.0
        self._ages: deque[float] = deque(maxlen=100)
        self._looked = time.monotonic()

    def tick(self, telemetry: Telemetry) -> None:
        """Notes the age of the image behind the newest command, and changes the pace now and then."""
        if telemetry.state == "CONTROLLING" and telemetry.observation_age is not None:
            self._ages.append(telemetry.observation_age)
        if time.monotonic() - self._looked < LOOK or len(self._ages) < ENOUGH:
            return
        age = float(np.percentile(self._ages, 95))
        self._looked = time.monotonic()
        self._ages.clear()
        step = FASTER if age < EASY else SLOWER if age > HARD else 1.0
        if (factor := min(max(self.factor * step, LEAST), MOST)) != self.factor:
            self.factor = factor
            self._set(factor)
