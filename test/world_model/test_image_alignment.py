"""Pictures of a wall, taken from nearly one place: their exact pose, and whether they show the same wall."""

from __future__ import annotations

import cv2
import numpy as np
import pytest

from ami_ros.core.camera import CameraMount, Window
from ami_ros.core.geometry import Array
from ami_ros.world_model.image_alignment import Interpolated, _shares, _View, align, moved_off
from ami_ros.world_model.layers import Floats

SIZE, TANGENT, WALL = 32, 1.2, 2.0  # [px], of half the field of view, [m] ahead of base_link
WINDOW = Window.square(TANGENT)
STILL = np.zeros(3)


def painted(seed: int) -> np.ndarray:
    """Paint of a wall of 12 m by 12 m."""
    blurred = cv2.GaussianBlur(np.random.default_rng(seed).random((240, 240, 3)), (0, 0), 5.0)
    return np.asarray(cv2.normalize(blurred, None, 0.2, 1.0, cv2.NORM_MINMAX), np.float32)


def seen(paint: np.ndarray, pose: Array, window: Window = WINDOW) -> tuple[Floats, Floats]:
    """What a camera at `pose` (3,) sees of the wall, as shares of the mean, and the nearness of each pixel."""
    x, y, yaw = pose
    right, under = window.rays(SIZE)
    ahead, left = np.cos(yaw) + np.sin(yaw) * right, np.sin(yaw) - np.cos(yaw) * right
    reach = (WALL - x) / ahead
    u, v = y + reach * left, reach * under
    across, down = ((20 * part + 120).astype(np.float32) for part in (u, v))
    seen_from_there = cv2.remap(paint, across, down, cv2.INTER_LINEAR)
    nearness = 1 / (reach * np.hypot(ahead, left))
    return shares(seen_from_there.transpose(2, 0, 1)), nearness.astype(np.float32)


def shares(picture: Floats) -> Floats:
    """Each colour of a picture (3, n, n) as a share of its mean."""
    return np.asarray(picture / picture.mean((-2, -1), keepdims=True))


@pytest.mark.parametrize("pose", [(0.15, 0.0, 0.0), (0.0, -0.15, 0.1), (-0.1, 0.12, -0.12), (0.0, 0.0, 0.15)])
def test_the_pose_of_a_picture_taken_nearby_is_found_to_a_centimetre(pose: tuple[float, float, float]) -> None:
    paint = painted(1)
    (here, nearness), (there, _) = seen(paint, STILL), seen(paint, np.array(pose))
    found = align(here, there, nearness, STILL, WINDOW)
    assert found.pose == pytest.approx(pose, abs=0.012)
    assert found.difference(moved_off(there, WINDOW)) < 1.0
    elsewhere, _ = seen(painted(2), np.array(pose))
    other = align(here, elsewhere, nearness, STILL, WINDOW)
    assert other.difference(moved_off(elsewhere, WINDOW)) > 4.0, "another wall is another wherever one stands"


def test_somebody_in_front_makes_no_other_place_where_it_is_known_where_he_stands() -> None:
    paint, pose = painted(1), np.array([0.1, 0.05, 0.05])
    (here, nearness), (there, _) = seen(paint, STILL), seen(paint, pose)
    hidden = np.arange(SIZE) // (SIZE // 4) == 1  # a quarter of the columns, and room beside
    here[:, :, hidden & np.roll(hidden, 1) & np.roll(hidden, -1)] = np.array([0.2, 0.1, 0.1], np.float32)[:, None, None]
    moved = moved_off(there, WINDOW)
    told = align(here, there, nearness, STILL, WINDOW, hidden=hidden)
    assert told.difference(moved) < 1.0 < align(here, there, nearness, STILL, WINDOW).difference(moved)
    assert told.pose == pytest.approx(pose, abs=0.012)


def test_depth_that_is_guessed_wrong_by_a_quarter_still_brings_pictures_nearer() -> None:
    paint, pose = painted(3), np.array([0.12, 0.1, 0.05])
    (here, nearness), (there, _) = seen(paint, STILL), seen(paint, pose)
    found = align(here, there, 0.8 * nearness, STILL, WINDOW)
    assert np.hypot(*(found.pose - pose)[:2]) < 0.06 < np.hypot(*pose[:2])


def test_light_and_white_balance_change_nothing_but_the_tint_of_one_wall_does() -> None:
    plain = np.full((240, 240, 3), 0.5, np.float32)
    plain[:, :120] *= np.array([1.0, 1.0, 0.97], np.float32)
    twin = plain[:, ::-1].copy()
    (here, nearness), (there, _) = seen(plain, STILL), seen(twin, STILL)
    balanced = shares(here * np.array([0.9, 1.0, 1.05], np.float32)[:, None, None])
    assert align(balanced, here, nearness, STILL, WINDOW).difference(moved_off(here, WINDOW)) < 0.1
    assert align(here, there, nearness, STILL, WINDOW).difference(moved_off(there, WINDOW)) > 3.0


