"""Scans are drawn on the way, and while somebody moves; who has gone leaves no ghost."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.behaviour.occupancy import Anchors, Drawing
from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan
from ami_ros.safety.moving_things import Kind, MovingThing, MovingThings
from harness.scans import scan_of_points

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
