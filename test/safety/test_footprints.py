"""Footprints of what moves: where it came from too, in any frame, and not for ever."""

from __future__ import annotations

import numpy as np

from ami_ros.core.geometry import compose
from ami_ros.safety.moving_things import Footprints, FootprintsConfig, MovingThing, MovingThings

CONFIG = FootprintsConfig()

POSE, ODOMETRY = np.array([4.0, 2.0, 1.0]), np.array([-1.0, 0.5, -0.4])


def at(x: float, y: float, number: int = 1, speed: float = 0.8) -> MovingThings:
    """Something in odom, `x` ahead and `y` to the left of the robot, that goes on ahead."""
    place = compose(ODOMETRY, np.array([x, y, 0.0]))
    velocity = speed * np.array([np.cos(ODOMETRY[2]), np.sin(ODOMETRY[2])])
    return MovingThings(0.0, (MovingThing(number, place[:2], velocity, np.eye(4), 0.3),))


def in_map(x: float, y: float) -> np.ndarray:
    return compose(POSE, np.array([x, y, 0.0]))[None, :2]


def test_a_footprint_lies_where_a_thing_is_and_where_it_came_from() -> None:
    prints = Footprints()
    prints.add(at(2.0, 0.0), 0.0, POSE, ODOMETRY)
    for x in (2.0, 1.5, 1.1):
        assert prints.within(in_map(x, 0.0))[0]
    assert not prints.within(in_map(3.0, 0.0))[0] and not prints.within(in_map(2.0, 0.3 + CONFIG.beside + 0.05))[0]
    assert prints.within(in_map(2.0, 0.3 + CONFIG.beside + 0.05), margin=0.1)[0]


def test_who_walks_on_leaves_more_and_who_stands_does_not() -> None:
    prints = Footprints()
    for k in range(50):
        prints.add(at(2.0 + 0.001 * k, 0.0), 0.1 * k, POSE, ODOMETRY)
    stands = len(prints.discs())
    prints.add(at(2.5, 0.0), 5.0, POSE, ODOMETRY)
    assert len(prints.discs()) == stands + 1


def test_footprints_fade_and_are_never_too_many() -> None:
    prints = Footprints()
    for k in range(2 * CONFIG.most):
        prints.add(at(2.0, 0.0, k), 1e-3 * k, POSE, ODOMETRY)
    assert len(prints.discs()) <= CONFIG.most
    prints.add(None, CONFIG.lasts + 1.0, POSE, ODOMETRY)
    assert not len(prints.discs()) and not prints.within(in_map(2.0, 0.0))[0]
    prints.add(at(2.0, 0.0), 50.0, POSE, ODOMETRY)
    prints.add(None, 10.0, POSE, ODOMETRY)  # time was turned back
    assert not len(prints.discs())
