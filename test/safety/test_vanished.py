"""Which returns of a scan some beam has to meet again, and what has gone that is not seen any more."""

from __future__ import annotations

import math

import numpy as np
import pytest
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, transform_points
from ami_ros.core.scan import Scan
from ami_ros.safety.observations import NOT_SEEN, Snapshot
from ami_ros.safety.surroundings import SurroundingsConfig, inner
from ami_ros.simulation.floor_plan import FloorPlan, Obstacle
from harness.laser_drives import RANGE, box, post
from harness.looking import WALL, Looking, Ranges, scan

CONFIG = SurroundingsConfig()


def seen(things: list[Obstacle], beams: int = 72) -> tuple[Array, NDArray[np.bool_]]:
    """What a laser at the origin sees of things (n, 2) [m], and which of it is `inner` (n,)."""
    step = 2 * math.pi / beams
    ranges = FloorPlan(things).cast(np.zeros(2), -math.pi + step * np.arange(beams))
    scan = Scan(np.where(ranges < RANGE, ranges, np.inf).astype(np.float32), -math.pi, step, max_range=RANGE)
    snapshot = Snapshot.of(scan, np.zeros(3), 0.0, 0.0)
    return snapshot.points, inner(snapshot, CONFIG)


@pytest.mark.parametrize("beams", [72, 360])
@pytest.mark.parametrize("distance", [0.5, 2.0, 5.0])
def test_all_of_a_wall_is_but_for_its_ends(distance: float, beams: int) -> None:
    points, found = seen([box(distance, 0.0, 0.05, 0.8 * distance)], beams)
    ends = np.isin(np.arange(len(points)), [0, len(points) - 1])
    assert len(points) > 5 and (found == ~ends).all()


def test_a_wall_that_is_seen_at_thirty_degrees_is() -> None:
    points, found = seen([Obstacle("box", "box", (4.0, 0.0), math.radians(60.0), (0.05, 1.5), 1.0)])
    assert len(points) >= 4 and found.sum() == len(points) - 2


@pytest.mark.parametrize("radius", [0.03, 0.1])
def test_a_leg_or_a_post_that_one_or_two_beams_meet_is_not(radius: float) -> None:
    points, found = seen([post(3.0, 0.0, radius), post(0.0, 3.0, radius), post(-3.0, 0.0, radius)])
    assert len(points) == 3 and not found.any()


def test_things_behind_one_another_are_not_one() -> None:
    """Beside the edge of a pillar stands another, two metres behind it."""
    angles = np.radians([-5.0, 0.0, 5.0])
    points, found = seen(
        [post(r * math.cos(a), r * math.sin(a), 0.05) for r, a in zip((2.0, 4.0, 2.0), angles, strict=True)]
    )
    assert len(points) == 3 and not found.any()


@pytest.mark.parametrize("count", [0, 1, 2])
def test_of_fewer_than_three_none_is(count: int) -> None:
    points, found = seen([post(1.0, 0.087 * k, 0.03) for k in range(count)])
    assert len(points) == count and not found.any()


def test_what_a_beam_misses_without_a_trace_still_stands_there() -> None:
    looking = Looking()
    there = scan(WALL, 0.0, (1.0, 2.0, 0.5))
    now = looking.sees(there, scan({}, 0.1, (1.0, 2.0, 0.5)))
    assert looking.vanished.points == pytest.approx(transform_points(there.pose, there.points))
    assert now.free[28:33] == pytest.approx(2.0) and (np.delete(now.free, range(28, 33)) == 8.0).all()
    for k in range(2, 9):
        now = looking.sees(scan({}, float(k), (1.0, 2.0, 0.5)))
    assert looking.kept == 5 and now.free[30] == pytest.approx(2.0), "however long nothing is said of it"


@pytest.mark.parametrize(
    ("distance", "reads", "kept"),
    [
        (2.0, 5.0, 0),  # from behind it
        (2.0, 1.0, 0),  # before it
        (2.0, 2.0, 0),  # it is seen again
        (2.0, math.inf, 5),
        (2.0, math.nan, 5),
        (6.35, math.inf, 5),  # 0.8 of 8 m
        (6.45, math.inf, 0),
        (6.45, math.nan, 5),
    ],
)
def test_it_has_gone_once_something_returns_from_before_or_behind(distance: float, reads: float, kept: int) -> None:
    looking = Looking()
    thing = dict.fromkeys(WALL, distance)
    looking.sees(scan(thing), scan(dict.fromkeys(WALL, reads), 0.1))
    assert looking.kept == kept
    looking.sees(scan(dict.fromkeys(WALL, 7.0), 0.2))
    assert looking.kept == 0


def test_out_of_view_it_stays_for_memory() -> None:
    looking = Looking(2.0)
    looking.sees(scan(WALL), scan({}, 0.1, beams=20))
    assert looking.kept == 5
    looking.sees(scan({}, 2.0, beams=20))
    assert looking.kept == 5
    looking.sees(scan({}, 2.01, beams=20))
    assert looking.kept == 0


