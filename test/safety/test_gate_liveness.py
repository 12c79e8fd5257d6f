"""What the gate does with scans that are not of now, in whole or in part."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.geometry import wrap
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import SafetyGate
from ami_ros.safety.snapshot import NOT_SEEN
from harness.square_room import room_scan

STANDS = (0.0, 0.0, 0.0)


def gate() -> SafetyGate:
    return SafetyGate(SafetyConfig(max_linear_acceleration=50.0))


@pytest.mark.parametrize(("late", "doubted"), [(room_scan(), True), (room_scan(half=3.1), False)])
def test_a_scan_that_comes_late_and_shows_the_same_was_measured_where_it_was(late: object, doubted: bool) -> None:
    """So a third one that shows the same is 3 cm away from it, and none of now."""
    one = gate()
    for x, stamp in ((0.0, 0.8), (0.03, 1.0)):
        one.odometry(np.array([x, 0.0, 0.0]), STANDS, stamp)
    assert one.scan(room_scan(), 1.0, 1.0) == ""
    assert one.scan(late, 1.05, 0.8) == "a newer scan came before this one"  # type: ignore[arg-type]
    one.odometry(np.array([0.03, 0.0, 0.0]), STANDS, 1.1)
    assert ("to the last bit" in one.scan(room_scan(), 1.1, 1.1)) == doubted


def hung() -> SafetyGate:
    """The part of the view ahead hangs while it drives there."""
    one = gate()
    for k in range(2):
        x = 0.1 * k
        one.odometry(np.array([x, 0.0, 0.0]), (0.5, 0.0, 0.0), 0.2 * k)
        now = room_scan(x)
        ahead = np.abs(now.angles) < math.pi / 4
        assert one.scan(replace(now, ranges=np.where(ahead, room_scan().ranges, now.ranges)), 0.2 * k) == ""
    return one


def test_what_a_part_of_the_view_that_hangs_says_is_not_known() -> None:
    newest = hung()._around.newest
    assert newest is not None
    off = np.abs(wrap(newest.first + np.arange(120) * math.pi / 60))
    assert (newest.free[off < math.radians(45.0)] == NOT_SEEN).all()
    assert (newest.free[off > math.radians(67.5)] != NOT_SEEN).all(), "between them nothing should have changed"


def test_without_odometry_nobody_asks_which_part_hung() -> None:
    one = hung()
    assert one.scan(room_scan(beams=90), 5.0) == ""
    assert one._around.newest is not None and (one._around.newest.free > 0.0).all()
