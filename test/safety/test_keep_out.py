"""Where the robot must not go: masks and circles, in odom or in a map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import transform_points
from ami_ros.safety.keep_out import Circles, KeepOut, Mask


@given(st.integers(0, 2**31 - 1), st.floats(-3.0, 3.0), st.floats(0.0, 0.2))
@settings(max_examples=25, deadline=None)
def test_a_mask_holds_its_cells_wherever_its_origin_is_and_at_least_a_margin_around(
    seed: int, yaw: float, margin: float
) -> None:
    rng = np.random.default_rng(seed)
    cells = rng.random((9, 14)) < 0.1
    origin = np.array([*rng.uniform(-5.0, 5.0, 2), yaw])
    area = KeepOut(margin=margin)
    area.mask("mask", "odom", cells, 0.1, origin)
    rows, columns = np.nonzero(cells)
    for reach in (0.0, margin):
        turn = rng.uniform(-np.pi, np.pi, len(rows))
        inner = 0.1 * (np.column_stack([columns, rows]) + rng.uniform(0.01, 0.99, (len(rows), 2)))
        around = inner + reach * np.column_stack([np.cos(turn), np.sin(turn)])
        assert area.holds(transform_points(origin, around)).all()
    far = 0.1 * np.column_stack([rng.uniform(20, 40, 30), rng.uniform(15, 30, 30)])
    assert not area.holds(transform_points(origin, far)).any()


@pytest.mark.parametrize("reach", [0, 1, 2, 3, 7, 20, 300])
def test_a_cell_is_taken_larger_by_as_much_to_each_side(reach: int) -> None:
    cells = np.zeros((4, 6), dtype=bool)
    cells[1, 2] = True
    larger = Mask(cells, 1.0, np.zeros(3), float(reach))._cells
    rows, columns = np.nonzero(larger)
    assert larger.sum() == (2 * reach + 1) ** 2
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (1, 1 + 2 * reach, 2, 2 + 2 * reach)


@pytest.mark.parametrize("resolution", [1e-5, 1e-20])
def test_a_mask_whose_cells_are_too_fine_is_refused_before_anything_is_allocated(resolution: float) -> None:
    with pytest.raises(AmiError, match="too fine"):
        Mask(np.zeros((1, 1), dtype=bool), resolution, np.zeros(3), 0.055)


def area_of(cells: np.ndarray, resolution: float, grown: float, origin: tuple[float, ...] = (0.0, 0.0, 0.0)) -> Mask:
    return Mask(cells, resolution, np.array(origin), grown)


@pytest.mark.parametrize(("grown", "reach"), [(0.0, 0), (0.1, 1), (0.11, 2), (0.3, 3), (0.301, 4)])
def test_a_mask_is_taken_larger_by_whole_cells_and_no_more(grown: float, reach: int) -> None:
    cells = np.zeros((3, 5), dtype=bool)
    cells[2, 4] = True  # 0.4 to 0.5 m, 0.2 to 0.3 m
    area = area_of(cells, 0.1, grown, (1.0, 2.0, np.pi / 2))
    more = 0.1 * reach
    for x, y, held in (
        (0.41 - more, 0.21 - more, True),
        (0.49 + more, 0.29 + more, True),
        (0.39 - more, 0.25, False),
        (0.51 + more, 0.25, False),
        (0.45, 0.19 - more, False),
        (0.45, 0.31 + more, False),
        (1e20, 0.25, False),
        (0.45, 1e20, False),
        (0.45, -1e20, False),
    ):
        assert area.holds(transform_points(np.array([1.0, 2.0, np.pi / 2]), [[x, y]])).tolist() == [held], (x, y)
    assert area and not area_of(np.zeros((3, 5), dtype=bool), 0.1, grown)


def test_a_mask_has_16_million_cells_at_most_its_growth_included() -> None:
    Mask(np.zeros((4094, 4094), dtype=bool), 1.0, np.zeros(3), 1.0)
    for shape in ((4095, 4094), (4094, 4095)):
        with pytest.raises(AmiError, match="too fine; make its cells larger"):
            Mask(np.zeros(shape, dtype=bool), 1.0, np.zeros(3), 1.0)


def test_a_point_is_in_a_circle_that_is_as_large_as_was_said_and_the_margin() -> None:
    circles = Circles(np.array([[1.0, 2.0, 0.5], [-3.0, 0.0, 0.2]]), 0.1)
    points = np.array([[1.59, 2.0], [1.61, 2.0], [1.0, 1.41], [1.0, 1.39], [-3.0, 0.29], [-3.2, 0.25], [-2.6, 0.0]])
    assert circles.holds(points).tolist() == [True, False, True, False, True, False, False]
    for point, held in zip(points, circles.holds(points), strict=True):
        assert circles.holds(point[None]).tolist() == [held]
    assert circles.holds(np.zeros((0, 2))).shape == (0,)
    assert circles and not Circles(np.zeros((0, 3)), 0.1)


def test_without_areas_nothing_is_held_or_missing() -> None:
    area = KeepOut()
    assert not area and area.missing(1.0) == "" and area.holds(np.zeros((2, 2))).tolist() == [False, False]
    assert KeepOut(expected=("mask",)) and KeepOut(expected=("mask",)).missing(1.0) == "mask did not come"
    area.circles("a", "odom", np.array([[0.0, 0.0, 0.5]]))
    area.circles("b", "odom", np.array([[3.0, 0.0, 0.5]]))
    assert area.holds(np.array([[0.0, 0.0], [3.0, 0.0], [1.5, 0.0]])).tolist() == [True, True, False]
    area.circles("a", "odom", np.zeros((0, 3)))
    assert area.holds(np.array([[0.0, 0.0], [3.0, 0.0]])).tolist() == [False, True], "the new one took its place"


def test_areas_are_taken_larger_by_the_margin_and_half_of_what_is_between_points_of_the_outline() -> None:
    area = KeepOut(margin=0.1)
    area.circles("a", "odom", np.array([[0.0, 0.0, 0.5]]))
    assert area.holds(np.array([[0.624, 0.0], [0.626, 0.0]])).tolist() == [True, False]
    assert KeepOut().holds(np.zeros((1, 2))).tolist() == [False]


def test_between_two_cells_that_are_taken_larger_no_gap_is_left() -> None:
    cells = np.zeros((3, 3), dtype=bool)
    cells[1, [0, 2]] = True
    assert area_of(cells, 1.0, 1.0)._cells[1:4, 0:5].all()
    assert area_of(cells.T, 1.0, 1.0)._cells[0:5, 1:4].all()


def test_the_first_and_the_last_cells_of_a_mask_are_where_they_are() -> None:
    for row, column in ((0, 0), (0, 4), (2, 0), (2, 4)):
        cells = np.zeros((3, 5), dtype=bool)
        cells[row, column] = True
        x, y = np.meshgrid(0.5 + np.arange(-2.0, 8.0), 0.5 + np.arange(-2.0, 6.0))
        held = area_of(cells, 1.0, 0.0).holds(np.column_stack([x.ravel(), y.ravel()])).reshape(8, 10)
        assert np.argwhere(held).tolist() == [[row + 2, column + 2]]
