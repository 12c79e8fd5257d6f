"""The robot's outline."""

from __future__ import annotations

import numpy as np
import pytest

from ami_ros.safety.config import Footprint, SafetyConfig

BOX = (0.3, 0.2, -0.1, 0.2, -0.1, -0.2, 0.3, -0.2)


@pytest.mark.parametrize(("radius", "count"), [(0.1, 16), (0.2, 26), (0.18, 23), (1.0, 126)])
def test_the_outline_of_a_round_robot_has_a_point_every_5_cm_and_sixteen_at_least(radius: float, count: int) -> None:
    disc = Footprint(SafetyConfig(robot_radius=radius))
    assert disc.is_round and disc.radius == radius and disc.outline.shape == (count, 2)
    assert np.hypot(*disc.outline.T) == pytest.approx(radius) and disc.outline[0] == pytest.approx([radius, 0.0])
    steps = np.hypot(*(np.roll(disc.outline, -1, axis=0) - disc.outline).T)
    assert steps == pytest.approx(2 * radius * np.sin(np.pi / count))


def test_the_outline_of_a_polygon_has_its_corners_and_a_point_every_5_cm() -> None:
    for corners in (BOX, tuple(np.array(BOX).reshape(-1, 2)[::-1].ravel())):  # either way round
        box = Footprint(SafetyConfig(footprint=corners))
        assert not box.is_round and box.radius == pytest.approx(np.hypot(0.3, 0.2)) and len(box.outline) == 32
        steps = np.hypot(*(np.roll(box.outline, -1, axis=0) - box.outline).T)
        assert steps == pytest.approx(0.05)
        assert {(0.3, 0.2), (-0.1, 0.2), (-0.1, -0.2), (0.3, -0.2)} <= {
            (round(x, 9), round(y, 9)) for x, y in box.outline
        }
        assert box.distance(box.outline) == pytest.approx(0.0, abs=1e-12)
    odd = Footprint(SafetyConfig(footprint=(0.12, 0.0, -0.1, 0.1, -0.1, -0.1)))
    steps = np.hypot(*(np.roll(odd.outline, -1, axis=0) - odd.outline).T)
    assert len(odd.outline) == 5 + 4 + 5 and steps.max() < 0.0501 and steps.min() > 0.045


def test_how_far_points_are_from_it() -> None:
    points = np.array([[[0.5, 0.0], [0.0, -0.5], [0.0, 0.0]], [[-0.4, 0.3], [0.3, 0.4], [-0.25, -0.05]]])
    disc = Footprint(SafetyConfig(robot_radius=0.2))
    assert disc.distance(points) == pytest.approx(np.array([[0.3, 0.3, -0.2], [0.3, 0.3, 0.25495 - 0.2]]), abs=1e-5)
    box = Footprint(SafetyConfig(footprint=BOX))
    assert box.distance(points) == pytest.approx(np.array([[0.2, 0.3, -0.1], [0.3, 0.2, 0.15]]))
    assert box.distance([0.3, 0.25]) == pytest.approx(0.05) and disc.distance([0.0, 0.0]) == pytest.approx(-0.2)
    kite = Footprint(SafetyConfig(footprint=(0.3, 0.0, 0.0, 0.4, -0.3, 0.0, 0.0, -0.4)))
    assert kite.distance([[0.3, 0.4], [-0.6, -0.4], [0.0, 0.0]]) == pytest.approx([0.24, 0.48, -0.24])


def test_a_polygon_is_near_what_its_edges_are_near() -> None:
    for corners in ((0.4, 0.2, -0.2, 0.2, -0.2, -0.2, 0.4, -0.2), (0.4, -0.2, -0.2, -0.2, -0.2, 0.2, 0.4, 0.2)):
        shape = Footprint(SafetyConfig(footprint=corners))
        assert shape.distance([[0.5, 0.0], [0.0, 0.3], [-0.1, 0.0]]) == pytest.approx([0.1, 0.1, -0.1])
        assert np.abs(shape.distance(shape.outline)).max() < 1e-9 and len(shape.outline) > 30
