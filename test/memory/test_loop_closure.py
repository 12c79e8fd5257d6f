"""Loop constraints that are suspected: which are believed."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pytest

from ami_ros.core.geometry import compose, inverse, relative
from ami_ros.memory.graph import GraphConfig
from ami_ros.memory.laser_model import ENCODER, LaserModel
from ami_ros.memory.loop_closure import HypothesisConfig, LoopConstraint, LoopHypotheses, shares
from ami_ros.memory.place_map import PlaceMap

DRIFT = np.array([3.0, -1.0, 0.1])  # by which odometry is off when the robot comes back
LENGTH = 40  # places of the corridor, a metre apart; the robot comes through it twice
Hypotheses = tuple[PlaceMap, LoopHypotheses]


@pytest.fixture
def corridor() -> Hypotheses:
    places = PlaceMap(LaserModel(), ENCODER, None, GraphConfig())
    for first in (np.zeros(3), DRIFT):
        for k in range(LENGTH):
            places.add(float(k), np.zeros(80, np.float32), compose(first, [float(k), 0.0, 0.0]), None)
    return places, LoopHypotheses(places, HypothesisConfig())


def constraint_of(places: PlaceMap, k: int, shift: float = 0.0) -> LoopConstraint:
    """The k-th place of the second time is where the robot was then, but for a shift along the corridor [m]."""
    start, stop = LENGTH + 1 + k, 1 + min(max(k + round(shift), 0), LENGTH - 1)
    seen = inverse([k + shift - (stop - 1.0), 0.0, 0.0])
    return LoopConstraint(start, stop, seen, np.eye(3), 100.0 + k)


def feed(hypotheses: Hypotheses, count: int, shifts: Callable[[int], list[float]]) -> list[LoopConstraint]:
    """What is believed in the end; places come one after another, each with hypotheses that fit alike."""
    places, pool = hypotheses
    for k in range(count):
        constraints = [constraint_of(places, k, shift) for shift in shifts(k)]
        believed = pool.add(constraints, shares(np.full(len(constraints), 5.0)))
        if believed:
            return believed
    return []


def error(places: PlaceMap, constraint: LoopConstraint) -> float:
    """How far a constraint is off [m]: the same place of both times is the same spot."""
    true = relative(np.array([constraint.start - LENGTH - 1.0, 0, 0]), np.array([constraint.stop - 1.0, 0, 0]))
    return float(np.hypot(*(constraint.relative - true)[:2]))


def test_places_that_fit_one_spot_each_close_a_loop(corridor: Hypotheses) -> None:
    assert not feed(corridor, 3, lambda k: [0.0])
    corridor[1].restart()
    believed = feed(corridor, 4, lambda k: [0.0])
    assert {constraint.start for constraint in believed} == {LENGTH + 1 + k for k in range(4)}  # three metres on


def test_places_that_lie_too_close_to_one_another_close_none(corridor: Hypotheses) -> None:
    places, pool = corridor
    for k in range(6):
        constraint = constraint_of(places, k)
        near = LoopConstraint(
            constraint.start, constraint.stop, constraint.relative, constraint.covariance, 100.0 + 0.3 * k
        )
        assert not pool.add([near], np.ones(1))


def test_among_doors_that_are_alike_the_loop_on_which_all_places_agree_is_found(corridor: Hypotheses) -> None:
    rng = np.random.default_rng(5100)
    believed = feed(corridor, 30, lambda k: [0.0, *rng.uniform(2.0, 9.0, 2)])
    assert len(believed) > 8 and max(error(corridor[0], constraint) for constraint in believed) < 0.1


def test_where_the_next_door_fits_all_along_the_way_nothing_is_believed(corridor: Hypotheses) -> None:
    assert not feed(corridor, 35, lambda k: [0.0, 5.0])


def test_wrong_fits_that_do_not_agree_are_never_enough(corridor: Hypotheses) -> None:
    rng = np.random.default_rng(5101)
    assert not feed(corridor, 35, lambda k: rng.uniform(-9.0, 9.0, 2).tolist())


def test_a_fit_that_is_clearly_better_has_nearly_all_of_the_vote() -> None:
    share = shares(np.array([5.0, 0.0, 4.7]))
    assert share.sum() == pytest.approx(1.0, abs=0.01) and share[1] < 0.01 and 0.5 < share[0] < 0.6


def test_where_no_fit_is_likely_the_vote_is_for_nowhere() -> None:
    assert shares(np.array([-9.0, -10.0])).sum() < 0.01
    assert shares(np.zeros(0)).shape == (0,)


def test_what_was_suspected_before_odometry_began_anew_or_of_a_forgotten_place_counts_no_more(
    corridor: Hypotheses,
) -> None:
    places, pool = corridor
    feed(corridor, 3, lambda k: [0.0])
    pool.restart()
    assert not pool.add([constraint_of(places, 3)], np.ones(1))
    pool.restart()
    feed(corridor, 3, lambda k: [0.0])
    places.forget({LENGTH + 1})
    assert not pool.add([constraint_of(places, 3)], np.ones(1))


def test_fits_long_ago_count_no_more(corridor: Hypotheses) -> None:
    places, pool = corridor
    feed(corridor, 3, lambda k: [0.0])
    late = constraint_of(places, 3)
    assert not pool.add([LoopConstraint(late.start, late.stop, late.relative, late.covariance, 150.0)], np.ones(1))
