"""Where the pixels of a picture look."""

from __future__ import annotations

import math

import numpy as np
import pytest

from ami_ros.core.camera import CameraMount, Window
from ami_ros.world_model.picture_rays import compared, picture_rays

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
