"""Arriving: place first, then heading, then standing; and a second look at what was recognised."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.behaviour.arrival import Arrival, SecondLook, StopRule
from ami_ros.core.commands import STILL
from ami_ros.core.geometry import Disc, relative, wrap
from ami_ros.core.scan import Scan
from ami_ros.planning.types import Percept


def updated(rule: StopRule, x: float, yaw: float = 0.0, stamp: float = 0.0) -> Arrival:
    return rule.update(stamp, np.array([x, 0.0, yaw]))


def test_it_approaches_turns_and_stands() -> None:
    rule = StopRule(0.1, 0.2)
    assert updated(rule, 0.5) is Arrival.APPROACHING
    assert updated(rule, 0.09, -1.0) is Arrival.TURNING
    assert updated(rule, 0.09, -0.1) is Arrival.STANDING


def test_the_time_of_standing_counts_from_its_beginning() -> None:
    rule = StopRule(0.1, 0.2)
    assert rule.stood(5.0) == 0.0
    updated(rule, 0.05, stamp=6.0)
    updated(rule, 0.06, stamp=7.0)
    assert rule.stood(8.0) == 2.0
    updated(rule, 0.5, stamp=9.0)
    assert rule.stood(9.5) == 0.0
    updated(rule, 0.05, stamp=10.0)
    assert rule.stood(10.5) == 0.5


def test_trembling_sights_at_the_edge_of_the_tolerance_do_not_start_it_anew() -> None:
    rule = StopRule(0.1, 0.2)
    updated(rule, 0.095, 0.19)
    assert {updated(rule, 0.1 + e, 0.2 + e) for e in (0.02, -0.01, 0.03, 0.0)} == {Arrival.STANDING}
    fresh = StopRule(0.1, 0.2)
    assert updated(fresh, 0.12, 0.0) is Arrival.APPROACHING


def test_turning_may_lead_off_the_place_a_little_but_not_far() -> None:
    rule = StopRule(0.1, 0.2)
    updated(rule, 0.05, 2.0)
    assert updated(rule, 0.15, 1.5) is Arrival.TURNING
    assert updated(rule, 0.3, 1.0) is Arrival.APPROACHING
    assert updated(rule, 0.15, 1.0) is Arrival.APPROACHING


def test_it_never_waits_off_its_place() -> None:
    """Every state leads on: whatever is seen next, either it moves or it stands within the slack."""
    for first in ((0.05, 0.0), (0.05, 2.0), (0.5, 0.0)):
        for x in np.linspace(0.0, 0.5, 26):
            for yaw in np.linspace(0.0, 3.0, 31):
                rule = StopRule(0.1, 0.2)
                updated(rule, *first)
                if updated(rule, float(x), float(yaw)) is Arrival.STANDING:
                    assert x <= 0.2 and yaw <= 0.4


def test_a_refuted_goal_is_approached_anew() -> None:
    rule = StopRule(0.1, 0.2)
    updated(rule, 0.05)
    rule.restart()
    assert rule.stood(9.0) == 0.0 and updated(rule, 0.12) is Arrival.APPROACHING


def test_where_nothing_draws_it_nearer_any_more_it_has_arrived() -> None:
    rule = StopRule(0.1, 0.2)
    moments = [(0.2 * k, 0.16 + 0.01 * np.sin(k), 0.05 * np.cos(k)) for k in range(16)]
    states = [updated(rule, x, yaw, stamp) for stamp, x, yaw in moments]
    assert states[5] is Arrival.APPROACHING and states[-1] is Arrival.STANDING
    assert rule.stood(3.0) > 0.5


def test_coming_nearer_slowly_resting_farther_off_and_resting_with_another_heading_are_no_arrival() -> None:
    for x, speed, yaw in ((0.19, -0.03, 0.0), (0.25, 0.0, 0.0), (0.15, 0.0, 1.0)):
        rule = StopRule(0.1, 0.2)
        states = {updated(rule, x + speed * stamp, yaw, stamp) for stamp in np.arange(0.0, 2.9, 0.2)}
        assert Arrival.STANDING not in states


def test_a_caller_who_allows_much_is_not_given_twice_as_much() -> None:
    """Sights differ by decimetres, whatever the caller's tolerance is."""
    rule = StopRule(0.5, 0.2)
    assert {updated(rule, 0.7, stamp=stamp) for stamp in np.arange(0.0, 4.0, 0.2)} == {Arrival.APPROACHING}
    assert updated(StopRule(0.5, 0.2), 0.45) is Arrival.STANDING


def test_where_a_goal_is_looked_at_again_it_is_reached_nearer() -> None:
    rule = StopRule(0.1, 0.2)
    assert rule.tighten()
    assert updated(rule, 0.08) is Arrival.APPROACHING
    assert updated(rule, 0.05, 0.08) is Arrival.STANDING
    rule.restart()
    assert rule.tighten(0.04)
    assert updated(rule, 0.05) is Arrival.APPROACHING
    assert updated(rule, 0.03, 0.12) is Arrival.STANDING
    rule.approach_again()
    assert rule.state is Arrival.APPROACHING and not rule.tighten(0.04), "it is as near as it can come"
    rule.restart()
    assert updated(rule, 0.08) is Arrival.STANDING


# A second look: the robot goes a little away from what it recognised, and comes again


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
