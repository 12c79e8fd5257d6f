"""Where the pixels of a picture look, for comparing pictures of any camera: the network is told it beside the colours.

How far off something is that touches the floor follows from how far down it is seen and how high the camera sits; how
large a pixel is, from the field of view. A network that is told neither learns one camera by heart (CAM-Convs,
arXiv 1904.02028, tell it likewise).
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.camera import CameraMount, Window
from ami_ros.core.geometry import Array, wrap
from ami_ros.core.scan import Scan
from ami_ros.world_model.spec import PAIR

FARTHEST = 8.0  # [m] that anything is taken to be, as where the laser sees nothing
NEAREST = 0.2  # [m] likewise


def nearness_by_laser(scan: Scan, mount: CameraMount, window: Window, size: int) -> NDArray[np.float32] | None:
    """Nearness (size, size) [1/m], in the plane of the floor, of what each pixel of a picture shows: walls stand
    upright where the laser sees them, and the floor is level.

    Args:
        scan: of the same moment.
        mount: of the camera.
        window: what the picture shows.
        size: of the picture [px].

    Returns:
        None: the height of the camera is not known, or the laser saw nothing.
    """
    if mount.z <= 0 or (~np.isnan(scan.ranges)).sum() < 2:
        return None
    distance = np.nan_to_num(distance_by_laser(scan, mount, *window.rays(size)), nan=FARTHEST)
    return (1.0 / np.clip(distance, NEAREST, FARTHEST)).astype(np.float32)


def distance_by_laser(scan: Scan, mount: CameraMount, right: Array, down: Array) -> Array:
    """Distance [m] from the camera, in the plane of the floor, of what rays meet that look so far to the right and
    down, at distance 1: walls stand upright where the laser sees them, and the floor is level.

    Returns:
        (...) of the shape of the rays; inf where the laser sees nothing, NaN where it does not look and no floor is.
    """
    known = ~np.isnan(scan.ranges)
    angles, ranges = scan.angles[known], scan.ranges[known].astype(np.float64)
    far = np.isinf(ranges)
    ends = np.where(far, FARTHEST, ranges)[:, None] * np.column_stack([np.cos(angles), np.sin(angles)])
    ends += scan.origin - np.array([mount.x, mount.y])
    away = np.where(far, np.inf, np.hypot(*ends.T))
    ahead, left, up = mount.rays(right, down)
    bearings, wanted = np.arctan2(ends[:, 1], ends[:, 0]), np.arctan2(left, ahead)
    beam = _nearest(bearings, wanted)
    # Farther from the nearest beam the laser does not look: it may have one for 7 degrees.
    wall = np.where(np.abs(wrap(bearings[beam] - wanted)) < 0.06, away[beam], np.nan)
    if mount.z <= 0:
        return wall
    return np.fmin(wall, np.where(up < 0, mount.z * np.hypot(ahead, left) / np.maximum(-up, 1e-6), np.nan))


def columns_behind(discs: Array, mount: CameraMount, window: Window, size: int) -> NDArray[np.bool_]:
    """Which columns (size,) of a picture, `size` pixels wide, show what stands upright on discs (k, 3): x, y and radius
    [m] in base_link."""
    across = window.left + (window.right - window.left) * (np.arange(size) + 0.5) / size
    bearings = mount.yaw - np.arctan(across)
    x, y = discs[:, 0] - mount.x, discs[:, 1] - mount.y
    # Who stands there may reach 0.1 m beyond: arms, and where a tracker errs.
    half = np.arcsin(np.clip((discs[:, 2] + 0.1) / np.maximum(np.hypot(x, y), 1e-6), 0.0, 1.0))
    return np.asarray((np.abs(wrap(bearings - np.arctan2(y, x)[:, None])) < half[:, None]).any(0))


def _nearest(bearings: Array, wanted: Array) -> NDArray[np.int64]:
    """Which of the `bearings` (n,) [rad], n > 0, is nearest to each of those that are `wanted`."""
    order = np.argsort(bearings)
    known = np.concatenate([[bearings[order[-1]] - 2 * np.pi], bearings[order], [bearings[order[0]] + 2 * np.pi]])
    after = np.searchsorted(known, wanted).clip(1, len(known) - 1)
    nearest = np.where(wanted - known[after - 1] < known[after] - wanted, after - 1, after)
    return order[(nearest - 1) % len(order)]


SAME = 0.97  # share of a picture from which it is compared whole


class PictureRays(NamedTuple):
    """Of one camera."""

    told: NDArray[np.float32]  # (PAIR.told, size / PAIR.first, size / PAIR.first)
    bearings: NDArray[np.float32]  # (cells,) [rad] to the left, row by row, in the middles of the cells


def compared(window: Window, half: float) -> float:
    """How far from its axis, at distance 1, a picture is compared of which a camera sees the `window`: the smallest
    square around the middle that holds it, or all of it, `half`."""
    own = max(map(abs, window))
    return own if own < SAME * half else half


@lru_cache(maxsize=8)  # a robot has one camera, and asks with each picture
def picture_rays(mount: CameraMount, half: float, size: int) -> PictureRays:
    """Of a square picture of `size` pixels that reaches `half` from its axis, at distance 1; not to be written to.

    Args:
        mount: of the camera; a height of 0 means that nothing is known of it.
        half: see there.
        size: a multiple of PAIR.stride.
    """
    mount = replace(mount, yaw=0.0)
    ahead, left, _ = mount.rays(*Window.square(half).rays(size // PAIR.stride))
    right, down = Window.square(half).rays(size // PAIR.first)
    level, aside, up = mount.rays(right, down)
    slope = up / np.maximum(np.hypot(level, aside), 1e-6)  # how steeply rays rise
    # Nearness [1/m] of the floor that they meet: 0 where they do not, or the height of the camera is not known.
    floor = np.clip(-slope / mount.z, 0.0, 1 / NEAREST) if mount.z > 0 else np.zeros_like(slope)
    told = np.stack([right, slope, floor / 2, np.full_like(right, 2 * mount.z)]).astype(np.float32)
    return PictureRays(told, np.arctan2(left, ahead).reshape(-1).astype(np.float32))
