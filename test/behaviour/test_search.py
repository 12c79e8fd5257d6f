"""Looking for a goal from spot to spot."""

from __future__ import annotations

import numpy as np

from ami_ros.behaviour.search import GoalSearch, SearchConfig, is_over, reach
from ami_ros.core.geometry import compose

from .conftest import NOTHING, scan_of_points

HERE, CONFIG = np.zeros(3), SearchConfig()


def turned(search: GoalSearch, at: np.ndarray, stamp: float) -> None:
    """A whole turn at a spot."""
    search.begin(stamp, at)
    turns = [search.goes_on(stamp + 0.1 * k, at + [0.0, 0.0, yaw]) for k, yaw in enumerate(np.arange(0.0, 7.0, 0.5))]
    assert turns[0] and not turns[-1] and search.goes_on(stamp + 1.0, at) is None


def test_it_begins_where_the_robot_is() -> None:
    search = GoalSearch()
    np.testing.assert_array_equal(search.next_spot(0.0, HERE, NOTHING), HERE)
    assert not search.goes_on(0.0, HERE), "nothing has begun yet"


def test_each_spot_is_away_from_those_that_were_looked_from_and_the_search_ends() -> None:
    search, at = GoalSearch(), HERE
    for k in range(CONFIG.spots):
        turned(search, at, 100.0 * k)
        spot = search.next_spot(100.0 * k + 9.0, at, NOTHING)
        if k == CONFIG.spots - 1:
            assert spot is None
            break
        assert spot is not None
        assert min(np.hypot(*(spot - other)[:2]) for other in search.spots) > CONFIG.apart
        midway = compose(spot, np.array([-0.6 * CONFIG.apart, 0.0, 0.0]))
        np.testing.assert_array_equal(search.next_spot(100.0 * k + 11.0, midway, NOTHING), spot)
        at = spot
    assert len(search.spots) == CONFIG.spots


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
    turned(blind := GoalSearch(), HERE, 0.0)
    assert blind.next_spot(9.0, HERE, None) is None, "without a scan nothing is known to be free"


def test_a_spot_that_it_does_not_get_to_is_left_for_another() -> None:
    search = GoalSearch()
    turned(search, HERE, 0.0)
    first = search.next_spot(9.0, HERE, NOTHING)
    second = search.next_spot(9.0 + CONFIG.drive + 0.1, HERE, NOTHING)
    assert first is not None and second is not None and np.hypot(*(first - second)[:2]) > CONFIG.apart


def test_a_turn_ends_after_its_time_where_the_robot_does_not_come_around() -> None:
    search = GoalSearch()
    search.begin(0.0, HERE)
    assert search.goes_on(CONFIG.turn - 0.1, HERE) and not search.goes_on(CONFIG.turn + 0.1, HERE)


def test_it_leaves_time_to_say_that_the_goal_is_unknown() -> None:
    assert is_over(27.0, 30.0) and not is_over(26.0, 30.0)
    assert not is_over(1000.0, 0.0), "without a limit the spots are counted"


def test_the_robot_reaches_as_far_as_it_can_drive_in_the_time_that_is_left() -> None:
    assert reach(10.0, 30.0) == 0.3 * 20.0 and reach(40.0, 30.0) == 0.0
    assert reach(1000.0, 0.0) == np.inf, "without a limit there is time"
