"""Ground that is worked out where the grid has changed is the same as that of the whole grid."""

from __future__ import annotations

import numpy as np

from ami_ros.behaviour.area import Area
from ami_ros.behaviour.occupancy import Grid
from ami_ros.behaviour.ways import Ground, ground_of
from harness.grids import BOX, SCREEN
from harness.scans import scan_of_points

AREA = Area(((-1.5, -1.5), (60.0, -1.5), (60.0, 1.5), (-1.5, 1.5)))


def assert_as_anew(grid: Grid, kept: Ground) -> None:
    assert grid.known is not None
    anew = Ground(grid, kept.radius, kept.closed)
    anew.shut = list(kept.shut)
    anew.work_out(grid, *grid.known)
    for name in ("free", "room", "edge", "roomiest", "costs"):
        mine, other = getattr(kept, name), getattr(anew, name)
        if name == "room":  # beyond what is known nobody looks
            mine, other = mine * kept.free, other * anew.free
        np.testing.assert_array_equal(mine, other, name)


def test_ground_that_is_kept_is_as_if_worked_out_anew() -> None:
    grid, points, rng = Grid(np.zeros(2)), np.concatenate([BOX, SCREEN]), np.random.default_rng(3)
    shut: list[np.ndarray] = []
    for step in range(12):
        pose = np.array([*rng.uniform(-1.5, 1.5, 2), 0.0])
        grid.add(pose, scan_of_points(points - pose[:2]))
        if step % 4 == 3:
            shut.append(rng.uniform(-1.5, 1.5, 2))
        if step % 3 == 2:
            assert_as_anew(grid, ground_of(grid, 0.2, shut, AREA))
    kept = ground_of(grid, 0.2, shut, AREA)
    assert ground_of(grid, 0.2, shut, Area(AREA.corners)) is kept and grid.changed is None
    assert kept.shut and kept.free.any() and np.isfinite(kept.costs).any()


def test_another_robot_another_area_and_a_larger_grid_have_ground_of_their_own() -> None:
    grid, points = Grid(np.zeros(2)), np.concatenate([BOX, SCREEN])
    grid.add(np.zeros(3), scan_of_points(points))
    first = ground_of(grid, 0.2, [], None)
    assert_as_anew(grid, first)
    assert ground_of(grid, 0.3, [], None).free.sum() < first.free.sum()
    assert ground_of(grid, 0.2, [], AREA).free.sum() < first.free.sum()
    gap = np.array([0.0, -1.0])
    assert ground_of(grid, 0.2, [gap], None).free.sum() < first.free.sum()
    assert ground_of(grid, 0.2, [], None).free.sum() == first.free.sum()  # what was shut before is open
    grid.add(np.array([45.0, 0.0, 0.0]), scan_of_points(points))
    grown = ground_of(grid, 0.2, [], None)
    assert grown.free.sum() > 1.5 * first.free.sum()
    assert_as_anew(grid, grown)
