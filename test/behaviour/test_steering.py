"""Commands towards a target."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.behaviour.steering import facing, turned_first
from ami_ros.core.scan import Scan


@pytest.mark.parametrize(
    ("place", "heading"),
    [((1.0, 0.0), 0.0), ((0.0, 2.0), np.pi / 2), ((-2.0, 0.1), np.pi - 0.05), ((-0.2, 0.2), -np.pi / 4)],
    ids=["ahead", "beside", "behind, far: it turns", "behind, near: it backs up"],
)
def test_it_faces_the_place_or_turns_its_back_on_it(place: tuple[float, float], heading: float) -> None:
    found = facing(np.array([*place, 2.0]))
    np.testing.assert_allclose(found, [*place, heading], atol=1e-3)
    ahead_only = Scan(np.full(19, 3.0, np.float32), -np.pi / 2, np.pi / 18)
    assert np.cos(facing(np.array([*place, 2.0]), ahead_only)[2] - np.arctan2(place[1], place[0])) > 0.999


def test_a_robot_that_looks_ahead_only_turns_before_it_drives_a_sharp_curve() -> None:
    """The safety gate let a third of such curves pass, and the robot crept for ten seconds."""
    commands = np.array([[0.04, 1.2], [0.1, -0.9], [0.3, 0.4], [0.2, 1.0]])
    np.testing.assert_array_equal(turned_first(commands), [[0.0, 1.2], [0.0, -0.9], [0.3, 0.4], [0.2, 1.0]])
    np.testing.assert_array_equal(turned_first(commands[:2])[:, 0], [0.0, 0.0])
    np.testing.assert_array_equal(turned_first(commands[2:]), commands[2:])
