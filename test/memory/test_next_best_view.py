"""In which order memory names places to look for a goal at."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array
from ami_ros.memory.index import Hypothesis
from ami_ros.memory.next_best_view import (
    LOOKS,
    Beyond,
    Lengths,
    found_from,
    frontiers,
    next_best_views,
)
from ami_ros.memory.recognition import Evidence
from ami_ros.memory.types import SearchState

HEADINGS = np.linspace(-np.pi, np.pi, 8, endpoint=False)
SEEN = np.array([[0.0, 0.0, yaw] for yaw in HEADINGS])  # all round
CORRIDOR = np.array([[x, 0.0, 0.0] for x in (4.0, 4.2, 4.4)])  # one way only
PLACES = np.concatenate([SEEN, CORRIDOR])
ORIGIN = np.zeros(3)


def order(
    guesses: Sequence[Hypothesis], places: Array, lengths: Lengths, evidence: Evidence,
    *looked_from: tuple[float, float], robot: Array = ORIGIN, reach: float = 99.0, beyond: Beyond | None = None,
) -> list[Hypothesis]:  # fmt: skip
    search = SearchState(np.array(looked_from).reshape(-1, 2), reach)
    return next_best_views(guesses, places, robot, lengths, evidence, search, beyond)


def silent(points: Array) -> Array:
    """A picture that says nothing."""
    return np.zeros(len(points))


def straight(poses: Array) -> Array:
    return np.hypot(poses[:, 0], poses[:, 1])


def test_where_all_was_seen_there_is_nothing_more_to_look_at() -> None:
    assert order([], SEEN, straight, silent) == []


def test_a_spot_is_named_once_and_where_views_are_missing() -> None:
    (spot,) = order([], PLACES, straight, silent)
    assert spot.share == 0.0 and 4.0 <= spot.pose[0] <= 4.4


def spoken_for(*spots: tuple[float, float]) -> Evidence:
    """So much speaks for a spot: pairs of its x and that."""

    def evidence(points: Array) -> Array:
        return np.array([sum(much for x, much in spots if abs(point[0] - x) < 0.2) for point in points], np.float64)

    return evidence


def at(x: float, share: float = 0.0) -> Hypothesis:
    return Hypothesis(np.array([x, 0.0, 0.0]), share)


def xs(found: list[Hypothesis]) -> list[float]:
    return [round(float(hypothesis.pose[0]), 2) for hypothesis in found]


def test_what_is_next_door_comes_before_what_is_likelier_and_far_away() -> None:
    much = spoken_for((40.0, 1.0), (1.5, 0.5))
    assert xs(order([at(40.0), at(1.5), at(30.0, 0.5)], SEEN, straight, much)) == [1.5, 30.0, 40.0]
    assert xs(order([at(3.0, 0.5), at(1.5)], SEEN, straight, spoken_for((1.5, 1.0)))) == [1.5, 3.0]
    assert xs(order([at(3.0, 0.9), at(1.5)], SEEN, straight, spoken_for((1.5, 1.0)))) == [3.0, 1.5]


def test_a_spot_where_all_was_seen_is_worth_a_look_if_enough_speaks_for_it() -> None:
    assert xs(order([], SEEN, straight, spoken_for((0.0, 1.0)))) == [0.0]
    assert order([], SEEN, straight, spoken_for((0.0, LOOKS.least))) == []


def test_of_two_that_are_alike_the_nearer_one_comes_first_and_a_sure_one_before_it() -> None:
    assert xs(order([at(5.0, 0.5), at(1.0, 0.4)], SEEN, straight, silent)) == [1.0, 5.0]
    assert xs(order([at(1.0, 0.1), at(9.0, 0.9)], SEEN, straight, silent)) == [9.0, 1.0]


def test_the_robot_looks_around_where_it_is_before_it_drives_to_what_may_be_the_wrong_place() -> None:
    """A picture was taken a metre off, in one of the rooms that are alike: the robot drove to another, 11 m away."""
    unseen = np.array([20.0, 0.0, 0.0])

    def way(poses: Array) -> Array:
        return np.abs(poses[:, 0] - unseen[0])

    assert xs(order([at(9.0, 0.5)], SEEN, way, silent, robot=unseen)) == [20.0, 9.0]
    assert xs(order([at(9.0, 0.95)], SEEN, way, silent, robot=unseen)) == [9.0, 20.0]
    assert xs(order([at(9.0, 0.5)], SEEN, way, silent, (20.0, 0.0), robot=unseen)) == [9.0]


def test_what_no_way_leads_to_is_not_named() -> None:
    assert order([at(1.0), at(2.0, 0.9)], PLACES, lambda poses: np.full(len(poses), np.inf), silent) == []


def test_what_the_robot_cannot_get_to_in_time_comes_last_and_is_no_spot_to_look_from() -> None:
    guesses, much = [at(9.0, 0.9), at(3.0), at(8.0)], spoken_for((3.0, 0.5), (8.0, 1.0))
    assert xs(order(guesses, SEEN, straight, much))[0] == 9.0
    assert xs(order(guesses, SEEN, straight, much, reach=5.0)) == [3.0, 9.0]


def test_places_that_the_robot_cannot_get_to_in_time_are_not_asked_what_is_free_beside_them() -> None:
    """With 10,000 places a question took 30 seconds, and with 100,000 all of the machine's memory."""
    corridor = np.column_stack([np.arange(0.0, 300.0, 1.0), np.zeros(300), np.zeros(300)])
    asked: list[int] = []

    def beyond(rows: NDArray[np.int64], off: float) -> tuple[Array, NDArray[np.int64]]:
        asked.extend(rows)
        return np.zeros((0, 2)), rows[:0]

    found = order([at(200.0, 0.5)], corridor, straight, silent, reach=8.0, beyond=beyond)
    assert max(asked) < 8 and max(xs(found)[:-1]) < 8.0 and xs(found)[-1] == 200.0


