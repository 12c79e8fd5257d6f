"""Where something thin stands that most beams miss."""

from __future__ import annotations

import numpy as np

from ami_ros.moving.standing_spots import REMEMBERED, STOOD, StandingSpots

LEG = np.array([[2.03, 1.04]])
ELSEWHERE = np.array([[5.0, 5.0]])


def test_what_is_met_now_and_then_from_one_spot_stands_there() -> None:
    spots = StandingSpots()
    for stamp in (0.0, 0.5, 0.6, 1.1):
        spots.add(stamp, LEG)
        assert not spots.stood(LEG).any(), "a foot stands as long"
    spots.add(STOOD + 0.1, LEG)
    assert spots.stood(np.concatenate([LEG, LEG + 0.08, LEG + 0.5])).tolist() == [True, True, False]


def test_a_walker_stands_nowhere() -> None:
    """One foot stands for 0.8 s, then the other half a metre ahead of it."""
    spots = StandingSpots()
    for stamp in np.arange(0.0, 10.0, 0.1):
        foot = np.array([[0.5 * np.floor((stamp + 0.01) / 0.8), 0.1]])
        spots.add(float(stamp), foot)
        assert not spots.stood(foot).any()


def test_walkers_who_pass_one_after_another_stand_nowhere() -> None:
    spots = StandingSpots()
    for passing in (0.0, 2.0, 4.0, 7.0, 9.0):
        for stamp in np.arange(passing, passing + 0.8, 0.1):
            spots.add(float(stamp), LEG)
            assert not spots.stood(LEG).any()


def test_what_was_not_met_for_long_is_forgotten() -> None:
    spots = StandingSpots()
    for stamp in np.arange(0.0, 2.0, 0.1):
        spots.add(float(stamp), LEG)
    spots.add(REMEMBERED, ELSEWHERE)
    assert spots.stood(LEG).all()
    spots.add(2.0 + REMEMBERED, ELSEWHERE)
    assert not spots.stood(LEG).any()


def test_nothing_is_known_at_first_or_of_an_empty_scan() -> None:
    spots = StandingSpots()
    assert not spots.stood(LEG).any() and spots.stood(np.zeros((0, 2))).shape == (0,)
    spots.add(0.0, np.zeros((0, 2)))
    assert not spots.stood(LEG).any()
