"""How near is what a camera shows, by what the robot knows: its laser, and the height of the camera."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ami_ros.camera import CameraMount, Window
from ami_ros.scan import Scan

FARTHEST = 8.0  # [m] that anything is taken to be, as where the laser sees nothing
NEAREST = 0.2  # [m] likewise


def nearness_by_laser(scan: Scan, mount: CameraMount, window: Window, size: int) -> NDArray[np.float32] | None:
    """Nearness (size, size) [1/m], in the plane of the floor, of what each pixel of a picture shows: walls stand
    upright where the laser sees them, and the floor is level.

    Args:
        scan: of the same moment.
        mount: of the camera.
        window: what the picture shows.
        size: of the picture [px].

    Returns:
        None: the height of the camera is not known, or the laser saw nothing.
    """
    known = ~np.isnan(scan.ranges)
    if mount.z <= 0 or known.sum() < 2:
        return None
    angles, ranges = scan.angles[known], np.minimum(scan.ranges[known].astype(np.float64), FARTHEST)
    ends = ranges[:, None] * np.column_stack([np.cos(angles), np.sin(angles)]) + scan.origin - [mount.x, mount.y]
    bearings, away = np.arctan2(ends[:, 1], ends[:, 0]), np.hypot(ends[:, 0], ends[:, 1])
    ahead, left, up = mount.rays(*window.rays(size))
    level = np.hypot(ahead, left)
    wall = np.interp(np.arctan2(left, ahead), *_sorted(bearings, away), period=2 * np.pi)
    floor = np.where(up < 0, mount.z * level / np.maximum(-up, 1e-6), np.inf)
    return (1.0 / np.clip(np.minimum(wall, floor), NEAREST, FARTHEST)).astype(np.float32)


def _sorted(keys: NDArray[np.float64], values: NDArray[np.float64]) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    order = np.argsort(keys)
    return keys[order], values[order]