def test_free_ground_beyond_what_was_driven_is_looked_at_before_what_lacks_some_views() -> None:
    asked: list[int] = []

    def beyond(rows: NDArray[np.int64], off: float) -> tuple[Array, NDArray[np.int64]]:
        asked.extend(rows)
        return np.array([[4.3, 2.0], [4.4, 2.1]]), rows[[-1, -1]]

    poses = [found.pose[:2].round(1).tolist() for found in order([], PLACES, straight, silent, beyond=beyond)]
    assert poses == [[4.3, 2.0], [4.0, 0.0]] and 0 < len(asked) <= 4  # those close to one another are one


def test_a_room_that_was_looked_round_in_vain_is_left_however_much_speaks_for_it() -> None:
    """Of a far goal's 300 s a robot spent 180 in the room where it began, which was like the goal's."""

    def first(*looked_from: tuple[float, float]) -> float:
        much = spoken_for((0.0, 9.0), (8.0, 1.0))
        return xs(order([at(0.0), at(8.0)], SEEN, lambda poses: np.ones(len(poses)), much, *looked_from))[0]

    assert (first(), first((0.7, 0.0)), first((0.7, 0.0), (-0.7, 0.0), (0.0, 0.7))) == (0.0, 0.0, 8.0)


def test_a_place_that_was_looked_round_in_vain_is_less_likely_to_be_the_goal() -> None:
    guesses = [at(0.0, 0.5), at(4.0, 0.4)]
    assert xs(order(guesses, SEEN, lambda poses: np.ones(len(poses)), silent)) == [0.0, 4.0]
    assert xs(order(guesses, SEEN, lambda poses: np.ones(len(poses)), silent, (0.6, 0.0))) == [4.0, 0.0]


def test_from_where_the_goal_was_looked_for_it_is_not_looked_for_again() -> None:
    guesses = [at(x) for x in (0.0, 0.9 * LOOKS.looked, 1.7 * LOOKS.looked, 9.0)]
    found = order(guesses, SEEN, straight, spoken_for((0.0, 1.0), (1.7 * LOOKS.looked, 1.0), (9.0, 1.0)), (0.0, 0.0))
    assert xs(found) == [1.7 * LOOKS.looked, 9.0]


