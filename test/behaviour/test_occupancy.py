"""The occupancy grid, and how scans are drawn into it."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.behaviour.occupancy import CELL, Anchors, Drawing, Grid, GridConfig
from ami_ros.behaviour.ways import Ways
from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan
from ami_ros.safety.moving_things import Kind, MovingThing, MovingThings
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


# Scans are drawn on the way, and while somebody moves; who has gone leaves no ghost


HERE, SPOT = np.zeros(3), np.array([1.5, 0.0])
WALL = np.column_stack([np.full(400, 3.02), np.linspace(-2.0, 2.0, 400)])
LEGS = SPOT + 0.06 * np.column_stack([np.cos(np.arange(0, 6.3, 0.1)), np.sin(np.arange(0, 6.3, 0.1))])
SOMEBODY, NOBODY = scan_of_points(np.concatenate([WALL, LEGS])), scan_of_points(WALL)


def walker(stamp: float, y: float) -> MovingThings:
    """Somebody who leaves SPOT to the left."""
    velocity = np.array([0.0, 0.8])
    return MovingThings(
        stamp, (MovingThing(1, SPOT + [0.0, y], velocity, 0.01 * np.eye(4), 0.3, Kind.PERSON),)
    )  # fmt: skip


def odds(drawing: Drawing, points: Array) -> Array:
    assert drawing.grid is not None
    cells = drawing.grid.cells(points)
    return np.asarray(drawing.grid.odds[cells[:, 0], cells[:, 1]])


def stood(seconds: float) -> Drawing:
    """Somebody stood at SPOT for so long; nobody knew that it was a person."""
    drawing = Drawing()
    for stamp in np.arange(0.0, seconds, 0.1):
        drawing.draw(float(stamp), HERE, HERE, SOMEBODY, MovingThings(float(stamp)))
    assert (odds(drawing, LEGS) > 0.5).any()
    return drawing


@pytest.mark.parametrize("seconds", [1.0, 20.0])
def test_who_stood_and_left_is_no_ghost_after_a_second(seconds: float) -> None:
    drawing = stood(seconds)
    for stamp in np.arange(0.1, 1.0, 0.1):  # noticed only half a metre off
        drawing.draw(seconds + stamp, HERE, HERE, NOBODY, walker(seconds + stamp, 0.5 + 0.8 * stamp))
    assert (odds(drawing, LEGS) < 0.0).all()


def test_a_wall_outlasts_who_passes_it_and_scans_that_err() -> None:
    drawing = stood(20.0)
    wall = WALL[(np.abs(WALL[:, 1]) < 1.5) & (odds(drawing, WALL) > 0.5)]
    beyond = scan_of_points(WALL + [0.2, 0.0])  # for a moment everything seems farther off
    drawing.draw(20.5, HERE, HERE, beyond, walker(20.5, 0.5))
    assert len(wall) > 200 and (odds(drawing, wall) > 0.5).all()


def test_what_is_behind_a_passer_by_is_not_cleared() -> None:
    drawing = stood(2.0)
    before = np.array([[1.0, 0.0]]) + 0.05 * np.stack(np.meshgrid(*[np.arange(-2, 3)] * 2), -1).reshape(-1, 2)
    drawing.draw(2.5, HERE, HERE, scan_of_points(before), walker(2.5, 0.5))
    assert (odds(drawing, LEGS[np.abs(LEGS[:, 1]) < 0.03]) > 0.5).any()


def test_a_robot_that_stands_draws_now_and_then_and_more_often_while_somebody_moves() -> None:
    def drawn(things: bool) -> int:
        drawing, grids = Drawing(), 0
        scan = Scan(np.full(36, 2.0, np.float32), -np.pi, np.pi / 18, max_range=8.0)
        for stamp in np.arange(0.0, 3.0, 0.1):
            before = None if drawing.grid is None else drawing.grid.odds.copy()
            drawing.draw(float(stamp), HERE, HERE, scan, walker(float(stamp), 0.0) if things else None)
            assert drawing.grid is not None
            grids += before is None or bool((before != drawing.grid.odds).any())
        return grids

    assert drawn(False) <= 3.0 / 1.0 < drawn(True) <= 3.0 / 0.3 + 1


def test_a_jump_of_the_belief_begins_anew() -> None:
    drawing = stood(1.0)
    drawing.draw(1.5, np.array([5.0, 0.0, 0.0]), HERE, NOBODY, None)
    assert drawing.grid is not None and (odds(drawing, LEGS) <= 0.0).all()


def off_the_wall(drawing: Drawing) -> float:
    """How far [m] what is drawn as standing is from y = 1 at most."""
    assert drawing.grid is not None
    stands = drawing.grid.points(np.argwhere(drawing.grid.odds > 0.5))
    assert len(stands) > 50
    return float(np.abs(stands[:, 1] - 1.0).max())


def test_after_a_jump_what_was_drawn_is_where_its_places_are_now() -> None:
    """A loop is closed: memory moves its places, the last ones farthest, and tells where they are a moment later."""
    wall = np.column_stack([np.linspace(0.0, 10.0, 300), np.full(300, 1.0)])
    drawing, truths = Drawing(), np.column_stack([np.arange(6.0), np.zeros((6, 2))])
    ids, bent = np.arange(1, 7), truths + np.column_stack([np.zeros(6), 0.2 * np.arange(6), np.zeros(6)])
    for k, (pose, true) in enumerate(zip(bent, truths, strict=True)):
        seen = scan_of_points(wall - true[:2])
        drawing.draw(float(k), pose, true, seen, None, Anchors(k + 1, ids[: k + 1], bent[: k + 1]))
    assert off_the_wall(drawing) > 0.5
    told = Anchors(6, ids, bent)
    drawing.draw(6.0, truths[-1], truths[-1], scan_of_points(wall - truths[-1][:2]), None, told)
    assert drawing.is_drawn_anew and drawing.grid is None
    told = Anchors(6, ids, truths)
    drawing.draw(6.2, truths[-1], truths[-1], scan_of_points(wall - truths[-1][:2]), None, told)
    assert not drawing.is_drawn_anew and off_the_wall(drawing) < 0.1