def test_what_a_noisy_camera_sees_is_measured_by_what_it_usually_sees() -> None:
    """With the noise and compression of a cheap camera all right places looked like wrong ones."""
    rng, paint, pose = np.random.default_rng(6), painted(5), np.array([0.02, 0.02, 0.0])
    noisy = lambda picture: picture + rng.normal(0, 0.05, (3, SIZE, SIZE)).astype(np.float32)  # noqa: E731
    (here, nearness), (there, _), (beside, _) = seen(paint, STILL), seen(paint, pose), seen(paint, -2 * pose)
    here, other = noisy(here), noisy(seen(painted(2), pose)[0])
    usual = align(here, noisy(beside), nearness, STILL, WINDOW).off
    there = noisy(there)
    found, moved = align(here, there, nearness, STILL, WINDOW), moved_off(there, WINDOW)
    assert found.difference(moved) > 2.0 and found.difference(moved, usual) < 1.1
    assert align(here, other, nearness, STILL, WINDOW).difference(moved_off(other, WINDOW), usual) > 2.0


def framed(picture: Floats, across: float, down: float) -> Floats:
    """A picture, black around what a narrow camera sees of it, as a share of the mean of all."""
    steps = np.abs((np.arange(SIZE) + 0.5) / SIZE * 2 - 1)
    return shares(picture * (steps < across) * (steps < down)[:, None])


@pytest.mark.parametrize("window", [Window(-0.6, -0.3, 0.6, 0.3), Window(-0.9, -0.2, 0.3, 0.5)])
def test_what_a_narrow_camera_sees_is_aligned_by_all_of_its_pixels(window: Window) -> None:
    """As a part of the wide picture, fourteen pixels by eight, it was known to a decimetre only."""
    paint, pose = painted(1), np.array([0.1, -0.05, 0.05])
    (here, nearness), (there, _), (other, _) = (
        seen(paint, STILL, window), seen(paint, pose, window), seen(painted(2), pose, window),
    )  # fmt: skip
    found = align(here, there, nearness, STILL, window)
    assert found.pose == pytest.approx(pose, abs=0.015)
    assert found.difference(moved_off(there, window)) < 1.0
    assert align(here, other, nearness, STILL, window).difference(moved_off(other, window)) > 3.0


def test_pictures_of_a_narrow_camera_are_aligned_at_half_their_size_first() -> None:
    """A small turn moves each of its pixels far: at once at full size it was found 0.15 rad off."""
    window, paint, pose = Window.square(0.6), painted(3), np.array([0.0, 0.0, 0.15])
    (here, nearness), (there, _) = seen(paint, STILL, window), seen(paint, pose, window)
    assert align(here, there, nearness, STILL, window).pose == pytest.approx(pose, abs=0.02)


def test_the_frame_around_what_a_narrow_camera_sees_is_not_compared() -> None:
    """It stands still however the camera moves, and would say that it did not."""
    paint, pose = painted(1), np.array([0.1, -0.05, 0.05])
    (here, nearness), (there, _), (other, _) = seen(paint, STILL), seen(paint, pose), seen(painted(2), pose)
    here, there, other = (framed(picture, 0.7, 0.5) for picture in (here, there, other))
    found = align(here, there, nearness, STILL, WINDOW)
    assert found.pose == pytest.approx(pose, abs=0.03)
    assert found.difference(moved_off(there, WINDOW)) < 1.0
    assert align(here, other, nearness, STILL, WINDOW).difference(moved_off(other, WINDOW)) > 3.0
    whole, part = moved_off(seen(paint, pose)[0], WINDOW), moved_off(there, WINDOW)
    assert (part < 2 * whole).all(), "the edge of the frame is none of the picture's"


def test_where_pictures_show_nothing_the_guess_stands() -> None:
    blank, nearness = np.ones((3, SIZE, SIZE), np.float32), np.full((SIZE, SIZE), 0.5, np.float32)
    guess = np.array([0.1, -0.05, 0.08])
    found = align(blank, blank, nearness, guess, WINDOW)
    assert found.pose == pytest.approx(guess) and found.difference(moved_off(blank, WINDOW)) < 1e-4


def test_what_lies_beside_the_camera_or_behind_it_is_not_compared() -> None:
    here, nearness = seen(painted(4), STILL)
    found = align(here, here, nearness.clip(5.0), np.array([0.3, 0.0, 3.0]), WINDOW)
    assert np.isfinite(found.pose).all() and np.isfinite(found.difference(moved_off(here, WINDOW)))


def test_between_its_pixels_a_picture_is_linear_and_beyond_its_edge_it_goes_on_as_it_ends() -> None:
    down, across = np.indices((SIZE, SIZE), np.float32)
    shown = lambda across, down: np.stack([2 * across - down, 0.1 * across * down])  # noqa: E731
    at = np.random.default_rng(0).uniform(-4, SIZE + 3, (2, 3, 50)).astype(np.float32)
    found, wanted = Interpolated(shown(across, down))(*at), shown(*at.clip(0, SIZE - 1))
    np.testing.assert_allclose(found, wanted, atol=1e-3)
    assert found.dtype == np.float32 and np.abs(wanted - shown(*at)).max() > 5


def test_nothing_is_computed_in_double_precision() -> None:
    """It would take twice as long."""
    (here, nearness), (there, _) = seen(painted(1), STILL), seen(painted(1), np.array([0.1, 0.0, 0.0]))
    view = _View(here, there, nearness, WINDOW, CameraMount(z=0.2, pitch=0.1), np.zeros(SIZE, bool))
    across, down, _ = view._seen_from(STILL[None])
    looked_up = view._there(across, down)
    parts = across, down, looked_up, _shares(looked_up[:3], looked_up[3:]), *view.differences(STILL[None])
    results = *align(here, there, nearness, STILL, WINDOW), moved_off(there, WINDOW)
    assert {part.dtype for part in (*parts, *results)} == {np.dtype(np.float32)}
