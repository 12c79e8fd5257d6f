"""Ways over what scans showed to be free."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.behaviour.occupancy import Grid
from ami_ros.behaviour.ways import Ways
from ami_ros.safety.keep_out import Mask
from harness.grids import BOX, grid_of
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
    for at in np.arange(0.0, 30.0, 0.5):
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
