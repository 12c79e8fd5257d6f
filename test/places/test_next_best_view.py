"""In which order memory names places to look for a goal at."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.places.matching import Hypothesis
from ami_ros.places.next_best_view import FRONTIERS_APART, LEAST, LOOKED, NEW, OFF, REACH, frontiers, in_order
from ami_ros.places.recognition import Evidence
from ami_ros.places.types import SearchState

HEADINGS = np.linspace(-np.pi, np.pi, 8, endpoint=False)
SEEN = np.array([[0.0, 0.0, yaw] for yaw in HEADINGS])  # all round
CORRIDOR = np.array([[x, 0.0, 0.0] for x in (4.0, 4.2, 4.4)])  # one way only
PLACES = np.concatenate([SEEN, CORRIDOR])
FAR = SearchState(np.array([1e3, 1e3]), np.zeros((0, 2)))  # asked for so far off that it says nothing of where to look


def silent(points: Array) -> Array:
    """A picture that says nothing."""
    return np.zeros(len(points))


def straight(poses: Array) -> Array:
    return np.hypot(poses[:, 0], poses[:, 1])


def test_where_all_was_seen_there_is_nothing_more_to_look_at() -> None:
    assert in_order([], SEEN, straight, silent, FAR) == []


def test_a_spot_is_named_once_and_where_views_are_missing() -> None:
    (spot,) = in_order([], PLACES, straight, silent, FAR)
    assert spot.share == 0.0 and 4.0 <= spot.pose[0] <= 4.4


def spoken_for(*spots: tuple[float, float]) -> Evidence:
    """So much speaks for a spot: pairs of its x and that."""

    def evidence(points: Array) -> Array:
        return np.array([sum(much for x, much in spots if abs(point[0] - x) < 0.2) for point in points], np.float64)

    return evidence


def test_what_is_certain_comes_first_and_what_is_likely_next_door_before_what_is_likelier_far_away() -> None:
    certain, best, near = (
        Hypothesis(np.array([x, 0.0, 0.0]), share) for x, share in ((30.0, 0.5), (40.0, 0.0), (1.5, 0.0))
    )
    found = in_order([best, near, certain], SEEN, straight, spoken_for((40.0, 1.0), (1.5, 0.5)), FAR)
    assert [hypothesis.pose[0] for hypothesis in found] == [30.0, 1.5, 40.0]


def test_a_spot_where_all_was_seen_is_worth_a_look_if_enough_speaks_for_it() -> None:
    assert [found.pose[0] for found in in_order([], SEEN, straight, spoken_for((0.0, 1.0)), FAR)] == [0.0]
    assert in_order([], SEEN, straight, spoken_for((0.0, LEAST)), FAR) == []


def test_of_two_that_are_alike_the_nearer_one_comes_first_and_a_sure_one_before_it() -> None:
    far, near, sure = (Hypothesis(np.array([x, 0.0, 0.0]), share) for x, share in ((5.0, 0.5), (1.0, 0.4), (9.0, 0.9)))
    assert [found.pose[0] for found in in_order([far, near], SEEN, straight, silent, FAR)] == [1.0, 5.0]
    doubtful = Hypothesis(np.array([1.0, 0.0, 0.0]), 0.1)
    assert [found.pose[0] for found in in_order([doubtful, sure], SEEN, straight, silent, FAR)] == [9.0, 1.0]


@pytest.mark.parametrize(
    ("share", "certain_at", "looks", "robot_at", "first"),
    [
        (0.5, 9.0, [(2.2, 0.0)], 1.5, 1.5),  # it may be the wrong one and is far off: around the start first
        (0.5, 9.0, [], 1.5, 9.0),  # who asks for a way only gets that to what is certain
        (0.9, 9.0, [(2.2, 0.0)], 1.5, 9.0),
        (0.5, 3.0, [(2.2, 0.0)], 1.5, 3.0),
        (0.5, 9.0, [(2.2, 0.0)], 6.0, 9.0),  # the robot has left the start
    ],
)
def test_around_the_start_it_is_looked_for_before_a_far_place_that_may_be_the_wrong_one(
    share: float, certain_at: float, looks: list[tuple[float, float]], robot_at: float, first: float
) -> None:
    """A picture was taken a metre off, in one of the rooms that are alike: the robot drove to another, 11 m away."""
    spot, certain = Hypothesis(np.array([1.5, 0.0, 0.0]), 0.0), Hypothesis(np.array([certain_at, 0.0, 0.0]), share)
    search = SearchState(np.array([1.4, 0.5]), np.array(looks).reshape(-1, 2))
    way = lambda poses: np.abs(poses[:, 0] - robot_at)  # noqa: E731
    found = in_order([certain, spot], SEEN, way, spoken_for((1.5, 1.0)), search)
    assert (found[0].pose[0], found[0].share) == (first, share if first == certain_at else 0.0)


def test_what_no_way_leads_to_is_not_named() -> None:
    guess = Hypothesis(np.array([1.0, 0.0, 0.0]), 0.0)
    assert in_order([guess], PLACES, lambda poses: np.full(len(poses), np.inf), silent, FAR) == []


def test_free_ground_beyond_what_was_driven_is_looked_at_before_what_lacks_some_views() -> None:
    asked: list[int] = []

    def beyond(rows: NDArray[np.int64], off: float) -> tuple[Array, NDArray[np.int64]]:
        asked.extend(rows)
        return np.array([[4.3, 2.0], [4.4, 2.1]]), rows[[-1, -1]]

    poses = [found.pose[:2].round(1).tolist() for found in in_order([], PLACES, straight, silent, FAR, beyond)]
    assert poses == [[4.3, 2.0], [4.0, 0.0]] and 0 < len(asked) <= 4  # those close to one another are one


def test_of_two_spots_the_one_near_where_the_goal_was_asked_for_comes_first() -> None:
    spots = [Hypothesis(np.array([x, 0.0, 0.0]), 0.0) for x in (-8.0, 8.0)]
    for asked_at in (-8.0, 8.0):
        search = SearchState(np.array([asked_at, 0.0]), np.zeros((0, 2)))
        best = in_order(spots, SEEN, straight, spoken_for((-8.0, 1.0), (8.0, 1.0)), search)[0]
        assert best.pose[0] == asked_at


def test_after_some_looks_in_vain_nearness_says_little_any_more() -> None:
    """A far goal was looked for within two metres of where it was asked for until its 300 s were over."""
    spots, much = [Hypothesis(np.array([x, 0.0, 0.0]), 0.0) for x in (0.0, 8.0)], spoken_for((0.0, 1.0), (8.0, 2.0))

    def first(looks: int) -> float:
        search = SearchState(np.zeros(2), np.array([[0.0, 2.0 + k] for k in range(looks)]).reshape(-1, 2))
        return float(in_order(spots, SEEN, lambda poses: np.ones(len(poses)), much, search)[0].pose[0])

    assert (first(0), first(8)) == (0.0, 8.0)


def test_a_room_that_was_looked_round_in_vain_is_left_however_much_speaks_for_it() -> None:
    """Of a far goal's 300 s a robot spent 180 in the room where it began, which was like the goal's."""
    spots = [Hypothesis(np.array([x, 0.0, 0.0]), 0.0) for x in (0.0, 8.0)]

    def first(*looked_from: tuple[float, float]) -> float:
        search = SearchState(FAR.asked_at, np.array(looked_from).reshape(-1, 2))
        much = spoken_for((0.0, 9.0), (8.0, 1.0))
        return float(in_order(spots, SEEN, lambda poses: np.ones(len(poses)), much, search)[0].pose[0])

    assert (first(), first((0.7, 0.0)), first((0.7, 0.0), (-0.7, 0.0), (0.0, 0.7))) == (0.0, 0.0, 8.0)


def test_from_where_the_goal_was_looked_for_it_is_not_looked_for_again() -> None:
    guesses = [Hypothesis(np.array([x, 0.0, 0.0]), 0.0) for x in (0.0, 0.9 * LOOKED, 1.1 * LOOKED, 9.0)]
    search = SearchState(np.zeros(2), np.zeros((1, 2)))
    found = in_order(guesses, SEEN, straight, spoken_for((0.0, 1.0), (1.1 * LOOKED, 1.0), (9.0, 1.0)), search)
    assert [round(spot.pose[0], 2) for spot in found] == [round(1.1 * LOOKED, 2), 9.0]


def test_what_is_near_to_where_it_was_looked_for_all_round_is_worth_less() -> None:
    beside, beyond = (np.array([x, 0.0, 0.0]) for x in (4.0 - 0.9 * REACH, 4.4 + 1.1 * REACH))
    guesses = [Hypothesis(pose, 0.0) for pose in (beside, beyond)]

    def nearest(looked_from: Array) -> float:
        search = SearchState(FAR.asked_at, looked_from)
        spots = in_order(guesses, SEEN, lambda poses: np.ones(len(poses)), lambda at: np.full(len(at), 0.2), search)
        return float(spots[0].pose[0])

    assert nearest(np.zeros((0, 2))) == beside[0]
    assert nearest(np.array([[4.0, 0.0]])) == beyond[0]


def test_ground_beside_the_way_is_looked_from_and_only_new_ground_is_a_frontier() -> None:
    asked: list[float] = []

    def beyond(rows: NDArray[np.int64], off: float) -> tuple[Array, NDArray[np.int64]]:
        asked.append(off)
        return np.zeros((0, 2)), np.zeros(0, np.int64)

    in_order([], PLACES, straight, silent, FAR, beyond)
    frontiers(np.array([8.0, 0.0, 0.0]), PLACES, straight, beyond)
    assert asked == [OFF, NEW]


def test_towards_a_goal_that_no_way_is_known_to_new_ground_comes_first_that_lies_on_the_way() -> None:
    new = np.array([[-2.0, 0.0], [3.0, 0.0], [3.3, 0.0], [3.0, 3.0]])
    found = frontiers(np.array([8.0, 0.0, 0.0]), SEEN, straight, lambda rows, off: (new, np.zeros(len(new), np.int64)))
    assert found[0, 0] == 3.3 and found[-1, 0] == -2.0
    assert np.hypot(*np.diff(found[:, :2], axis=0).T).min() > FRONTIERS_APART


def test_new_ground_that_no_way_leads_to_is_none() -> None:
    def walled(poses: Array) -> Array:
        return np.full(len(poses), np.inf)

    def nothing(rows: NDArray[np.int64], off: float) -> tuple[Array, NDArray[np.int64]]:
        return np.zeros((0, 2)), np.zeros(0, np.int64)

    goal, one = np.array([8.0, 0.0, 0.0]), (np.array([[3.0, 0.0]]), np.zeros(1, np.int64))
    assert not len(frontiers(goal, SEEN, walled, lambda rows, off: one))
    assert not len(frontiers(goal, SEEN, straight, nothing))
