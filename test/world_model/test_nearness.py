"""How near pixels are, by laser and floor: of a wall across the way, before cameras high and low, tilted and turned."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_ros.core.camera import CameraMount, Window
from ami_ros.core.scan import Scan
from ami_ros.world_model.picture_rays import distance_by_laser, nearness_by_laser

SIZE, WALL, WINDOW = 32, 2.0, Window.square(1.2)  # [px], [m] ahead of base_link


def wall(origin: tuple[float, float] = (0.0, 0.0)) -> Scan:
    """Of a laser at `origin`: beams all round, which meet the wall or nothing."""
    angles = np.radians(np.arange(-180.0, 180.0))
    with np.errstate(divide="ignore"):
        ranges = np.where(np.cos(angles) > 0.05, (WALL - origin[0]) / np.cos(angles), np.inf)
    return Scan(ranges.astype(np.float32), -math.pi, math.radians(1.0), origin)


@pytest.mark.parametrize("window", [WINDOW, Window(-0.7, -0.2, 0.4, 0.5)])
@pytest.mark.parametrize("origin", [(0.0, 0.0), (-0.1, 0.05)])
@pytest.mark.parametrize(
    "mount",
    [
        CameraMount(z=0.2),
        CameraMount(0.15, -0.05, z=0.5, pitch=0.2),
        CameraMount(z=0.3, pitch=-0.1, roll=0.05, yaw=0.3),
    ],
)
def test_the_floor_is_near_below_and_the_wall_where_the_laser_has_it(
    mount: CameraMount, origin: tuple[float, float], window: Window
) -> None:
    found = nearness_by_laser(wall(origin), mount, window, SIZE)
    assert found is not None
    ahead, left, up = mount.rays(*window.rays(SIZE))
    to_wall = (WALL - mount.x) / np.maximum(ahead, 1e-6)  # times the ray
    to_floor = np.where(up < 0, mount.z / np.maximum(-up, 1e-9), np.inf)
    wanted = np.clip(np.minimum(to_wall, to_floor) * np.hypot(ahead, left), 0.2, 8.0)
    aside = np.abs(np.arctan2(left, ahead)) < 1.1  # beyond, the wall is far and beams are wide apart
    np.testing.assert_allclose(1 / found[aside], wanted[aside], rtol=0.05)


def test_without_height_or_readings_nothing_is_known() -> None:
    assert nearness_by_laser(wall(), CameraMount(), WINDOW, SIZE) is None
    blind = Scan(np.full(360, np.nan, np.float32), -math.pi, math.radians(1.0))
    assert nearness_by_laser(blind, CameraMount(z=0.2), WINDOW, SIZE) is None


def test_what_a_laser_does_not_look_at_is_not_taken_for_free() -> None:
    """One that looks ahead only, before a wall that ends: beyond it nothing returns; to the side nobody looked."""
    angles = np.radians(np.arange(-30.0, 31.0))
    ranges = np.where(angles < 0.2, WALL / np.cos(angles), np.inf)
    scan = Scan(ranges.astype(np.float32), math.radians(-30.0), math.radians(1.0))
    left = np.array([0.0, 0.3, 1.2])
    ahead, free, aside = distance_by_laser(scan, CameraMount(z=0.2), -left, np.full(3, -0.1))
    assert ahead == pytest.approx(WALL, abs=0.01) and np.isinf(free) and np.isnan(aside)
    below = distance_by_laser(scan, CameraMount(z=0.2), -left, np.full(3, 0.5))
    np.testing.assert_allclose(below, 0.2 / 0.5 * np.hypot(1, left), rtol=1e-6)
