"""When doubt whether a laser lives lasts, and what a robot that turns proves of it."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_ros.core.commands import Command
from ami_ros.core.scan import Scan
from ami_ros.safety.liveness import Liveness, LivenessConfig
from harness.square_room import room_scan

CONFIG = LivenessConfig()

STANDS: Command = (0.0, 0.0, 0.0)
BELIEVED = 8.0  # [s] when a scan was last believed
PLACE = 0.5  # [m] at which it turns
TURN = "a turn on the spot shows"


class Hung:
    """A laser that hangs on a robot that drives on, to a heading. It is seen so long after it was last believed [s]."""

    def __init__(self, since: float = 1.0, yaw: float = 0.0, measured: bool = True) -> None:
        self.laser, self.now = Liveness(measured), BELIEVED
        assert self.sees(room_scan(), 0.0, 0.0, since) == ""
        assert "to the last bit" in self.sees(room_scan(), yaw)

    def sees(self, scan: Scan, yaw: float, x: float = PLACE, then: float = 0.1) -> str:
        """What it says of a scan of now; the next one comes `then` [s] later."""
        problem = self.laser.doubt(scan, np.array([x, 0.0, yaw]), STANDS, self.now)
        self.now += then
        return problem

    def looks(self, yaw: float) -> str:
        """What it says of what is really there, at a heading."""
        return self.sees(room_scan(PLACE, 0.0, yaw), yaw)

    def turns(self, step: float, count: int, begins: float = 0.0) -> list[bool]:
        """Which of the next scans are believed, each `step` [rad] farther round."""
        return [self.looks(begins + step * k) == "" for k in range(1, count + 1)]


@pytest.mark.parametrize(("since", "lasts"), [(0.05, False), (0.25, False), (0.39, False), (0.41, True), (1.0, True)])
def test_doubt_lasts_once_no_scan_was_believed_for_0_4_s(since: float, lasts: bool) -> None:
    assert CONFIG.lasts == 0.4
    assert (TURN in Hung(since).looks(0.1)) == lasts


def test_after_just_0_4_s_it_does_not_last() -> None:
    laser = Liveness()
    assert laser.doubt(room_scan(), np.zeros(3), STANDS, 0.0) == ""
    assert laser.doubt(room_scan(), np.array([PLACE, 0.0, 0.0]), STANDS, 0.4)
    assert laser.doubt(room_scan(PLACE, 0.0, 0.1), np.array([PLACE, 0.0, 0.1]), STANDS, 0.5) == ""


def test_a_laser_of_which_no_scan_was_believed_has_to_prove_itself_at_once() -> None:
    laser = Liveness()
    laser.came_late(room_scan(), np.zeros(3))
    assert laser.doubt(room_scan(), np.array([PLACE, 0.0, 0.0]), STANDS, 0.1)
    assert TURN in laser.doubt(room_scan(PLACE, 0.0, 0.1), np.array([PLACE, 0.0, 0.1]), STANDS, 0.2)


def test_guessed_scans_need_prove_nothing() -> None:
    assert Hung(measured=False).looks(0.1) == ""


@pytest.mark.parametrize(
    ("yaw", "heading", "turned"),
    [
        (0.0, 0.0049, False),
        (0.0, -0.0049, False),
        (0.0, 0.0051, True),
        (0.0, -0.0051, True),
        (1.0, 1.0, False),
        (1.0, 1.0051, True),
        (3.14, 3.1449 - 2 * math.pi, False),
        (3.14, 3.1451 - 2 * math.pi, True),
    ],
)
def test_the_next_good_scan_ends_doubt_unless_the_robot_has_turned(yaw: float, heading: float, turned: bool) -> None:
    assert CONFIG.turned == 0.005
    hung = Hung(yaw=yaw)
    assert (TURN in hung.looks(heading)) == turned
    assert (TURN in hung.looks(heading + 0.3)) == turned, "doubt that ended begins no more"


def test_six_scans_running_that_change_as_a_turn_says_prove_it() -> None:
    assert CONFIG.proving == 6
    assert Hung().turns(0.1, 10) == [False] * 6 + [True] * 4


def test_they_are_spread_over_a_turn_of_three_tenths() -> None:
    """The first scan of the turn is at 0.04, the second too near to tell, and the ninth at 0.32 from it."""
    assert CONFIG.proof == 0.15
    assert Hung().turns(0.04, 12) == [False] * 8 + [True] * 4


def test_scans_that_change_as_a_straight_way_says_prove_it_as_well() -> None:
    hung = Hung()
    believed = [hung.sees(room_scan(PLACE + x, 0.0, 0.1), 0.1, PLACE + x) == "" for x in 0.03 * np.arange(9)]
    assert believed == [False] * 6 + [True] * 3


@pytest.mark.parametrize("begun", range(1, 7))
def test_a_scan_that_changes_otherwise_begins_the_proof_anew(begun: int) -> None:
    hung = Hung()
    assert hung.turns(0.1, begun) == [False] * begun
    assert hung.sees(room_scan(half=9.0), 0.1 * begun + 0.1)
    assert hung.turns(0.1, 9, 0.1 * begun + 0.1) == [False] * 6 + [True] * 3


@pytest.mark.parametrize(("share", "proves"), [(0.5, False), (0.7, True), (1.0, True), (1.3, True), (1.5, False)])
def test_from_three_fifths_to_seven_fifths_of_the_change_are_enough(share: float, proves: bool) -> None:
    hung = Hung()
    believed = [hung.sees(room_scan(PLACE, 0.0, 0.06 * share * k), 0.06 * k) == "" for k in range(1, 14)]
    assert any(believed) == proves


def test_one_that_has_proved_itself_is_compared_with_nothing_from_before() -> None:
    """The wheels have slipped, so the places of earlier scans are not known."""
    for again in (room_scan(), room_scan(half=3.001)):
        hung = Hung()
        assert hung.turns(0.1, 8)[-1]
        assert hung.sees(again, 0.8) == "", "as it was half a metre before"


def test_one_that_has_proved_itself_may_hang_again() -> None:
    hung = Hung()
    assert hung.turns(0.1, 8)[-1]
    stuck = room_scan(PLACE, 0.0, 0.8)
    for k in range(1, 6):
        assert hung.sees(stuck, 0.8, PLACE + 0.1 * k)
    assert hung.turns(0.1, 10, 0.8) == [False] * 6 + [True] * 4
