"""Where the robot has been, how sure that is, and where it may come: by what it was told and what odometry says."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from ami_ros.core.commands import Command
from ami_ros.core.geometry import Array, compose, relative
from ami_ros.safety.config import SafetyConfig
from ami_ros.safety.motion import Motion

CONFIG = SafetyConfig()  # 0.25 s until it obeys, then 0.8 m/s² and 5 rad/s²; turns on for 0.4 s; 0.5 m/s, 1.8 rad/s
REST = (0.0, 0.0, 0.0)
AHEAD = (0.5, 0.0, 0.0)


def told(*commands: tuple[float, Command], **config: Any) -> Motion:
    """A robot that was told these commands, each at its time [s]."""
    motion = Motion(SafetyConfig(**config))
    for now, command in commands:
        motion.told(command, now)
    return motion


def measured(*poses: tuple[float, float, float, float], velocity: Command = REST, **config: Any) -> Motion:
    """A robot with odometry: time [s], x, y [m] and yaw [rad] each."""
    motion = Motion(SafetyConfig(**config))
    for stamp, *pose in poses:
        motion.odometry(np.array(pose), velocity, stamp)
    return motion


def came(motion: Motion, since: float, until: float) -> Array:
    """The way (3,) from one time to another."""
    return relative(motion.at(since)[0], motion.at(until)[0])


def rolled(speed: Callable[[Array], Any], aside: Callable[[Array], Any], rate: float, times: Array) -> Array:
    """Poses (n, 3) at `times` (n,), evenly apart, of a robot that turns at a rate [rad/s] from 0 on."""
    step = times[0]
    middles = times - step / 2
    headings = np.exp(1j * rate * middles)
    way = (headings * (speed(middles) + 1j * aside(middles)) * step).cumsum()
    return np.column_stack([way.real, way.imag, rate * times])


def slowing(speed: float, sent: float = 0.0, now: float = 0.0) -> Callable[[Array], Any]:
    """The greatest speed [m/s] at times after `now` of one that was sent at `sent`."""
    lost = lambda t: 0.8 * np.maximum(0.0, now + t - sent - 0.25)  # noqa: E731
    return lambda t: np.sign(speed) * np.maximum(0.0, abs(speed) - lost(t))


def holds_path(paths: Array, wanted: Array) -> bool:
    """Whether a path (n, 3) is among others (p, n, 3)."""
    return bool((np.abs(paths - wanted).max((1, 2)) < 1e-9).any())


def test_before_anything_is_known_it_is_where_it_began() -> None:
    motion = Motion(CONFIG)
    pose, error = motion.at(7.0)
    assert pose.tolist() == [0.0, 0.0, 0.0] and error == 0.0
    assert motion.velocity == REST and motion.unsure(7.0) == 0.0 and motion.leapt == -math.inf
    assert motion.missing(7.0) == "no odometry" and not motion.is_measured(0.0)
    assert motion.in_odom(7.0).tolist() == [0.0, 0.0, 0.0]


def test_between_two_poses_of_odometry_it_was_on_the_straight_way_and_turned_the_short_way() -> None:
    ways = (10.0, 1.0, 2.0, 3.1), (10.2, 1.1, 1.98, -3.1), (10.3, 1.2, 1.98, -3.1), (10.4, 1.2, 1.9, -2.9)
    motion = measured(*ways, (10.5, 1.3, 1.8, -2.5))
    for share in (0.0, 0.25, 0.6, 1.0):
        pose = compose([1.0, 2.0, 3.1], came(motion, 10.0, 10.0 + 0.2 * share))
        turn = (2 * math.pi - 6.2) * share
        assert pose[:2] == pytest.approx([1.0 + 0.1 * share, 2.0 - 0.02 * share])
        assert math.remainder(pose[2] - 3.1 - turn, 2 * math.pi) == pytest.approx(0.0, abs=1e-9)
    assert came(motion, 10.0, 9.0).tolist() == [0.0, 0.0, 0.0], "before the first it is not known"
    assert motion.at(9.0)[1] == motion.at(10.25)[1] == 0.0
    assert motion.in_odom(10.3) == pytest.approx([1.2, 1.98, -3.1])
    assert motion.in_odom(10.35) == pytest.approx([1.2, 1.94, -3.0])
    assert motion.in_odom(10.475) == pytest.approx([1.275, 1.825, -2.6])


def test_odometry_goes_on_as_it_was_for_two_tenths_of_a_second() -> None:
    motion = measured((1.0, 5.0, 5.0, 1.0), velocity=(0.4, 0.6, 0.2))
    assert motion.velocity == (0.4, 0.6, 0.2)
    turn = 0.6 * 0.15
    middle = complex(0.4, 0.2) * 0.15 * np.exp(0.5j * turn)
    assert came(motion, 1.0, 1.15) == pytest.approx([middle.real, middle.imag, turn])
    assert motion.in_odom(1.15)[2] == pytest.approx(1.0 + turn)
    assert motion.is_measured(0.81) and motion.is_measured(1.19) and motion.is_measured(1.0)
    assert not motion.is_measured(0.79) and not motion.is_measured(1.21)
    assert measured((0.0, 0.0, 0.0, 0.0)).is_measured(0.2)
    assert motion.at(1.15)[1] == 0.0
    assert came(motion, 1.0, 1.3) == pytest.approx([0.0, 0.0, 0.0]), "then, as it was told: to stand"


def test_without_odometry_for_a_second_it_is_missing() -> None:
    motion = measured((1.0, 0.0, 0.0, 0.0))
    assert motion.missing(1.5) == motion.missing(2.0) == "" and motion.missing(2.01) == "no odometry"


def test_without_odometry_it_is_in_the_middle_of_what_it_may_have_done_and_half_of_the_rest_is_error() -> None:
    motion = told((0.0, (0.4, 0.8, -0.3)))
    assert came(motion, 0.0, 0.2) == pytest.approx([*_turned(0.08, -0.06, 0.08), 0.16]), "it does what it was told"
    assert motion.at(0.2)[1] == 0.0
    motion.told(REST, 0.2)
    assert came(motion, 0.0, 0.2) == pytest.approx([*_turned(0.04, -0.03, 0.04), 0.08])
    assert motion.at(0.2)[1] == pytest.approx(0.2 * 0.5 / 2)
    # At 0.3 s, the middle of the next time, it may have lost 0.8 * 0.05 m/s, and 5 * 0.05 rad/s.
    speed, turn, aside = 0.36 / 2, 0.55 / 2, -0.26 / 2
    error = 0.2 * (0.5 + math.hypot(0.36, 0.26)) / 2
    assert came(motion, 0.2, 0.4) == pytest.approx([*_turned(0.2 * speed, 0.2 * aside, 0.1 * turn), 0.2 * turn])
    assert motion.at(0.4)[1] == pytest.approx(error)
    motion.told(REST, 0.4)
    assert motion.at(0.4)[1] == pytest.approx(error) and motion.at(0.5)[1] > error, "the error sums up"
    assert motion.at(0.3)[1] == pytest.approx(0.05), "in between it is that of the time before"
    assert motion.at(-1.0)[1] == 0.0


def test_the_last_command_may_have_been_said_again_and_one_that_came_between_counts() -> None:
    motion = told((0.0, (0.4, 0.0, 0.0)), (0.2, REST))
    # Half a second after it was sent the robot may have kept 0.12 of 0.4 m/s, or obeyed.
    assert came(motion, 0.2, 1.0) == pytest.approx([0.8 * 0.06, 0.0, 0.0])
    between = told((0.0, (0.4, 0.0, 0.0)), (0.05, REST), (0.1, (0.4, 0.0, 0.0)))
    assert came(between, 0.1, 0.2) == pytest.approx([0.02, 0.0, 0.0]), "it may stand"


def _turned(x: float, y: float, angle: float) -> tuple[float, float]:
    """A way [m] in a direction that is turned by an angle [rad]."""
    way = complex(x, y) * np.exp(1j * angle)
    return float(way.real), float(way.imag)


def test_what_it_does_counts_beside_what_it_was_told() -> None:
    motion = measured((0.0, 0.0, 0.0, 0.0), velocity=(0.3, 0.0, 0.0))
    assert motion.reach(REST, 0.1)[0] == pytest.approx(0.3 * (0.25 + 0.3 / 0.8))
    assert motion.reach(REST, 0.3)[0] == 0.0, "odometry is old"
    aside = measured((0.0, 0.0, 0.0, 0.0), velocity=(0.0, 0.0, -0.3))
    assert aside.reach(REST, 0.1) == motion.reach(REST, 0.1)
    for slip, counts in (((0.02, 0.0, 0.0), False), ((0.015, 0.0, 0.015), True), ((0.0, 0.0, -0.021), True)):
        assert (measured((0.0, 0.0, 0.0, 0.0), velocity=slip).reach(REST, 0.0)[0] > 0.0) == counts
    slips = measured((0.0, 0.0, 0.0, 0.0), velocity=(0.01, 0.9, 0.01))
    times, paths = slips.paths(REST, 0.0)
    assert paths[:, -1, 2].max() == pytest.approx(0.9 * times[-1]) and not paths[..., :2].any(), "it turns all the same"
    rolls = told((0.0, (0.1, 0.0, 0.0)), (0.2, REST))
    rolls.odometry(np.zeros(3), AHEAD, 0.3)
    times, paths = rolls.paths(REST, 0.3)
    assert holds_path(paths, rolled(slowing(0.5, 0.2, 0.3), np.zeros_like, 0.0, times)), "until it obeys the last"


@pytest.mark.parametrize(
    ("elapsed", "move", "config", "leaps"),
    [
        (0.1, (0.37, 0.0, 0.0), {}, False),  # 0.3 m, and 1.5 times what it can drive
        (0.1, (0.38, 0.0, 0.0), {}, True),
        (0.1, (0.3, -0.3, 0.0), {}, True),
        (0.1, (0.1, -0.36, 0.0), {}, False),
        (0.1, (-0.1, -0.37, 0.0), {}, True),
        (0.1, (0.44, 0.0, 0.0), {"max_lateral": 1.0}, False),
        (0.1, (0.46, 0.0, 0.0), {"max_lateral": 1.0}, True),
        (0.1, (0.0, 0.0, -0.56), {}, False),
        (0.1, (0.0, 0.0, 0.58), {}, True),
        (0.4, (0.59, 0.0, 0.0), {}, False),
        (0.4, (0.61, 0.0, 0.0), {}, True),
        (1.0, (0.9, 0.0, 2.9), {}, False),
        (3.0, (1.04, 0.0, 0.0), {}, False),  # without odometry it drives for a second at most
        (3.0, (1.06, 0.0, 0.0), {}, True),
    ],
)
def test_odometry_leaps_where_it_is_farther_than_the_robot_can_have_come(
    elapsed: float, move: tuple[float, float, float], config: dict[str, Any], leaps: bool
) -> None:
    motion = measured((1.0, 5.0, 5.0, 1.0), **config)
    motion.odometry(compose([5.0, 5.0, 1.0], move), REST, 1.0 + elapsed)
    assert motion.leapt == (1.0 + elapsed if leaps else -math.inf)
    follows = not leaps and elapsed <= 1.0
    assert came(motion, 1.0, 1.0 + elapsed) == pytest.approx(move if follows else (0.0, 0.0, 0.0), abs=1e-9)
    motion.odometry(compose([5.0, 5.0, 1.0], move), REST, 1.1 + elapsed)
    assert motion.leapt == (1.0 + elapsed if leaps else -math.inf), "from there on it goes on"
    assert motion.in_odom(1.1 + elapsed) == pytest.approx(compose([5.0, 5.0, 1.0], move))


@pytest.mark.parametrize(("move", "leaps"), [((1.05, 0.0, 0.0), False), ((0.0, 0.0, 3.0), False), ((1.06, 0, 0), True)])
def test_as_far_as_it_can_just_have_come_is_no_leap_and_as_far_as_just_not_is_not_back(
    move: tuple[float, float, float], leaps: bool
) -> None:
    motion = measured((0.0, 0.0, 0.0, 0.0), (1.0, *move))
    assert (motion.leapt == 1.0) == leaps
    assert measured((0.0, 0.0, 0.0, 0.0), (0.1, 9.0, 0.0, 0.0), (0.2, 0.1, 0.0, 0.0)).leapt == 0.2


@pytest.mark.parametrize(
    ("off", "comes_back"),
    [
        ((0.0, 0.0, 0.0), True),
        ((0.06, -0.07, 0.09), True),
        ((0.08, 0.08, 0.0), False),
        ((0.0, 0.0, -0.11), False),
        ((0.11, 0.0, 0.0), False),
    ],
)
def test_a_leap_from_which_odometry_comes_back_was_none(off: tuple[float, float, float], comes_back: bool) -> None:
    motion = measured((1.0, 5.0, 5.0, 1.0), (1.1, 9.0, 5.0, 1.0))
    assert motion.leapt == 1.1
    motion.odometry(np.array([13.0, 5.0, 1.0]), REST, 1.2)
    assert motion.leapt == 1.2, "another leap does not change where it was before the first"
    motion.odometry(compose([5.0, 5.0, 1.0], off), REST, 1.3)
    assert motion.leapt == (-math.inf if comes_back else 1.3)
    assert came(motion, 1.0, 1.3) == pytest.approx(off if comes_back else (0.0, 0.0, 0.0), abs=1e-9)
    if comes_back:
        motion.odometry(np.array([9.0, 5.0, 1.0]), REST, 1.4)
        motion.odometry(compose([5.0, 5.0, 1.0], off), REST, 1.5)
        assert motion.leapt == -math.inf and came(motion, 1.0, 1.5) == pytest.approx(off, abs=1e-9)


def test_a_pose_is_as_unsure_as_velocities_of_odometry_differ_from_its_poses() -> None:
    assert measured((1.0, 0.0, 0.0, 0.0), velocity=(0.5, 0.0, 0.0)).unsure(1.5) == 0.0
    motion = measured((1.0, 0.0, 0.0, 0.0), (1.5, 0.1, -0.05, 0.1), velocity=(0.5, 0.6, 0.3))
    off = math.hypot(0.2 - 0.5, -0.1 - 0.3) + 0.5 * 0.4  # 1 rad counts as half a metre
    assert motion.unsure(1.7) == pytest.approx(0.2 * off)
    assert motion.unsure(1.4) == 0.0 and motion.unsure(1.5) == 0.0
    for k in range(2):
        motion.odometry(np.array([0.1, -0.05, 0.1]), REST, 2.0 + 0.1 * k)
    assert motion.unsure(2.2) == pytest.approx(0.1 * off), "the greatest of three counts"
    motion.odometry(np.array([0.1, -0.05, 0.1]), REST, 2.2)
    assert motion.unsure(2.3) == 0.0


def test_five_seconds_of_the_way_are_remembered() -> None:
    motion = measured(*((0.5 * k, 0.1 * k, 0.0, 0.0) for k in range(17)), velocity=(0.2, 0.0, 0.0))
    assert came(motion, 3.0, 8.0) == pytest.approx([1.0, 0.0, 0.0])
    assert came(motion, 0.0, 8.0) == pytest.approx([1.0, 0.0, 0.0]), "before that it is where it was then"
    assert came(motion, 3.25, 3.5) == pytest.approx([0.05, 0.0, 0.0])


def test_odometry_corrects_what_was_reckoned_and_takes_its_error_away() -> None:
    motion = measured((0.0, 0.0, 0.0, 0.0), velocity=(0.4, 0.0, 0.0))
    motion.told((0.4, 0.0, 0.0), 0.1)
    motion.told(REST, 0.3)
    motion.told(REST, 0.5)
    assert motion.at(0.5)[1] > 0.0
    motion.odometry(np.array([0.11, 0.01, 0.2]), REST, 0.5)
    assert came(motion, 0.0, 0.5) == pytest.approx([0.11, 0.01, 0.2]) and motion.at(0.5)[1] == 0.0
    assert came(motion, 0.0, 0.4) == pytest.approx([0.055, 0.005, 0.1], abs=0.05)
    earlier = told((0.0, (0.4, 0.0, 0.0)), (0.3, REST), (0.5, REST))
    earlier.odometry(np.zeros(3), REST, 0.55)
    earlier.told((0.1, 0.0, 0.0), 0.8)
    earlier.odometry(np.array([0.0, 0.0, 0.2]), REST, 0.7)
    assert came(earlier, 0.55, 0.64)[2] == pytest.approx(0.12), "what was reckoned of later is not true"
    assert came(motion, 0.4, 0.5)[2] == pytest.approx(0.1), "half of what odometry says of the time since 0.3 s"
    late = measured((0.0, 0.0, 0.0, 0.0), (2.5, 0.3, 0.0, 0.0))
    assert came(late, 0.0, 2.5).tolist() == [0.0, 0.0, 0.0], "after more than a second it begins anew"
    late.odometry(np.array([0.35, 0.0, 0.0]), REST, 2.6)
    assert came(late, 0.0, 2.6) == pytest.approx([0.05, 0.0, 0.0])
    unsure = told((0.0, (0.4, 0.0, 0.0)), (0.2, REST), (0.6, REST))
    unsure.odometry(np.zeros(3), REST, 0.7)
    error = unsure.at(0.7)[1]
    unsure.odometry(np.zeros(3), REST, 0.8)
    assert unsure.at(0.8)[1] == error > 0.0, "what it does not know it does not learn"


@pytest.mark.parametrize(
    ("config", "lasts"),
    [({}, 0.875), ({"max_lateral": 0.9}, 1.375), ({"turn_lag": 2.0}, 2.0), ({"deceleration": 2.0}, 0.5)],
)
def test_a_command_counts_until_the_robot_has_surely_obeyed_the_next(config: dict[str, float], lasts: float) -> None:
    for passed, counts in ((lasts - 0.01, True), (lasts + 0.01, False)):
        motion = told((0.0, AHEAD), (0.05, REST), (passed, (0.1, 0.0, 0.0)), **config)
        assert (motion.reach(REST, passed)[0] > 0.3 * 0.25) == counts
    again = told((0.0, AHEAD), (lasts - 0.1, tuple([*AHEAD])), (lasts, REST), (lasts + 0.3, (0.1, 0.0, 0.0)), **config)
    assert again.reach(REST, lasts + 0.3)[0] > 0.3 * 0.25, "one that is repeated counts as of then"


def test_what_came_at_just_the_time_that_it_lasts_still_counts() -> None:
    assert told((0.0, AHEAD), (0.5, REST), (2.0, (0.1, 0.0, 0.0)), turn_lag=2.0).reach(REST, 2.0)[0] > 0.3 * 0.25
    turning = told((0.0, (0.0, -1.0, 0.0)), (0.1, REST))
    assert len(turning.paths((0.3, 0.0, 0.0), 0.4)[1]) == 5
    assert turning.reckoned_with((0.0, -1.0, 0.0), 0.4) == 1.0


def test_how_far_it_may_come_and_how_long_it_takes() -> None:
    motion = Motion(CONFIG)
    assert motion.reach((0.3, 0.0, -0.4), 0.0) == pytest.approx((0.5 * 0.875, 0.875))
    assert motion.reach((0.0, 1.8, 0.0), 0.0) == (0.0, 0.4), "it turns on for turn_lag"
    assert told((0.0, (-0.4, 0.0, 0.0))).reach((0.3, 0.0, 0.3), 0.1)[0] == pytest.approx(0.5 * 0.875)


def test_a_path_straight_ahead_ends_where_it_stands_after_it_obeyed_as_late_as_it_may() -> None:
    times, paths = Motion(CONFIG).paths(AHEAD, 3.0)
    assert times == pytest.approx(0.875 * np.arange(1, 9) / 8) and paths.shape == (1, 8, 3)
    assert holds_path(paths, rolled(slowing(0.5), np.zeros_like, 0.0, times))
    assert paths[0, -1] == pytest.approx([0.5 * 0.25 + 0.5**2 / 2 / 0.8, 0.0, 0.0], abs=2e-3)
    back = Motion(CONFIG).paths((-0.5, 0.0, 0.0), 3.0)[1]
    assert back == pytest.approx(-paths)
    assert Motion(CONFIG).paths(REST, 0.0)[1].tolist() == np.zeros((1, 8, 3)).tolist()


def test_samples_of_a_path_are_5_cm_and_0_15_rad_apart_at_most() -> None:
    fast = SafetyConfig(max_linear=2.0, max_angular=6.0)
    times, paths = Motion(fast).paths((2.0, 0.0, 0.0), 0.0)
    assert len(times) == 60 and times[-1] == pytest.approx(2.75)  # 3 m at most
    assert np.hypot(*np.diff(paths[0, :, :2], axis=0).T).max() < 0.1
    times, paths = Motion(fast).paths((0.5, 3.0, 0.0), 0.0)
    assert len(times) == 18 and np.abs(np.diff(paths[..., 2])).max() <= 0.15  # 2.625 rad
    times, _ = Motion(fast).paths((0.0, -5.9, 0.0), 0.0)
    assert len(times) == 16 and times[-1] == pytest.approx(0.4)  # 2.36 rad
    times, _ = Motion(fast).paths((0.0, -5.5, 0.0), 0.0)
    assert len(times) == 15 and times[-1] == pytest.approx(0.4)  # 2.2 rad
    times, _ = Motion(fast).paths((1.2, 0.0, 1.6), 0.0)
    assert len(times) == 60
    assert len(told((0.0, (0.0, 5.9, 0.0))).paths((0.0, 0.5, 0.0), 0.1)[0]) == 16, "it may turn as before"


def test_it_may_turn_at_five_rates_between_those_that_it_was_told_lately() -> None:
    motion = told((0.0, (0.0, -1.0, 0.0)), (0.1, (0.0, 0.2, 0.0)))
    times, paths = motion.paths((0.3, 1.8, 0.0), 0.3)
    for rate in (-1.0, -0.3, 0.4, 1.1, 1.8):
        assert holds_path(paths, rolled(slowing(0.3), np.zeros_like, rate, times)), rate
    assert len(paths) == 5
    later = motion.paths((0.3, 1.8, 0.0), 0.41)[1]
    assert sorted({*later[:, -1, 2].round(9)}) == pytest.approx(1.8 * times[-1] * np.array([0, 0.25, 0.5, 0.75, 1.0]))
    assert len(motion.paths((0.3, -1.0, 0.0), 0.41)[1]) == 5
    assert len(told((0.0, (0.0, -1.0, 0.0))).paths((0.3, -1.0, 0.0), 0.1)[1]) == 5, "it may not turn at all"
    times, aside = Motion(CONFIG).paths((0.3, -1.2, 0.4), 0.0)
    assert holds_path(aside, rolled(slowing(0.3), slowing(0.4), -0.9, times))


def test_it_may_go_on_as_it_did_or_obey_at_once_along_each_axis() -> None:
    motion = told((0.0, (0.4, 0.0, 0.0)))
    times, paths = motion.paths((-0.2, 0.0, 0.3), 0.1)
    ahead, back = slowing(0.4, 0.0, 0.1), slowing(-0.2)
    for x in (ahead, back):
        for y in (slowing(0.3), np.zeros_like):
            assert holds_path(paths, rolled(x, y, 0.0, times))
    assert paths.shape == (4, len(times), 3)


def test_what_a_stop_and_what_a_command_add_to_its_paths() -> None:
    motion = told((0.0, (0.4, 0.0, 0.0)), (0.05, (0.2, 0.0, 0.0)))
    command = (0.3, 1.0, 0.0)
    times, _ = motion.paths(command, 0.1)
    stops, own = motion.parts(command, 0.1, times)
    for rate in (0.0, 0.25, 0.5, 0.75, 1.0):
        assert holds_path(stops, rolled(slowing(0.4, 0.0, 0.1), np.zeros_like, rate, times)), rate
        assert holds_path(own, rolled(slowing(0.3), np.zeros_like, rate, times)), rate
    assert len(stops) == len(own) == 5
    late = told((0.0, REST), (0.1, REST), (0.2, (0.4, 0.0, 0.0)))
    stops, own = late.parts(REST, 0.3, times)
    assert holds_path(stops, rolled(slowing(0.4, 0.2, 0.3), np.zeros_like, 0.0, times)) and not own.any()


@pytest.mark.parametrize(
    ("command", "share"),
    [
        ((0.4, 0.0, 0.0), 0.8),  # of 0.4 m/s it has lost 0.08 m/s when a command of now may act last
        ((0.2, 0.0, 0.0), 1.0),
        ((0.4, 1.0, 0.0), 0.8),
        ((0.1, 2.0, 0.0), 0.5),
        ((0.1, -2.0, 0.0), 0.0),
        ((-0.4, 0.0, 0.0), 0.0),
        ((0.4, 0.0, -0.3), 0.8 * 0.22 / 0.24),
        ((0.0, 0.0, 0.1), 0.0),
        ((0.0, 0.0, 0.0), 0.0),
    ],
)
def test_the_share_of_a_command_that_adds_no_path(command: Command, share: float) -> None:
    assert told((0.0, (0.4, 1.0, -0.3))).reckoned_with(command, 0.1) == pytest.approx(share)
    other = [-value for value in command]
    assert told((0.0, (-0.4, -1.0, 0.3))).reckoned_with(tuple(other), 0.1) == pytest.approx(share)


def test_a_turn_is_reckoned_with_for_as_long_as_it_may_go_on() -> None:
    motion = told((0.0, (0.0, 1.0, 0.0)), (0.1, REST), (0.2, (0.0, -0.5, 0.0)))
    for now, left, right in ((0.39, 1.0, 1.0), (0.41, 0.0, 1.0), (0.61, 0.0, 0.0)):
        assert motion.reckoned_with((0.0, 1.0, 0.0), now) == left, now
        assert motion.reckoned_with((0.0, -0.5, 0.0), now) == right, now
    assert told((0.0, AHEAD), (0.1, REST)).reckoned_with((0.1, 0.0, 0.0), 0.1) == 1.0
