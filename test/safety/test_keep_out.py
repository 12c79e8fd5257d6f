"""Where the robot must not go: masks and circles, in odom or in a map."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_ros.errors import AmiError
from ami_ros.geometry import inverse, transform_points
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.footprint import SPACING
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.keep_out import KeepOut, Mask
from ami_ros.safety.output import SafetyOutput
from harness.scans import NOTHING

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


@pytest.mark.parametrize("reach", [0, 1, 2, 3, 7, 20])
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


def test_before_an_area_it_stops_and_turns_and_says_why() -> None:
    area = KeepOut(margin=CONFIG.margin)
    area.mask("mask", "odom", BLOCK, 0.05, AHEAD)
    slowed = settled(gate_with(area), 0.4, x=0.3)
    assert slowed.linear < 0.1 and slowed.reason == "keep-out: ahead" and slowed.guarantee == 10
    assert settled(gate_with(area), -0.3, x=0.3).linear == -0.3
    assert settled(gate_with(area), 0.0, 1.0, x=0.3).angular == 1.0
    assert settled(gate_with(area), 0.4, x=-3.0).linear == 0.4


def test_out_of_an_area_it_may_go_and_not_farther_in() -> None:
    area = KeepOut(margin=CONFIG.margin)
    area.mask("mask", "odom", BLOCK, 0.05, AHEAD)
    assert settled(gate_with(area), -0.3, x=0.55).linear == -0.3
    assert settled(gate_with(area), 0.3, x=0.55).linear < 0.05


def test_circles_in_a_map_hold_once_it_is_known_where_odom_is_in_it() -> None:
    area, odom = KeepOut(margin=0.0), np.array([10.0, -4.0, 1.2])
    area.circles("memory", "map", np.array([[*transform_points(odom, [[0.8, 0.0]])[0], 0.3]]))
    point, beside = np.array([[0.5, 0.0]]), np.array([[0.8 - 0.31 - SPACING, 0.0]])
    assert area and not area.holds(point).any() and area.missing == ""
    area.place("map", odom)
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
