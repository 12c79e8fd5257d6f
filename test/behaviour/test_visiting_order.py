"""The order in which goals are visited."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from ami_ros.behaviour.mission import _between, _exact, _two_opt, visiting_order
from ami_ros.core.geometry import Array
from ami_ros.memory.types import Place, Route


def route(*corners: tuple[float, float]) -> Route:
    """A route over straight lines, with a place each 0.3 m."""
    points = [np.array(corners[0])]
    for corner in corners[1:]:
        step = np.array(corner) - points[-1]
        count = max(1, round(float(np.hypot(*step)) / 0.3))
        points += [points[-1] + step * (k + 1) / count for k in range(count)]
    poses = [np.array([*point, 0.0]) for point in points]
    places = [Place(k + 1, pose, np.zeros(4, np.float32), "", "", 0.0, 0.0, 1) for k, pose in enumerate(poses)]
    length = float(np.hypot(*np.diff(np.stack(points), axis=0).T).sum())
    return Route(places, length, poses[-1], 1.0)


def test_of_no_goal_and_of_one_the_order_is_plain() -> None:
    assert visiting_order([]) == []
    assert visiting_order([route((0.0, 0.0), (3.0, 0.0))]) == [0]


def test_goals_along_one_corridor_are_visited_as_they_come() -> None:
    far, near, middle = (route((0.0, 0.0), (x, 0.0)) for x in (9.0, 2.0, 5.0))
    assert visiting_order([far, near, middle]) == [1, 2, 0]


def test_the_short_side_comes_first_though_a_goal_on_the_long_side_is_nearest() -> None:
    """Nearest-first would go right, left, and right again."""
    right, far_right, left = route((0, 0), (1.0, 0)), route((0, 0), (8.0, 0)), route((0, 0), (-1.5, 0))
    assert visiting_order([right, far_right, left]) == [2, 0, 1]


def test_two_goals_behind_one_door_belong_together_though_a_wall_apart_is_nearer() -> None:
    door = (4.0, 0.0)
    behind = route((0, 0), door, (4.0, 3.0))
    also_behind = route((0, 0), door, (6.0, 0.0))
    wall_apart = route((0, 0), (0.0, 3.0), (3.1, 3.0))  # 0.9 m from the first goal, but on this side
    order = visiting_order([behind, wall_apart, also_behind])
    assert order.index(1) in (0, 2), "between the two goals behind the door it would pass the door three times"


@pytest.mark.parametrize("count", [4, 12])
def test_order_is_no_longer_than_any_that_was_tried(count: int) -> None:
    rng = np.random.default_rng(count)
    routes = [route((0, 0), (x, 0.0), (x, y)) for x, y in rng.uniform(-6, 6, (count, 2))]
    assert sorted(visiting_order(routes)) == list(range(count))
    first = np.array([r.length for r in routes])
    between = np.array([[_between(a, b) for b in routes] for a in routes])
    found = length(visiting_order(routes), first, between)
    tried = itertools.permutations(range(count)) if count < 6 else (rng.permutation(count) for _ in range(500))
    assert found <= min(length(list(order), first, between) for order in tried) + 1e-9


def test_many_goals_get_nearly_the_order_that_an_exact_search_finds() -> None:
    rng = np.random.default_rng(3)
    routes = [route((0, 0), (x, 0.0), (x, y)) for x, y in rng.uniform(-6, 6, (8, 2))]
    first = np.array([r.length for r in routes])
    between = np.array([[_between(a, b) for b in routes] for a in routes])
    exact = length(_exact(first, between), first, between)
    assert exact <= length(_two_opt(first, between), first, between) + 1e-9 <= 1.3 * exact


def length(order: list[int], first: Array, between: Array) -> float:
    return float(first[order[0]] + sum(between[a, b] for a, b in zip(order[:-1], order[1:], strict=True)))
