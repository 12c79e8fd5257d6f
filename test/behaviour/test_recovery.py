"""Recovery: which state follows which, when and why; and backing up the way it came."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest

from ami_ros.behaviour.recovery import (
    BackAndTurn,
    BackUpConfig,
    Reading,
    Recovery,
    RecoveryConfig,
    RecoveryRules,
    RecoveryState,
    Signs,
    Trail,
)
from ami_ros.core.commands import Command
from ami_ros.core.geometry import Array, relative
from ami_ros.core.scan import Scan
from ami_ros.planning.scan_geometry import free_range
from ami_ros.planning.types import Code
from ami_ros.simulation.loopback import Loopback

from .conftest import NOTHING, PERIOD, robot_at, room_with_box

CONFIG, RULES = RecoveryConfig(), RecoveryRules()
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


# Recovery: away from what is in the way, towards room, and over in time


def recover(robot: Loopback, trail: Trail | None = None) -> list[Command]:
    """Lets the manoeuvre drive the robot to its end; returns the commands."""
    seen = robot.observe()
    manoeuvre, commands = BackAndTurn(robot.time, seen.odometry, trail or Trail()), []
    while (command := manoeuvre.command(robot.time, seen.odometry, seen.scan)) is not None:
        commands.append(command)
        robot.step(command, PERIOD)
        seen = robot.observe()
        assert len(commands) * PERIOD <= BackUpConfig.longest + PERIOD
    return commands


def room_ahead(robot: Loopback) -> float:
    return free_range(robot.observe().scan, 0.0, 0.22)


@pytest.mark.parametrize("pose", [(3.6, 2.0, 0.0), (3.7, 3.7, 0.8), (0.4, 1.0, np.pi)])
def test_before_a_wall_it_backs_up_and_turns_to_where_there_is_room(pose: tuple[float, float, float]) -> None:
    robot = robot_at(*pose)
    commands = recover(robot)
    moved = robot.ground_truth().pose[:2] - pose[:2]
    assert commands[0] == (-BackUpConfig.speed, 0.0) and np.hypot(*moved) > 0.15
    assert moved @ [np.cos(pose[2]), np.sin(pose[2])] < 0
    assert room_ahead(robot) > 1.0 and robot.ground_truth().contacts == 0


def test_with_something_behind_it_turns_on_the_spot() -> None:
    robot = robot_at(3.6, 2.0, 0.0, room_with_box(2.95, 2.0, 0.6))
    commands = recover(robot)
    assert all(linear == 0.0 and angular != 0.0 for linear, angular in commands)
    assert room_ahead(robot) > 0.8


def test_backing_up_ends_when_something_comes_near() -> None:
    manoeuvre = BackAndTurn(0.0, np.zeros(3), Trail())
    assert manoeuvre.command(0.2, np.zeros(3), NOTHING) == (-BackUpConfig.speed, 0.0)
    close = robot_at(0.4, 2.0, 0.0).observe().scan
    command = manoeuvre.command(0.4, np.array([-0.05, 0.0, 0.0]), close)
    assert command is None or command[0] == 0.0


def test_without_scanner_it_still_ends() -> None:
    odometry: Array = np.zeros(3)
    manoeuvre = BackAndTurn(0.0, odometry, Trail())
    stamps = [t for t in np.arange(0.2, 60.0, 0.2) if manoeuvre.command(float(t), odometry, None) is not None]
    assert len(stamps) > 0 and stamps[-1] <= BackUpConfig.longest


def test_a_robot_that_cannot_move_gives_up_in_time() -> None:
    scan = robot_at(2.0, 2.0, 0.0).observe().scan
    manoeuvre = BackAndTurn(10.0, np.zeros(3), Trail())
    commands = [manoeuvre.command(10.0 + t, np.zeros(3), scan) for t in np.arange(0.2, 20.0, 0.2)]
    assert commands[-1] is None and any(c is not None and c[1] != 0 for c in commands)


def test_a_car_backs_up_and_then_leaves_turning_to_the_search() -> None:
    manoeuvre = BackAndTurn(0.0, np.zeros(3), Trail(), drive="ackermann")
    assert manoeuvre.command(0.2, np.zeros(3), NOTHING) == (-BackUpConfig.speed, 0.0)
    assert manoeuvre.command(2.4, np.array([-0.4, 0.0, 0.0]), NOTHING) is None


def test_it_goes_back_the_way_it_came_round_a_corner_and_not_straight_back() -> None:
    robot, trail = robot_at(2.0, 1.0, np.pi / 2), Trail()
    for _ in range(25):  # a bow to the left
        trail.add(robot.observe().odometry)
        robot.step((0.3, 0.6), PERIOD)
    start = robot.ground_truth().pose
    driven = recover(robot, trail)
    backwards = [linear for linear, angular in driven if linear < 0]
    assert len(backwards) > 5
    back = relative(start, robot.ground_truth().pose)
    assert back[0] < -0.2
    # On the circle that it came along, of 0.5 m, whose centre lies to its left: straight back would be y = 0.
    assert np.hypot(back[0], back[1] - 0.5) == pytest.approx(0.5, abs=0.05) and back[1] > 0.03


AHEAD_ONLY = Scan(np.full(37, 3.0, np.float32), -np.pi / 2, np.pi / 36)


def test_what_the_scanner_does_not_see_is_not_backed_into() -> None:
    blind = BackAndTurn(0.0, np.zeros(3), Trail())
    command = blind.command(0.2, np.zeros(3), AHEAD_ONLY)
    assert command is not None and command[0] == 0.0


def test_a_robot_that_does_not_see_behind_it_turns_round_to_go_back_the_way_it_came() -> None:
    """It has stood too long for the safety gate to know that the ground behind it is free."""
    trail = Trail()
    for x in np.arange(-1.0, 0.0, 0.05):
        trail.add(np.array([x, 0.0, 0.0]))
    turning = BackAndTurn(0.0, np.zeros(3), trail).command(0.2, np.zeros(3), AHEAD_ONLY)
    assert turning is not None and turning[0] == 0.0 and turning[1] != 0.0
    round_now = np.array([0.0, 0.0, np.pi])
    back = BackAndTurn(0.0, round_now, trail).command(0.2, round_now, AHEAD_ONLY)
    assert back is not None and back[0] > 0.0
    car = BackAndTurn(0.0, np.zeros(3), trail, drive="ackermann").command(0.2, np.zeros(3), AHEAD_ONLY)
    assert car is not None and car[0] < 0.0


def test_a_robot_that_turned_round_since_goes_forwards_on_its_way_back() -> None:
    trail = Trail()
    for x in np.arange(0.0, 1.0, 0.05):
        trail.add(np.array([x, 0.0, 0.0]))
    here = np.array([1.0, 0.0, np.pi])
    command = BackAndTurn(0.0, here, trail).command(0.2, here, NOTHING)
    assert command is not None and command[0] > 0.0


# The way back: along what was driven, to its beginning, and no farther


def trail(*poses: tuple[float, float, float]) -> Trail:
    made = Trail()
    for pose in poses:
        made.add(np.array(pose))
    return made


def test_poses_that_hardly_differ_are_kept_once() -> None:
    assert len(trail((0, 0, 0), (0.01, 0, 0), (0.02, 0, 0.05), (0.05, 0, 0), (0.05, 0, 0.3)).poses) == 3


def test_the_way_back_is_the_way_it_came() -> None:
    # A quarter of a circle to the left: back means backwards and to the left of the robot's tail.
    angles = np.linspace(0.0, np.pi / 2, 60)
    made = trail(*[(np.sin(a), 1 - np.cos(a), a) for a in angles])
    point = made.back(np.array([1.0, 1.0, np.pi / 2]), 0.15)
    assert point is not None and np.hypot(*point) == pytest.approx(0.15, abs=0.04)
    assert point[0] < -0.1 and 0.0 < point[1] < 0.05


def test_what_was_passed_on_the_way_back_is_dropped_down_to_the_beginning() -> None:
    made = trail(*[(0.05 * k, 0.0, 0.0) for k in range(11)])
    for x in np.arange(0.5, 0.07, -0.05):
        assert made.back(np.array([x, 0.0, 0.0]), 0.15) is not None
    assert made.back(np.array([0.02, 0.0, 0.0]), 0.15) is None


def test_a_jump_of_odometry_begins_it_anew() -> None:
    assert len(trail((0, 0, 0), (0.1, 0, 0), (9.0, 9.0, 0)).poses) == 1


def test_it_does_not_grow_for_ever() -> None:
    assert len(trail(*[(0.05 * k, 0.0, 0.0) for k in range(360)]).poses) == 120
