"""Where the pixels of a picture look."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_ros.core.camera import CameraMount, Window
from ami_ros.core.scan import Scan
from ami_ros.world_model.picture_rays import compared, distance_by_laser, nearness_by_laser, picture_rays

SIZE, HALF = 32, 1.0


def test_the_floor_is_as_near_as_the_height_of_the_camera_says() -> None:
    _, _, floor, height = picture_rays(CameraMount(z=0.4), HALF, SIZE).told
    assert (floor[:4] == 0).all(), "above the horizon there is none"
    assert floor[-1, 4] == pytest.approx(7 / 8 / 0.4 / math.hypot(1, 1 / 8) / 2, rel=1e-3)
    assert (height == np.float32(0.8)).all()


def test_of_a_camera_whose_place_is_not_known_no_floor_is_told() -> None:
    right, slope, floor, height = picture_rays(CameraMount(), HALF, SIZE).told
    assert not floor.any() and not height.any() and slope[0, 0] > 0 > slope[-1, 0] and right[0, 0] < 0 < right[0, -1]


def test_a_camera_that_looks_down_sees_more_of_the_floor() -> None:
    level, down = (picture_rays(CameraMount(z=0.3, pitch=p), HALF, SIZE).told[2] for p in (0.0, 0.3))
    assert (down > 0).sum() > (level > 0).sum()


def test_cells_look_to_the_left_by_their_bearing() -> None:
    bearings = picture_rays(CameraMount(yaw=1.0), HALF, SIZE).bearings.reshape(4, 4)
    np.testing.assert_allclose(bearings[0], np.arctan([0.75, 0.25, -0.25, -0.75]), rtol=1e-6)


def test_of_a_narrow_camera_the_smallest_square_around_what_it_sees_is_compared() -> None:
    assert compared(Window(-0.6, -0.4, 0.6, 0.4), HALF) == 0.6
    assert compared(Window(-0.5, -0.4, 0.62, 0.4), HALF) == 0.62
    assert compared(Window(-0.98, -0.5, 0.98, 0.5), HALF) == HALF, "hardly less is all of it"
    assert compared(Window.square(2.0), HALF) == HALF


SMALL, WALL, WINDOW = 32, 2.0, Window.square(1.2)  # [px], [m] ahead of base_link


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
    found = nearness_by_laser(wall(origin), mount, window, SMALL)
    assert found is not None
    ahead, left, up = mount.rays(*window.rays(SMALL))
    to_wall = (WALL - mount.x) / np.maximum(ahead, 1e-6)  # times the ray
    to_floor = np.where(up < 0, mount.z / np.maximum(-up, 1e-9), np.inf)
    wanted = np.clip(np.minimum(to_wall, to_floor) * np.hypot(ahead, left), 0.2, 8.0)
    aside = np.abs(np.arctan2(left, ahead)) < 1.1  # beyond, the wall is far and beams are wide apart
    np.testing.assert_allclose(1 / found[aside], wanted[aside], rtol=0.05)


def test_without_height_or_readings_nothing_is_known() -> None:
    assert nearness_by_laser(wall(), CameraMount(), WINDOW, SMALL) is None
    blind = Scan(np.full(360, np.nan, np.float32), -math.pi, math.radians(1.0))
    assert nearness_by_laser(blind, CameraMount(z=0.2), WINDOW, SMALL) is None


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
