"""What a motion should have changed in a scan, and what it did."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import FrozenInstanceError, replace
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from ami_ros.core.geometry import Array
from ami_ros.safety.liveness import Changes, LivenessConfig, OldSectors, Reference, expected, way

ANGLES: Array = -math.pi + 2 * math.pi / 180 * (np.arange(180.0) + 0.5)
REST = np.zeros(3)
CONFIG = LivenessConfig()


def room(pose: Sequence[float] = (0.0, 0.0, 0.0), **given: Any) -> Reference:
    """What a scanner at a pose sees of a room of 4 m x 4 m around the origin."""
    x, y, yaw = pose
    headings = given.get("angles", ANGLES) + yaw
    right = np.where(np.cos(headings) > 0, 2.0 - x, -2.0 - x) / np.cos(headings)
    up = np.where(np.sin(headings) > 0, 2.0 - y, -2.0 - y) / np.sin(headings)
    scan = {"angles": ANGLES, "velocity": REST, "ranges": np.minimum(right, up)}
    return Reference(np.array(pose), **scan | given)  # type: ignore[arg-type]


def changes(wanted: Any, seen: Any, weight: Any = None, **given: Any) -> Changes:
    """Of one earlier scan."""
    wanted, seen = np.atleast_2d(np.array(wanted, float)), np.atleast_2d(np.array(seen, float))
    weight = np.abs(wanted) if weight is None else np.atleast_2d(np.array(weight, float))
    given = {"is_exact": np.ones(len(wanted), dtype=bool)} | given
    return Changes(wanted, seen, weight, config=CONFIG, **given)


def test_a_way_counts_turning_as_half_a_metre_a_radian() -> None:
    assert way(np.array([0.3, -0.4, -0.2])) == pytest.approx(0.6)
    assert way(np.array([0.0, 0.0, 0.1])) == pytest.approx(0.05)


def test_beams_end_where_they_point() -> None:
    scan = Reference(REST, REST, np.array([0.0, math.pi / 2, 2.0]), np.array([1.0, 2.0, np.nan]))
    assert scan.ends[:2] == pytest.approx(np.array([[1.0, 0.0], [0.0, 2.0]])) and np.isnan(scan.ends[2]).all()
    assert scan.looks_as(replace(scan, angles=scan.angles.copy())) and scan.looks_as(scan)
    assert not scan.looks_as(replace(scan, angles=scan.angles + 0.1))
    assert not scan.looks_as(replace(scan, angles=scan.angles[:2]))
    with pytest.raises(FrozenInstanceError):
        scan.unsure = 1.0  # type: ignore[misc]
    with pytest.raises(FrozenInstanceError):
        changes([0.1], [0.1]).earlier = (scan,)  # type: ignore[misc]
    assert scan.unsure == 0.0


def test_what_a_scan_should_show_after_a_motion() -> None:
    moves = np.array([[0.1, 0.05, 0.3], [-0.3, 0.2, -0.4], [0.0, -0.5, 0.0], [0.0, 0.0, 0.02]])
    wanted = expected([room()] * 4, moves, CONFIG)
    for row, move in zip(wanted, moves, strict=True):
        assert {*np.flatnonzero(np.isnan(row))} <= {0, 179}, "where the scan begins and ends it may not be known"
        corners = np.array([[2.0, 2.0], [-2.0, 2.0], [-2.0, -2.0], [2.0, -2.0]]) - move[:2]
        bearings = np.arctan2(corners[:, 1], corners[:, 0]) - move[2]
        aside = np.abs((ANGLES[:, None] - bearings + math.pi) % (2 * math.pi) - math.pi).min(1)
        assert np.nanmax(np.abs(row - room(move).ranges)[aside > 0.1]) < 2e-3
    two = expected([room((0.0, 0.0, 0.0)), room((0.1, 0.0, 0.0))], np.array([[0.2, 0.0, 0.0], [0.1, 0.0, 0.0]]), CONFIG)
    assert np.nanmax(np.abs(two[0] - two[1])) < 0.06, "from each scan by its own motion"


def test_the_first_beam_is_known_after_a_turn_of_less_than_half_a_beam() -> None:
    """Its return moves to before it, and that of the second is behind it."""
    before = room((0.0, 0.0, 0.7))
    for turn in (0.002, 0.005, 0.008):
        wanted = expected([before], np.array([[0.0, 0.0, turn]]), CONFIG)[0]
        assert wanted[0] == pytest.approx(room((0.0, 0.0, 0.7 + turn)).ranges[0], abs=1e-3)


def test_the_beam_that_closes_the_turn_is_as_the_first() -> None:
    """Drivers count the first beam twice."""
    angles = np.linspace(-math.pi, math.pi, 121)
    wanted = expected([room((0.0, 0.0, 0.7), angles=angles)], np.array([[0.0, 0.0, 0.005]]), CONFIG)[0]
    truth = room((0.0, 0.0, 0.705), angles=angles).ranges[0]
    assert wanted[[0, -1]] == pytest.approx(truth, abs=2e-3)


@pytest.mark.parametrize("x", [0.1, -0.1])
def test_before_the_first_return_nothing_is_divided_by_zero(x: float) -> None:
    with np.errstate(all="raise"):
        wanted = expected([room()], np.array([[x, 0.0, 0.0]]), CONFIG)
    assert np.isfinite(wanted).sum() >= 178


def test_what_lies_between_things_or_was_not_seen_is_not_known() -> None:
    ranges = np.full(180, np.nan)
    ranges[80:100] = 2.0
    ranges[90:100] = 3.0
    there = np.isfinite(expected([Reference(REST, REST, ANGLES, ranges)], np.array([[0.0, 0.0, 0.001]]), CONFIG)[0])
    assert there.tolist() == [80 <= k < 89 or 90 <= k < 99 for k in range(180)], "between two returns of one surface"
    for gap, together in ((0.2 + 0.2 - 0.01, True), (0.2 + 0.2 + 0.05, False)):  # two metres away
        ranges = np.full(180, np.nan)
        ranges[90], ranges[91] = 2.0, 2.0 + gap
        back = expected([Reference(REST, REST, ANGLES, ranges)], np.array([[0.0, 0.0, -0.01]]), CONFIG)[0]
        assert np.isfinite(back[91]) == together
    share = 0.01 / (2 * math.pi / 180)
    ranges[91] = 2.1
    back = expected([Reference(REST, REST, ANGLES, ranges)], np.array([[0.0, 0.0, -0.01]]), CONFIG)[0]
    assert back[91] == pytest.approx(2.1 - 0.1 * share)


def test_only_scans_that_look_alike_and_are_far_enough_away_are_compared() -> None:
    now = room((0.1, 0.0, 0.0))
    other = room(angles=ANGLES + 0.01)
    near, far = room((0.076, 0.0, 0.0)), room((0.0749, 0.0, 0.0))
    found = Changes.since([other, near, far, room()], now, CONFIG)
    assert len(found.earlier) == 2 and found.earlier[0] is far
    assert found.wanted.shape == found.seen.shape == found.weight.shape == (2, 180) and found.is_exact.tolist() == [
        1,
        1,
    ]
    assert found.seen[1] == pytest.approx(now.ranges - room().ranges)
    assert np.nanmedian(np.abs(found.wanted[1] - found.seen[1])) < 1e-3
    nothing = Changes.since([near], now, CONFIG)
    assert nothing.wanted.shape == nothing.seen.shape == nothing.weight.shape == (0, 180)
    assert nothing.is_exact.tolist() == [] and nothing.earlier == () and nothing.is_exact.dtype == bool
    assert len(nothing.shares()) == 0 and nothing.none_since([near]) == []


def test_a_way_that_is_not_sure_is_compared_from_twice_its_doubt_on() -> None:
    for unsure, before, compared in ((0.02, 0.029, True), (0.02, 0.031, False), (0.05, 0.0, True)):
        now = room((0.1, 0.0, 0.0), unsure=unsure)
        assert len(Changes.since([room(unsure=before)], now, CONFIG).earlier) == compared
    for speed, turn, unsure, exact in (
        (0.24, 0.0, 0.0, True),  # twice what a sweep of 0.2 s smears
        (0.26, 0.0, 0.0, False),
        (0.0, 0.49, 0.0, True),
        (0.0, 0.51, 0.0, False),
        (0.19, 0.0, 0.01, True),
        (0.21, 0.0, 0.01, False),
    ):
        first = room(velocity=np.array([0.1, 0.1, 0.1]), unsure=unsure)
        now = room((0.1, 0.0, 0.0), velocity=np.array([0.1 + speed, 0.1, 0.1 + turn]))
        assert Changes.since([first], now, CONFIG).is_exact.tolist() == [exact], (speed, turn, unsure)


def test_a_beam_counts_by_what_should_have_changed_from_1_cm_up_to_30_cm() -> None:
    now = room((0.5, 0.0, 0.0))
    ranges = now.ranges.copy()
    ranges[10] = np.nan
    found = Changes.since([room()], replace(now, ranges=ranges), CONFIG)
    wanted, weight = np.abs(found.wanted[0]), found.weight[0]
    small, known = wanted <= 0.01, np.isfinite(wanted) & np.isfinite(ranges)
    assert weight[10] == 0.0 and not weight[~known].any() and not weight[small].any() and small.any()
    assert weight[known & ~small] == pytest.approx(np.minimum(wanted, 0.3)[known & ~small])
    assert (weight == 0.3).sum() > 20 and ((weight > 0.01) & (weight < 0.05)).any()


@pytest.mark.parametrize(
    ("count", "size", "told"), [(7, 0.1, False), (8, 0.1, True), (8, 0.052, False), (8, 0.054, True), (9, 0.0501, True)]
)
def test_a_share_is_told_by_eight_beams_that_together_should_have_changed_enough(
    count: int, size: float, told: bool
) -> None:
    weight = np.zeros(20)
    weight[:count] = size
    share = changes(np.full(20, size), np.full(20, size / 4), weight).shares()
    assert (share[0] == pytest.approx(0.25)) if told else np.isnan(share[0])
    assert np.isnan(changes(np.full(20, size), np.full(20, 0.0), weight, is_exact=np.zeros(1, bool)).shares()).all()


def test_the_share_is_the_one_in_the_middle_by_weight() -> None:
    wanted = np.array([0.3, 0.1, 0.1, 0.1, 0.1, -0.1, 0.1, 0.1, 0.1, 0.1])
    seen = np.array([0.06, 0.1, 0.1, 0.1, 0.1, 0.0, 0.05, 0.05, 0.0, 0.9])
    assert changes(wanted, seen).shares() == pytest.approx([0.5])
    weight = np.abs(wanted)
    weight[0] = 0.9
    assert changes(wanted, seen, weight).shares() == pytest.approx([0.2])
    weight[0] = 0.0
    assert changes(wanted, seen, weight).shares() == pytest.approx([1.0]), "what counts nothing does not"
    halves = changes(np.full(8, 0.125), np.repeat([0.125, 0.0], 4))
    assert halves.shares().tolist() == [0.0], "of two halves the one that looks older"
    both = Changes(
        np.stack([wanted, wanted]),
        np.stack([seen, wanted]),
        np.abs(np.stack([wanted, wanted])),
        np.ones(2, bool),
        CONFIG,
    )
    assert both.shares() == pytest.approx([0.5, 1.0])


def test_a_scan_looks_like_an_earlier_one_if_little_of_the_change_was_seen() -> None:
    before, wanted = room(), np.full(20, 0.1)
    for seen, alike in (
        (np.full(20, 0.0), True),
        (np.full(20, 0.039), True),
        (np.full(20, 0.041), False),
        (np.full(20, -0.039), True),
        (np.full(20, -0.041), False),
        (np.full(20, 0.1), False),
        (np.array([-0.1] * 8 + [0.0] * 4 + [0.1] * 8), False),  # it has changed, either way
        (np.array([-0.03] * 8 + [0.0] * 4 + [0.03] * 8), True),
    ):
        found = changes(wanted, seen, earlier=(before,)).none_since([])
        assert found == ([before] if alike else []), seen
    edges = np.array([0.3] * 4 + [0.02] * 9)
    assert changes(edges, np.where(edges > 0.1, edges, 0.0), earlier=(before,)).none_since([]) == [], (
        "most of it was seen"
    )
    weight = np.array([0.1] * 9 + [0.0] * 11)
    seen = np.array([0.0] * 9 + [0.1] * 11)
    assert changes(wanted, seen, weight, earlier=(before,)).none_since([]) == [before], "by beams that tell"


def test_where_nothing_can_be_told_an_old_scan_stays_old() -> None:
    before, other = room(), room((0.1, 0.0, 0.0))
    unknown = changes(np.full(20, 0.1), np.full(20, 0.1), is_exact=np.zeros(1, bool), earlier=(before,))
    assert unknown.none_since([other]) == [] and unknown.none_since([other, before]) == [before]
    known = changes(np.full(20, 0.1), np.full(20, 0.1), earlier=(before,))
    assert known.none_since([before]) == []


ROUND: Array = (
    -math.pi + 2 * math.pi * (np.arange(160.0) + 0.5) / 160
)  # ten beams in each of 16 parts, from straight back on


def part(number: int) -> slice:
    """The beams of a part of 22.5 degrees, counted from straight back on."""
    return slice(10 * number, 10 * number + 10)


def repeated(*parts: int, more: tuple[int, ...] = (), weight: float = 0.05) -> tuple[Reference, Changes]:
    """A scan that repeats an earlier one in some parts, and in single beams."""
    seen = np.full(160, 0.05)
    for number in parts:
        seen[part(number)] = 0.0
    seen[[*more]] = 0.0
    ranges: Array = 3.0 + np.arange(160.0) * 0.001
    return Reference(REST, REST, ROUND, ranges), changes(np.full(160, weight), seen)


def old(beams: NDArray[np.bool_]) -> list[int]:
    """Parts of which all beams are."""
    counts = beams.reshape(16, 10).sum(1)
    assert set(counts) <= {0, 10}
    return np.flatnonzero(counts).tolist()


@pytest.mark.parametrize("first", [0, 3, 7, 8, 14, 15])
def test_a_part_of_45_degrees_is_old_if_most_of_it_repeats_an_earlier_scan(first: int) -> None:
    behind, after = (first + 1) % 16, (first + 2) % 16
    assert old(OldSectors(CONFIG).look(*repeated(first, behind))) == sorted({first, behind})
    assert old(OldSectors(CONFIG).look(*repeated(first))) == []
    more = tuple(range(160))[part(after)][:1]
    assert old(OldSectors(CONFIG).look(*repeated(first, behind, more=more))) == sorted({first, behind, after})
    assert old(OldSectors(CONFIG).look(*repeated(first, behind, weight=0.03))) == [], "3 cm should have changed"
    assert old(OldSectors(CONFIG).look(*repeated(first, behind, weight=0.031))) == sorted({first, behind})


@pytest.mark.parametrize(("telling", "is_old"), [(7, False), (8, True)])
def test_eight_beams_of_a_part_have_to_tell(telling: int, is_old: bool) -> None:
    scan, found = repeated(4, 5)
    weight = np.zeros((1, 160))
    weight[0, 40 : 40 + telling] = 0.05
    beams = OldSectors(CONFIG).look(scan, replace(found, weight=weight))
    assert beams[40:60].any() == is_old and not beams[:30].any() and not beams[60:].any()


def test_any_earlier_scan_that_is_repeated_tells() -> None:
    scan, found = repeated(4, 5)
    _, fresh = repeated()
    for place in range(4):
        rows = [found if k == place else fresh for k in range(4)]
        wanted, seen, weight = (
            np.concatenate([getattr(row, name) for row in rows]) for name in ("wanted", "seen", "weight")
        )
        assert old(OldSectors(CONFIG).look(scan, Changes(wanted, seen, weight, np.ones(4, bool), CONFIG))) == [4, 5]
    found.seen[found.seen != 0.0] = -0.05
    assert old(OldSectors(CONFIG).look(scan, found)) == [4, 5], "what came nearer has changed as well"


def test_a_part_of_a_laser_that_looks_ahead_only_may_be_old() -> None:
    scan, found = repeated(2)
    ahead = slice(10, 30)
    scan = replace(scan, angles=ROUND[ahead], ranges=scan.ranges[ahead])
    part_of = Changes(found.wanted[:, ahead], found.seen[:, ahead], found.weight[:, ahead], found.is_exact, CONFIG)
    assert OldSectors(CONFIG).look(scan, part_of).tolist() == [False] * 10 + [True] * 10


def test_an_old_part_stays_old_until_most_of_it_shows_something_else() -> None:
    nothing = Changes.since([], repeated()[0], CONFIG)
    for changed, by, stays in (
        (0, 0.001, True),
        (9, 0.001, True),
        (10, 0.001, False),
        (20, 0.001, False),
        (9, -0.001, True),
        (10, -0.001, False),
        (10, np.nan, False),
    ):
        sectors = OldSectors(CONFIG)
        scan, found = repeated(4, 5)
        scan.ranges[41] = np.nan
        assert old(sectors.look(scan, found)) == [4, 5]
        ranges = scan.ranges.copy()
        ranges[59 : 59 - changed : -1] += by
        ranges[:40] += 0.01
        again = sectors.look(replace(scan, ranges=ranges), nothing)
        assert old(again) == ([4, 5] if stays else []), changed
        assert old(sectors.look(replace(scan, ranges=ranges), nothing)) == ([4, 5] if stays else [])


def test_a_scan_of_other_beams_is_looked_at_afresh() -> None:
    sectors = OldSectors(CONFIG)
    assert old(sectors.look(*repeated(4, 5))) == [4, 5]
    scan = Reference(REST, REST, ROUND[::2], np.full(80, 3.0))
    nothing = Changes.since([], scan, CONFIG)
    assert not sectors.look(scan, nothing).any()
