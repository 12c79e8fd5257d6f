"""In which order memory names places to look for a goal at."""

from __future__ import annotations

import numpy as np

from ami_ros.geometry import Array
from ami_ros.memory.lookouts import in_order
from ami_ros.memory.matching import Hypothesis

HEADINGS = np.linspace(-np.pi, np.pi, 8, endpoint=False)
SEEN = np.array([[0.0, 0.0, yaw] for yaw in HEADINGS])  # all round
CORRIDOR = np.array([[x, 0.0, 0.0] for x in (4.0, 4.3, 4.6)])  # one way only
PLACES = np.concatenate([SEEN, CORRIDOR])


def straight(poses: Array) -> Array:
    return np.hypot(poses[:, 0], poses[:, 1])


def test_where_all_was_seen_there_is_nothing_more_to_look_at() -> None:
    assert in_order([], SEEN, straight) == []


def test_a_spot_is_named_once_and_where_views_are_missing() -> None:
    (spot,) = in_order([], PLACES, straight)
    assert spot.share == 0.0 and 4.0 <= spot.pose[0] <= 4.6


def test_what_is_certain_comes_first_and_a_guess_next_door_before_a_better_one_far_away() -> None:
    certain, best, near = (
        Hypothesis(np.array([x, 0.0, 0.0]), share) for x, share in ((30.0, 0.5), (40.0, 0.0), (1.0, 0.0))
    )
    found = in_order([best, near, certain], SEEN, straight)
    assert [hypothesis.pose[0] for hypothesis in found] == [30.0, 1.0, 40.0]


def test_of_two_that_are_alike_the_nearer_one_comes_first_and_a_sure_one_before_it() -> None:
    far, near, sure = (Hypothesis(np.array([x, 0.0, 0.0]), share) for x, share in ((5.0, 0.5), (1.0, 0.4), (9.0, 0.9)))
    assert [found.pose[0] for found in in_order([far, near], SEEN, straight)] == [1.0, 5.0]
    doubtful = Hypothesis(np.array([1.0, 0.0, 0.0]), 0.1)
    assert [found.pose[0] for found in in_order([doubtful, sure], SEEN, straight)] == [9.0, 1.0]


def test_what_no_way_leads_to_is_not_named() -> None:
    guess = Hypothesis(np.array([1.0, 0.0, 0.0]), 0.0)
    assert in_order([guess], PLACES, lambda poses: np.full(len(poses), np.inf)) == []
