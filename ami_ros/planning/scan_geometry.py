"""What a scan says about points and directions; without torch, for the safety gate's process is small."""

from __future__ import annotations

import numpy as np

from ami_ros.geometry import Array
from ami_ros.scan import Scan


def scan_points(scan: Scan, most: float) -> Array:
    """End points (n, 2) [m] in base_link of the beams that returned from closer than `most` [m]."""
    angles = scan.angle_min + scan.angle_increment * np.arange(len(scan.ranges))
    seen = np.isfinite(scan.ranges) & (scan.ranges > 0) & (scan.ranges < most)
    ranges = scan.ranges[seen].astype(np.float64)
    return np.column_stack([ranges * np.cos(angles[seen]), ranges * np.sin(angles[seen])])


def free_range(scan: Scan, direction: float, half_width: float) -> float:
    """How far [m] a disc of radius `half_width` [m] can go along `direction` [rad] in base_link and touch nothing."""
    points = scan_points(scan, 8.0)
    if not len(points):
        return 8.0
    along = points @ [np.cos(direction), np.sin(direction)]
    across = np.abs(points @ [-np.sin(direction), np.cos(direction)])
    ahead = (along > 0) & (across < half_width)
    return float(along[ahead].min()) if ahead.any() else 8.0
