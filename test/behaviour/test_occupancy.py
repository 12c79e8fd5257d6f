"""What scans showed, drawn into a grid."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.behaviour.occupancy import CELL, Grid, GridConfig
from ami_ros.behaviour.ways import Ways
from ami_ros.core.scan import Scan
from harness.grids import BOX, SCREEN
from harness.scans import scan_of_points


def test_the_grid_lies_around_where_it_was_begun() -> None:
    far = np.array([500.0, -300.0])
    grid = Grid(far)
    assert (grid.cells(far[None])[0] == GridConfig.side // 2).all()
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


def test_what_is_guessed_closes_no_door_that_is_seen_open_from_near_by() -> None:
    """A robot without a laser took doors for closed: far off, their posts were guessed to stand in them."""
    far, near = wall_ahead(3.0, 0.4), wall_ahead(2.0, 0.4)
    for doubt, closed in ((0.0, True), (0.13, False)):
        grid = Grid()
        for _ in range(6):  # half a metre nearer than it is
            grid.add(np.zeros(3), far, doubt)
        for _ in range(6):  # from a metre and a half before it
            grid.add(np.array([1.5, 0.0, 0.0]), near, doubt)
        cells = grid.cells(np.array([[3.0, 0.0]]))[0]
        assert (grid.odds[cells[0], cells[1]] > 0.5) == closed


def test_free_space_ends_before_what_is_guessed_and_at_what_is_measured() -> None:
    for doubt, reach in ((0.0, 2.9), (0.13, 2.15)):
        grid = Grid()
        grid.add(np.zeros(3), wall_ahead(3.0, 0.4), doubt)
        ahead = np.column_stack([np.arange(0.1, 2.95, 0.05), np.zeros(57)])
        free = ahead[[grid.odds[i, j] < 0 for i, j in grid.cells(ahead)]]
        assert free[:, 0].max() == pytest.approx(reach, abs=0.1)


def test_a_near_thing_that_is_guessed_is_solid_after_three_looks() -> None:
    grid = Grid()
    for _ in range(3):
        grid.add(np.zeros(3), wall_ahead(0.6, 0.4), 0.13)
    cells = grid.cells(np.array([[0.6, 0.0]]))[0]
    assert grid.odds[cells[0], cells[1]] > 0.5


def wall_ahead(away: float, half: float) -> Scan:
    """Of a wall across the way ahead, `half` [rad] to each side."""
    angles = np.linspace(-half, half, 41)
    return Scan((away / np.cos(angles)).astype(np.float32), -half, 2 * half / 40)
