"""What a depth camera showed, and passes over now."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_ros.core.geometry import Array
from ami_ros.core.scan import Scan
from ami_ros.safety.observations import Snapshot
from ami_ros.safety.surroundings import PassedOver

NOTHING = np.zeros((0, 2))


def view(reads: float = 3.0, stamp: float = 0.0, x: float = 0.0, yaw: float = 0.0) -> Snapshot:
    """A camera that looks 30 degrees to either side, and passes over low things nearer than 0.5 m."""
    scan = Scan(np.full(61, reads, np.float32), -math.pi / 6, math.pi / 180, max_range=6.0, blind=0.5)
    return Snapshot.of(scan, np.array([x, 0.0, yaw]), 0.0, stamp)


def at(*points: tuple[float, float]) -> Array:
    """Points (n, 2) [m]."""
    return np.array(points, dtype=np.float64).reshape(-1, 2)


def test_what_comes_under_the_view_is_kept_where_it_was() -> None:
    passed = PassedOver(3.0)
    assert passed.look(at((0.8, 0.1)), view(0.8)) == pytest.approx(at((0.8, 0.1)))
    assert passed.look(NOTHING, view(3.0, 9.0, 0.4)) == pytest.approx(at((0.4, 0.1))), "however long ago"
    assert passed.look(at((1.5, 0.0)), view(3.0, 10.0, 0.4)) == pytest.approx(at((1.5, 0.0), (0.4, 0.1)))
    turned = passed.look(NOTHING, view(3.0, 10.1, 0.4, 0.2))
    assert turned[np.hypot(*turned.T) < 1.0] == pytest.approx(
        at((0.4 * math.cos(0.2) + 0.1 * math.sin(0.2), 0.1 * math.cos(0.2) - 0.4 * math.sin(0.2)))
    )


@pytest.mark.parametrize(
    ("away", "reads", "kept"),
    [
        (0.6, 3.0, 0),  # seen through, from far enough away
        (0.6, 0.66, 0),
        (0.6, 0.64, 1),  # not from so far behind
        (0.6, math.nan, 1),
        (0.6, 0.55, 1),  # behind something
        (0.49, 3.0, 1),  # too near to tell
        (0.49, 0.495, 0),  # it is shown
        (0.49, 0.485, 0),
        (0.49, 0.505, 1),
        (0.5, 3.0, 0),
    ],
)
def test_it_has_gone_once_the_sensor_sees_through_where_it_was(away: float, reads: float, kept: int) -> None:
    passed = PassedOver(3.0)
    passed.look(at((away, 0.0)), view())
    assert len(passed.look(NOTHING, view(reads, 0.1))) == kept


def test_beside_the_view_it_is_kept_for_memory() -> None:
    for stamp, kept in ((3.0, 1), (3.01, 0)):
        passed = PassedOver(3.0)
        passed.look(at((0.8, 0.0)), view())
        assert len(passed.look(NOTHING, view(3.0, stamp, 0.0, 2.0))) == kept
    passed = PassedOver(3.0)
    passed.look(at((0.8, 0.0)), view(0.8, 5.0))
    passed.look(at((0.4, 0.0)), view(0.8, 7.0))
    assert len(passed.look(NOTHING, view(3.0, 8.5, 0.0, 2.0))) == 1, "each by when it was seen"


def test_what_is_two_metres_away_is_seen_again_before_the_robot_comes_there() -> None:
    passed = PassedOver(9.0)
    passed.look(at((1.5, 1.2), (2.0, 0.1), (0.0, 1.99)), view(0.8))
    assert len(passed.look(NOTHING, view(math.nan, 0.1))) == 2
    assert len(passed.look(NOTHING, view(math.nan, 0.2, -0.5))) == 0, "and so if the robot leaves"
    passed.look(at((2.1, 0.0)), view(0.8, 0.3))
    assert len(passed.look(NOTHING, view(math.nan, 0.4, 0.3))) == 0, "it was too far away to be passed over"


def test_of_each_cell_of_3_cm_one_point_is_kept_and_of_many_the_nearest_thousand() -> None:
    passed = PassedOver(9.0)
    passed.look(at((0.31, 0.01), (0.32, 0.02), (0.35, 0.01)), view(math.nan))
    assert len(passed.look(NOTHING, view(math.nan, 0.1))) == 2
    cells = (np.stack(np.meshgrid(np.arange(40.0), np.arange(-20.0, 20.0)), -1).reshape(-1, 2) + 0.5) * 0.03
    for x in (0.0, 6.0):
        passed = PassedOver(9.0)
        passed.look(cells, view(math.nan, x=x))
        kept = passed.look(NOTHING, view(math.nan, 0.1, x))
        assert len(kept) == 1000
        assert np.hypot(*kept.T).max() <= np.sort(np.hypot(*cells.T))[1000] + 1e-9
