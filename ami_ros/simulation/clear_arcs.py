"""Whether a command can be driven without touching what the scan saw."""

from __future__ import annotations

import numpy as np

from ami_ros.commands import Command
from ami_ros.geometry import Array
from ami_ros.scan import Scan

LOOK_AHEAD = 0.8  # how long a command's arc is tried, braking included [s]


def scan_ends(scan: Scan) -> Array:
    """What the scan saw: points (k, 2) [m] in base_link."""
    seen = np.isfinite(scan.ranges)
    ranges, angles = scan.ranges[seen].astype(np.float64), scan.angles[seen]
    return np.asarray(np.stack([ranges * np.cos(angles), ranges * np.sin(angles)], axis=-1) + scan.origin)


def keeps_clear(points: Array, command: Command, clear: float) -> bool:
    """Whether the arc of a command stays `clear` [m] of the points, and comes no nearer where it is not so already."""
    times = np.linspace(0.1, LOOK_AHEAD, 6)
    linear, angular, aside = command
    turned = angular * times
    if abs(angular) > 1e-3:
        s, c, ahead, left = np.sin(turned), 1.0 - np.cos(turned), linear / angular, aside / angular
        x, y = ahead * s - left * c, ahead * c + left * s
    else:
        x, y = linear * times, aside * times
    distance = np.hypot(points[:, 0] - x[:, None], points[:, 1] - y[:, None]).min(axis=1, initial=np.inf)
    now = np.hypot(points[:, 0], points[:, 1]).min(initial=np.inf)
    return bool((distance > np.minimum(clear, now + 0.005)).all() or linear == aside == 0.0)
