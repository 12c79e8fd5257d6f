"""Where the goal is: many sightings and memory, made one."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.behaviour.posterior import COMPARED, GoalTracker, TrackerConfig
from ami_ros.core.geometry import Array, compose, relative

GOAL = np.array([2.0, 1.0, 0.8])
HERE = np.array([0.5, 0.2, -0.3])  # the robot in odom


@pytest.fixture
def tracker() -> GoalTracker:
    return GoalTracker()


def believed(tracker: GoalTracker, stamp: float = 0.0, memory: Array | None = None) -> Array:
    """The goal in odom, as the robot at HERE believes."""
    seen = tracker.estimate(stamp, HERE, memory)
    assert seen is not None
    return compose(HERE, seen)


def test_nobody_has_said_anything_yet(tracker: GoalTracker) -> None:
    assert tracker.estimate(0.0, HERE, None) is None


def test_noisy_sightings_from_many_places_average_out(tracker: GoalTracker) -> None:
    rng = np.random.default_rng(0)
    for k in range(40):
        odometry = HERE + rng.normal(0.0, 0.3, 3)
        tracker.add(0.2 * k, odometry, relative(odometry, GOAL) + rng.normal(0.0, 0.1, 3))
    np.testing.assert_allclose(believed(tracker, 8.0), GOAL, atol=0.08)


def test_outliers_are_left_out(tracker: GoalTracker) -> None:
    for k in range(20):
        wrong = k % 3 == 0
        tracker.add(0.2 * k, HERE, relative(HERE, GOAL) + ([1.5, -1.0, 1.0] if wrong else [0.0, 0.0, 0.0]))
    np.testing.assert_allclose(believed(tracker, 4.0), GOAL, atol=1e-6)


def test_old_sightings_fade(tracker: GoalTracker) -> None:
    """The goal seems to have moved: odometry drifted."""
    drifted = GOAL + [0.3, 0.0, 0.0]
    for k in range(10):
        tracker.add(0.1 * k, HERE, relative(HERE, GOAL))
    for k in range(10):
        tracker.add(40.0 + 0.1 * k, HERE, relative(HERE, drifted))
    np.testing.assert_allclose(believed(tracker, 40.0 + 1.0), drifted, atol=0.02)


def test_a_sighting_nearby_counts_more_than_one_from_afar(tracker: GoalTracker) -> None:
    near, far = compose(GOAL, [-0.2, 0.0, 0.0]), compose(GOAL, [-3.0, 0.0, 0.0])
    tracker.add(0.0, far, relative(far, GOAL + [0.2, 0.0, 0.0]))
    tracker.add(0.0, near, relative(near, GOAL))
    assert np.hypot(*(believed(tracker) - GOAL)[:2]) < 0.05


def test_who_expects_to_be_right_counts_more(tracker: GoalTracker) -> None:
    tracker.add(0.0, HERE, relative(HERE, GOAL + [0.2, 0.0, 0.0]), 0.2)
    tracker.add(0.0, HERE, relative(HERE, GOAL), 0.05)
    assert np.hypot(*(believed(tracker) - GOAL)[:2]) < 0.03


def test_memory_is_believed_when_it_alone_speaks_and_outvoted_later(tracker: GoalTracker) -> None:
    memory = GOAL + [1.5, 0.0, 0.0]
    np.testing.assert_allclose(believed(tracker, 0.0, memory), memory, atol=1e-9)
    close = compose(GOAL, [-0.4, 0.0, 0.0])
    for k in range(20):
        tracker.add(0.2 * k, close, relative(close, GOAL))
    np.testing.assert_allclose(believed(tracker, 4.0, memory), GOAL, atol=1e-6)


def test_memory_and_sightings_that_agree_are_averaged(tracker: GoalTracker) -> None:
    tracker.add(0.0, HERE, relative(HERE, GOAL))
    x = believed(tracker, 0.0, GOAL + [0.2, 0.0, 0.0])[0]
    assert GOAL[0] < x < GOAL[0] + 0.2


def test_many_sightings_that_err_alike_do_not_outweigh_memory(tracker: GoalTracker) -> None:
    """As before a blank wall: whatever is seen from there is off to the same side."""
    near = compose(GOAL, [-0.2, 0.0, 0.0])
    for k in range(40):
        tracker.add(0.2 * k, near, relative(near, GOAL + [0.0, 0.3, 0.0]), 0.09)
    off = believed(tracker, 8.0, GOAL)[1] - GOAL[1]
    assert 0.03 < off < 0.12
    tracker.add(8.0, near, relative(near, GOAL + [0.0, 0.3, 0.0]), 0.02)  # one that is surer of itself
    assert believed(tracker, 8.0, GOAL)[1] - GOAL[1] > 2 * off


def test_forgetting_drops_all_sightings(tracker: GoalTracker) -> None:
    tracker.add(0.0, HERE, relative(HERE, GOAL))
    tracker.forget()
    assert tracker.estimate(0.0, HERE, None) is None


@pytest.mark.parametrize("compares", [True, False])
def test_where_pictures_are_compared_a_few_looks_from_the_goal_outweigh_many_from_afar(compares: bool) -> None:
    """From afar they see it too near by a third, and from aside beside it."""
    tracker, aside = GoalTracker(COMPARED if compares else TrackerConfig()), compose(GOAL, [-0.05, 0.0, -1.0])
    for k in range(40):
        far = compose(GOAL, [-1.2 + 0.02 * k, 0.0, 0.0])
        tracker.add(0.1 * k, far, relative(far, GOAL) * [0.7, 1.0, 1.0], expected_error=0.15)
    for k in range(10):
        tracker.add(4.0 + 0.1 * k, aside, relative(aside, GOAL + [0.0, 0.15, 0.0]), expected_error=0.15)
        near = compose(GOAL, [-0.1, 0.0, 0.0])
        tracker.add(4.0 + 0.1 * k, near, relative(near, GOAL), expected_error=0.15)
    assert (np.hypot(*(believed(tracker, 5.0) - GOAL)[:2]) < 0.1) == compares


def test_sightings_whose_error_is_known_better_outweigh_those_that_expect_more(tracker: GoalTracker) -> None:
    """Beside a goal, pictures that are aligned tell its place to centimetres, others to a decimetre."""
    seen = relative(HERE, GOAL)
    for k in range(10):
        tracker.add(0.1 * k, HERE, seen + [0.1, 0.0, 0.0], expected_error=0.2)
    tracker.add(1.0, HERE, seen, expected_error=0.2, sigma=0.02)
    assert np.hypot(*(believed(tracker, 1.0) - GOAL)[:2]) < 0.01
