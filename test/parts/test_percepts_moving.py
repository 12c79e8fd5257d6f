"""What moves reaches the planner, and does not reach the map."""

from __future__ import annotations

import numpy as np

from ami_ros.agent.perceiver import LatentFrame
from ami_ros.agent.percepts import Percepts
from ami_ros.commands import STILL
from ami_ros.moving.things import Kind, MovingThing, MovingThings

WALKER = MovingThing(1, np.array([1.5, 0.0]), np.array([0.0, 1.0]), np.eye(4) * 0.01, 0.3, Kind.PERSON)


def percepts_at(stamp: float) -> Percepts:
    percepts = Percepts()
    percepts.take_odometry(stamp, np.zeros(3), STILL, stamp)
    return percepts


def test_tracks_of_this_moment_are_in_the_percept_and_old_ones_are_not() -> None:
    percepts = percepts_at(10.0)
    percepts.take_things(MovingThings(9.9, (WALKER,)))
    now = percepts.at(LatentFrame(10.0, np.zeros(4, np.float32)))
    assert now.things is not None and now.things.things == (WALKER,)
    percepts.take_odometry(11.5, np.zeros(3), STILL, 11.5)
    assert percepts.at(LatentFrame(11.5, np.zeros(4, np.float32))).things is None


def test_tracks_from_the_future_do_not_count() -> None:
    percepts = percepts_at(10.0)
    percepts.take_things(MovingThings(15.0, (WALKER,)))
    assert percepts.at(LatentFrame(10.0, np.zeros(4, np.float32))).things is None


def test_where_odometry_began_anew_tracks_from_before_are_forgotten() -> None:
    percepts = percepts_at(10.0)
    percepts.take_things(MovingThings(10.0, (WALKER,)))
    percepts.take_odometry(10.1, np.array([7.0, 7.0, 1.0]), STILL, 10.1)
    assert percepts.at(LatentFrame(10.1, np.zeros(4, np.float32))).things is None
