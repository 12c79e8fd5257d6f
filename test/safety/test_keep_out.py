"""Where the robot must not go: masks and circles, in odom or in a map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import inverse, transform_points
from ami_ros.safety.config import SPACING, SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.keep_out import Circles, KeepOut, Mask
from ami_ros.safety.output import SafetyOutput
from harness.scans import NOTHING


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


CONFIG = SafetyConfig()
BLOCK = np.ones((20, 20), dtype=bool)  # 1 m each way
AHEAD = np.array([0.6, -0.5, 0.0])


def settled(gate: SafetyGate, linear: float, angular: float = 0.0, x: float = 0.0) -> SafetyOutput:
    """What the gate sends once a command has been asked for for a while, to a robot that odometry has at x."""
    for k in range(30):
        gate.odometry(np.array([x, 0.0, 0.0]), (0.0, 0.0), 0.1 * k)
        gate.scan(NOTHING, 0.1 * k)
        gate.command(linear, angular, 0.1 * k)
        output = gate.output(0.1 * k)
    return output


def gate_with(area: KeepOut) -> SafetyGate:
    return SafetyGate(CONFIG, keep_out=area)


def test_before_an_area_it_stops_and_turns_and_says_why() -> None:
    area = KeepOut(margin=CONFIG.margin)
    area.mask("mask", "odom", BLOCK, 0.05, AHEAD)
    slowed = settled(gate_with(area), 0.4, x=0.3)
    assert slowed.linear < 0.1 and slowed.reason == "keep-out: ahead" and slowed.guarantee == 10
    assert settled(gate_with(area), -0.3, x=0.3).linear == -0.3
    assert settled(gate_with(area), 0.0, 1.0, x=0.3).angular == 1.0
    assert settled(gate_with(area), 0.4, x=-3.0).linear == 0.4


def test_circles_in_a_map_hold_once_it_is_known_where_odom_is_in_it() -> None:
    area, odom = KeepOut(margin=0.0), np.array([10.0, -4.0, 1.2])
    area.circles("memory", "map", np.array([[*transform_points(odom, [[0.8, 0.0]])[0], 0.3]]))
    point, beside = np.array([[0.5, 0.0]]), np.array([[0.8 - 0.31 - SPACING, 0.0]])
    assert area and not area.holds(point).any() and "where odom is" in area.missing(0.0)
    area.place("map", odom)
    assert area.missing(0.1) == ""
    assert area.holds(point + [0.02, 0.0]).all() and not area.holds(beside).any()
    area.place("map", inverse(odom))
    assert not area.holds(point).any()


@pytest.mark.fault("a keep-out mask is missing, or it is not known where it is")
def test_without_a_mask_that_was_asked_for_or_its_place_it_stands() -> None:
    area = KeepOut(expected=("mask",))
    gate = gate_with(area)
    assert settled(gate, 0.3) == SafetyOutput(0.0, 0.0, "keep-out: mask did not come")
    area.mask("mask", "map", BLOCK, 0.05, AHEAD)
    assert "where odom is" in settled(gate, 0.3).reason
    area.place("map", np.zeros(3))
    assert settled(gate, -0.3).linear == pytest.approx(-0.3)
    blind = gate_with(area)
    blind.scan(NOTHING, 0.0)
    blind.command(0.3, 0.0, 0.0)
    assert blind.output(0.0).reason == "keep-out: no odometry"


def localised_gate(timeout: float = 5.0) -> SafetyGate:
    """A gate with a mask in map, whose place is known at 0 s."""
    area = KeepOut(expected=("mask",), timeout=timeout)
    area.mask("mask", "map", BLOCK, 0.05, AHEAD + [50.0, 0.0, 0.0])
    area.place("map", np.zeros(3), 0.0)
    return gate_with(area)


def sent(gate: SafetyGate, now: float, x: float = 0.0, asked: tuple[float, float] = (0.3, 0.0)) -> SafetyOutput:
    """What the gate sends to a robot that odometry has at `x` [m]."""
    for tick in (now - 0.05, now):
        gate.odometry(np.array([x, 0.0, 0.0]), (0.0, 0.0), tick, tick)
        gate.scan(NOTHING, tick)
        gate.command(*asked, tick)
        output = gate.output(tick)
    return output


@pytest.mark.fault("a keep-out area's place is old, lost, or of odometry that leapt")
@pytest.mark.parametrize("age", [5.5, 60.0, 3600.0])
def test_where_an_area_is_ages_and_then_it_stands_until_that_is_said_again(age: float) -> None:
    gate = localised_gate()
    assert sent(gate, 1.0).linear > 0.0
    stopped = sent(gate, age)
    assert stopped.command == (0.0, 0.0, 0.0) and stopped.guarantee == 10
    assert stopped.reason == f"keep-out: where odom is in map was said {age:.1f} s ago"
    gate.keep_out.place("map", np.zeros(3), age)
    assert sent(gate, age + 0.1).linear > 0.0


@pytest.mark.fault("a keep-out area's place is old, lost, or of odometry that leapt")
def test_what_is_said_without_a_stamp_ages_as_well() -> None:
    area = KeepOut(expected=("mask",))
    area.mask("mask", "map", BLOCK, 0.05, AHEAD + [50.0, 0.0, 0.0])
    area.place("map", np.zeros(3))
    gate = gate_with(area)
    assert sent(gate, 100.0).linear > 0.0 and sent(gate, 106.0).linear == 0.0
    area.place("map", np.zeros(3))
    assert sent(gate, 106.1).linear > 0.0


@pytest.mark.fault("a keep-out area's place is old, lost, or of odometry that leapt")
def test_a_robot_that_is_not_localised_stands_and_may_turn_on_the_spot() -> None:
    gate = localised_gate()
    assert sent(gate, 1.0).linear > 0.0
    gate.keep_out.lose("map")
    gate.keep_out.lose("odom")  # which is known as long as there is odometry
    for asked in ((0.3, 0.0), (-0.3, 0.0)):
        assert sent(gate, 1.1, asked=asked).command == (0.0, 0.0, 0.0)
    turning = sent(gate, 1.2, asked=(0.3, 0.5))
    assert turning.linear == 0.0 and turning.angular > 0.0 and "where odom is" in turning.reason
    gate.keep_out.place("map", np.zeros(3), 1.2)
    assert sent(gate, 1.3).linear > 0.0
    long = SafetyConfig(footprint=(0.4, 0.15, -0.4, 0.15, -0.4, -0.15, 0.4, -0.15))
    corners = SafetyGate(long, keep_out=KeepOut(expected=("mask",)))
    assert sent(corners, 1.0, asked=(0.3, 0.5)).command == (0.0, 0.0, 0.0), "its corners would go elsewhere"


@pytest.mark.fault("a keep-out area's place is old, lost, or of odometry that leapt")
def test_circles_of_memory_without_a_place_count_and_none_at_all_do_not() -> None:
    area = KeepOut()
    area.circles("memory", "map", np.zeros((0, 3)))
    area.mask("nothing", "map", np.zeros((3, 3), dtype=bool), 0.05, AHEAD)
    assert sent(gate_with(area), 1.0).linear > 0.0
    area.circles("memory", "map", np.array([[9.0, 0.0, 0.5]]))
    assert sent(gate_with(area), 1.0).linear == 0.0


@pytest.mark.fault("a keep-out area's place is old, lost, or of odometry that leapt")
@pytest.mark.parametrize("leap", [1.0, -1.0, 500.0])
@pytest.mark.parametrize("frame", ["odom", "map"])
def test_after_odometry_leapt_it_stands_until_the_area_or_its_place_is_said_again(leap: float, frame: str) -> None:
    area = KeepOut(expected=("mask",), timeout=60.0)
    area.mask("mask", frame, BLOCK, 0.05, AHEAD + [50.0, 0.0, 0.0], 0.0)
    area.place("map", np.zeros(3), 0.0)
    gate = gate_with(area)
    assert sent(gate, 1.0).linear > 0.0
    for now in (1.1, 1.2, 5.0, 20.0):
        stopped = sent(gate, now, leap)
        assert stopped.linear == 0.0 and "odometry leapt" in stopped.reason, now
    gate.stop()
    assert sent(gate, 20.5, leap).linear == 0.0, "nor once it was stopped and started"
    area.place("map", np.array([-leap, 0.0, 0.0]), 1.05)
    assert sent(gate, 20.6, leap).linear == 0.0, "what was said before is of the old frame"
    if frame == "map":
        area.place("map", np.array([-leap, 0.0, 0.0]), 20.7)
    else:
        area.mask("mask", "odom", BLOCK, 0.05, AHEAD + [50.0 + leap, 0.0, 0.0], 20.7)
    assert sent(gate, 20.8, leap).linear > 0.0


@pytest.mark.fault("a keep-out area's place is old, lost, or of odometry that leapt")
def test_one_odd_odometry_is_forgotten_once_it_is_back_where_the_robot_can_be() -> None:
    gate = localised_gate(60.0)
    assert sent(gate, 1.0).linear > 0.0
    assert sent(gate, 1.1, 500.0).linear == 0.0
    assert sent(gate, 1.2, 300.0).linear == 0.0
    assert sent(gate, 1.3, 0.02).linear > 0.0


@pytest.mark.fault("a keep-out area's place is old, lost, or of odometry that leapt")
def test_without_odometry_for_a_second_it_stands_and_goes_on_where_it_went_on() -> None:
    gate = localised_gate(60.0)
    assert sent(gate, 1.0).linear > 0.0
    gate.scan(NOTHING, 2.1)
    gate.command(0.3, 0.0, 2.1)
    assert gate.output(2.1).reason == "keep-out: no odometry"
    assert sent(gate, 9.0, 0.1).linear > 0.0
    assert sent(gate, 20.0, 2.5).linear == 0.0, "it cannot have come that far without commands"


@pytest.mark.fault("a keep-out area's place is old, lost, or of odometry that leapt")
def test_after_the_clock_was_set_back_its_place_has_to_be_said_anew() -> None:
    gate = localised_gate()
    gate.keep_out.place("map", np.zeros(3), 1000.0)
    assert sent(gate, 1000.0).linear > 0.0
    sent(gate, 3.0)
    assert "where odom is" in sent(gate, 3.2).reason
    gate.keep_out.place("map", np.zeros(3), 3.2)
    assert sent(gate, 3.3).linear > 0.0


def test_a_place_that_is_no_number_or_older_than_the_last_is_not_used() -> None:
    area = KeepOut()
    area.circles("memory", "map", np.array([[0.0, 0.0, 0.5]]))
    area.place("map", np.zeros(3), 5.0)
    for pose, stamp in ((np.array([np.nan, 0.0, 0.0]), 6.0), (np.zeros(3), float("nan"))):
        with pytest.raises(AmiError, match="no place or no time"):
            area.place("map", pose, stamp)
    area.place("map", np.array([9.0, 0.0, 0.0]), 4.0)
    area.place("odom", np.array([9.0, 0.0, 0.0]), 6.0)
    assert area.holds(np.zeros((1, 2))).all() and area.missing(5.5) == ""


def test_another_name_of_odometrys_frame() -> None:
    area = KeepOut(odom="robot/odom", timeout=1.0)
    area.circles("a", "robot/odom", np.array([[0.0, 0.0, 0.5]]), 1.0)
    area.place("robot/odom", np.array([9.0, 0.0, 0.0]), 2.0)
    area.lose("robot/odom")
    assert area.missing(100.0) == "" and area.holds(np.zeros((1, 2))).all()
    area.circles("b", "odom", np.array([[0.0, 0.0, 0.5]]))
    assert area.missing(100.0) == "b is in odom, and it is not known where odom is in that"


def test_how_old_a_place_may_be() -> None:
    area = KeepOut(timeout=2.0)
    area.circles("a", "map", np.array([[0.0, 0.0, 0.5]]), 0.0)
    area.place("map", np.zeros(3), 10.0)
    assert area.missing(12.0) == area.missing(8.0) == ""
    assert area.missing(12.1) == "where odom is in map was said 2.1 s ago"
    assert area.missing(7.9) == "where odom is in map was said -2.1 s ago"
    assert area.missing(10.0, 9.9) == "" and area.missing(10.0, 10.0) == "odometry leapt since it was said where map is"
    area.place("map", np.zeros(3), 10.0)
    area.place("map", np.array([5.0, 0.0, 0.0]), 10.0)
    assert not area.holds(np.zeros((1, 2))).any(), "the newer of two of one time"
    area.lose("map")
    assert "where odom is" in area.missing(10.0)
    area.place("map", np.zeros(3), 3.0)
    assert area.holds(np.zeros((1, 2))).all(), "what was lost may be said anew by anybody"
    assert KeepOut().missing(0.0) == "" and KeepOut()._timeout == 5.0
    with pytest.raises(AmiError, match="no place or no time"):
        area.place("map", np.zeros(3), np.inf)


def test_an_area_in_odom_counts_as_of_when_it_was_said_once_odometry_leaps() -> None:
    area = KeepOut()
    area.mask("a", "odom", BLOCK, 0.05, AHEAD, 5.0)
    assert area.missing(99.0, 4.9) == "" and area.missing(99.0, 5.0) == "odometry leapt since it was said where a is"
    area.mask("a", "odom", BLOCK, 0.05, AHEAD)
    assert area.missing(99.0, 98.0) == "" and area.missing(100.0, 99.0) != "", "without a time, at the next look"
    empty = KeepOut()
    empty.circles("e", "map", np.zeros((0, 3)), 1.0)
    assert empty.missing(2.0) == "", "an area of nothing needs no place"
    asked = KeepOut(expected=("e",))
    asked.circles("e", "map", np.zeros((0, 3)), 1.0)
    assert "where odom is" in asked.missing(2.0)


def test_after_the_clock_was_set_what_came_without_a_time_counts() -> None:
    area = KeepOut()
    area.circles("a", "map", np.array([[0.0, 0.0, 0.5]]))
    area.circles("b", "hall", np.array([[0.0, 0.0, 0.5]]))
    area.place("map", np.zeros(3))
    area.place("hall", np.zeros(3), 5.0)
    area.clock_was_set()
    assert "hall" in area.missing(1.0)
    area.place("hall", np.zeros(3), 1.0)
    assert area.missing(1.0) == ""
    area.clock_was_set()
    assert "map" in area.missing(1.0), "it was looked at since"


@pytest.mark.parametrize("frame", ["hall", "od", "odometry", "zone"])
def test_frames_are_told_apart_by_all_of_their_names(frame: str) -> None:
    read = "".join(["od", "om"])  # as a message has it: another object than that of the code
    area = KeepOut(timeout=1.0)
    area.circles("a", read, np.array([[0.0, 0.0, 0.5]]), 5.0)
    area.circles("b", frame, np.array([[3.0, 0.0, 0.5]]), 5.0)
    area.place(read, np.array([9.0, 0.0, 0.0]), 6.0)
    area.place(frame, np.zeros(3), 6.0)
    area.lose(read)
    assert area.holds(np.array([[0.0, 0.0], [3.0, 0.0]])).all() and area.missing(7.0) == ""
    assert area.missing(7.1) == f"where odom is in {frame} was said 1.1 s ago"
    assert area.missing(6.0, 5.0) == "odometry leapt since it was said where a is"
    area.lose(frame)
    assert f"b is in {frame}" in area.missing(6.0)


def test_a_place_with_a_time_follows_one_without() -> None:
    for stamp in (-3.0, 3.0):
        area = KeepOut()
        area.circles("a", "map", np.array([[0.0, 0.0, 0.5]]), 0.0)
        area.place("map", np.array([9.0, 0.0, 0.0]))
        area.place("map", np.zeros(3), stamp)
        assert area.holds(np.zeros((1, 2))).all(), "clocks may begin below zero"
    area.circles("b", "odom", np.array([[0.0, 0.0, 0.5]]), 0.0)
    assert area.missing(3.0) == "", "odometry never leapt"


def test_each_area_needs_its_place() -> None:
    area = KeepOut()
    area.circles("none", "map", np.zeros((0, 3)), 0.0)
    area.circles("b", "hall", np.array([[0.0, 0.0, 0.5]]))
    assert "b is in hall" in area.missing(0.0)
    area.circles("hall", "hall", np.array([[0.0, 0.0, 0.5]]))
    area.place("hall", np.zeros(3), 5.0)
    area.clock_was_set()
    assert "in hall" in area.missing(1.0), "though an area of that name came without a time"
