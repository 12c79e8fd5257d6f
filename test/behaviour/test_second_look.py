"""A second look: the robot goes a little away from what it recognised, and comes again."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.behaviour.arrival import SecondLook
from ami_ros.core.commands import STILL
from ami_ros.core.geometry import Disc, relative, wrap
from ami_ros.core.scan import Scan
from ami_ros.planning.types import Percept

ROUND = Disc(0.18)  # [m]
HERE = np.array([1.95, 1.0, 0.45])


def moment(stamp: float, scan: Scan | None = None, beyond: Scan | None = None) -> Percept:
    """A robot at HERE that sees a `scan`, and knows what stands `beyond` its sight."""
    return Percept(stamp, np.zeros(4, np.float32), HERE, STILL, scan, None, around=beyond)


def away(look: SecondLook) -> list[float]:
    """Where it goes from HERE, ahead and to the left [m]."""
    spot = look.spot(0.1, HERE)
    assert spot is not None
    return relative(HERE, spot)[:2].tolist()


def test_the_robot_goes_back_twice_to_look_again() -> None:
    look = SecondLook()
    assert look.spot(0.0, HERE) is None
    assert look.begin(moment(0.0), ROUND)
    assert away(look) == pytest.approx([-0.32, 0.0], abs=1e-9)
    assert look.spot(1.0, HERE + [0.4, 0.0, 0.0]) is None and look.spot(1.1, HERE) is None
    assert look.begin(moment(2.0), ROUND)
    assert not look.begin(moment(4.0), ROUND)
    look.restart()
    assert look.begin(moment(3.0), ROUND) and look.spot(9.0, HERE) is None, "it may be blocked"


def around(**blocked: float) -> Scan:
    """What is free around a robot [m], 3 m but for some sides; 0: the laser does not look there."""
    angles = np.radians(np.arange(-180.0, 180.0))
    ranges = np.full(len(angles), 3.0, np.float32)
    for side, room in blocked.items():
        aside = np.abs(wrap(angles - {"ahead": 0.0, "left": np.pi / 2, "behind": np.pi, "right": -np.pi / 2}[side]))
        if not room:
            ranges, angles = ranges[aside > np.pi / 4], angles[aside > np.pi / 4]
        else:
            near = aside < np.pi / 4
            ranges[near] = np.minimum(ranges[near], room / np.cos(aside[near]))
    return Scan(ranges, float(angles[0]), math.radians(1.0))


@pytest.mark.parametrize(
    ("scan", "wanted"),
    [
        (around(), [-0.32, 0.0]),
        (around(behind=0.3), [0.32, 0.0]),
        (around(behind=0.0), [0.32, 0.0]),
        (around(behind=0.3, ahead=0.3), [0.0, 0.32]),
        (around(behind=0.3, ahead=0.3, left=0.3), [0.0, -0.32]),
        (around(behind=0.3, ahead=0.5, left=0.3, right=0.3), [0.5 - ROUND.radius - 0.03, 0.0]),
    ],
)
def test_where_the_way_back_is_blocked_it_looks_again_from_elsewhere(scan: Scan, wanted: list[float]) -> None:
    """A goal with a wall behind it was stood at, and seen, for thirty seconds, and not claimed."""
    look = SecondLook()
    assert look.begin(moment(0.0, scan), ROUND)
    assert away(look) == pytest.approx(wanted, abs=0.02)


def ahead_only(scan: Scan) -> Scan:
    """What of a scan all round a laser sees that looks ahead."""
    return replace(scan, ranges=scan.ranges[130:231], angle_min=math.radians(-50.0))


@pytest.mark.parametrize(
    ("known", "wanted"),
    [
        (around(), [0.32, 0.0]),
        (around(ahead=0.3), [0.0, 0.32]),
        (around(ahead=0.3, left=0.3), [0.0, -0.32]),
        (around(ahead=0.3, left=0.3, right=0.3), [-0.32, 0.0]),
    ],
)
def test_a_robot_that_sees_ahead_only_turns_as_little_as_it_may_to_look_again(known: Scan, wanted: list[float]) -> None:
    """It backed up for five seconds into what it does not see, which the safety gate does not let it."""
    look = SecondLook()
    assert look.begin(moment(0.0, ahead_only(known), known), ROUND)
    assert away(look) == pytest.approx(wanted, abs=0.02)


def test_a_robot_that_is_longer_behind_has_less_way_back() -> None:
    ways = []
    for robot in (Disc(0.18), Disc(0.18, -0.05)):
        look = SecondLook()
        assert look.begin(moment(0.0, around(behind=0.52, ahead=0.3, left=0.3, right=0.3)), robot)
        ways.append(-away(look)[0])
    assert ways[0] - ways[1] == pytest.approx(0.05)


def test_a_robot_that_is_shut_in_does_not_look_from_elsewhere() -> None:
    look = SecondLook()
    assert not look.begin(moment(0.0, around(behind=0.3, ahead=0.3, left=0.3, right=0.3)), ROUND)
