"""When it is believed that nothing is there: the word of beams that lost something."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_ros.safety.observations import NOT_SEEN
from harness.looking import WALL, Looking, scan

AHEAD = -math.radians(0.25)  # [rad] of the first beam: in the last of the directions half a degree wide


def test_a_beam_that_lost_something_wide_is_believed_nowhere_until_it_returns_something() -> None:
    looking = Looking()
    looking.sees(scan(WALL), scan({}, 0.1))
    turned = (0.0, 0.0, math.pi / 2)
    now = looking.sees(scan({}, 0.2, turned))
    assert np.flatnonzero(now.free == NOT_SEEN).tolist() == [29, 30, 31], "between two others a beam meets it"
    assert now.free[[118, 119, 0, 1, 2]] == pytest.approx(2.0), "there it still stands"
    now = looking.sees(scan({30: 5.0}, 0.3, turned))
    assert now.free[28:33].tolist() == [8.0, 5.0, 5.0, 5.0, 8.0], "a single one is as its neighbours"


def test_a_thin_thing_makes_nobody_doubt_the_beam_that_misses_it() -> None:
    looking = Looking()
    now = looking.sees(scan({30: 2.0, 31: 2.0}), scan({}, 0.1), scan({}, 0.2, (0.0, 0.0, math.pi / 2)))
    assert looking.kept == 2 and (now.free != NOT_SEEN).all()


@pytest.mark.parametrize("first", [28, 118, 0])
def test_the_word_of_a_beam_that_lost_it_counts_after_half_a_second_if_it_returns_from_elsewhere(first: int) -> None:
    turned = (0.0, 0.0, math.pi / 2)
    beams = [(first + k) % 120 for k in range(5)]
    thing, back = dict.fromkeys(beams, 2.0), dict.fromkeys(beams, 4.0)
    for stamp, kept in ((0.59, 5), (0.61, 0)):
        looking = Looking()
        looking.sees(scan(thing), scan({}, 0.1), scan(back, 0.2, turned))
        assert looking.kept == 5
        looking.sees(scan(back, stamp, turned))
        assert looking.kept == kept
    looking = Looking()
    looking.sees(scan(thing), scan({}, 0.1), scan({}, 5.0, turned))
    assert looking.kept == 5, "it returns nothing"
    looking.sees(scan(dict.fromkeys(beams[2:4], 4.0), 6.0, turned))
    assert looking.kept == 3, "each beam speaks for itself"
    looking = Looking()
    looking.sees(
        scan(thing), scan(dict.fromkeys(beams, math.nan), 0.1), scan(back, 0.2, turned), scan(back, 0.8, turned)
    )
    assert looking.kept == 5, "beams that said nothing have not lost it"


def test_who_lost_it_is_forgotten_while_there_is_no_odometry() -> None:
    turned = (0.0, 0.0, math.pi / 2)
    looking = Looking()
    looking.sees(scan(WALL), scan({}, 0.1))
    looking.sees(scan({}, 0.2, beams=20), measured=False)
    looking.sees(scan({0: 5.0, 30: 5.0}, 1.0, (0.0, 0.0, 1.0)), scan({0: 5.0, 30: 5.0}, 1.1, (0.0, 0.0, 1.0)))
    assert looking.kept == 5
    looking = Looking()
    looking.sees(scan(WALL), scan({}, 0.1))
    looking.sees(scan({}, 0.2, beams=20), measured=False)
    back = dict.fromkeys(WALL, 4.0)
    looking.sees(scan({}, 0.3), scan(back, 0.7, turned))
    assert looking.kept == 5
    looking.sees(scan(back, 0.81, turned))
    assert looking.kept == 0
    looking = Looking()
    looking.sees(scan(WALL))
    looking.sees(scan(dict.fromkeys(WALL, 1.0), 0.1), measured=False)
    assert looking.kept == 0, "beams look there"


def test_a_beam_that_spoke_true_is_believed_again() -> None:
    turned = (0.0, 0.0, math.pi / 2)
    looking = Looking()
    looking.sees(scan(WALL), scan({}, 0.1))
    looking.sees(scan(dict.fromkeys([118, 119, 0, 1, 2], 5.0), 0.2, turned))  # from behind
    assert looking.kept == 0
    assert (looking.sees(scan({}, 0.3, (0.0, 0.0, 1.0))).free != NOT_SEEN).all()


@pytest.mark.parametrize(("reads", "believed"), [(2.04, False), (2.06, True), (2.5, True), (1.0, False)])
def test_what_returns_from_behind_it_proves_that_the_beam_which_lost_it_was_right(reads: float, believed: bool) -> None:
    looking = Looking()
    looking.sees(scan(WALL), scan({}, 0.1))
    looking.sees(scan(dict.fromkeys([118, 119, 0, 1, 2], reads), 0.2, (0.0, 0.0, math.pi / 2)))
    now = looking.sees(scan({}, 0.3, (0.0, 0.0, 1.0)))
    assert (now.free[29:32] != NOT_SEEN).all() == believed


@pytest.mark.parametrize("first", [30, 0, 117, 119])
def test_a_beam_is_believed_again_once_what_it_lost_has_moved(first: int) -> None:
    beams = [(first + k) % 120 for k in range(6)]
    for beam in beams[1:3]:
        looking = Looking()
        now = looking.sees(scan(dict.fromkeys(beams[:4], 2.0)), scan({}, 0.1), scan(dict.fromkeys(beams[4:], 2.0), 0.2))
        assert looking.kept == 0 and (now.free[beams[:4]] == 8.0).all(), "half of it is seen beside"
        now = looking.sees(scan({k: 5.0 for k in range(120) if k != beam}, 0.3, (0.0, 0.0, 1.0)))
        assert now.free[beam] == 8.0, "not as its neighbours"


def test_a_beam_that_misses_what_is_seen_beside_does_not_say_that_it_has_gone() -> None:
    turned = (0.0, 0.0, math.pi / 2)
    fine, back = dict.fromkeys(range(28, 33), 1.0), dict.fromkeys(range(28, 33), 4.0)
    looking = Looking()
    looking.sees(scan(fine), scan({28: 1.0, 31: 1.0, 32: 1.0}, 0.1), scan(back, 0.2, turned), scan(back, 0.65, turned))
    assert looking.kept == 5


def test_the_last_direction_stays_doubted_while_another_beam_sees_something_go_or_move() -> None:
    """What no beam has lost has no direction of its own."""
    wide = {30: 1.0, 118: 2.0, 119: 2.0, 0: 2.0, 1: 2.0}  # of two between others, one is in the last half degree
    unread = dict.fromkeys([118, 119, 0, 1], math.nan)
    for others in (
        {30: 5.0} | unread,  # from behind what stood to the left, and nobody had lost
        {28: 1.0, 29: 1.0} | unread,  # beside it, where it was free: it has moved, and is seen again as well
    ):
        looking = Looking()
        turned = (0.0, 0.0, 1.0)
        looking.sees(scan(wide, first=AHEAD), scan({30: 1.0}, 0.1, first=AHEAD), scan(others, 0.2, first=AHEAD))
        assert looking.kept == 4
        now = looking.sees(scan({}, 0.3, turned, first=AHEAD))
        assert np.flatnonzero(now.free == NOT_SEEN).tolist() == [0, 119]


def test_the_sectors_are_doubted_in_which_the_beams_are_that_lost_it() -> None:
    """Of a laser whose beams are 0.6 degrees apart; a sector has five of them."""
    fine = math.radians(0.6)
    wall = {597: 5.0, 2: 5.0, 3: 5.0, 8: 5.0}  # the nearest return of each of four sectors
    looking = Looking()
    looking.sees(scan(wall, beams=600, step=fine), scan({}, 0.1, beams=600, step=fine))
    now = looking.sees(scan({}, 0.2, (0.0, 0.0, 1.0), beams=600, step=fine))
    assert np.flatnonzero(now.free == NOT_SEEN).tolist() == [0, 1], "between two others a beam meets it"
