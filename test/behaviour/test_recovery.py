"""Recovery: which follows which, when, and why."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import pytest

from ami_ros.behaviour.recovery import Reading, Recovery, RecoveryConfig, RecoveryRules, RecoveryState, Signs
from ami_ros.planning.types import Code

CONFIG, RULES = RecoveryConfig(), RecoveryRules()
PERIOD = 0.2
CALM, WARY, LOOKING = RecoveryState.CALM, RecoveryState.WARY, RecoveryState.LOOKING
LOCALISING, BACKING, HOPELESS = RecoveryState.LOCALISING, RecoveryState.BACKING, RecoveryState.HOPELESS


class Drive:
    """Moments, five a second; `passed` are the states in their order."""

    def __init__(self, config: RecoveryConfig = CONFIG) -> None:
        self.machine = Recovery(config)
        self.stamp = 100.0
        self.passed = [CALM]
        self.reasons: list[str] = []

    def moment(self, z: float = 0.0, located: bool | None = True, **signs: object) -> RecoveryState:
        self.stamp += PERIOD
        reading = Reading(self.stamp, z, z > 6.0)
        now = self.machine.update(replace(Signs(self.stamp, reading, located=located), **signs))  # type: ignore[arg-type]
        if now is not self.passed[-1]:
            self.passed.append(now)
            self.reasons.append(self.machine.reason)
        return now

    def go(self, seconds: float, z: float = 0.0, located: bool | None = True, **signs: object) -> RecoveryState:
        for _ in range(round(seconds / PERIOD)):
            self.moment(z, located, **signs)
        return self.machine.now


@pytest.fixture
def drive() -> Drive:
    drive = Drive()
    drive.go(6.0)
    return drive


def test_an_ordinary_drive_is_calm(drive: Drive) -> None:
    for z in (0.0, 2.0, -1.0, 3.0, 5.0, 0.0, 4.0) * 10:
        drive.moment(z)
    assert drive.passed == [CALM]


def test_a_false_alarm_slows_it_for_a_moment_and_never_stops_it(drive: Drive) -> None:
    for _ in range(5):
        drive.go(0.4, z=8.0)
        assert drive.machine.now is WARY
        drive.go(5.0)
        assert drive.machine.now is CALM
    assert LOOKING not in drive.passed


def test_a_robot_that_was_carried_away_stops_looks_and_drives_on_where_it_is_known(drive: Drive) -> None:
    drive.go(0.6, z=25.0)
    assert drive.machine.now is LOOKING and "sudden surprise (z = 25)" in drive.machine.reason
    drive.go(3.0)
    assert drive.passed == [CALM, WARY, LOOKING, CALM]


def test_one_that_does_not_know_where_it_is_then_turns_until_it_does_for_a_while(drive: Drive) -> None:
    drive.go(0.6, z=25.0)
    drive.go(2.0, located=False)
    assert drive.machine.now is LOCALISING and drive.machine.surprised
    drive.moment(located=True)
    drive.moment(located=False)
    assert drive.go(RULES.settle - PERIOD) is LOCALISING
    assert drive.go(0.6) is CALM and not drive.machine.surprised
    assert drive.passed == [CALM, WARY, LOOKING, LOCALISING, CALM]


def test_if_turning_does_not_help_after_a_surprise_it_gives_up_with_a_code(drive: Drive) -> None:
    drive.go(0.6, z=25.0)
    assert drive.go(RULES.look + RULES.give_up + 1.0, located=False) is HOPELESS
    assert drive.machine.code is Code.SURPRISE_EXCEEDED
    assert drive.passed == [CALM, WARY, LOOKING, LOCALISING, HOPELESS]
    assert drive.go(5.0) is HOPELESS  # for good


def test_slight_surprise_that_lasts_makes_it_wary_then_stop(drive: Drive) -> None:
    drive.go(1.4, z=4.5)
    assert drive.machine.now is WARY
    drive.go(4.0, z=4.5)
    assert LOOKING in drive.passed and "for 4 s" in drive.reasons[1]


def test_the_second_time_it_looks_it_turns_though_memory_seems_to_know(drive: Drive) -> None:
    for _ in range(2):
        drive.go(0.6, z=25.0)
        drive.go(2.0)
    assert drive.machine.now is LOCALISING
    assert drive.go(2.0) is CALM


def test_surprised_again_and_again_it_gives_up(drive: Drive) -> None:
    for _ in range(RULES.looks[0] + 1):
        drive.go(0.6, z=25.0)
        drive.go(4.0)
    assert drive.machine.now is HOPELESS and drive.machine.code is Code.SURPRISE_EXCEEDED
    assert f"stopping to look {RULES.looks[0]} times" in drive.machine.reason


def test_surprises_long_ago_are_forgiven(drive: Drive) -> None:
    for _ in range(RULES.looks[0] + 2):
        drive.go(0.6, z=25.0)
        drive.go(RULES.looks[1])
    assert drive.machine.now is CALM and LOCALISING not in drive.passed


def test_while_surprise_goes_on_it_goes_on_looking_but_not_for_ever(drive: Drive) -> None:
    drive.go(0.6, z=25.0)
    assert drive.go(RULES.look_most - 0.4, z=25.0) is LOOKING
    assert drive.go(1.0, z=25.0) is LOCALISING


def test_without_memory_there_is_no_turning(drive: Drive) -> None:
    for _ in range(RULES.looks[0] + 1):
        drive.go(0.6, z=25.0, located=None)
        drive.go(4.0, located=None)
    assert drive.machine.now is HOPELESS and LOCALISING not in drive.passed


def test_a_stuck_robot_goes_back_and_after_some_times_gives_up(drive: Drive) -> None:
    for k in range(RULES.recoveries[0]):
        assert drive.moment(stuck="did not move") is BACKING and drive.machine.recoveries == k + 1
        assert drive.go(2.0, manoeuvring=True, z=25.0) is BACKING  # surprise has to wait
        assert drive.moment() is CALM
    assert drive.moment(stuck="did not move") is HOPELESS
    assert drive.machine.code is Code.FAILED_TO_MAKE_PROGRESS and "did not move, after 8" in drive.machine.reason


def test_a_robot_that_gets_stuck_now_and_then_on_a_long_search_goes_on(drive: Drive) -> None:
    """Five minutes of looking for a picture of another building ended as stuck."""
    for _ in range(2 * RULES.recoveries[0]):
        assert drive.moment(stuck="did not move") is BACKING
        drive.go(1.1 * RULES.recoveries[1] / RULES.recoveries[0])
        assert drive.machine.now is CALM
    assert drive.machine.recoveries == 2 * RULES.recoveries[0]


def test_lost_without_surprise_it_turns_for_as_long_as_nothing_else_can_be_done(drive: Drive) -> None:
    assert drive.go(30.0, located=False, seeking=True) is LOCALISING
    assert drive.moment(located=False) is CALM  # on without memory
    drive.go(1.0, located=False, seeking=True)
    assert drive.moment(located=True, seeking=True) is CALM  # nobody was surprised: at once


def test_every_change_has_a_reason(drive: Drive) -> None:
    drive.go(0.6, z=25.0)
    drive.go(5.0, located=False)
    drive.go(3.0)
    drive.moment(stuck="did not move")
    drive.moment()
    assert len(drive.reasons) == len(drive.passed) - 1 == 6 and all(drive.reasons)


def test_uncertainty_slows_it_for_as_long_as_it_lasts_and_never_stops_it(drive: Drive) -> None:
    assert drive.go(30.0, unsure=True) is WARY and "the model is unsure" in drive.reasons[0]
    assert drive.moment() is CALM and drive.passed == [CALM, WARY, CALM]


def moments() -> Iterator[float]:
    yield from (25.0,) * 40


def test_it_can_be_told_not_to_heed_surprise() -> None:
    drive = Drive(replace(CONFIG, enabled=False))
    for z in moments():
        drive.moment(z)
    assert drive.passed == [CALM]


def test_readings_without_a_score_and_of_one_moment_count_once() -> None:
    drive = Drive()
    drive.go(6.0, z=float("nan"))
    reading = Reading(drive.stamp, 30.0, True)
    for _ in range(10):
        drive.stamp += PERIOD
        drive.machine.update(Signs(drive.stamp, reading, located=True))
    assert drive.machine.now is CALM and drive.passed == [CALM]
