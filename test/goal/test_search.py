"""Looking for a goal from spot to spot."""

from __future__ import annotations

import numpy as np

from ami_ros.goal.search import APART, DRIVE_SECONDS, LOOKED, SPOTS, GoalSearch, is_out_of_reach, is_over

from .conftest import NOTHING, scan_of_points

HERE = np.zeros(3)


def turned(search: GoalSearch, at: np.ndarray, stamp: float) -> None:
    """A whole turn at a spot."""
    for k, yaw in enumerate(np.arange(0.0, 7.0, 0.5)):
        search.goes_on(stamp + 0.1 * k, at + [0.0, 0.0, yaw])
    assert search.done


def test_each_spot_is_away_from_those_that_were_looked_from_and_the_search_ends() -> None:
    search, at = GoalSearch(), HERE
    for k in range(SPOTS):
        turned(search, at, 100.0 * k)
        spot = search.next_spot(100.0 * k + 9.0, at, NOTHING)
        if k == SPOTS - 1:
            assert spot is None
            break
        assert spot is not None
        assert min(np.hypot(*(spot - other)[:2]) for other in search.spots) > APART
        at = spot
        search.next_spot(100.0 * k + 12.0, at, NOTHING)
        assert not search.done, "another turn begins there"
    assert len(search.spots) == SPOTS


def test_it_goes_only_where_there_is_room() -> None:
    search = GoalSearch()
    turned(search, HERE, 0.0)
    wall = np.column_stack([np.full(400, 0.6), np.linspace(-4.0, 4.0, 400)])
    spot = search.next_spot(9.0, HERE, scan_of_points(wall))
    assert spot is not None and spot[0] < 0.35
    shut = GoalSearch()
    turned(shut, HERE, 0.0)
    angles = np.linspace(-np.pi, np.pi, 400)
    assert shut.next_spot(9.0, HERE, scan_of_points(0.7 * np.column_stack([np.cos(angles), np.sin(angles)]))) is None
    assert GoalSearch().next_spot(0.0, HERE, None) is None, "without a scan nothing is known to be free"


def test_a_spot_that_it_does_not_get_to_is_left_for_another() -> None:
    search = GoalSearch()
    turned(search, HERE, 0.0)
    first = search.next_spot(9.0, HERE, NOTHING)
    second = search.next_spot(9.0 + DRIVE_SECONDS + 0.1, HERE, NOTHING)
    assert first is not None and second is not None and np.hypot(*(first - second)[:2]) > APART


def test_where_the_goal_is_not_it_looks_around_before_it_goes_on_but_once() -> None:
    search = GoalSearch()
    search.rest_of_here(HERE)
    assert not search.done
    turned(search, HERE, 0.0)
    search.rest_of_here(HERE + [LOOKED - 0.1, 0.0, 0.0])
    assert search.done
    search.rest_of_here(HERE + [LOOKED + 0.1, 0.0, 0.0])
    assert not search.done


def test_it_leaves_time_to_say_that_the_goal_is_unknown() -> None:
    assert is_over(27.0, 30.0) and not is_over(26.0, 30.0)
    assert not is_over(1000.0, 0.0), "without a limit the spots are counted"


def test_what_is_too_far_for_the_time_that_is_left_is_not_driven_to() -> None:
    assert is_out_of_reach(8.0, 10.0, 30.0) and not is_out_of_reach(5.0, 10.0, 30.0)
    assert not is_out_of_reach(100.0, 1000.0, 0.0), "without a limit there is time"
