"""Part of a laser's view turns to nothing where something stood: that stays, unless it has really gone."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ami_ros.core.geometry import Array, wrap
from ami_ros.simulation.floor_plan import Obstacle
from harness.laser_drives import RANGE, ROOM, Course, Covers, box, drive, post

WRONG = [math.inf, math.nan, 0.0, RANGE]


def covered(middle: float, width: float, reading: float, since: float) -> Covers:
    """From a time on, the sector of that middle and width [rad] reads so."""
    return lambda ranges, angles, now: np.where(
        (now >= since) & (np.abs(wrap(angles - middle)) <= width / 2), reading, ranges
    )


@pytest.mark.fault("part of a laser's view turns to inf, NaN, 0 or its range")
@pytest.mark.parametrize(
    ("width", "reading", "since"),
    [
        *((width, math.inf, since) for width in (0.02, 0.2, 1.0, math.radians(240.0), 6.2) for since in (2.0, 2.8)),
        *((width, reading, 2.8) for width in (0.05, 3.0) for reading in WRONG[1:]),
    ],
)
def test_a_wall_is_not_touched_where_its_laser_is_covered(reading: float, width: float, since: float) -> None:
    """240 degrees of inf to the front were free: it drove on at 0.5 m/s."""
    assert drive(Course(lambda now: ROOM, covered(0.0, width, reading, since))).touched == 0.0


@pytest.mark.fault("part of a laser's view turns to inf, NaN, 0 or its range")
@given(
    st.floats(-math.pi, math.pi),
    st.floats(0.01, 6.25),
    st.sampled_from(WRONG),
    st.floats(0.1, 3.5),
    st.sampled_from([72, 240, 360, 720]),
    st.floats(-1.5, 1.5),
)
@settings(max_examples=12, deadline=None)
def test_whatever_part_is_covered_and_when_nothing_is_touched(
    middle: float, width: float, reading: float, since: float, beams: int, turn: float
) -> None:
    course = Course(lambda now: [*ROOM, post(1.3, 0.4, 0.1)], covered(middle, width, reading, since), beams=beams)
    asked = replace(course, command=lambda now, pose: (0.5, turn * math.sin(2 * now), 0.0), duration=6.0)
    assert drive(asked).touched == 0.0


@pytest.mark.fault("part of a laser's view turns to inf, NaN, 0 or its range")
@pytest.mark.parametrize("reading", WRONG[:3])
@pytest.mark.parametrize("radius", [0.03, 0.1])
def test_a_post_is_not_touched_where_the_beams_that_saw_it_are_covered(reading: float, radius: float) -> None:
    """What returns beside it is no word about it."""

    def covers(ranges: Array, angles: Array, now: float) -> Array:
        return np.where((np.abs(angles) < 0.5) & (ranges < 1.4) & (now > 0.5), reading, ranges)

    things = [*ROOM, post(1.4, 0.0, radius)]
    assert drive(Course(lambda now: things, covers, beams=720)).touched == 0.0


@pytest.mark.fault("part of a laser's view turns to inf, NaN, 0 or its range")
@pytest.mark.parametrize("speed", [0.3, 2.0, -1.0])
@pytest.mark.parametrize("width", [0.3, 2.0])
def test_a_cover_that_moves_hides_nothing(speed: float, width: float) -> None:
    def covers(ranges: Array, angles: Array, now: float) -> Array:
        hidden = np.abs(wrap(angles - math.pi / 2 + speed * now)) <= width / 2
        return np.where(hidden, np.inf, ranges)

    assert drive(Course(lambda now: ROOM, covers, duration=14.0)).touched == 0.0


@pytest.mark.fault("part of a laser's view turns to inf, NaN, 0 or its range")
@pytest.mark.parametrize("grows", [0.5, 3.0])
def test_a_cover_that_grows_hides_nothing(grows: float) -> None:
    def covers(ranges: Array, angles: Array, now: float) -> Array:
        return np.where(np.abs(angles) <= grows * (now - 0.5), np.inf, ranges)

    assert drive(Course(lambda now: ROOM, covers, duration=14.0)).touched == 0.0


@pytest.mark.fault("part of a laser's view turns to inf, NaN, 0 or its range")
def test_beams_that_take_turns_hide_nothing() -> None:
    for group in (1, 7, 40):

        def covers(ranges: Array, angles: Array, now: float, group: int = group) -> Array:
            turns = (np.arange(len(angles)) // group + round(now / 0.1)) % 2 == 0
            return np.where(turns, np.inf, ranges)

        assert drive(Course(lambda now: ROOM, covers)).touched == 0.0, group


def test_behind_a_cover_it_does_not_drive_where_nobody_has_looked() -> None:
    """Round a corner, with all that it knew in sight of other beams."""
    things = [box(1.0, -1.0, 1.2, 0.05), box(1.0, 1.0, 1.2, 0.05), box(3.0, 0.0, 0.05, 1.0), post(1.6, 0.0, 0.15)]
    course = Course(lambda now: things, covered(0.0, 1.2, math.inf, 0.8), duration=20.0)
    assert drive(replace(course, command=lambda now, pose: (0.5, 0.6 * math.sin(now / 2), 0.0))).touched == 0.0


# What has really gone


def leaving(x: float, y: float, speed: float, since: float, behind: list[Obstacle]) -> Course:
    """A person stands before the robot, and walks off to the left from some time on."""

    def things(now: float) -> list[Obstacle]:
        aside = y + speed * max(0.0, now - since)
        return [post(x, aside - 0.1, 0.06), post(x, aside + 0.1, 0.06), *behind]

    return Course(things, duration=since + 4.0)


WALLS: dict[str, list[Obstacle]] = {
    "a room": ROOM,
    "a hall that is larger than the range": [],
    "a hall with a wall beside": [box(0.0, -3.0, 4.0, 0.05)],
}


@pytest.mark.parametrize("place", WALLS)
@pytest.mark.parametrize("speed", [0.4, 1.2])
def test_when_a_person_has_left_it_drives_on_within_a_second(place: str, speed: float) -> None:
    since, width = 4.0, 0.1 + 0.06 + 0.18 + 0.05
    driven = drive(leaving(1.3, 0.0, speed, since, WALLS[place]))
    free = since + width / speed
    before, after = driven.poses[round(since / 0.01), 0], driven.poses[round(min(free + 1.5, since + 3.9) / 0.01), 0]
    assert driven.touched == 0.0 and before < 1.1 < 1.3 - 0.06 - 0.05 and after > before + 0.05, driven.reasons[-1]


def test_what_shows_something_behind_it_has_gone_at_once() -> None:
    def there(now: float) -> list[Obstacle]:
        return [*ROOM, *([post(1.3, 0.0, 0.3)] if now < 4.0 else [])]

    driven = drive(Course(there, duration=6.0))
    assert driven.poses[390, 0] < 0.85 and driven.poses[-1, 0] > 1.3


def test_what_vanished_into_nothing_is_believed_once_its_beams_have_shown_that_they_see() -> None:
    """A door opens to a hall that is larger than the range; the robot turns once, and goes."""
    wall = [box(1.5, 1.6, 0.05, 1.1), box(1.5, -1.6, 0.05, 1.1)]

    def there(now: float) -> list[Obstacle]:
        return [*wall, *([box(1.5, 0.0, 0.05, 0.5)] if now < 4.0 else [])]

    straight = drive(Course(there, duration=9.0))
    assert straight.touched == 0.0 and straight.poses[-1, 0] < 1.3, "it may as well be covered"

    def looks(now: float, pose: Array) -> tuple[float, float, float]:
        if 5.0 < now < 9.5:
            return 0.0, 1.5, 0.0
        return 0.5, -1.5 * float(pose[2]) - 0.8 * float(pose[1]), 0.0

    looked = drive(Course(there, command=looks, duration=14.0))
    assert looked.touched == 0.0 and looked.poses[-1, 0] > 2.0, looked.reasons[-1]


@pytest.mark.parametrize("noise", [0.0, 0.01])
@pytest.mark.parametrize("beams", [120, 360])
def test_out_of_a_corridor_into_a_hall_and_past_a_corner_nothing_holds_it_up(noise: float, beams: int) -> None:
    corridor = [box(0.0, 0.6, 2.0, 0.05), box(0.0, -0.6, 2.0, 0.05)]
    hall = [*corridor, box(2.05, 2.0, 0.05, 1.4), box(2.05, -2.0, 0.05, 1.4)]
    out = drive(Course(lambda now: hall, duration=10.0, noise=noise, beams=beams))
    assert out.touched == 0.0 and out.poses[-1, 0] > 4.0, out.reasons[-1]
    corner = [box(0.0, 0.6, 2.0, 0.05), box(0.65, -1.6, 0.05, 1.0), box(1.95, -0.5, 0.05, 1.1)]

    def turns(now: float, pose: Array) -> tuple[float, float, float]:
        heading = 0.0 if pose[0] < 1.2 else -math.pi / 2
        return 0.4, float(np.clip(2.0 * wrap(heading - pose[2]), -1.5, 1.5)), 0.0

    round_it = drive(Course(lambda now: corner, command=turns, duration=12.0, noise=noise, beams=beams))
    assert round_it.touched == 0.0 and round_it.poses[-1, 1] < -2.0, round_it.reasons[-1]


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("radius", [0.03, 0.2])
def test_in_a_hall_what_is_missed_between_two_beams_does_not_hold_it_up(radius: float, seed: int) -> None:
    """Among legs of tables, with nothing behind them in range, the gate held a robot of 72 beams for good: each leg
    that was missed made a beam doubtful."""
    rng = np.random.default_rng(seed)
    spots = rng.uniform([-6.0, 1.0], [24.0, 6.0], (40, 2)) * rng.choice([[1.0, -1.0], [1.0, 1.0]], 40)
    things = [post(x, y, radius) for x, y in spots]

    def weaves(now: float, pose: Array) -> tuple[float, float, float]:
        return 0.4, 0.8 * math.sin(0.9 * now) - 0.3 * float(pose[2]) - 0.3 * float(pose[1]), 0.0

    driven = drive(Course(lambda now: things, command=weaves, beams=72, duration=20.0))
    assert driven.touched == 0.0 and driven.poses[-1, 0] > 5.0, driven.reasons[-1]
