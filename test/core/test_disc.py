"""A robot's outline, as planners see it."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.core.geometry import Disc, disc_around
from ami_ros.core.robots.description import load_robot

BOX = [(0.07, 0.15), (0.07, -0.15), (-0.2, -0.15), (-0.2, 0.15)]  # base_link lies near its front


def test_the_disc_of_a_box_is_around_its_middle() -> None:
    disc = disc_around(BOX)
    assert disc.middle == pytest.approx(-0.065) and disc.radius == pytest.approx(np.hypot(0.135, 0.15))


def test_it_holds_every_outline_and_none_smaller_does() -> None:
    rng = np.random.default_rng(0)
    for _ in range(50):
        corners = rng.uniform([-0.4, -0.3], [0.2, 0.3], (rng.integers(3, 8), 2))
        disc = disc_around([(float(x), float(y)) for x, y in corners])
        assert np.hypot(corners[:, 0] - disc.middle, corners[:, 1]).max() <= disc.radius + 1e-9
        others = np.hypot(corners[:, 0, None] - np.linspace(-0.6, 0.6, 1201), corners[:, 1, None]).max(axis=0)
        assert disc.radius <= others.min() + 1e-9


def test_how_far_it_reaches_depends_on_where_to() -> None:
    disc = Disc(0.2, -0.06)
    assert disc.reach(0.0) == pytest.approx(0.14) and disc.reach(np.pi) == pytest.approx(0.26)
    assert disc.reach(np.pi / 2) == pytest.approx(np.sqrt(0.04 - 0.0036))
    assert Disc(0.18).reach(1.0) == pytest.approx(0.18)


def test_its_middle_turns_with_the_robot() -> None:
    poses = np.array([[1.0, 2.0, 0.0], [1.0, 2.0, np.pi / 2]])
    np.testing.assert_allclose(Disc(0.2, -0.1).centre(poses), [[0.9, 2.0], [1.0, 1.9]], atol=1e-12)


@pytest.mark.parametrize("name", ["turtlebot3_waffle_pi", "turtlebot3_burger", "ackermann", "ami_bot"])
def test_described_robots_are_no_wider_than_around_their_wheels(name: str) -> None:
    shape = load_robot(name).shape
    assert shape.disc.radius <= shape.radius + 1e-9
    assert (shape.disc.radius < 0.9 * shape.radius) == bool(shape.polygon)
