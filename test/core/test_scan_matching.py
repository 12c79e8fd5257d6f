"""Matching of submaps: the pose is found, its doubt is told, and what does not fit is said not to."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.geometry import Array, compose, pose_gap, relative
from ami_ros.core.scan_matching import Match, Matcher, Window
from ami_ros.core.submaps import RAYS, Submap, free_distance, points_of, submap_of
from harness.carmen import CORRIDOR, RING, box, scan_at

HERE = np.array([14.5, 1.0, 0.9])  # a corner, which is held in all directions


def submap(walls: Array, pose: Array) -> Submap:
    scan = scan_at(walls, pose, np.random.default_rng(1))
    return submap_of(points_of(scan), free_distance(scan))


def off(match: Match | None, true: Array) -> tuple[float, float]:
    assert match is not None
    distance, turn = pose_gap(match.pose, true)
    return float(distance), float(turn)


@pytest.mark.parametrize("step", [[0.3, 0.1, 0.2], [-0.2, 0.25, -0.3], [0.0, 0.0, 0.5]])
def test_a_motion_is_found_by_a_search_and_a_fit(step: list[float]) -> None:
    there = compose(HERE, step)
    matcher, other = Matcher(submap(RING, HERE)), submap(RING, there)
    ((_, start, score), *_) = matcher.search([other], [Window(np.zeros(3), 0.8, 0.7)])
    match = matcher.fit(other, start)
    distance, turn = off(match, relative(HERE, there))
    assert distance < 0.05 and turn < 0.02 and score > 0.4
    assert match is not None and match.support > 0.9 and match.conflict < 0.03 and match.looseness < 0.1


def test_the_search_tells_which_of_several_places_it_is() -> None:
    poses = [np.array([4.0, 1.0, 0.0]), HERE, np.array([15.0, 7.0, 1.5]), np.array([8.0, 11.0, 3.1])]
    others = [submap(RING, pose) for pose in poses]
    found = Matcher(submap(RING, compose(HERE, [0.3, 0.0, 0.1]))).search(others, [Window(np.zeros(3), 0.6, 0.4)] * 4)
    assert found[0][0] == 1


def test_along_a_bare_corridor_nothing_is_known_and_odometry_has_its_way() -> None:
    a, b = np.array([0.0, 0.0, 0.0]), np.array([0.7, 0.1, 0.05])
    matcher, other = Matcher(submap(CORRIDOR, a)), submap(CORRIDOR, b)
    match = matcher.fit(other, np.array([0.4, 0.0, 0.0]))
    assert match is not None and match.looseness > 0.5 and match.firmness < 0.6
    assert match.covariance[1, 1] < 0.02**2 and abs(match.pose[1] - 0.1) < 0.03
    wheels = np.diag([0.05**2, 0.05**2, 0.05**2])
    weighed = matcher.fit(other, np.array([0.4, 0.0, 0.0]), wheels)
    assert weighed is not None and abs(weighed.pose[0] - 0.4) < 0.05 and abs(weighed.pose[1] - 0.1) < 0.03
    assert weighed.covariance[0, 0] == pytest.approx(0.05**2, rel=0.3)


def test_one_thing_that_is_missed_says_little_and_walls_that_are_missed_say_much() -> None:
    """A pane of glass that is seen aslant has some twenty points, and one thing can be missed."""
    free = np.full(RAYS, 8.0)
    pane = submap_of(np.column_stack([np.full(19, 4.0), np.linspace(-0.9, 0.9, 19)]), free)
    walls = submap(np.array(box(-3, -2, 3, 2)), np.zeros(3))
    post = submap_of(np.array([[0.0, 5.0]]), free)
    at = np.zeros(3)
    assert Matcher(pane).conflict(post, at, 8.0) < 0.3 < Matcher(walls).conflict(post, at, 8.0)


def test_another_room_contradicts_what_was_seen_to_be_free() -> None:
    room, larger = np.array(box(-3, -2, 3, 2)), np.array([*box(-3, -2, 3, 2), *box(1.0, -0.3, 1.3, 0.3)])
    match = Matcher(submap(room, np.zeros(3))).fit(submap(larger, np.zeros(3)), np.zeros(3))
    same = Matcher(submap(room, np.zeros(3))).fit(submap(room, np.zeros(3)), np.zeros(3))
    assert match is not None and same is not None
    assert match.conflict > 0.04 > same.conflict and match.support < same.support


def test_between_pilasters_that_are_alike_the_fit_a_step_on_is_found() -> None:
    """Of these a fit that begins at the next but one ends there, and looks good."""
    row = [wall for k in range(9) for wall in box(-3.4 + 0.8 * k, 0.85, -3.2 + 0.8 * k, 1.0)]
    walls = np.array([(-4.0, -1.0, 4.0, -1.0), (-4.0, 1.0, 4.0, 1.0), *row])
    matcher, other = Matcher(submap(walls, np.zeros(3))), submap(walls, np.array([0.1, 0.0, 0.0]))
    slipped = matcher.fit(other, np.array([0.9, 0.0, 0.0]))
    assert slipped is not None and abs(slipped.pose[0] - 0.9) < 0.1 and slipped.support > 0.8
    best = max(matcher.slipped(other, slipped), key=lambda fit: fit.support - fit.conflict)
    assert off(best, np.array([0.1, 0.0, 0.0]))[0] < 0.05
    assert best.support - best.conflict > slipped.support - slipped.conflict


def test_where_a_corner_holds_it_no_other_fit_is_looked_for() -> None:
    matcher, other = Matcher(submap(RING, HERE)), submap(RING, compose(HERE, [0.2, 0.1, 0.1]))
    match = matcher.fit(other, np.array([0.2, 0.1, 0.1]))
    assert match is not None and match.looseness < 0.03 and matcher.slipped(other, match) == []


def test_what_has_no_walls_fits_nowhere() -> None:
    empty = submap_of(np.zeros((0, 2)), np.full(RAYS, np.nan))
    assert Matcher(empty).fit(submap(RING, HERE), np.zeros(3)) is None
    assert Matcher(submap(RING, HERE)).fit(empty, np.zeros(3)) is None
    assert Matcher(submap(RING, HERE)).search([empty], [Window(np.zeros(3), 1.0, 1.0)]) == []
