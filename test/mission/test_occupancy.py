"""What scans showed, drawn into a grid."""

from __future__ import annotations

import numpy as np

from ami_ros.mission.occupancy import CELL, SIDE, Grid
from ami_ros.mission.ways import Ways
from harness.grids import BOX, SCREEN
from harness.scans import scan_of_points


def test_the_grid_lies_around_where_it_was_begun() -> None:
    far = np.array([500.0, -300.0])
    grid = Grid(far)
    assert (grid.cells(far[None])[0] == SIDE // 2).all()
    assert np.hypot(*(grid.points(grid.cells(far[None]))[0] - far)) < CELL


def test_the_grid_grows_where_a_robot_drives_on_and_not_for_a_pose_that_leaps() -> None:
    """It had 80 m, and what lay beyond was drawn on its edge: half of a large hall was never explored."""
    grid, points = Grid(np.zeros(2)), np.concatenate([BOX, SCREEN])
    for x in (-45.0, 0.0, 45.0, 60.0):
        grid.add(np.array([x, 0.0, 0.0]), scan_of_points(points))
    for x in (-45.0, 45.0, 60.0):
        ways = Ways(grid, np.array([x, -1.0, 0.0]), 0.2)
        assert len(ways.to(np.array([x - 1.0, 1.0]))) and np.abs(ways.reached()[0] - [x, 0.0]).max() < 2.0
    before = grid.odds.copy()
    grid.add(np.array([1e6, 0.0, 0.0]), scan_of_points(points))
    np.testing.assert_array_equal(grid.odds, before)
