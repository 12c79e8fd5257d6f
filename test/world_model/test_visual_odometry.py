"""How far a robot turned, by points that two pictures show, where wheels tell how far it drove."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.geometry import Array, relative, wrap
from ami_ros.world_model.two_views import VISUAL_ODOMETRY_LEAST as LEAST
from ami_ros.world_model.two_views import Sighting, Turn, turn

PIXEL = 0.01  # [rad]


def sighted(motion: Array, count: int, rng: np.random.Generator, doubt: float = 0.3, moving: int = 0) -> Sighting:
    """Points around a camera that moves by `motion` (3,), the first of which move by themselves. How far off they are
    is guessed with a doubt."""
    bearing, away = rng.uniform(-0.6, 0.6, count), rng.uniform(0.8, 4.0, count)
    points = np.column_stack([away * np.cos(bearing), away * np.sin(bearing), np.zeros(count)])
    points[:moving] += [0.0, 0.3, 0.0]
    seen = np.array([relative(motion, point) for point in points])
    before, after = (bearings + PIXEL * rng.normal(size=count) for bearings in (bearing, np.arctan2(*seen.T[1::-1])))
    return Sighting(before, after, away * np.exp(doubt * rng.normal(size=count)), np.full(count, doubt))


def found(points: Sighting, motion: Array, said: float, doubt: float = 0.05) -> Turn | None:
    return turn(points, motion[:2], Turn(said, doubt), PIXEL)


def known(turned: Turn | None) -> Turn:
    assert turned is not None
    return turned


@pytest.mark.parametrize("motion", [(0.0, 0.0, 0.3), (0.15, 0.0, 0.0), (0.1, 0.03, -0.25), (-0.1, 0.0, 0.1)])
def test_a_turn_is_known_far_better_than_wheels_told_it(motion: tuple[float, float, float]) -> None:
    rng, moved = np.random.default_rng(1), np.array(motion)
    turns = [known(found(sighted(moved, 40, rng), moved, moved[2] + 0.05 * rng.normal())) for _ in range(60)]
    off = np.array([wrap(turned.angle - moved[2]) for turned in turns])
    said = np.array([turned.deviation for turned in turns])
    assert np.sqrt(np.mean(off**2)) < 0.006 and abs(off.mean()) < 0.002
    assert (np.abs(off) < 3 * said).all() and said.max() < 0.02


def test_few_points_say_that_they_know_less() -> None:
    rng, moved = np.random.default_rng(2), np.array([0.1, 0.0, 0.2])
    few, many = (known(found(sighted(moved, count, rng), moved, 0.2)).deviation for count in (LEAST, 80))
    assert few > 1.2 * many


def test_somebody_who_walks_through_the_picture_is_outvoted() -> None:
    rng, moved = np.random.default_rng(3), np.array([0.05, 0.0, 0.3])
    for _ in range(20):
        turned = known(found(sighted(moved, 40, rng, moving=16), moved, 0.27))
        assert abs(turned.angle - 0.3) < 0.015


def test_way_that_is_driven_is_not_taken_for_a_turn() -> None:
    """Who drives ahead past a wall on one side sees all of it move to that side."""
    rng, moved = np.random.default_rng(4), np.array([0.15, 0.0, 0.0])
    points = sighted(moved, 60, rng, doubt=0.05)
    left = points.before > 0.1
    turned = known(found(Sighting(*(values[left] for values in points)), moved, 0.0))
    assert abs(turned.angle) < 3 * turned.deviation < 0.05
    blind = known(turn(Sighting(*(values[left] for values in points)), np.zeros(2), Turn(0.0, 0.05), PIXEL))
    assert abs(blind.angle) > 2 * abs(turned.angle)


def test_points_that_do_not_agree_tell_nothing() -> None:
    rng, moved = np.random.default_rng(5), np.array([0.0, 0.0, 0.3])
    points = sighted(moved, 40, rng)
    assert found(points._replace(after=rng.uniform(-0.6, 0.6, 40)), moved, 0.3) is None
    assert found(Sighting(*(values[: LEAST - 1] for values in points)), moved, 0.3) is None
    assert found(Sighting(*(values[:0] for values in points)), moved, 0.3) is None


def test_a_turn_that_wheels_hold_for_impossible_is_not_believed() -> None:
    rng, moved = np.random.default_rng(6), np.array([0.0, 0.0, 0.3])
    assert found(sighted(moved, 40, rng), moved, 0.0, doubt=0.01) is None
