"""Pictures of a calibrated camera as the camera that a model was trained with would have taken them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.images import Image

SAME = 0.02  # of a picture's side: cameras whose pictures differ by less are taken for the same
MOST_SIDE = 512  # [px] of pictures that are brought to a model's camera; models take much smaller ones
# Models of distortion in a CameraInfo, and how many numbers each has.
LENSES = {"": (0,), "plumb_bob": (0, 4, 5), "rational_polynomial": (0, 8, 12, 14), "equidistant": (4,)}


@dataclass(frozen=True)
class Camera:
    """A camera as a CameraInfo describes it."""

    width: int  # [px] of the pictures that it was calibrated with
    height: int
    focal: tuple[float, float]  # [px] across and upright
    centre: tuple[float, float]  # principal point [px], the middle of the first pixel being 0, 0
    distortion: tuple[float, ...] = ()  # k1, k2, p1, p2, k3 ... of OpenCV, or k1 to k4 of its fisheye model
    fisheye: bool = False

    def pixels(self, rays: Array) -> Array:
        """Where rays (n, 2), as x and y at distance 1, meet the picture (n, 2) [px]; it may be beside it."""
        import cv2  # 15 MB that nodes without a calibrated camera do without

        matrix = np.array([[self.focal[0], 0, self.centre[0]], [0, self.focal[1], self.centre[1]], [0, 0, 1.0]])
        points = np.column_stack([rays, np.ones(len(rays))])[:, None]
        project = cv2.fisheye.projectPoints if self.fisheye else cv2.projectPoints
        lens = np.array(self.distortion, np.float64)
        return np.asarray(project(points, np.zeros(3), np.zeros(3), matrix, lens)[0][:, 0], np.float64)

    def sees(self, rays: Array) -> bool:
        """Whether all of the rays (n, 2) come from within the picture."""
        paths = rays[None] * np.linspace(0.0, 1.0, 33)[:, None, None]
        pixels = self.pixels(paths.reshape(-1, 2)).reshape(paths.shape)
        # Beyond what a lens was calibrated for its polynomial may fold back into the picture.
        unfolded = bool((np.diff(np.linalg.norm(pixels - self.centre, axis=-1), axis=0) > 0).all())
        size = np.array([self.width, self.height])
        slack = SAME * size
        return unfolded and bool(((pixels[-1] > -slack) & (pixels[-1] < size - 1 + slack)).all())


def camera_of(message: Any) -> Camera | None:
    """The camera of a sensor_msgs/CameraInfo, from a topic or from a bag, by K and D: that of raw pictures; None where
    it is not calibrated (K is zero).

    Raises:
        AmiError: numbers that make no sense, or a model of distortion that is not known.
    """
    fx, cx, fy, cy = (message.k[i] for i in (0, 2, 4, 5))
    numbers = (fx, fy, cx, cy, *message.d)
    if not fx:
        return None
    if message.distortion_model not in LENSES or len(message.d) not in LENSES[message.distortion_model]:
        raise AmiError(
            f"camera_info: {len(message.d)} numbers of distortion '{message.distortion_model}' are not known"
        )
    if not (message.width and message.height and min(fx, fy) > 0 and all(map(math.isfinite, numbers))):
        raise AmiError("camera_info: size, focal length or distortion make no sense; calibrate the camera")
    fisheye = message.distortion_model == "equidistant"
    return Camera(message.width, message.height, (fx, fy), (cx, cy), tuple(message.d), fisheye)


class Rectifier:
    """Brings a camera's pictures to a square pinhole camera that looks along the same axis.

    Args:
        camera: which took them.
        field_of_view: of the square [rad], across and upright.

    Raises:
        AmiError: the camera does not see all of the square.
    """

    def __init__(self, camera: Camera, field_of_view: float) -> None:
        self.camera, self._half = camera, math.tan(field_of_view / 2)
        edge = np.linspace(-self._half, self._half, 17)
        ends = np.full(len(edge), self._half)
        border = np.concatenate([np.column_stack(pair) for end in (-ends, ends) for pair in ((edge, end), (end, edge))])
        if not camera.sees(border):
            raise AmiError(
                f"camera_info: this camera sees less than the {math.degrees(field_of_view):.0f} degrees across and "
                "upright of the camera that the model was trained with; use a wider one, or train with this one"
            )
        side = min(camera.width, camera.height)
        usual = np.array([camera.width - 1, camera.height - 1]) / 2 + border / self._half * side / 2
        self.changes = bool(np.abs(camera.pixels(border) - usual).max() > SAME * side)
        self._maps: tuple[tuple[int, ...], NDArray[np.float32], NDArray[np.float32]] | None = None

    def __call__(self, image: Image) -> Image:
        """The picture (H, W, 3) as (side, side, 3); as it is where the cameras are the same, or where it has other
        proportions: then it was not taken by this camera."""
        import cv2

        height, width = image.shape[:2]
        ratio = width * self.camera.height / (height * self.camera.width)
        if not self.changes or abs(ratio - 1.0) > SAME:
            return image
        if self._maps is None or self._maps[0] != image.shape:
            self._maps = (image.shape, *self._make_maps(width / self.camera.width))
        return np.asarray(cv2.remap(image, *self._maps[1:], cv2.INTER_LINEAR), np.uint8)

    def _make_maps(self, scale: float) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """For pictures `scale` times as large as those of the calibration."""
        side = int(min(MOST_SIDE, max(16, round(2 * self._half * min(self.camera.focal) * scale))))
        steps = ((np.arange(side) + 0.5) / side * 2 - 1) * self._half
        rays = np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)
        pixels = ((self.camera.pixels(rays) + 0.5) * scale - 0.5).astype(np.float32).reshape(side, side, 2)
        return np.ascontiguousarray(pixels[..., 0]), np.ascontiguousarray(pixels[..., 1])
