"""One turn of a laser scanner, as the core sees it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array


@dataclass(frozen=True)
class Scan:
    """One turn of the laser scanner, in base_link.

    ranges: (n,) float32 [m], inf where nothing returned. Beam i points at angle_min + i * angle_increment [rad].
    """

    ranges: NDArray[np.float32]
    angle_min: float
    angle_increment: float

    @property
    def angles(self) -> Array:
        """Direction of each beam (n,) [rad], positive to the left."""
        return self.angle_min + self.angle_increment * np.arange(len(self.ranges), dtype=np.float64)
