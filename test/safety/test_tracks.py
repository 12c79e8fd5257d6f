"""Tracks of what moves: which count, where they are seen from, and how their doubt grows."""

from __future__ import annotations

import math
from dataclasses import FrozenInstanceError

import numpy as np
import pytest

from ami_ros.safety.obstruction import Track, Tracks, largest_sigma, of_frame, usable
from harness.gate import person

NAN = math.nan


def things(count: int) -> list[Track]:
    return [person(0.1 * k, 0.0) for k in range(count)]


def test_a_thing_is_seen_from_where_the_robot_was() -> None:
    seen = Track(np.array([3.0, 2.0]), np.array([1.0, 0.5]), 0.3, 0.1, 0.2).seen_from(np.array([1.0, 1.0, math.pi / 2]))
    assert seen.position == pytest.approx([1.0, -2.0]) and seen.velocity == pytest.approx([0.5, -1.0])
    assert (seen.radius, seen.position_sigma, seen.velocity_sigma) == (0.3, 0.1, 0.2)
    turned = Track(np.array([1.0, 0.0]), np.array([0.0, 1.0]), 0.3).seen_from(np.array([0.0, 0.0, 0.3]))
    assert turned.position == pytest.approx([math.cos(0.3), -math.sin(0.3)])
    assert turned.velocity == pytest.approx([math.sin(0.3), math.cos(0.3)])
    shapes = ((3, 2), (2, 3), (1, 2), (2, 1))
    for wrong in (Track(np.zeros(a), np.zeros(b), 0.3) for a, b in shapes):
        assert wrong.seen_from(np.array([1.0, 1.0, 1.0])) is wrong
    with pytest.raises(FrozenInstanceError):
        seen.radius = 0.0  # type: ignore[misc]
    assert (person(0.0, 0.0).position_sigma, person(0.0, 0.0).velocity_sigma) == (0.0, 0.0)


def test_the_largest_deviation_is_no_less_than_along_the_worst_axis() -> None:
    assert largest_sigma(np.array([[0.04, 0.0], [0.0, 0.09]])) == pytest.approx(0.3)
    assert largest_sigma(np.array([[0.04, -0.05], [-0.05, 0.02]])) == pytest.approx(0.3)


def test_things_move_with_the_gates_frame_and_grow_by_what_is_not_known_of_them() -> None:
    given = [
        Track(np.array([1.0, 0.5]), np.array([-1.0, 0.2]), 0.3, 0.1, 0.2),
        Track(np.array([2.0, 0.0]), np.array([0.0, 1.0]), 0.4, 0.6, 1.5),
    ]
    tracks = of_frame(given, np.array([5.0, 3.0, math.pi / 2]), 7.0)
    assert len(tracks) == 2 and tracks.stamp == 7.0
    assert tracks.positions == pytest.approx(np.array([[4.5, 4.0], [5.0, 5.0]]))
    assert tracks.velocities == pytest.approx(np.array([[-0.2, -1.0], [-1.0, 0.0]]))
    assert tracks.bodies.tolist() == [0.3, 0.4]
    assert tracks.radii == pytest.approx([0.5, 1.4]), "two deviations, of half a metre at most"
    assert tracks.doubts == pytest.approx([0.4, 2.0]), "of 1 m/s at most"
    middles, radii = tracks.at(0.2, np.array([0.0, 0.8]))
    assert middles == pytest.approx(np.array([[[4.46, 3.8], [4.8, 5.0]], [[4.3, 3.0], [4.0, 5.0]]]))
    assert radii == pytest.approx(
        np.array([[0.5 + 0.08 + 0.01, 1.4 + 0.4 + 0.01], [0.5 + 0.4 + 0.25, 1.4 + 2.0 + 0.25]])
    )
    turned = of_frame(given, np.array([0.0, 0.0, 0.3]), 7.0)
    assert turned.positions[1] == pytest.approx([2.0 * math.cos(0.3), 2.0 * math.sin(0.3)])
    with pytest.raises(FrozenInstanceError):
        tracks.stamp = 8.0  # type: ignore[misc]


def test_tracks_last_for_six_tenths_of_a_second() -> None:
    tracks = of_frame([person(1.0, 0.0)], np.zeros(3), 0.0)
    assert tracks.lasts(0.6) and tracks.lasts(-0.1) and not tracks.lasts(0.61)
    none = of_frame([], np.zeros(3), 5.0)
    assert len(none) == 0 and none.stamp == 5.0 and not none.lasts(5.0)
    empty = Tracks()
    assert empty.positions.shape == empty.velocities.shape == (0, 2)
    assert empty.bodies.shape == empty.radii.shape == empty.doubts.shape == (0,)
    assert Tracks().stamp == -math.inf and len(Tracks()) == 0 and Tracks().at(0.0, np.zeros(3))[0].shape == (3, 0, 2)


def test_what_is_thirty_metres_away_is_of_no_matter() -> None:
    for x, y, counts in ((30.0, 0.0, 1), (-18.0, 24.0, 1), (30.1, 0.0, 0), (-18.1, 24.0, 0)):
        assert len(of_frame([person(x, y)], np.array([100.0, 0.0, 0.0]), 0.0)) == counts, (x, y)


def test_the_nearest_64_count_the_nearest_first() -> None:
    near, problem = usable(reversed(things(64)))
    assert [thing.position[0] for thing in near] == pytest.approx([0.1 * k for k in range(64)]) and problem == ""
    near, problem = usable(reversed(things(65)))
    assert len(near) == 64 and near[-1].position[0] == pytest.approx(6.3)
    assert problem == "moving things: 65 at once; the nearest 64 count"
    near, problem = usable(things(300))
    assert len(near) == 64 and problem == "moving things: 300 at once; the nearest 64 count"
    near, problem = usable([*things(66), person(NAN, 0.0), person(0.0, NAN)])
    assert len(near) == 64 and problem == "moving things: 2 of 68 have numbers that cannot be"


@pytest.mark.parametrize(
    ("thing", "counts"),
    [
        (person(1.0, 0.0, 15.0, 0.0), True),
        (person(1.0, 0.0, 9.0, -12.0), True),
        (person(1.0, 0.0, 15.1, 0.0), False),
        (person(1.0, 0.0, 9.1, -12.1), False),
        (person(1.0, 0.0, 0.0, NAN), False),
        (person(1.0, 0.0, position_sigma=-0.1), False),
        (person(1.0, 0.0, position_sigma=0.1, velocity_sigma=0.2), True),
        (person(1.0, 0.0, velocity_sigma=math.inf), False),
        (Track(np.array([1.0, 0.0]), np.zeros(2), 5.0), True),
        (Track(np.array([1.0, 0.0]), np.zeros(2), 5.1), False),
        (Track(np.array([1.0, 0.0]), np.zeros(2), -0.3), False),
        (Track(np.array([1.0, 0.0]), np.zeros(3), 0.3), False),
        (Track(np.array([1.0, 0.0]), np.zeros(1), 0.3), False),
        (Track(np.array([1.0]), np.zeros(2), 0.3), False),
        (Track(np.array([1.0, math.inf]), np.zeros(2), 0.3), False),
    ],
)
def test_a_thing_counts_if_it_can_be(thing: Track, counts: bool) -> None:
    assert len(usable([thing])[0]) == counts
