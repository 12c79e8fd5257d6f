"""What the gate does with scans that are not of now, in whole or in part."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.core.geometry import wrap
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.gate import GateConfig, SafetyGate
from ami_ros.safety.observations import NOT_SEEN
from ami_ros.safety.zones import Zone
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


def test_readings_of_a_doubted_scan_count_for_zones_until_one_is_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It turned at full speed, to see whether its laser hangs, past what stood in its zone."""
    slow = Zone(type="circle", radius=2.2, action_type="slowdown", slowdown_ratio=0.4, min_points=1)
    one = SafetyGate(SafetyConfig(max_angular_acceleration=50.0), {"slow": slow})

    def turn(x: float, stamp: float, half: float, seen_from: float) -> tuple[str, float]:
        one.odometry(np.array([x, 0.0, 0.0]), STANDS, stamp)
        problem = one.scan(room_scan(seen_from, half=half), stamp, stamp)
        one.command(0.0, 1.0, stamp)
        return problem, one.output(stamp).command[1]

    assert turn(0.0, 0.0, half=2.0, seen_from=0.0) == ("", pytest.approx(0.4))
    assert turn(0.03, 0.1, half=3.0, seen_from=0.03) == ("", pytest.approx(1.0))
    problem, slowed = turn(0.06, 0.2, half=2.0, seen_from=0.0)
    assert "to the last bit" in problem and slowed == pytest.approx(0.4)
    with monkeypatch.context() as patched:
        patched.setattr(one, "_own", GateConfig(readings=300))  # both scans have 180
        assert one.output(0.2).reason == "too much to look at"
    assert turn(0.09, 0.3, half=3.0, seen_from=0.09) == ("", pytest.approx(1.0))
