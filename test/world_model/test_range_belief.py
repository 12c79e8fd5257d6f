"""What stands how far off, by the pictures of the last moments."""

from __future__ import annotations

import math

import numpy as np

from ami_ros.world_model.layers import Floats
from ami_ros.world_model.picture_scan import BEARINGS, FARTHEST, NEAREST, STEPS, RangeBelief, bearings_of

HERE = np.zeros(3)


def told(distances: np.ndarray, doubt: float = 0.7) -> Floats:
    """Chances (BEARINGS, STEPS) around distances (BEARINGS,) [m]."""
    step = np.log(distances / NEAREST) / math.log(FARTHEST / NEAREST) * STEPS - 0.5
    chances = np.exp(-0.5 * np.square((np.arange(STEPS) - step[:, None]) / doubt))
    return (chances / chances.sum(-1, keepdims=True)).astype(np.float32)


def middles(chances: np.ndarray) -> np.ndarray:
    """[m] (BEARINGS,), of the likeliest."""
    return np.asarray(NEAREST * np.exp((chances.argmax(-1) + 0.5) / STEPS * math.log(FARTHEST / NEAREST)))


def wall(ahead: float, turned: float = 0.0) -> np.ndarray:
    """Distances (BEARINGS,) to a wall across the robot's first direction, once it has turned."""
    return np.asarray(ahead / np.cos(bearings_of(math.tan(math.radians(50.0))) + turned))


def belief() -> RangeBelief:
    return RangeBelief(bearings_of(math.tan(math.radians(50.0))), NEAREST, FARTHEST)


def test_a_picture_that_leaves_open_what_it_shows_is_taken_as_those_before_it() -> None:
    """The gate stopped a robot for seconds before a thing that a single picture had close, or far."""
    seen = belief()
    for _ in range(3):
        seen.update(told(wall(2.0)), HERE)
    unclear = 0.5 * told(wall(2.0)) + 0.5 * told(np.full(BEARINGS, 0.2))
    assert unclear[:, :10].sum(-1).min() > 0.4
    assert seen.update(unclear, HERE)[:, :10].sum(-1).max() < 0.05


def test_what_was_seen_moves_as_the_robot_does() -> None:
    seen, nothing = belief(), told(wall(2.0), doubt=1e3)
    seen.update(told(wall(2.0)), HERE)
    after = middles(seen.update(nothing, np.array([0.8, 0.0, 0.3])))
    there = wall(1.2, 0.3)
    looked = np.arange(BEARINGS) > BEARINGS // 2  # on the other side nobody has looked yet
    np.testing.assert_allclose(after[looked], there[looked], rtol=0.15)


def test_who_steps_before_the_robot_is_seen_at_once() -> None:
    seen = belief()
    for _ in range(20):
        seen.update(told(wall(3.0)), HERE)
    np.testing.assert_allclose(middles(seen.update(told(np.full(BEARINGS, 0.5)), HERE)), 0.5, rtol=0.1)


def test_without_odometry_a_picture_counts_alone() -> None:
    seen = belief()
    seen.update(told(wall(3.0)), HERE)
    np.testing.assert_allclose(middles(seen.update(told(wall(1.0), 5.0), None)), wall(1.0), rtol=0.1)
