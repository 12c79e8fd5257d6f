from __future__ import annotations

import numpy as np
import pytest

from ami_ros.simulation.floor_plan import FloorPlan, Obstacle

BOX = Obstacle("box", "box", (2.0, 0.0), 0.0, (0.5, 1.0), 1.0)
TURNED = Obstacle("turned", "box", (0.0, 3.0), np.pi / 4, (1.0, 1.0), 1.0)
POST = Obstacle("post", "cylinder", (-2.0, 0.0), 0.0, (0.5, 0.5), 1.0)


@pytest.mark.parametrize(
    ("angle", "distance"),
    [
        (0.0, 1.5),
        (np.pi, 1.5),
        (np.pi / 2, 3.0 - np.sqrt(2)),
        (-np.pi / 2, np.inf),
        (np.arctan2(0.9, 1.5), np.hypot(0.9, 1.5)),
    ],
)
def test_rays_end_at_the_first_surface(angle: float, distance: float) -> None:
    plan = FloorPlan([BOX, TURNED, POST])
    assert plan.cast([0.0, 0.0], [angle])[0] == pytest.approx(distance)


def test_the_nearer_of_two_obstacles_hides_the_other() -> None:
    behind = Obstacle("behind", "box", (5.0, 0.0), 0.0, (0.5, 3.0), 1.0)
    assert FloorPlan([behind, BOX]).cast([0.0, 0.0], [0.0])[0] == pytest.approx(1.5)


def test_a_world_without_obstacles_returns_nothing() -> None:
    plan = FloorPlan([])
    assert np.isinf(plan.cast([0.0, 0.0], [0.0, 1.0])).all()
    assert np.isinf(plan.clearance([[0.0, 0.0]])).all()


def test_clearance_is_the_distance_to_the_nearest_surface_and_zero_inside() -> None:
    plan = FloorPlan([BOX, TURNED, POST])
    points = [[0.0, 0.0], [2.2, 0.3], [3.5, 2.0], [-2.0, 0.2], [0.0, 3.0 - np.sqrt(2) - 0.1]]
    expected = [1.5, 0.0, np.hypot(1.0, 1.0), 0.0, 0.1]
    assert plan.clearance(points) == pytest.approx(expected)


def test_no_ray_is_shorter_than_the_clearance() -> None:
    plan = FloorPlan([BOX, TURNED, POST])
    rng = np.random.default_rng(0)
    for origin in rng.uniform(-4, 4, (50, 2)):
        rays = plan.cast(origin, np.linspace(-np.pi, np.pi, 720))
        clearance = plan.clearance(origin[None])[0]
        assert rays.min() >= clearance - 1e-9
        if np.isfinite(rays.min()) and clearance > 0.1:
            assert rays.min() == pytest.approx(clearance, rel=0.02)