def test_without_odometry_only_what_no_beam_looks_at_stays_for_memory_and_no_beam_is_doubted() -> None:
    looking = Looking(2.0)
    looking.sees(scan(WALL), scan({}, 0.1))
    now = looking.sees(scan({}, 0.2), measured=False)
    assert looking.kept == 0 and (now.free == 8.0).all()
    looking = Looking(2.0)
    looking.sees(scan(WALL), scan({}, 0.1, beams=20), scan({}, 2.0, beams=20), measured=False)
    assert looking.kept == 5
    looking.sees(scan({}, 2.01, beams=20), measured=False)
    assert looking.kept == 0
    looking = Looking(2.0)
    looking.sees(scan(WALL), scan({}, 0.1))
    looking.sees(scan({}, 0.2, beams=20), measured=False)
    now = looking.sees(scan({}, 0.3, (0.0, 0.0, 1.0)))
    assert looking.kept == 5 and (now.free != NOT_SEEN).all(), "beams of before odometry came are not doubted"


def test_returns_more_than_twice_as_far_apart_as_beams_are_of_two_things() -> None:
    for reads, found in ((4.45, 0), (4.3, 3)):  # beams are 0.21 m apart there
        assert inner(scan({0: 4.0, 1: reads, 2: 4.0}), CONFIG).sum() == found
    assert inner(scan({0: 4.0, 1: 4.45, 2: 4.0}, origin=(1.5, 0.0)), CONFIG).sum() == 0, "seen from the scanner"
    assert inner(scan({0: 4.0, 1: 4.45, 2: 4.0}, origin=(-2.0, 0.0)), CONFIG).sum() == 0


def test_what_is_seen_again_is_as_near_to_the_scanner_as_it_was() -> None:
    fine = dict.fromkeys(range(5), 1.0)
    for x in (0.4, -0.4):
        looking = Looking()
        again = scan({0: 1.0, 2: 1.0, 4: 1.0}, 1.01, origin=(x, 0.0))
        looking.sees(scan(fine, origin=(x, 0.0)), again)
        assert looking.kept == 0


@pytest.mark.parametrize(
    ("stands", "kept"),
    [
        ({26: 2.0, 27: 2.0, 33: 2.0, 34: 2.0, 35: 2.0}, 0),  # beside where it was
        ({33: 2.0, 34: 2.0, 35: 2.0}, 2),  # of its first two returns the third is 0.6 m away
        ({33: 2.0}, 5),  # too little of it
        ({38: 2.0, 39: 2.0, 40: 2.0, 41: 2.0}, 5),
        ({60: 2.0, 61: 2.0, 62: 2.0, 63: 2.0, 64: 2.0}, 5),
    ],
)
def test_a_small_thing_has_moved_if_about_as_much_stands_beside_where_it_was(stands: Ranges, kept: int) -> None:
    looking = Looking()
    looking.sees(scan(WALL), scan(stands, 0.1))
    assert looking.kept == kept


@pytest.mark.parametrize(
    ("before", "kept"),
    [
        ([(0.0, 8.0)], 0),
        ([(0.0, 2.15)], 0),
        ([(0.0, 2.05)], 3),  # it was not free up to 0.1 m behind
        ([(0.0, 1.0)], 3),
        ([(-0.8, 8.0), (0.0, 1.0)], 0),
        ([(-1.2, 8.0), (0.0, 1.0)], 3),  # it was free more than a second ago
        ([(0.0, math.nan)], 3),
    ],
)
def test_a_thing_has_moved_to_where_it_was_free_within_a_second(before: list[tuple[float, float]], kept: int) -> None:
    looking, thing = Looking(), dict.fromkeys((30, 31, 32), 2.0)
    looking.sees(*(scan(thing | {33: reads, 34: reads}, stamp) for stamp, reads in before))
    looking.sees(scan({33: 2.0, 34: 2.0}, 0.1))
    assert looking.kept == kept


def test_what_is_too_large_or_was_lost_long_ago_has_not_moved() -> None:
    wide = dict.fromkeys(range(22, 39), 4.0)  # 3.4 m
    looking = Looking()
    looking.sees(scan(wide), scan(dict.fromkeys(range(39, 56), 4.0), 0.1))
    assert looking.kept == 17
    thing, beside = dict.fromkeys((30, 31, 32), 2.0), {33: 2.0, 34: 2.0}
    for late, kept in ((0.99, 0), (1.01, 3)):
        looking = Looking()
        looking.sees(scan(thing), scan({}, 0.1), scan(beside, late))
        assert looking.kept == kept


