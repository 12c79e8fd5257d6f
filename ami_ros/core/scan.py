"""One turn of a laser scanner, where the scanner sits, and what stands around a robot by its newest scans."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, pose_gap, relative, transform_points


@dataclass(frozen=True)
class Scan:
    """One turn of the laser scanner, in base_link.

    ranges: (n,) float32 [m] from `origin`; inf where nothing returned: free up to max_range [m]; NaN where there is no
    reading: not known. Beam i points at angle_min + i * angle_increment [rad]; origin: x, y [m] of the scanner.
    blind: [m] from `origin` up to which a thing may stand that the scan passes over: a low one, under a depth camera.

    Raises AmiError: there is no beam, or beams are no angle apart.
    """

    ranges: NDArray[np.float32]
    angle_min: float
    angle_increment: float
    origin: tuple[float, float] = (0.0, 0.0)
    max_range: float = math.inf
    blind: float = 0.0

    def __post_init__(self) -> None:
        if not len(self.ranges) or not self.angle_increment:
            raise AmiError(f"scan has {len(self.ranges)} beams that are {self.angle_increment:.3g} rad apart")

    @property
    def angles(self) -> Array:
        """Direction of each beam (n,) [rad], positive to the left."""
        return self.angle_min + self.angle_increment * np.arange(len(self.ranges), dtype=np.float64)


@dataclass(frozen=True)
class Mount:
    """Where the scanner sits on the robot; its plane is level."""

    x: float = 0.0  # [m] in front of base_link
    y: float = 0.0  # [m] to the left of base_link
    yaw: float = 0.0  # [rad] from base_link's x axis to the scanner's, counter-clockwise
    upside_down: bool = False  # mounted upside down, so its angles grow clockwise
    fixed: bool = False  # this counts, whatever frame scans have; needed where all the rest is 0, else transforms do

    def in_base(self, scan: Scan) -> Scan:
        """A scan as it was measured, in the scanner's own frame, as one in base_link; the beams stay the same."""
        turns = -1.0 if self.upside_down else 1.0
        return replace(
            scan,
            angle_min=self.yaw + turns * scan.angle_min,
            angle_increment=turns * scan.angle_increment,
            origin=(float(self.x), float(self.y)),
        )


def is_full_turn(scan: Scan) -> bool:
    """Whether it looks all round: nothing wider than two beams is left out."""
    return (len(scan.ranges) + 1.5) * abs(scan.angle_increment) > 2 * math.pi


def ranges_at(scan: Scan, bearings: NDArray[np.floating]) -> NDArray[np.float32]:
    """Ranges (n,) [m] in the directions of `bearings` (n,) [rad], each of the nearest beam of `scan`; inf where none
    looks, and for NaN and readings of zero."""
    step, count = scan.angle_increment, len(scan.ranges)
    offset = (bearings - scan.angle_min) % (2 * np.pi) if step > 0 else (scan.angle_min - bearings) % (2 * np.pi)
    nearest = np.rint(offset / abs(step)).astype(int)
    if count * abs(step) > 2 * np.pi - 1.5 * abs(step):
        nearest %= count
    covered = nearest < count
    ranges = np.full(len(bearings), np.inf, dtype=np.float32)
    ranges[covered] = scan.ranges[nearest[covered]]
    ranges[~(ranges > 0)] = np.inf
    return ranges


def moved(scan: Scan, pose: Array) -> Scan:
    """A scan taken in a frame at `pose` (3,), as it is in the parent of that frame; the beams stay the same."""
    c, s = math.cos(pose[2]), math.sin(pose[2])
    x, y = scan.origin
    origin = float(pose[0] + c * x - s * y), float(pose[1] + s * x + c * y)
    return replace(scan, angle_min=scan.angle_min + float(pose[2]), origin=origin)


