"""Depth pictures as scans: what stands in the way of a robot, as a depth camera sees it.

As depthimage_to_laserscan does it, but by where the camera sits: the floor is taken out, and so is what is above the
robot; a missing floor counts as an obstacle. Where nothing was measured the scan says that nothing is known.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.camera import Camera, CameraMount
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array
from ami_ros.core.images import MAX_PIXELS
from ami_ros.core.scan import Scan

Depth = NDArray[np.float32]  # (H, W) [m] along the optical axis; NaN: not measured, inf: farther than can be measured
Floats = NDArray[np.floating[Any]]
ENCODINGS = {"16UC1": ("u2", 1000.0), "mono16": ("u2", 1000.0), "32FC1": ("f4", 1.0)}  # type, units in 1 m (REP 118)


@dataclass(frozen=True)
class DepthConfig:
    """A depth camera, and the shape of its scans."""

    beams: int = 0  # of the scan; 0: there is no depth camera
    fov: float = 60.0  # [degrees] that the beams spread over; more than the camera sees is NaN
    scan_max: float = 3.0  # [m] up to which the scan tells what is free; larger needs more range
    frame: str = ""  # frame_id of the scans: level, where the camera is
    min_height: float = 0.05  # [m] above the floor; what is lower is floor. Larger hides low things, less asks more
    max_height: float = 0.5  # [m] of the robot; what is higher does not matter
    range_min: float = 0.3  # [m] of depth; less is not believed
    range_max: float = 6.0  # [m] of depth; more says only that it is free before
    is_scan: bool = False  # the robot has no laser: this is its scan
    mount: CameraMount = field(default_factory=CameraMount)

    def __post_init__(self) -> None:
        if self.beams < 0 or self.beams == 1 or not 0 < self.fov < 180:
            raise ValueError(f"{self.beams} beams over {self.fov:g} degrees are no scan: at least 2, below 180 degrees")
        if not 0 < self.min_height < self.max_height:
            raise ValueError("min_height must be above 0 and below max_height")
        if not (0 < self.range_min < self.range_max and self.range_min < self.scan_max):
            raise ValueError("range_min must be above 0 and below range_max and scan_max")


@dataclass(frozen=True)
class DepthRules:
    """What a depth picture has to show for it to say something; not of one camera."""

    agree: int = 4  # pixels of a beam that agree: single ones are speckle
    tilt: float = 0.015  # [m/m] by which floor and mount may be off: 0.9 degrees
    spread: float = 0.02  # [m] by which returns of one thing lie apart, up to 1 m; it grows with the square
    known: float = 0.5  # share of the rays through the robot's heights that have to be measured for a beam to tell
    floor: float = 2.5  # [m] up to which the floor is looked for
    floor_pixels: int = 500  # that have to show it
    rows: int = 180  # [px] at most that are looked at ...
    columns: int = 320  # ... in 2 ms


def depth_of(message: Any) -> Depth:
    """The depths in a sensor_msgs/Image, from a topic or from a bag. 0, NaN and -inf were not measured.

    Raises:
        AmiError: another encoding, or a length that does not fit the size.
    """
    if getattr(message, "encoding", "") not in ENCODINGS:
        kind = getattr(message, "encoding", "compressed")
        raise AmiError(f"depth encoding '{kind}' is not 16UC1 (mm) or 32FC1 (m); name the raw depth topic")
    kind, units = ENCODINGS[message.encoding]
    height, width, step = int(message.height), int(message.width), int(message.step)
    size = int(kind[1])
    if not 0 < width * height <= MAX_PIXELS:
        raise AmiError(f"depth of {width}x{height} pixels refused: between 1 and {MAX_PIXELS} are allowed")
    data = np.asarray(message.data, dtype=np.uint8)
    if step < width * size or data.size < height * step:
        raise AmiError(f"{data.size} bytes in rows of {step} do not hold {width}x{height} pixels of {message.encoding}")
    rows = np.ascontiguousarray(data[: height * step].reshape(height, step)[:, : width * size])
    values = rows.view(("<", ">")[bool(message.is_bigendian)] + kind).astype(np.float32) / np.float32(units)
    values[~(values > 0)] = np.nan
    return np.asarray(values, np.float32)


class Floor(NamedTuple):
    """Where the floor lies, by the mount that was told."""

    height: float  # [m] below the camera's foot; 0: where it should be
    tilt: float  # [rad] by which it rises ahead: the camera looks so much more down than was told


@dataclass(frozen=True)
class _Rays:
    """The pixels that are looked at, sorted by beam, padded to a rectangle (beams, most) with a last pixel that
    measures nothing."""

    rows: NDArray[np.intp]
    columns: NDArray[np.intp]
    index: NDArray[np.intp]  # (beams, most) into the pixels
    away: NDArray[np.float32]  # (n,) [m] along the floor for 1 m of depth
    slope: NDArray[np.float32]  # (n,) how steeply the ray rises, for 1 m along the floor
    floor: Array  # (n,) [m] where the ray meets the floor; inf: nowhere
    leaves: Array  # (n,) [m] where it leaves the heights that matter
    matters: NDArray[np.bool_]  # (n,) it is at such a height 1 m ahead
    mattering: NDArray[np.int64]  # (beams,) how many of those a beam has
    blind: float  # [m]


class DepthScanner:
    """Makes scans of depth pictures. Pictures may have another size than the camera that is told, as long as they
    show the same.

    Args:
        config: of the camera, and of its scans.
        camera: as camera_info tells it; None: not known yet.
        rules: what has to be seen.
    """

    def __init__(self, config: DepthConfig, camera: Camera | None = None, rules: DepthRules | None = None) -> None:
        self.config, self._camera, self.rules = config, camera, rules or DepthRules()
        self._rays: dict[tuple[int, int], _Rays] = {}

    @property
    def camera(self) -> Camera | None:
        """What took the pictures."""
        return self._camera

    @camera.setter
    def camera(self, camera: Camera | None) -> None:
        if camera != self._camera:
            self._camera = camera
            self._rays.clear()

    @cached_property
    def bearings(self) -> Array:
        """Directions (beams,) [rad] of the scan's beams, from where the camera looks."""
        half = math.radians(self.config.fov) / 2
        return np.linspace(-half, half, self.config.beams)

    def scan(self, depth: Depth) -> Scan:
        """The scan of a picture, level, in the camera's own place and direction.

        A beam reads the nearest thing in the robot's way. It reads inf where the way was seen to be free up to
        `scan_max`, and NaN where too little was measured.

        Raises:
            AmiError: camera_info has not come, or is of other proportions than the picture.
        """
        config, rays = self.config, self._rays_of(depth)
        away, found, nearest = self._returns(depth, rays)
        with np.errstate(invalid="ignore"):
            alike = found <= (nearest + self.rules.spread * (1 + nearest**2))[:, None]
            nearest = np.where(alike, found, 0.0).sum(1) / np.maximum(alike.sum(1), 1) + np.where(
                nearest < np.inf, 0.0, np.inf
            )
        measured = ~np.isnan(away)
        free = np.where(measured, np.minimum(np.minimum(away, config.range_max), rays.leaves), 0.0)
        proven = -_kth(-_padded(free, 0.0)[rays.index], self.rules.agree)
        known = _padded(rays.matters & measured, False)[rays.index].sum(1)
        ranges = np.where(nearest < config.scan_max, nearest, np.where(proven >= config.scan_max, np.inf, np.nan))
        ranges = np.where(known < np.maximum(self.rules.known * rays.mattering, 1), np.nan, ranges)
        step = float(self.bearings[1] - self.bearings[0])
        return Scan(ranges.astype(np.float32), float(self.bearings[0]), step, (0.0, 0.0), config.scan_max, rays.blind)

    def points(self, depth: Depth) -> Array:
        """Where things stand in the robot's way (n, 2) [m], in base_link: the nearest of each beam, also of those
        that say nothing of what is free. Errors as of `scan`."""
        rays, mount = self._rays_of(depth), self.config.mount
        nearest = self._returns(depth, rays)[2]
        seen = nearest < min(self.config.scan_max, self.config.range_max)
        at = self.bearings[seen] + mount.yaw
        ends = nearest[seen, None] * np.column_stack([np.cos(at), np.sin(at)])
        return np.asarray(ends + (mount.x, mount.y))

    def floor(self, depth: Depth) -> Floor | None:
        """Where the floor lies by this picture, if that shows enough of it. Errors as of `scan`."""
        rays = self._rays_of(depth)
        seen = depth[rays.rows, rays.columns]
        away = np.where(seen >= self.config.range_min, seen, np.nan) * rays.away
        height = self.config.mount.z + away * rays.slope
        near = np.flatnonzero((away < self.rules.floor) & (np.abs(height) < 0.1 + 0.12 * away))
        if len(near) < self.rules.floor_pixels:
            return None
        away, height = away[near], height[near]
        few = slice(None, None, max(1, len(near) // self.rules.floor_pixels))
        slack = 0.01 + 0.01 * away
        # The plane that most returns agree with: what stands on the floor is no plane of this tilt.
        guesses = [(off, tilt) for off in np.linspace(-0.06, 0.06, 13) for tilt in np.linspace(-0.1, 0.1, 41)]
        agree = [(np.abs(height - off - tilt * away)[few] < slack[few]).sum() for off, tilt in guesses]
        off, tilt = guesses[int(np.argmax(agree))]
        on = np.abs(height - off - tilt * away) < slack
        if np.ptp(away[on]) < 0.3:
            return None
        tilt, off = np.polyfit(away[on], height[on], 1)
        return Floor(float(off), float(tilt))

    def _returns(self, depth: Depth, rays: _Rays) -> tuple[Floats, Floats, Floats]:
        """How far away [m], along the floor, each ray returned (n,) (NaN: not measured); where the rays of each beam
        met things in the robot's way (beams, most) (inf: nowhere), and the nearest of those (beams,)."""
        config = self.config
        seen = depth[rays.rows, rays.columns]
        away = np.where((seen >= config.range_min), seen, np.nan) * rays.away
        height = config.mount.z + away * rays.slope
        slack = config.min_height + self.rules.tilt * np.minimum(away, config.scan_max)
        stands = (height >= slack) & (height <= config.max_height)
        below = height < -slack  # the floor is missing where the ray should have met it: stairs, or a wrong mount
        found = np.where(stands, away, np.where(below, rays.floor, np.inf))
        padded = _padded(found, np.inf)[rays.index]
        return away, padded, _kth(padded, self.rules.agree)

    def _rays_of(self, depth: Depth) -> _Rays:
        if self._camera is None:
            raise AmiError("depth: no usable camera_info has come beside the depth pictures; the driver publishes it")
        if depth.shape not in self._rays:
            camera, (height, width) = self._camera, depth.shape
            if abs(width * camera.height / (height * camera.width) - 1) > 0.02:
                raise AmiError(
                    f"depth pictures of {width}x{height} are not of the camera_info of {camera.width}x{camera.height}"
                )
            self._rays[depth.shape] = self._make_rays(width, height)
        return self._rays[depth.shape]

    def _make_rays(self, width: int, height: int) -> _Rays:
        assert self._camera is not None
        scale = width / self._camera.width
        rows = np.arange(0, height, max(1, math.ceil(height / self.rules.rows)))
        columns = np.arange(0, width, max(1, math.ceil(width / self.rules.columns)))
        down, right = (part.ravel() for part in np.meshgrid(rows, columns, indexing="ij"))
        pixels = (np.column_stack([right, down]) + 0.5) / scale - 0.5
        across, upright = _unprojected(self._camera, pixels).T
        ahead, left, up = replace(self.config.mount, yaw=0.0).rays(across, upright)
        flat = np.hypot(ahead, left)
        bearing, slope = np.arctan2(left, ahead), up / flat
        step = self.bearings[1] - self.bearings[0]
        beam = np.rint((bearing - self.bearings[0]) / step).astype(int)
        inside = (beam >= 0) & (beam < self.config.beams) & (ahead > 0)
        order = np.flatnonzero(inside)[np.argsort(beam[inside], kind="stable")]
        counts = np.bincount(beam[order], minlength=self.config.beams)
        index = np.full((self.config.beams, max(self.rules.agree, int(counts.max()))), len(order))
        places = np.arange(len(order)) - np.repeat(np.cumsum(counts) - counts, counts)
        index[beam[order], places] = np.arange(len(order))
        blind = self._blind(slope, bearing, inside)
        slope, config, z = slope[order], self.config, self.config.mount.z
        with np.errstate(divide="ignore"):
            falls, rises = slope < 0, slope > 0
            floor = np.where(falls, z / -slope, np.inf)
            leaves = np.where(
                falls, (z - config.min_height) / -slope, np.where(rises, (config.max_height - z) / slope, np.inf)
            )
        matters = (z + slope >= 0) & (z + slope <= config.max_height)
        if not matters.any():
            matters[:] = True
        return _Rays(
            down[order], right[order], index, flat[order].astype(np.float32), slope.astype(np.float32),
            floor, np.maximum(leaves, 0.0), matters, _padded(matters, False)[index].sum(1), blind,
        )  # fmt: skip

    def _blind(self, slope: Array, bearing: Array, inside: NDArray[np.bool_]) -> float:
        """Up to where [m] along the floor a low or a hanging thing may stand that no ray meets, in the worst beam."""
        config, worst = self.config, self.config.range_min
        if not inside.any():
            return math.inf
        for edge in (bearing[inside].min(), bearing[inside].max(), 0.0):
            near = inside & (np.abs(bearing - edge) < 0.05)
            if not near.any():
                continue
            low, high = float(slope[near].min()), float(slope[near].max())
            below, above = config.mount.z - config.min_height, config.max_height - config.mount.z
            worst = max(worst, _reaches(below, -low), _reaches(above, high))
        return worst


def _reaches(height: float, slope: float) -> float:
    """Where [m] a ray that falls (or rises) so steeply has come `height` [m] from where it began."""
    if height <= 0:
        return 0.0
    return height / slope if slope > 0 else math.inf


def _unprojected(camera: Camera, pixels: Floats) -> Floats:
    """Where pixels (n, 2) look: to the right and down, for 1 along the axis (n, 2)."""
    if not any(camera.distortion):
        return (pixels - camera.centre) / camera.focal
    import cv2

    matrix = np.array([[camera.focal[0], 0, camera.centre[0]], [0, camera.focal[1], camera.centre[1]], [0, 0, 1.0]])
    undistort = cv2.fisheye.undistortPoints if camera.fisheye else cv2.undistortPoints
    return np.asarray(undistort(pixels[:, None], matrix, np.array(camera.distortion))[:, 0], np.float64)


def _padded(values: NDArray[Any], last: Any) -> NDArray[Any]:
    """With the pixel that measures nothing at the end."""
    return np.append(values, values.dtype.type(last))


def _kth(values: Floats, k: int) -> Floats:
    """The k-th smallest of each row."""
    return np.asarray(np.partition(values, k - 1, axis=1)[:, k - 1])
