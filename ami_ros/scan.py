"""One turn of a laser scanner, as the core sees it, and where the scanner sits."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from ami_ros.errors import AmiError
from ami_ros.geometry import Array


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
