"""What a laser sees from a pose in an empty square room, without noise."""

from __future__ import annotations

import math

import numpy as np

from ami_ros.core.scan import Scan

RANGE = 30.0  # [m] of the laser


def room_scan(x: float = 0.0, y: float = 0.0, yaw: float = 0.0, half: float = 3.0, beams: int = 180) -> Scan:
    """A turn of a laser over base_link, whose walls are `half` [m] from the origin."""
    step = 2 * math.pi / beams
    headings = yaw - math.pi + step * (np.arange(beams) + 0.5)
    with np.errstate(divide="ignore"):
        right = np.where(np.cos(headings) > 0, half - x, half + x) / np.abs(np.cos(headings))
        up = np.where(np.sin(headings) > 0, half - y, half + y) / np.abs(np.sin(headings))
    return Scan(np.minimum(right, up).astype(np.float32), -math.pi + step / 2, step, max_range=RANGE)