@pytest.mark.parametrize(("count", "kept"), [(12, 8), (13, 13)])
def test_what_moves_is_1_2_m_large_at_most(count: int, kept: int) -> None:
    """Returns at 2 m are 0.105 m apart; as many stand beside it now, near enough to its ends."""
    thing = dict.fromkeys(range(30, 30 + count), 2.0)
    beside = dict.fromkeys([*range(24, 30), *range(30 + count, 36 + count)], 2.0)
    looking = Looking()
    looking.sees(scan(thing), scan(beside, 0.1))
    assert looking.kept == kept
    for width, moves in (
        (11, True),
        (12, False),
    ):  # 1.15 m and 1.25 m to what stands now, which may be too large to move
        looking = Looking()
        looking.sees(scan({10: 2.0, 11: 2.0}), scan(dict.fromkeys(range(12, 13 + width), 2.0), 0.1))
        assert (looking.kept == 0) == moves


def test_a_thing_may_lie_across_the_first_beam() -> None:
    across = dict.fromkeys([117, 118, 119, 0, 1], 2.0)
    looking = Looking()
    looking.sees(scan(across | {60: 3.0}), scan(dict.fromkeys([*range(2, 7), *range(112, 117)], 2.0) | {60: 3.0}, 0.1))
    assert looking.kept == 0
    wide = dict.fromkeys([*range(110, 120), *range(10)], 2.0) | {60: 3.0}
    looking = Looking()
    looking.sees(scan(wide), scan(dict.fromkeys([*range(10, 20), *range(100, 110)], 2.0) | {60: 3.0}, 0.1))
    assert looking.kept == 20


def test_what_is_seen_again_just_beside_makes_nobody_doubt_and_goes_in_time() -> None:
    fine = dict.fromkeys(range(28, 33), 1.0)  # 0.052 m apart
    looking = Looking()
    now = looking.sees(scan(fine), scan({28: 1.0, 31: 1.0, 32: 1.0}, 0.1))
    assert looking.kept == 2 and now.free[[29, 30]] == pytest.approx(1.0)
    turned = looking.sees(scan({}, 0.2, (0.0, 0.0, math.pi / 2)))
    assert turned.free[[29, 30]] == pytest.approx(8.0) and turned.free[[119, 0]] == pytest.approx(1.0)
    for stamp, kept in ((1.0, 2), (1.01, 0)):
        looking = Looking()
        looking.sees(scan(fine), scan({28: 1.0, 31: 1.0, 32: 1.0}, stamp))
        assert looking.kept == kept, "a small thing"
    wall = dict.fromkeys(range(15, 45), 1.0)
    for stamp, kept in ((2.0, 2), (2.01, 0)):
        looking = Looking(2.0)
        looking.sees(scan(wall), scan({k: 1.0 for k in wall if k not in (29, 30)}, stamp))
        assert looking.kept == kept, "a large one, for memory"
    for reads, kept in ((1.02, 0), (1.04, 2)):
        looking = Looking()
        looking.sees(scan(fine), scan({28: reads, 31: reads, 32: reads}, 1.01))
        assert looking.kept == kept, "as near as it was"


def test_what_is_now_under_the_view_of_a_camera_stays() -> None:
    for blind, reads, kept in ((0.4, 2.0, 5), (0.4, 0.32, 5), (0.2, 2.0, 0), (0.4, 0.305, 0), (0.4, math.inf, 5)):
        looking = Looking()
        low = dict.fromkeys(WALL, 0.3)
        looking.sees(scan(low, blind=blind), scan(dict.fromkeys(WALL, reads), 0.1, blind=blind))
        assert looking.kept == kept, (blind, reads)


@pytest.mark.parametrize(("radius", "small"), [(0.3, True), (0.42, True), (0.43, False), (0.5, False)])
def test_what_stands_all_around_is_one_thing_as_large_as_it_is_wide(radius: float, small: bool) -> None:
    """A small one that is seen again beside goes after a second; it is 1.2 m large from corner to corner."""
    looking, ring = Looking(), dict.fromkeys(range(120), radius)
    looking.sees(scan(ring), scan({k: radius for k in ring if k not in (29, 30)}, 1.5))
    assert looking.kept == (0 if small else 2)


@pytest.mark.parametrize(("radius", "small"), [(0.47, True), (0.49, False)])
def test_an_arc_that_lies_across_the_first_beam_is_one_thing(radius: float, small: bool) -> None:
    """Of 240 degrees: it is 1.5 and 2 radii large, and has one end."""
    looking, arc = Looking(), dict.fromkeys([*range(41), *range(80, 120)], radius)
    looking.sees(scan(arc), scan({k: radius for k in arc if k not in (29, 30)}, 1.5))
    assert looking.kept == (0 if small else 2)


@pytest.mark.parametrize(("last", "thinned"), [(50, False), (51, True)])
def test_more_than_500_points_are_thinned(last: int, thinned: bool) -> None:
    """A laser that looks to the left passes them, 5 cm apart, and has them behind it."""
    assert CONFIG.most_kept == 500
    looking = Looking(100.0)
    for k in range(10):
        looking.sees(scan(dict.fromkeys(range(5, 55 if k else 5 + last), 1.0), k, (0.0, 10.0 * k, 0.0), beams=60))
    looking.sees(scan({}, 10.0, (0.0, 100.0, 0.0), beams=60))
    assert (looking.kept < 400) if thinned else (looking.kept == 500)


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
