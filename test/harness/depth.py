"""Depth pictures of boxes on a floor, by casting rays: what a depth camera would measure without errors."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from ami_ros.core.camera import Camera, CameraMount
from ami_ros.core.depth import Depth

Box = tuple[float, float, float, float, float, float]  # x0, x1, y0, y1, z0, z1 [m] in base_link
CAMERA = Camera(160, 120, (120.0, 120.0), (79.5, 59.5))  # 67 by 53 degrees


def depth_picture(boxes: Sequence[Box], mount: CameraMount, camera: Camera = CAMERA, floor: bool = True) -> Depth:
    """Depths (H, W) [m] of a camera that sits at `mount`; NaN where nothing is."""
    columns, rows = np.meshgrid(np.arange(camera.width), np.arange(camera.height))
    right, down = (columns - camera.centre[0]) / camera.focal[0], (rows - camera.centre[1]) / camera.focal[1]
    rays = np.stack(mount.rays(np.asarray(right, np.float64), np.asarray(down, np.float64)), -1)
    start = np.array([mount.x, mount.y, mount.z])
    found = np.full(right.shape, np.inf)
    with np.errstate(divide="ignore", invalid="ignore"):
        if floor:
            found = np.where(rays[..., 2] < 0, -start[2] / rays[..., 2], np.inf)
        for box in boxes:
            low, high = np.array(box[::2]), np.array(box[1::2])
            sides = np.stack([(low - start) / rays, (high - start) / rays])
            enters, leaves = sides.min(0).max(-1), sides.max(0).min(-1)
            found = np.where((enters <= leaves) & (enters > 0), np.minimum(found, enters), found)
    return np.where(np.isfinite(found), found, np.nan).astype(np.float32)
