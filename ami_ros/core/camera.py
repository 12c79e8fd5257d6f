"""Pictures of a calibrated camera as the camera that a model was trained with would have taken them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.images import Image

Poses = TypeVar("Poses", bound=Any)
SAME = 0.02  # of a picture's side: cameras whose pictures differ by less are taken for the same
SNAP = 1e-6  # of a pixel, by which an edge may be beside one
EXACTLY = 192  # pixels of a side, to which it is known how much of a square a camera sees
MOST_SIDE = 512  # [px] of pictures that are brought to a model's camera; models take much smaller ones
# Models of distortion in a CameraInfo, and how many numbers each has.
LENSES = {"": (0,), "plumb_bob": (0, 4, 5), "rational_polynomial": (0, 8, 12, 14), "equidistant": (4,)}


@dataclass(frozen=True)
class CameraMount:
    """Where a camera sits on the robot, as in `Pose3`."""

    x: float = 0.0  # [m] in front of base_link; larger: farther ahead
    y: float = 0.0  # [m] to its left; larger: farther to the left
    yaw: float = 0.0  # [rad] to the left; larger: looks more to the left
    z: float = 0.0  # [m] above the floor; larger: higher; 0: not known
    pitch: float = 0.0  # [rad] down; larger: looks more down
    roll: float = 0.0  # [rad] to the right; larger: leans more

    def rays(self, right: Array, down: Array) -> tuple[Array, Array, Array]:
        """Where pixels look that are so far to the right and down, for 1 along the axis: ahead, left and up, in
        base_link."""
        ahead, left, up = np.ones_like(right), -right, -down
        c, s = math.cos(self.roll), math.sin(self.roll)
        left, up = c * left - s * up, s * left + c * up
        c, s = math.cos(self.pitch), math.sin(self.pitch)
        ahead, up = c * ahead + s * up, c * up - s * ahead
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        return c * ahead - s * left, s * ahead + c * left, up

    def seen(self, ahead: Any, left: Any, up: Any) -> tuple[Any, Any, Any]:
        """Points of base_link's axes, from the camera, as it sees them: how deep along its axis, how far to the right
        and down; the inverse of `rays`. Arrays or tensors."""
        c, s = math.cos(self.yaw), math.sin(self.yaw)
        ahead, left = c * ahead + s * left, c * left - s * ahead
        c, s = math.cos(self.pitch), math.sin(self.pitch)
        ahead, up = c * ahead - s * up, c * up + s * ahead
        c, s = math.cos(self.roll), math.sin(self.roll)
        return ahead, -(c * left + s * up), s * left - c * up

    def of_base(self, pose: Poses) -> Poses:
        """Poses (..., 4) of a camera, as x, y [m], cos and sin of the yaw where it was before, as poses of
        base_link in the same way; arrays or tensors."""
        x, y, c, s = (pose[..., k] for k in range(4))
        turn = math.cos(self.yaw), math.sin(self.yaw)
        found = pose + 0
        found[..., 0] = turn[0] * x - turn[1] * y + self.x - (c * self.x - s * self.y)
        found[..., 1] = turn[1] * x + turn[0] * y + self.y - (s * self.x + c * self.y)
        return found

    def of_camera(self, pose: Poses) -> Poses:
        """The inverse."""
        x, y, c, s = (pose[..., k] for k in range(4))
        x, y = x - self.x + c * self.x - s * self.y, y - self.y + s * self.x + c * self.y
        turn = math.cos(self.yaw), -math.sin(self.yaw)
        found = pose + 0
        found[..., 0], found[..., 1] = turn[0] * x - turn[1] * y, turn[1] * x + turn[0] * y
        return found


class Window(NamedTuple):
    """The rectangle that a camera sees of a square picture, by how far its edges are to the right of the axis and down
    from it, at distance 1."""

    left: float
    top: float
    right: float
    bottom: float

    @classmethod
    def square(cls, half: float) -> Window:
        """All of a picture that reaches `half` from the axis."""
        return cls(-half, -half, half, half)

    @property
    def area(self) -> float:
        """Of the rectangle, at distance 1."""
        return (self.right - self.left) * (self.bottom - self.top)

    def rays(self, size: int) -> tuple[Array, Array]:
        """How far to the right and down the pixels (size, size) look of a picture of this alone."""
        steps = (np.arange(size) + 0.5) / size
        right, down = np.meshgrid(
            self.left + (self.right - self.left) * steps, self.top + (self.bottom - self.top) * steps
        )
        return right, down

    def pixels(self, half: float, size: int) -> tuple[slice, slice]:
        """Rows and columns of a square picture of `size` pixels that reaches `half` from the axis: those that are
        inside as a whole, or one at least."""
        first = [math.ceil((edge / half + 1) / 2 * size - SNAP) for edge in (self.top, self.left)]
        last = [math.floor((edge / half + 1) / 2 * size + SNAP) for edge in (self.bottom, self.right)]
        low = [min(max(edge, 0), size - 1) for edge in first]
        rows, columns = (slice(a, min(max(b, a + 1), size)) for a, b in zip(low, last, strict=True))
        return rows, columns

    def snapped(self, half: float, size: int) -> Window:
        """As `pixels` cut it out."""
        rows, columns = self.pixels(half, size)
        edges = (columns.start, rows.start, columns.stop, rows.stop)
        return Window(*((2 * edge / size - 1) * half for edge in edges))


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

    def reach(self, farthest: float) -> float:
        """How far from the axis rays (at distance 1) may be for the lens to be what it was calibrated for: beyond it
        its polynomial may fold back into the picture; at most `farthest`."""
        angles, ways = np.linspace(-np.pi, np.pi, 73), np.linspace(0.0, farthest, 65)
        rays = ways[:, None, None] * np.stack([np.cos(angles), np.sin(angles)], -1)
        pixels = self.pixels(rays.reshape(-1, 2)).reshape(rays.shape)
        grows = (np.diff(np.linalg.norm(pixels - self.centre, axis=-1), axis=0) > 0).all(1)
        return farthest if grows.all() else float(ways[int(np.argmin(grows))])

    def shows(self, pixels: Array) -> NDArray[np.bool_]:
        """Which of `pixels` (n, 2) [px] are in the picture, or so near to it that it makes no difference."""
        size = np.array([self.width, self.height])
        slack = SAME * size
        return np.asarray(((pixels > -slack) & (pixels < size - 1 + slack)).all(1))


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
    """Brings a camera's pictures to a square pinhole camera that looks along the same axis; black where it sees less.

    Args:
        camera: which took them.
        field_of_view: of the square [rad], across and upright.
        narrowest: [rad], across and upright, that it has to see at least; 0: all of the square.

    Raises:
        AmiError: the camera sees less.
    """

    def __init__(self, camera: Camera, field_of_view: float, narrowest: float = 0.0) -> None:
        self.camera, self._half = camera, math.tan(field_of_view / 2)
        self._reach = camera.reach(math.sqrt(2) * self._half * 1.001)
        least = narrowest or field_of_view
        if not self._sees(_border(math.tan(least / 2), cross=bool(narrowest))).all():
            raise AmiError(
                f"camera_info: this camera sees less than the {math.degrees(least):.0f} degrees across and upright "
                "that the model needs; use a wider one, or train with this one"
            )
        self.window = self._window()
        border = _border(self._half)
        side = min(camera.width, camera.height)
        usual = np.array([camera.width - 1, camera.height - 1]) / 2 + border / self._half * side / 2
        self.changes = not bool(np.abs(camera.pixels(border) - usual).max() <= SAME * side)
        self._maps: _Maps | None = None

    def __call__(self, image: Image) -> Image:
        """The picture (H, W, 3) as (side, side, 3); as it is where the cameras are the same, or where it has other
        proportions: then it was not taken by this camera."""
        import cv2

        height, width = image.shape[:2]
        ratio = width * self.camera.height / (height * self.camera.width)
        if not self.changes or abs(ratio - 1.0) > SAME:
            return image
        if self._maps is None or self._maps.shape != image.shape:
            # Pictures may have another size than those of the calibration.
            scale = width / self.camera.width
            side = int(min(MOST_SIDE, max(16, round(2 * self._half * min(self.camera.focal) * scale))))
            rays = _grid(self._half, side)
            unseen = ~self._sees(rays).reshape(side, side)
            pixels = ((self.camera.pixels(rays) + 0.5) * scale - 0.5).astype(np.float32).reshape(side, side, 2)
            across, down = (np.ascontiguousarray(pixels[..., k]) for k in (0, 1))
            self._maps = _Maps(image.shape, across, down, unseen if unseen.any() else None)
        found = cv2.remap(image, self._maps.across, self._maps.down, cv2.INTER_LINEAR, borderMode=cv2.BORDER_REPLICATE)
        if self._maps.unseen is not None:
            found[self._maps.unseen] = 0
        return np.asarray(found, np.uint8)

    def _window(self) -> Window:
        """The smallest that holds all that the camera sees."""
        seen = self._sees(_grid(self._half, EXACTLY)).reshape(EXACTLY, EXACTLY)
        rows, columns = (np.flatnonzero(seen.any(axis)) for axis in (1, 0))
        edges = (columns[0], rows[0], columns[-1] + 1, rows[-1] + 1)
        return Window(*(float(2 * edge / EXACTLY - 1) * self._half for edge in edges))

    def _sees(self, rays: Array) -> NDArray[np.bool_]:
        """Which rays (n, 2) the camera sees."""
        return np.asarray((np.hypot(*rays.T) <= self._reach) & self.camera.shows(self.camera.pixels(rays)))


class _Maps(NamedTuple):
    """Where pixels of the square come from."""

    shape: tuple[int, ...]  # of the pictures
    across: NDArray[np.float32]  # (side, side) [px]
    down: NDArray[np.float32]
    unseen: NDArray[np.bool_] | None  # (side, side) which come from nowhere


def _grid(half: float, side: int) -> Array:
    """Rays (side * side, 2) in the middles of the pixels of a square that reaches `half` from the axis."""
    steps = ((np.arange(side) + 0.5) / side * 2 - 1) * half
    return np.stack(np.meshgrid(steps, steps), -1).reshape(-1, 2)


def _border(half: float, cross: bool = False) -> Array:
    """Rays (n, 2) along the edge of a square that reaches `half` from the axis, or of the cross in it."""
    steps = np.linspace(-half, half, 17)
    ends = np.full(len(steps), half)
    if cross:
        return np.concatenate([np.column_stack([steps, 0 * steps]), np.column_stack([0 * steps, steps])])
    return np.concatenate([np.column_stack(pair) for end in (-ends, ends) for pair in ((steps, end), (end, steps))])
