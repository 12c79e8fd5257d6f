"""What counts as an obstacle met, by scan and odometry."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.learning.obstacle_labels import any_commands, bumped, nearest_after, stood
from ami_ros.scan import Mount

BEAMS = 72
AHEAD = np.array([[[0.5, 0.0]] * 3], np.float32)  # 0.3 m in 0.6 s
NOTHING = np.full((1, BEAMS), np.inf, np.float32)


def wall(beam: int, distance: float) -> np.ndarray:
    scan = NOTHING.copy()
    scan[0, beam] = distance
    return scan


@pytest.mark.parametrize(
    ("beam", "motion", "wanted"),
    [
        (0, (0.3, 0.0, 0.0), 0.7),
        (0, (-0.3, 0.0, 0.0), 1.3),
        (18, (0.0, 0.4, 0.0), 0.6),  # a quarter to the left
        (36, (0.3, 0.0, 0.0), 1.3),
        (0, (0.0, 0.0, 2.0), 1.0),  # turning brings nothing nearer
    ],
)
def test_what_a_scan_saw_is_nearer_or_farther_after_a_motion(
    beam: int, motion: tuple[float, float, float], wanted: float
) -> None:
    assert nearest_after(wall(beam, 1.0), np.array([motion]))[0] == pytest.approx(wanted)


def test_near_means_near_to_the_robot_and_not_to_its_scanner() -> None:
    ahead = Mount(x=0.2)
    assert nearest_after(wall(0, 0.3), np.zeros((1, 3)), ahead)[0] == pytest.approx(0.5)
    assert nearest_after(wall(36, 0.3), np.zeros((1, 3)), ahead)[0] == pytest.approx(0.1)
    hanging = Mount(upside_down=True, yaw=np.pi / 2)  # its beams run from the left to the right
    assert nearest_after(wall(18, 1.0), np.array([[0.3, 0.0, 0.0]]), hanging)[0] == pytest.approx(0.7)
    still, before = np.zeros((1, 3)), np.zeros((1, 2), np.float32)
    stands = np.zeros((1, 3, 2), np.float32)
    hits = [bumped(stands, before, still, wall(36, 0.3), 0.2, 0.25, mount)[0] for mount in (Mount(), ahead)]
    assert hits == [False, True]


def test_where_nothing_returned_is_nothing() -> None:
    assert nearest_after(NOTHING, np.zeros((1, 3)))[0] == 1.5
    assert nearest_after(np.zeros((1, BEAMS), np.float32), np.zeros((1, 3)))[0] == 1.5


@pytest.mark.parametrize(
    ("before", "moved", "wanted"),
    [
        (0.5, 0.01, True),  # wheels against a wall
        (0.5, 0.28, False),
        (-0.5, 0.05, False),  # it was still rolling back
        (0.0, 0.1, False),  # from rest it takes a while
    ],
)
def test_standing_counts_where_the_robot_was_told_to_move(before: float, moved: float, wanted: bool) -> None:
    found = stood(AHEAD, np.array([[before, 0.0]], np.float32), np.array([[moved, 0.0, 0.0]]), 0.2)
    assert found[0] == wanted


def test_turning_on_the_spot_is_no_standing() -> None:
    turn = np.array([[[0.0, 1.5]] * 3], np.float32)
    assert not stood(turn, turn[:, 0], np.array([[0.0, 0.0, 0.8]]), 0.2)[0]


def test_what_is_near_at_the_end_counts_and_without_a_scanner_only_standing() -> None:
    before, moved, still = AHEAD[:, 0], np.array([[0.3, 0.0, 0.0]]), np.zeros((1, 3))
    assert bumped(AHEAD, before, moved, wall(5, 0.2), 0.2, 0.25)[0]
    assert not bumped(AHEAD, before, moved, wall(5, 0.3), 0.2, 0.25)[0]
    blind = np.zeros((1, 0), np.float32)
    assert not bumped(AHEAD, before, moved, blind, 0.2, 0.25)[0]
    assert bumped(AHEAD, before, still, blind, 0.2, 0.25)[0]


def test_commands_that_were_not_given_cover_all_that_there_are() -> None:
    commands = any_commands(500, 3, np.random.default_rng(0))
    assert commands.shape == (500, 3, 2) and np.abs(commands).max() <= 1
    assert (commands.mean(1).min(0) < -0.8).all() and (commands.mean(1).max(0) > 0.8).all()
