"""What of a grid a robot fits into, and the shortest ways over it."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.behaviour.area import Area
from ami_ros.behaviour.occupancy import Grid
from ami_ros.behaviour.ways import Ground, Ways, ground_of
from ami_ros.safety.keep_out import Mask
from harness.grids import BOX, SCREEN, grid_of
from harness.scans import scan_of_points


def test_ways_go_around_what_stands_and_are_straight_as_far_as_that_goes() -> None:
    ways = Ways(grid_of((0.0, 0.0, 0.0), (0.6, 1.4, 0.0), (1.2, 0.0, 0.0)), np.array([0.0, -1.0, 0.0]), 0.2)
    way = ways.to(np.array([1.2, -1.0]))
    assert len(way) and way[:, 1].max() > 0.9
    first = way[ways.onward(way, 10.0) - 1]
    assert np.hypot(*(first - way[0])) > 1.0 and first[0] < 0.6
    assert ways.lengths(np.array([[1.2, -1.0], [30.0, 0.0]]))[0] > 3.5
    assert np.isinf(ways.lengths(np.array([[30.0, 0.0]]))[0])


def test_what_is_reached_is_free_and_has_room_for_the_robot() -> None:
    points, lengths = Ways(grid_of((0.0, 0.0, 0.0)), np.zeros(3), 0.2).reached()
    assert len(points) > 50 and np.abs(points).max() < 2.0 - 0.2 and np.isfinite(lengths).all()


def gapped(*gaps: tuple[float, float]) -> Grid:
    """A box, and across its middle a wall along y with gaps from y to y; seen from many places on either side."""
    y = np.arange(-2.0, 2.0, 0.005)
    solid = np.all([(y < low) | (y > high) for low, high in gaps], axis=0)
    points = np.concatenate([BOX, np.column_stack([np.zeros(solid.sum()), y[solid]])])
    grid = Grid(np.zeros(2))
    for x, where in [(x, where) for x in (-1.2, -0.7, 0.7, 1.2) for where in (-1.5, -1.0, -0.5, 0.0, 0.5, 1.0, 1.5)]:
        grid.add(np.array([x, where, 0.0]), scan_of_points(points - [x, where]))
    return grid


WEST, EAST = np.array([-1.2, 0.0, 0.0]), np.array([1.2, 0.0])


@pytest.mark.parametrize(("width", "passes"), [(0.36, False), (0.42, False), (0.54, True), (0.9, True)])
def test_a_gap_is_taken_if_the_robot_fits_in_with_what_the_gate_keeps_free(width: float, passes: bool) -> None:
    way = Ways(gapped((-width / 2, width / 2)), WEST, 0.18).to(EAST)
    assert bool(len(way)) is passes


def test_a_gap_into_which_the_robot_just_fits_is_left_for_a_door_that_is_not_much_farther() -> None:
    beside = Ways(gapped((-0.25, 0.25), (0.7, 1.7)), WEST, 0.18).to(EAST)
    assert np.abs(beside[:, 1]).max() > 0.7


def test_a_leg_ends_before_a_gap_or_beyond_it() -> None:
    grid = gapped((-0.26, 0.26))
    for start in (np.array([-1.7, 1.0, 0.0]), np.array([-0.9, 0.5, 0.0]), np.array([-0.4, 0.2, 0.0])):
        ways = Ways(grid, start, 0.18)
        way = ways.to(EAST)
        end = way[ways.onward(way, 2.4) - 1]
        assert abs(end[0]) > 0.1
    assert end[0] > 0.1  # from close before it the next leg leads through


def test_a_gap_that_is_shut_is_no_way_but_where_the_robot_stands_in_it() -> None:
    grid = gapped((-0.26, 0.26))
    ways = Ways(grid, WEST, 0.18)
    gap = ways.gap(ways.to(EAST))
    assert gap is not None and np.hypot(*gap) < 0.15
    assert not len(Ways(grid, WEST, 0.18, [gap]).to(EAST))
    assert len(Ways(grid, np.zeros(3), 0.18, [gap]).to(EAST))


def test_where_there_is_room_there_is_no_gap() -> None:
    ways = Ways(gapped((-0.6, 0.6)), WEST, 0.18)
    assert ways.gap(ways.to(EAST)) is None


def test_ways_keep_out_of_where_the_robot_must_not_go() -> None:
    grid = grid_of((0.0, 0.0, 0.0))
    aside = np.array([-1.2, -1.2])
    assert len(Ways(grid, np.zeros(3), 0.2).to(aside))
    mask = Mask(np.ones((20, 20), bool), 0.05, np.array([-1.9, -1.9, 0.0]), 0.0)  # its corner room
    kept = Ways(grid, np.zeros(3), 0.2, keep_out=mask)
    assert not len(kept.to(aside)) and len(kept.to(np.array([0.0, -1.2])))
    assert not mask.holds(kept.reached()[0]).any()


def test_ways_beyond_the_surroundings_lead_over_free_ground_and_are_as_long_as_they_are() -> None:
    """From cell to cell over the whole map, a choice took more than a second in 2,000 m²."""
    grid, walls = Grid(np.zeros(2)), []
    x = np.arange(-1.0, 31.0, 0.01)
    walls += [np.column_stack([x, np.full(len(x), y)]) for y in (-1.0, 1.0)]  # a corridor ...
    for at, side in ((8.0, 1), (16.0, -1), (24.0, 1)):  # with things that it goes round
        y = np.arange(-1.0, 0.2, 0.01) * side
        walls.append(np.column_stack([np.full(len(y), at), y]))
    points = np.concatenate(walls)
    for at in np.arange(0.0, 30.0, 1.5):
        grid.add(np.array([at, 0.0, 0.0]), scan_of_points(points - [at, 0.0]))
    ways = Ways(grid, np.zeros(3), 0.2)
    spots = np.array([[5.0, 0.0], [15.0, 0.3], [29.0, 0.0]])
    lengths = ways.lengths(spots)
    for spot, length in zip(spots, lengths, strict=True):
        way = ways.to(spot)
        driven = float(np.hypot(*np.diff(way, axis=0).T).sum())
        assert np.hypot(*(way[-1] - spot)) < 0.1 and np.hypot(*way[0]) < 0.1
        assert driven - 0.3 < length < 1.4 * driven and driven < 1.15 * np.hypot(*spot) + 0.3
        assert np.hypot(*(way[:, None] - points[None]).transpose(2, 0, 1)).min() > 0.2
        assert np.hypot(*np.diff(way, axis=0).T).max() < 0.7


# Ground that is worked out where the grid has changed is the same as that of the whole grid


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
