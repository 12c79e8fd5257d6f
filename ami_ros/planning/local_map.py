"""Distance from any point around the robot to the nearest thing in the scan."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from ami_ros.planning.array_module import ArrayOrTensor, get_array_module
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

    def clearance(self, points: ArrayOrTensor) -> ArrayOrTensor:
        """Distance (...,) [m] from points (..., 2) [m] in base_link to the nearest thing seen."""
        xp, size = get_array_module(points), len(self.field)
        with_gradient = getattr(points, "requires_grad", False)
        still = points.detach() if with_gradient else points
        at = (still + self.half_size) / self.resolution
        inside = ((at >= 0) & (at < size)).all(-1)
        cells = xp.asarray(xp.where(inside[..., None], at, 0.0), dtype=xp.int64)
        distance = xp.asarray(self.field)[cells[..., 1], cells[..., 0]]
        if with_gradient:
            slope = xp.asarray(self._slope)[cells[..., 1], cells[..., 0]]
            distance = distance + (slope * (points - still)).sum(-1)
        return xp.where(inside, distance, self.half_size)

    @cached_property
    def _slope(self) -> Floats:
        """How the field changes along x and y in each cell (cells, cells, 2): what a look-up has for a gradient."""
        along_y, along_x = np.gradient(self.field, self.resolution)
        return np.stack([along_x, along_y], -1).astype(np.float32)
