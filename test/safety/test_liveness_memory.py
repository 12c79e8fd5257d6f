"""Which earlier scans a laser's next ones are compared with, and what counts as a motion since."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.core.commands import Command
from ami_ros.core.scan import Scan
from ami_ros.safety.liveness import Liveness, LivenessConfig
from harness.square_room import RANGE, room_scan

CONFIG = LivenessConfig()

STANDS: Command = (0.0, 0.0, 0.0)
EXACT, ALIKE = "to the last bit", "looks like"


def few(first: float) -> Scan:
    """Of three beams: too few to be compared, so that only its bits count."""
    return Scan(np.array([first, 2.0, 3.0], np.float32), 0.0, 0.1, max_range=RANGE)


def nearly(scan: Scan) -> Scan:
    """The same view, with other bits."""
    return replace(scan, ranges=scan.ranges + np.float32(0.001))


def told(laser: Liveness, scan: Scan, x: float, unsure: float = 0.0) -> str:
    """What it says of a scan of a robot that drives along x; stamps go on as it drives, by 1 s a metre."""
    return laser.doubt(scan, np.array([x, 0.0, 0.0]), STANDS, 10.0 + x, unsure)


@pytest.mark.parametrize(("later", "problem"), [(CONFIG.kept_exact - 1, EXACT), (CONFIG.kept_exact, "")])
def test_the_last_256_scans_are_known_to_the_last_bit(later: int, problem: str) -> None:
    assert CONFIG.kept_exact == 256
    laser = Liveness()
    for k in range(1 + later):
        assert told(laser, few(5.0 + k / 64), 0.01 * k) == ""
    found = told(laser, few(5.0), 100.0)
    assert problem in found and bool(found) == bool(problem)


@pytest.mark.parametrize(
    ("first", "second", "moved", "problem"),
    [
        (0.0, 0.0, 0.02, ""),
        (0.0, 0.0, 0.0201, EXACT),
        (0.0, 0.0, -0.0201, EXACT),
        (0.1, 0.05, 0.1699, ""),
        (0.1, 0.05, 0.1701, EXACT),
        (0.05, 0.1, 0.1699, ""),
        (0.05, 0.1, 0.1701, EXACT),
    ],
)
def test_bits_repeat_within_2_cm_and_the_doubt_of_both_poses(
    first: float, second: float, moved: float, problem: str
) -> None:
    assert CONFIG.moved == 0.02
    laser = Liveness()
    assert told(laser, few(5.0), 0.0, first) == ""
    found = laser.doubt(few(5.0), np.array([moved, 0.0, 0.0]), STANDS, 11.0, second)
    assert problem in found and bool(found) == bool(problem)


def test_bits_repeat_within_a_hundredth_of_a_turn_as_well() -> None:
    for pose, problem in (
        ((0, 0, 0.019), False),
        ((0, 0, 0.021), True),
        ((0, 0.019, 0), False),
        ((0, -0.021, 0), True),
    ):
        laser = Liveness()
        assert told(laser, few(5.0), 0.0) == ""
        assert bool(laser.doubt(few(5.0), np.array(pose, float), STANDS, 11.0)) == problem, pose


@pytest.mark.parametrize(("moved", "problem"), [(0.0, ""), (0.019, ""), (0.021, EXACT), (-0.021, EXACT)])
def test_a_scan_that_came_late_was_measured_where_it_was_and_surely_so(moved: float, problem: str) -> None:
    laser = Liveness()
    assert told(laser, few(5.0), 2.0, unsure=0.5) == ""
    laser.came_late(few(5.0), np.array([1.0, 0.0, 0.0]))
    found = told(laser, few(5.0), 1.0 + moved)
    assert problem in found and bool(found) == bool(problem)


@pytest.mark.parametrize("back", range(1, CONFIG.kept + 4))
def test_a_scan_is_recognised_that_looks_like_one_of_the_last_16(back: int) -> None:
    """Each is of another room, so that none looks like its neighbours."""
    assert CONFIG.kept == 16
    laser, count = Liveness(), CONFIG.kept + 5
    for k in range(count):
        assert told(laser, room_scan(half=1.0 + k), 0.03 * k) == ""
    found = told(laser, nearly(room_scan(half=1.0 + count - back)), 0.03 * count)
    assert (ALIKE in found) == (back <= CONFIG.kept) and bool(found) == (back <= CONFIG.kept)


@pytest.mark.parametrize(
    ("ways", "kept"),
    [
        ((0.0, 0.02), (True, False)),
        ((0.0, CONFIG.apart), (True, True)),
        ((0.0, -CONFIG.apart), (True, True)),
        ((0.0, 0.04), (True, True)),
        ((0.0, 0.03, 0.05), (True, True, False)),
        ((0.0, 0.03, 0.06), (True, True, True)),
        ((0.0, 0.02, 0.03), (True, False, True)),
    ],
)
def test_scans_are_kept_that_are_2_5_cm_from_the_last_one_kept(ways: tuple[float, ...], kept: tuple[bool, ...]) -> None:
    assert CONFIG.apart == 0.025
    for number, is_kept in enumerate(kept):
        laser = Liveness()
        for k, x in enumerate(ways):
            assert told(laser, room_scan(half=2.0 + k), x) == ""
        assert (ALIKE in told(laser, nearly(room_scan(half=2.0 + number)), 0.2)) == is_kept, number


LONG = 64.0  # [s] in which a robot that stands drifts by 1.28 m, or 1.92 rad, to the last bit


@pytest.mark.parametrize(
    ("axis", "step", "moves"),
    [
        *((axis, sign * 1.28, False) for axis in (0, 1) for sign in (1, -1)),
        *((axis, sign * math.nextafter(1.28, 2.0), True) for axis in (0, 1) for sign in (1, -1)),
        *((2, sign * 1.919, False) for sign in (1, -1)),
        *((2, sign * 1.921, True) for sign in (1, -1)),
    ],
)
def test_odometry_of_up_to_2_cm_or_3_hundredths_of_a_turn_a_second_is_drift(
    axis: int, step: float, moves: bool
) -> None:
    assert CONFIG.still == (0.02, 0.02, 0.03)
    laser = Liveness()
    assert laser.doubt(room_scan(), np.zeros(3), STANDS, 1.0) == ""
    assert (ALIKE in laser.doubt(nearly(room_scan()), step * np.eye(3)[axis], STANDS, 1.0 + LONG)) == moves


@pytest.mark.parametrize("stamp", [1.0, 0.9])
def test_time_that_does_not_go_on_excuses_no_step(stamp: float) -> None:
    laser = Liveness()
    assert laser.doubt(room_scan(), np.zeros(3), STANDS, 1.0) == ""
    assert ALIKE in laser.doubt(nearly(room_scan()), np.array([0.1, 0.0, 0.0]), STANDS, stamp)


@pytest.mark.parametrize("reading", [0.0, -0.5, RANGE, RANGE + 1.0, math.inf, math.nan])
def test_a_scan_without_any_reading_may_repeat(reading: float) -> None:
    empty, seen = (replace(room_scan(), ranges=np.full(180, r, np.float32)) for r in (reading, RANGE - 1.0))
    laser = Liveness()
    for k in range(3):
        assert told(laser, empty, 1.0 * k) == ""
    near = replace(seen, ranges=np.full(180, 0.5, np.float32))
    for k, scan in enumerate((seen, near)):
        assert told(laser, scan, 4.0 + k) == "" and EXACT in told(laser, scan, 4.5 + k)
    mixed = replace(seen, ranges=np.where(np.arange(180) == 90, seen.ranges, empty.ranges))
    assert told(laser, mixed, 6.0) == "" and EXACT in told(laser, mixed, 7.0), "one beam has returned"


def test_a_laser_whose_beams_change_is_compared_with_its_scans_of_the_same_beams() -> None:
    laser = Liveness()
    for k, beams in enumerate((60, 180, 180)):
        assert told(laser, room_scan(half=2.0 + k, beams=beams), 0.1 * k) == ""
    assert ALIKE in told(laser, nearly(room_scan(half=3.0)), 0.5)
    assert told(laser, nearly(room_scan(half=9.0)), 0.6) == ""
    assert ALIKE in told(laser, nearly(room_scan(half=2.0, beams=60)), 0.7)


@pytest.mark.parametrize("beams", [100, 180, 190, 723])
def test_each_beam_of_the_scan_is_told_old_whose_part_hangs(beams: int) -> None:
    laser, every = Liveness(), math.ceil(beams / 180)
    assert laser.old.tolist() == [], "there is no scan yet"
    hangs = (room_scan(beams=beams).angles[np.arange(beams) // every * every] % (2 * math.pi)) < math.pi / 2
    for k in range(2):
        there = 0.1 * k
        scan = room_scan(there, there, beams=beams)
        scan = replace(scan, ranges=np.where(hangs, room_scan(beams=beams).ranges, scan.ranges))
        assert laser.doubt(scan, np.array([there, there, 0.0]), STANDS, 10.0 + k) == ""
        assert laser.old.tolist() == (hangs & (k > 0)).tolist(), k