def scan_points(scan: Scan, most: float) -> Array:
    """End points (n, 2) [m] in base_link of the beams that returned from closer than `most` [m] to the scanner."""
    angles = scan.angles
    seen = np.isfinite(scan.ranges) & (scan.ranges > 0) & (scan.ranges < most)
    ranges = scan.ranges[seen].astype(np.float64)
    ends = np.column_stack([ranges * np.cos(angles[seen]), ranges * np.sin(angles[seen])])
    return np.asarray(ends + scan.origin)


@dataclass(frozen=True)
class RollingConfig:
    """Which scans are kept."""

    apart: tuple[float, float] = (0.15, 0.2)  # [m], [rad]: a scan nearer to the one kept before shows nothing new
    kept: int = 30  # scans
    reach: float = 4.0  # [m] from the scanner, up to which what stands is kept
    behind: float = 0.08  # [m] by which a scan has to look past something for it to be gone


class _Met(NamedTuple):
    pose: Array  # (3,) of base_link in odom, of the scan
    points: Array  # (n, 2) in odom that it met, and no later scan has looked at


class RollingScan:
    """The scans of the newest few metres, by odometry.

    What a later one looked at is as that one saw it, the rest stands where it stood. Of free ground it tells nothing.
    """

    def __init__(self, config: RollingConfig | None = None) -> None:
        self._config = config or RollingConfig()
        self._met: deque[_Met] = deque(maxlen=self._config.kept)

    def clear(self) -> None:
        """Forgets everything: odometry begins anew."""
        self._met.clear()

    def add(self, scan: Scan, pose: Array) -> None:
        """A `scan` in base_link, taken at `pose` (3,) in odom; one that looks all round needs no others."""
        if is_full_turn(scan):
            return
        if self._met:
            distance, turn = pose_gap(self._met[-1].pose, pose)
            if distance < self._config.apart[0] and turn < self._config.apart[1]:
                return
        back = relative(pose, np.zeros(3))
        for k, met in enumerate(self._met):
            beam, distance = _beams(transform_points(back, met.points), scan)
            looks = beam < len(scan.ranges)
            ranges = scan.ranges[np.where(looks, beam, 0)]  # NaN: it does not know
            # What it shows, or shows to be there no more.
            seen = looks & (ranges > 0) & (distance < np.minimum(ranges, scan.max_range) + self._config.behind)
            self._met[k] = met._replace(points=met.points[~seen])
        self._met.append(
            _Met(np.array(pose, np.float64), transform_points(pose, scan_points(scan, self._config.reach)))
        )

    def completed(self, scan: Scan, pose: Array) -> Scan:
        """A `scan` of `pose` (3,) in odom with beams all round: those that it lacks tell what earlier scans met there,
        or are NaN."""
        if is_full_turn(scan):
            return scan
        own, step = len(scan.ranges), scan.angle_increment
        lacks = round(2 * math.pi / abs(step)) - own
        points = transform_points(
            relative(pose, np.zeros(3)), np.concatenate([np.zeros((0, 2)), *(met.points for met in self._met)])
        )
        beam, distance = _beams(points, scan)
        near = np.full(own + lacks, np.inf)
        met = beam < len(near)
        np.minimum.at(near, beam[met], distance[met])
        # Between two beams of an earlier scan, which was farther off.
        near = np.where(np.isfinite(near), near, np.minimum(np.roll(near, 1), np.roll(near, -1)))[own:]
        filled = np.where(np.isfinite(near), near, np.nan).astype(np.float32)
        return replace(scan, ranges=np.concatenate([scan.ranges, filled]))


def _beams(points: Array, scan: Scan) -> tuple[NDArray[np.int64], Array]:
    """Which beam, by its number from the scan's first one on, looks at `points` (n, 2) in base_link, and how far off
    [m] they are from the scanner: (n,) each."""
    x, y = (points - scan.origin).T
    step = scan.angle_increment
    offset = math.copysign(1.0, step) * (np.arctan2(y, x) - scan.angle_min) + abs(step) / 2
    return (offset % (2 * np.pi) // abs(step)).astype(np.int64), np.hypot(x, y)