def test_what_is_near_to_where_it_was_looked_for_all_round_is_worth_less() -> None:
    beside, beyond = 4.0 - 0.9 * LOOKS.reach, 4.4 + 1.1 * LOOKS.reach

    def nearest(*looked_from: tuple[float, float]) -> float:
        def little(points: Array) -> Array:
            return np.full(len(points), 0.2)

        guesses = [at(beside), at(beyond)]
        found = xs(order(guesses, SEEN, lambda poses: np.ones(len(poses)), little, *looked_from))
        return next(x for x in found if x)

    assert nearest() == round(beside, 2)
    assert nearest((4.0, 0.0)) == round(beyond, 2)


def test_a_look_is_worth_what_it_finds_around_it_and_a_large_site_is_no_matter() -> None:
    """All pairs of the spots of a site with 100,000 places would take gigabytes."""
    rng = np.random.default_rng(4)
    at, chance = np.column_stack([rng.uniform(0.0, 8.0, (150, 2)), np.zeros(150)]), rng.random(150)
    squared = np.square(at[:, None, :2] - at[None, :, :2]).sum(axis=2)
    wanted = LOOKS.found * np.exp(-squared / (2 * LOOKS.found_scale**2)) @ chance
    np.testing.assert_allclose(found_from(at, chance), wanted, rtol=0.01)
    assert found_from(np.column_stack([rng.uniform(0.0, 150.0, (30_000, 2)), np.zeros(30_000)]), np.ones(30_000)).all()


def test_ground_beside_the_way_is_looked_from_and_only_new_ground_is_a_frontier() -> None:
    asked: list[float] = []

    def beyond(rows: NDArray[np.int64], off: float) -> tuple[Array, NDArray[np.int64]]:
        asked.append(off)
        return np.zeros((0, 2)), np.zeros(0, np.int64)

    order([], PLACES, straight, silent, beyond=beyond)
    frontiers(np.array([8.0, 0.0, 0.0]), PLACES, straight(PLACES), beyond)
    assert asked == [LOOKS.off, LOOKS.new]


def test_towards_a_goal_that_no_way_is_known_to_new_ground_comes_first_that_lies_on_the_way() -> None:
    new, goal = np.array([[-2.0, 0.0], [3.0, 0.0], [3.3, 0.0], [3.0, 3.0]]), np.array([8.0, 0.0, 0.0])
    found = frontiers(goal, SEEN, straight(SEEN), lambda rows, off: (new, np.zeros(len(new), np.int64)))
    assert found[0, 0] == 3.3 and found[-1, 0] == -2.0
    assert np.hypot(*np.diff(found[:, :2], axis=0).T).min() > LOOKS.frontiers_apart


def test_in_a_large_building_those_places_are_asked_for_new_ground_that_may_be_on_the_way() -> None:
    """With 100,000 places a frontier took five seconds: all were asked."""
    corridor = np.column_stack([np.arange(0.0, 3000.0, 1.0), np.zeros(3000), np.zeros(3000)])
    asked: list[int] = []

    def beyond(rows: NDArray[np.int64], off: float) -> tuple[Array, NDArray[np.int64]]:
        asked.extend(rows)
        return corridor[rows, :2] + [0.0, 2.0], rows

    goal = np.array([50.0, 30.0, 0.0])
    found = frontiers(goal, corridor, straight(corridor), beyond, 3)
    every = frontiers(goal, corridor, straight(corridor), beyond, 3000)
    assert len(found) == 3 and found.tolist() == every[:3].tolist()
    asked.clear()
    frontiers(goal, corridor, straight(corridor), beyond, 3)
    assert len(asked) <= LOOKS.asked


def test_new_ground_that_no_way_leads_to_is_none() -> None:
    def nothing(rows: NDArray[np.int64], off: float) -> tuple[Array, NDArray[np.int64]]:
        return np.zeros((0, 2)), np.zeros(0, np.int64)

    goal, one = np.array([8.0, 0.0, 0.0]), (np.array([[3.0, 0.0]]), np.zeros(1, np.int64))
    assert not len(frontiers(goal, SEEN, np.full(len(SEEN), np.inf), lambda rows, off: one))
    assert not len(frontiers(goal, SEEN, straight(SEEN), nothing))
