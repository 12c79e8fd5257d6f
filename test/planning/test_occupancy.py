"""Ways over what scans showed to be free."""

from __future__ import annotations

import numpy as np

from ami_ros.planning.occupancy import CELL, SIDE, Grid, Ways
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


def test_ways_go_around_what_stands_and_are_straight_as_far_as_that_goes() -> None:
    ways = Ways(grid_of((0.0, 0.0, 0.0), (0.6, 1.4, 0.0), (1.2, 0.0, 0.0)), np.array([0.0, -1.0, 0.0]), 0.2)
    way = ways.to(np.array([1.2, -1.0]))
    assert len(way) and way[:, 1].max() > 0.9
    first = way[ways.straight(way, 10.0) - 1]
    assert np.hypot(*(first - way[0])) > 1.0 and first[0] < 0.6
    assert ways.lengths(np.array([[1.2, -1.0], [30.0, 0.0]]))[0] > 3.5
    assert np.isinf(ways.lengths(np.array([[30.0, 0.0]]))[0])


def test_what_is_reached_is_free_and_has_room_for_the_robot() -> None:
    points, lengths = Ways(grid_of((0.0, 0.0, 0.0)), np.zeros(3), 0.2).reached()
    assert len(points) > 50 and np.abs(points).max() < 2.0 - 0.2 and np.isfinite(lengths).all()


def test_the_grid_lies_around_where_it_was_begun() -> None:
    far = np.array([500.0, -300.0])
    grid = Grid(far)
    assert (grid.cells(far[None])[0] == SIDE // 2).all()
    assert np.hypot(*(grid.points(grid.cells(far[None]))[0] - far)) < CELL
