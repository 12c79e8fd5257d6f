"""What was noted in odom stays where it was on the map, however odometry drifts."""

from __future__ import annotations

import numpy as np

from ami_ros.behaviour.navigator import Drift
from ami_ros.behaviour.posterior import GoalPosterior, Likelihoods
from ami_ros.behaviour.search import GoalSearch
from ami_ros.core.geometry import Array, compose
from ami_ros.memory.types import Location
from ami_ros.planning.route_follower import pose_in_map

SPOT = np.array([2.0, 1.0, 0.4])


def at(pose: Array, odometry: Array) -> Location:
    """The robot is at `pose` (3,) of the map, and odometry says `odometry` (3,)."""
    return Location(0.0, pose, odometry, 1.0, 0.0, True, 1)


def test_a_spot_stays_where_it_was_on_the_map_while_odometry_drifts() -> None:
    """A robot looked for a goal three times from one spot: each turn had moved all earlier ones by centimetres."""
    drift, search, posterior = Drift(), GoalSearch(), GoalPosterior(Likelihoods())
    pose, odometry = np.array([1.0, 1.0, 0.0]), np.array([5.0, -2.0, 0.3])
    noted = compose(odometry, SPOT)
    search.spots.append(noted)
    posterior.stood(noted, Likelihoods().unproven)
    was = pose_in_map(at(pose, odometry), noted)
    for turned in range(200):  # each time odometry counts 1 % more than the robot turns, and a little of way
        location = at(compose(pose, [0.0, 0.0, 0.1 * turned]), compose(odometry, [1e-3 * turned, 0.0, 0.101 * turned]))
        if (correction := drift.update(location, location.odometry)) is not None:
            search.carry(correction)
            posterior.carry(correction)
    np.testing.assert_allclose(pose_in_map(location, search.spots[0]), was, atol=1e-6)
    assert np.hypot(*(search.spots[0] - noted)[:2]) > 0.3
    assert posterior.is_refuted(search.spots[0]) and search.has_looked_from(search.spots[0])


def test_a_belief_that_jumps_or_is_lost_or_begins_moves_nothing() -> None:
    drift, here = Drift(), np.zeros(3)
    assert drift.update(None, here) is None
    assert drift.update(at(here, here), here) is None
    assert drift.update(at(here, here), here) is None
    assert drift.update(at(np.array([0.6, 0.0, 0.0]), here), here) is None
    assert drift.update(at(np.array([0.7, 0.0, 0.0]), here), here) is not None
    assert Drift().update(at(np.array([0.8, 0.0, 0.0]), here), here) is None
