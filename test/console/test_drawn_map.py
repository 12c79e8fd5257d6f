"""The map of a memory that keeps no scans."""

import numpy as np

from ami_ros.behaviour.occupancy import CELL, Grid
from ami_ros.console.listener import DrawnMap, moved
from ami_ros.console.scene import Scene
from ami_ros.core.geometry import compose, inverse, transform_points
from ami_ros.core.scan import Scan

RANGES = Scan(np.full(72, 2.0, np.float32), -np.pi, np.pi / 36)


def test_what_was_drawn_moves_along_to_within_a_cell() -> None:
    spots = np.array([[1.02, 0.53], [-2.02, 3.02], [0.02, -1.52]])
    grid, motion = Grid(np.array([0.7, -0.3])), np.array([0.83, -1.41, 0.6])
    for i, j in grid.cells(spots):
        grid.odds[i : i + 3, j : j + 3] = 2.0
    found = moved(grid, motion)
    for i, j in found.cells(transform_points(motion, spots + CELL)):
        assert found.odds[i, j] == 2.0
    assert abs(int((found.odds > 0).sum()) - 27) <= 6


def test_a_map_stays_when_the_robot_believes_to_be_elsewhere() -> None:
    scene = Scene()
    drawn, here = DrawnMap(scene), np.array([1.0, 2.0, 0.3])
    scene.moved(here)
    scene.located(here, here, True, 0.9)
    drawn.of_laser(RANGES)
    before = scene.documents.get("map")
    there, later = np.array([4.0, -1.0, 1.2]), compose(here, [0.3, 0.0, 0.0])
    scene.located(there, here, True, 0.9)
    scene.moved(later)
    drawn.of_laser(RANGES)
    assert before is not None and drawn._grid is not None
    frame = compose(there, inverse(here))
    seen = transform_points(compose(frame, here), np.array([[-1.5, 0.0]]))  # from where it stood first; now behind it
    i, j = drawn._grid.cells(seen)[0]
    assert (drawn._grid.odds[i - 1 : i + 2, j - 1 : j + 2] < 0).any()
    assert (np.abs(drawn._grid.odds) > 0).sum() > 1.05 * _cells_of_one_scan()


def _cells_of_one_scan() -> int:
    grid = Grid()
    grid.add(np.zeros(3), RANGES)
    return int((np.abs(grid.odds) > 0).sum())
