"""Distance from any point around the robot to the nearest thing in the scan."""

from __future__ import annotations

from functools import cached_property

import cv2
import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.planning.scan_geometry import surfaces
from ami_ros.scan import Scan


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
        self.field = torch.from_numpy(np.ascontiguousarray(field, dtype=np.float32))

    def clearance(self, points: Tensor) -> Tensor:
        """Distance (...,) [m] from points (..., 2) [m] in base_link to the nearest thing seen."""
        cells = ((points + self.half_size) / self.resolution).long()
        size = self.field.shape[0]
        inside = ((cells >= 0) & (cells < size)).all(-1)
        cells = cells.clamp(0, size - 1)
        distance = self.field[cells[..., 1], cells[..., 0]]
        if points.requires_grad:
            slope = self._slope[cells[..., 1], cells[..., 0]]
            distance = distance + (slope * (points - points.detach())).sum(-1)
        return torch.where(inside, distance, torch.full_like(distance, self.half_size))

    @cached_property
    def _slope(self) -> Tensor:
        """How the field changes along x and y in each cell (cells, cells, 2): what a look-up has for a gradient."""
        along_y, along_x = torch.gradient(self.field, spacing=self.resolution)
        return torch.stack([along_x, along_y], -1)
