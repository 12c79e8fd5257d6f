"""When the robot is at its goal: place first, then heading, then standing; small errors do not start it anew."""

from __future__ import annotations

import numpy as np

from ami_ros.behaviour.arrival import Arrival, StopRule


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
