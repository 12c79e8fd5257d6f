"""Pictures of any calibrated camera look as if the model's own camera had taken them."""

from __future__ import annotations

import math

import cv2
import numpy as np
import pytest
import torch

from ami_ros.core.camera import Camera, CameraMount, Rectifier, Window
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import compose, from_cos_sin, relative
from ami_ros.world_model.perception import fit_image

FIELD = math.radians(80.0)
CAMERAS = {
    "pinhole, off centre": Camera(320, 240, (90.0, 90.0), (150.0, 128.0)),
    "stretched": Camera(320, 240, (80.0, 100.0), (159.5, 119.5)),
    "barrel": Camera(320, 240, (130.0, 130.0), (159.5, 119.5), (-0.25, 0.06, 0.001, -0.002, -0.005)),
    "rational": Camera(320, 240, (120.0, 120.0), (165.0, 115.0), (0.5, 0.1, 0.0, 0.0, 0.01, 0.8, 0.2, 0.02)),
    "fisheye": Camera(320, 240, (110.0, 110.0), (155.0, 121.0), (-0.02, 0.004, 0.0, 0.0), fisheye=True),
}


def scene(rays: np.ndarray) -> np.ndarray:
    """What comes along rays (..., 2): soft stripes across, upright and aslant, red, green and blue."""
    waves = [np.sin(9.0 * rays[..., 0]), np.sin(9.0 * rays[..., 1]), np.sin(6.0 * rays.sum(-1))]
    return (127.5 + 120.0 * np.stack(waves, -1)).astype(np.uint8)


def photograph(camera: Camera, scale: float = 1.0) -> np.ndarray:
    """The scene as the camera takes it, by looking up for each pixel which ray leads there."""
    height, width = round(camera.height * scale), round(camera.width * scale)
    steps = np.linspace(-2.2, 2.2, 160)
    rays = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    rays = rays[np.hypot(*rays.T) < 2.0]  # of where these lenses do not fold
    at = (camera.pixels(rays) + 0.5) * scale - 0.5
    inside = ((at > -2) & (at < [width + 1, height + 1])).all(1)
    from scipy.interpolate import griddata

    wanted = np.stack(np.meshgrid(np.arange(width), np.arange(height)), -1)
    return scene(griddata(at[inside], rays[inside], wanted, method="linear", fill_value=0.0))


def of_the_model(size: int = 64) -> np.ndarray:
    """The scene as the model's camera takes it."""
    steps = ((np.arange(8 * size) + 0.5) / (8 * size) * 2 - 1) * math.tan(FIELD / 2)
    return fit_image(scene(np.stack(np.meshgrid(steps, steps), -1)), size)


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("name", CAMERAS)
def test_the_picture_is_that_of_the_models_camera(name: str, scale: float) -> None:
    camera = CAMERAS[name]
    picture = photograph(camera, scale)
    found = fit_image(Rectifier(camera, FIELD)(picture), 64).astype(float)
    wrong, before = np.abs(found - of_the_model()), np.abs(fit_image(picture, 64) - of_the_model().astype(float))
    assert wrong.mean() < 4.0 and wrong.mean() < 0.2 * before.mean(), f"{wrong.mean():.1f}, {before.mean():.1f}"


def test_pictures_of_the_models_own_camera_and_of_others_stay_as_they_are() -> None:
    focal = 48 / math.tan(FIELD / 2)
    own = Rectifier(Camera(96, 96, (focal, focal), (48.0, 48.0)), FIELD)  # as the simulator says it
    picture = np.zeros((96, 96, 3), np.uint8)
    assert not own.changes and own(picture) is picture
    assert Rectifier(CAMERAS["barrel"], FIELD)(picture) is picture  # a square one, which that camera cannot have taken


@pytest.mark.parametrize(
    "camera",
    [
        Camera(320, 240, (200.0, 200.0), (159.5, 119.5)),
        Camera(320, 240, (90.0, 90.0), (60.0, 119.5)),
        Camera(320, 240, (110.0, 110.0), (159.5, 119.5), (-0.6, 0.02, 0.0, 0.0, 0.0)),
    ],
    ids=["narrow", "far off centre", "folds back"],
)
def test_a_camera_that_sees_less_is_refused_in_one_line(camera: Camera) -> None:
    with pytest.raises(AmiError, match="sees less than the 80 degrees") as caught:
        Rectifier(camera, FIELD)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mount", [CameraMount(), CameraMount(0.15, -0.05, 0.0), CameraMount(-0.1, 0.02, 0.6)])
def test_poses_of_a_camera_that_sits_beside_the_middle_become_those_of_the_robot(mount: CameraMount) -> None:
    robot, on_it = np.array([0.3, -0.2, 0.8]), np.array([mount.x, mount.y, mount.yaw])
    x, y, yaw = relative(on_it, compose(robot, on_it))
    seen = np.array([[x, y, np.cos(yaw), np.sin(yaw)]])
    found = mount.of_base(seen)
    np.testing.assert_allclose(from_cos_sin(found)[0], robot, atol=1e-9)
    np.testing.assert_allclose(mount.of_camera(found), seen, atol=1e-9)
    np.testing.assert_allclose(mount.of_base(torch.from_numpy(seen)).numpy(), found, atol=1e-9)


