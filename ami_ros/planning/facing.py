"""How a robot that turns on the spot comes to a place: straight at it. Its heading there comes last.

A search that weighs place and heading against each other all the way parks sideways: with two wheels and a horizon of
a second and a half it wiggles at the goal for ten seconds.
"""

from __future__ import annotations

import math

import numpy as np

from ami_ros.geometry import Array, wrap

BACKWARDS = 0.4  # [m] from which a place behind is backed up to: turning twice would take longer


def facing(pose: Array) -> Array:
    """A `pose` (3,) in base_link with the heading in which a robot drives straight to it."""
    x, y = float(pose[0]), float(pose[1])
    bearing = math.atan2(y, x)
    if math.hypot(x, y) < BACKWARDS and abs(bearing) > math.pi / 2:
        bearing = float(wrap(bearing + math.pi))
    return np.array([x, y, bearing])
