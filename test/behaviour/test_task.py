"""Where the model was unsure, by place."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_ros.behaviour.task import PlaceDoubts
from ami_ros.planning.types import Reading

HERE, THERE = np.array([0.0, 0.0]), np.array([4.0, 0.0])


def met(place_id: int, at: np.ndarray, *readings: float, doubts: PlaceDoubts | None = None) -> PlaceDoubts:
    doubts = doubts or PlaceDoubts()
    for reading in readings:
        doubts.note(place_id, at, reading)
    return doubts


def test_what_is_not_known_is_taken_to_be_as_usual() -> None:
    np.testing.assert_array_equal(PlaceDoubts().near(np.stack([HERE, THERE])), 1.0)
    assert met(1, HERE, *[3.0] * 50).near(THERE[None])[0] == pytest.approx(1.0, abs=0.05)


def test_doubt_that_was_met_often_counts_more_than_a_single_reading() -> None:
    once, often = met(1, HERE, 3.0), met(1, HERE, *[3.0] * 50)
    assert 1.0 < once.near(HERE[None])[0] < 1.5 < 2.5 < often.near(HERE[None])[0] < 3.0


def test_doubt_at_a_place_is_the_mean_of_its_readings_and_not_the_last() -> None:
    assert met(1, HERE, *[3.0, 1.0] * 100).near(HERE[None])[0] == pytest.approx(2.0, abs=0.05)


def test_places_around_which_there_is_doubt_are_named() -> None:
    doubts = met(2, THERE, *[2.0] * 30, doubts=met(1, HERE, *[1.0] * 30))
    ids, at = doubts.doubtful(1.5)
    assert ids.tolist() == [2] and at.tolist() == [THERE.tolist()]
    assert not len(PlaceDoubts().doubtful(1.5)[0])


def test_moments_between_places_are_not_counted() -> None:
    assert not len(met(0, HERE, 5.0))


def test_a_model_without_an_ensemble_is_silent_and_one_that_speaks_is_not() -> None:
    doubts = PlaceDoubts()
    assert not doubts.silent  # nothing was heard yet
    doubts.note(1, HERE, math.nan)
    assert doubts.silent and not len(doubts)
    doubts.note(1, HERE, 1.0)
    doubts.note(1, HERE, math.nan)
    assert not doubts.silent and len(doubts) == 1


@pytest.mark.parametrize(
    ("z_score", "expected", "usual", "doubt"),
    [(0.5, 0.3, 0.2, 1.5), (math.nan, 0.3, 0.2, 1.0), (0.5, 0.3, 0.0, 1.0), (0.5, math.nan, 0.2, math.nan)],
    ids=["known", "warming up", "nothing is usual", "no ensemble"],
)
def test_doubt_is_the_error_expected_over_the_usual_one(
    z_score: float, expected: float, usual: float, doubt: float
) -> None:
    assert Reading(0.0, z_score, False, 0.2, expected, usual).doubt == pytest.approx(doubt, nan_ok=True)


def test_many_points_are_told_at_once_and_nearly_the_same() -> None:
    """Each point with each place, 2,000 m² took seconds and gigabytes."""
    rng, doubts = np.random.default_rng(0), PlaceDoubts()
    for place in range(1, 400):
        doubts.note(place, rng.uniform(0.0, 12.0, 2), float(rng.uniform(0.5, 3.0)))
    points = rng.uniform(-1.0, 13.0, (6000, 2))
    each = np.concatenate([doubts.near(part) for part in np.array_split(points, 6)])
    off = np.abs(doubts.near(points) - each)
    assert off.max() < 0.1 and off.mean() < 0.02 and np.ptp(each) > 0.3