def test_where_a_tilted_camera_looks_is_what_it_sees_there() -> None:
    mount, rng = CameraMount(0.1, 0.0, 0.4, z=0.3, pitch=0.2, roll=-0.1), np.random.default_rng(0)
    right, down = rng.uniform(-1, 1, (2, 50))
    depth, across, under = mount.seen(*mount.rays(right, down))
    np.testing.assert_allclose([depth, across, under], [np.ones(50), right, down], atol=1e-9)
    assert mount.rays(np.zeros(1), np.zeros(1))[2] < 0, "it looks down"


NARROW = {
    "of a phone": Camera(320, 240, (200.0, 200.0), (159.5, 119.5)),
    "off centre": Camera(320, 240, (90.0, 90.0), (60.0, 119.5)),
    "wide and low": Camera(320, 180, (160.0, 160.0), (159.5, 89.5), (-0.2, 0.03, 0.0, 0.0, 0.0)),
}


@pytest.mark.parametrize("scale", [1.0, 0.5])
@pytest.mark.parametrize("name", NARROW)
def test_what_a_narrow_camera_does_not_see_is_black_and_the_rest_as_the_models_camera_sees_it(
    name: str, scale: float
) -> None:
    camera = NARROW[name]
    rectifier = Rectifier(camera, FIELD, narrowest=math.radians(40.0))
    found = rectifier(photograph(camera, scale))
    black = found.max(-1) == 0
    steps = ((np.arange(len(found)) + 0.5) / len(found) * 2 - 1) * math.tan(FIELD / 2)
    rays = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
    pixels = camera.pixels(rays)
    seen = ((pixels >= 0) & (pixels <= [camera.width - 1, camera.height - 1])).all(1).reshape(black.shape)
    assert 0.05 < black.mean() < 0.9 and not (black & seen).any() and (black | seen).mean() > 0.93
    window = rectifier.window
    inside = rays[seen.ravel()]
    assert window == pytest.approx((*inside.min(0), *inside.max(0)), abs=0.1)
    # A pixel from its edge nothing of the frame has been mixed in.
    inside = cv2.erode(seen.astype(np.uint8), np.ones((5, 5), np.uint8), borderValue=1).astype(bool)
    assert np.abs(found.astype(float) - scene(rays).reshape(found.shape))[inside].mean() < 6.0


def test_a_window_is_cut_out_by_whole_pixels_and_is_never_empty() -> None:
    rows, columns = Window(-0.55, -0.3, 0.5, 1.0).pixels(1.0, 8)  # edges at 1.8 and 6, and 2.8 and 8
    assert (rows, columns) == (slice(3, 8), slice(2, 6))
    assert Window(-0.55, -0.3, 0.5, 1.0).snapped(1.0, 8) == (-0.5, -0.25, 0.5, 1.0)
    assert Window.square(1.2).pixels(1.2, 96) == (slice(0, 96), slice(0, 96))
    assert Window(0.0, 0.0, 0.0, 0.0).pixels(1.0, 8) == (slice(4, 5), slice(4, 5))


def test_a_camera_that_sees_hardly_anything_is_refused_where_frames_are_taken_as_well() -> None:
    with pytest.raises(AmiError, match="sees less than the 40 degrees"):
        Rectifier(Camera(320, 120, (200.0, 200.0), (159.5, 59.5)), FIELD, narrowest=math.radians(40.0))


def test_maps_are_made_once(monkeypatch: pytest.MonkeyPatch) -> None:
    rectifier, picture = Rectifier(CAMERAS["fisheye"], FIELD), np.zeros((240, 320, 3), np.uint8)
    rectifier(picture)
    monkeypatch.setattr(Camera, "pixels", None)
    assert rectifier(picture).shape[0] == rectifier(picture).shape[1]


def test_opencv_undistorts_alike() -> None:
    """Beside an independent way to the same picture."""
    camera = CAMERAS["barrel"]
    matrix = np.array([[camera.focal[0], 0, camera.centre[0]], [0, camera.focal[1], camera.centre[1]], [0, 0, 1.0]])
    focal = 100 / math.tan(FIELD / 2)
    wanted = np.array([[focal, 0, 99.5], [0, focal, 99.5], [0, 0, 1.0]])
    picture = photograph(camera)
    maps = cv2.initUndistortRectifyMap(matrix, np.array(camera.distortion), np.eye(3), wanted, (200, 200), cv2.CV_32F)
    theirs = fit_image(np.asarray(cv2.remap(picture, *maps, cv2.INTER_LINEAR), np.uint8), 64).astype(float)
    assert np.abs(fit_image(Rectifier(camera, FIELD)(picture), 64) - theirs).mean() < 1.5
