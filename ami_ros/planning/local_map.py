"""Distance from any point around the robot to the nearest thing in the scan."""

from __future__ import annotations

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.planning.scan_geometry import surfaces
from ami_ros.scan import Scan
from ami_ros.world_model.arrays import Floats


class LocalMap:
    """A distance field in base_link at the moment of the scan, for thousands of look-ups.

    Args:
        scan: of that moment.
        half_size: the field covers a square of twice this [m]; outside counts as free.
        resolution: of a cell [m].
    """

    def __init__(self, scan: Scan, half_size: float = 2.8, resolution: float = 0.02) -> None:
        self.half_size, self.resolution = half_size, resolution
        cells = round(2 * half_size / resolution)
        free: NDArray[np.uint8] = np.full((cells, cells), 255, np.uint8)
        for segment in surfaces(scan, 1.4 * half_size):
            a, b = (tuple(int(v) for v in np.rint((p + half_size) / resolution - 0.5)) for p in segment)
            cv2.line(free, a, b, 0)
        field = cv2.distanceTransform(free, cv2.DIST_L2, 5) * resolution if (free == 0).any() else free + 8.0
        self.field: Floats = np.ascontiguousarray(field, dtype=np.float32)

    def clearance(self, points: Floats) -> Floats:
        """Distance (...,) [m] from points (..., 2) [m] in base_link to the nearest thing seen."""
        size = len(self.field)
        at = (points + self.half_size) / self.resolution
        inside = np.asarray(((at >= 0) & (at < size)).all(-1))
        cells = np.where(inside[..., None], at, 0.0).astype(np.int64)
        return np.where(inside, self.field[cells[..., 1], cells[..., 0]], np.float32(self.half_size))
