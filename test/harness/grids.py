"""Occupancy grids of a box with a screen."""

from __future__ import annotations

import numpy as np

from ami_ros.behaviour.occupancy import Grid
from harness.scans import scan_of_points

BOX = np.concatenate(
    [np.column_stack([np.full(200, x), np.linspace(-2, 2, 200)]) for x in (-2.0, 2.0)]
    + [np.column_stack([np.linspace(-2, 2, 200), np.full(200, y)]) for y in (-2.0, 2.0)]
)
SCREEN = np.column_stack([np.full(120, 0.5), np.linspace(-2.0, 0.8, 120)])  # from one wall most of the way to the other


def grid_of(*poses: tuple[float, float, float]) -> Grid:
    """Of a box with a screen; each scan sees what is in its line of sight."""
    grid = Grid(np.zeros(2))
    for pose in poses:
        points = np.concatenate([BOX, SCREEN]) - pose[:2]
        grid.add(np.array(pose), scan_of_points(points))
    return grid
