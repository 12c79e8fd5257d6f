"""What a scan says about surfaces and directions."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ami_ros.disc import Disc
from ami_ros.geometry import Array, wrap
from ami_ros.scan import Scan, scan_points

BEARINGS = 36  # in which room is looked for
BEAM = 0.05  # [m] half width of what must be free for a spot to be in sight
REACH = 0.5  # [m] up to which free ground is looked for beside a pose
_RINGS = np.array(
    [
        [r * np.cos(a), r * np.sin(a)]
        for r in np.arange(0.05, REACH + 0.01, 0.05)
        for a in np.arange(0.0, 2 * np.pi, 0.4)
    ]
)  # (n, 2), the nearest first


def surfaces(scan: Scan, most: float) -> Array:
    """Pieces of surface (n, 2, 2) [m] in base_link: neighbouring end points that lie on one thing are joined.

    One piece for each end point; it ends where it begins if the next point lies on something else.
    """
    points = scan_points(scan, most)
    following = np.roll(points, -1, axis=0)
    ranges = np.hypot(*(points - scan.origin).T)
    reach = np.maximum(0.15, 2.5 * abs(scan.angle_increment) * ranges)
    joined = np.hypot(*(following - points).T) < reach
    return np.stack([points, np.where(joined[:, None], following, points)], 1)


def covers(scan: Scan, direction: float) -> bool:
    """Whether the scanner looks along `direction` [rad] in base_link at all."""
    return bool(np.abs(wrap(scan.angles - direction)).min() <= 1.5 * abs(scan.angle_increment))


def sees(scan: Scan | None, *bearings: float) -> bool:
    """Whether the scanner looks along all `bearings` [rad] in base_link; without one nothing is known to be there."""
    return scan is None or all(covers(scan, bearing) for bearing in bearings)


def free_range(scan: Scan, direction: float, half_width: float) -> float:
    """How far [m] a disc of radius `half_width` [m] can go along `direction` [rad] in base_link and touch nothing.

    At most 8 m; 0 where the scanner does not look: what is there is not known.
    """
    if not covers(scan, direction):
        return 0.0
    points = scan_points(scan, 8.0)
    if not len(points):
        return 8.0
    along = points @ [np.cos(direction), np.sin(direction)]
    across = np.abs(points @ [-np.sin(direction), np.cos(direction)])
    ahead = (along > 0) & (across < half_width)
    return float(along[ahead].min()) if ahead.any() else 8.0


def free_near(pose: Array, scan: Scan | None, disc: Disc) -> Array:
    """A `pose` (3,) in base_link, moved to the nearest spot in sight where a robot that fills `disc` touches nothing
    that the scan shows; as it is where it is free, or there is no such spot within REACH [m]."""
    points = scan_points(scan, float(np.hypot(pose[0], pose[1])) + 2 * REACH) if scan is not None else np.zeros((0, 2))
    middle = disc.centre(pose)
    if scan is None or np.hypot(*(points - middle).T).min(initial=np.inf) >= disc.radius:
        return pose
    spots, middles = pose[:2] + _RINGS, middle + _RINGS
    clear = np.hypot(*(middles[:, None] - points[None]).transpose(2, 0, 1)).min(axis=1) >= disc.radius
    in_sight = (s for s in spots[clear] if free_range(scan, float(np.arctan2(s[1], s[0])), BEAM) > np.hypot(*s))
    spot = next(in_sight, None)
    return pose if spot is None else np.array([*spot, pose[2]])


def roomiest(scan: Scan, half_width: float, most: float) -> Array | None:
    """Pose (3,) in base_link that a disc of radius `half_width` [m] can drive straight on to, and which leads farthest,
    up to `most` [m]; of those that lead as far, the one ahead. None: there is no room anywhere."""
    bearings = np.linspace(-np.pi, np.pi, BEARINGS, endpoint=False)
    room = np.array([min(free_range(scan, float(b), half_width) - 2 * half_width, most) for b in bearings])
    best = int(np.argmax(room - 0.1 * np.abs(bearings)))
    if room[best] < half_width:
        return None
    return np.array([room[best] * np.cos(bearings[best]), room[best] * np.sin(bearings[best]), bearings[best]])


def crossed(starts: Array, stops: Array, walls: Array) -> NDArray[np.bool_]:
    """Which of the lines from `starts` (n, 2) to `stops` (n, 2) some piece of surface (m, 2, 2) crosses: (n,) bool."""
    along = (stops - starts)[:, None]
    wall = (walls[:, 1] - walls[:, 0])[None]
    between = walls[None, :, 0] - starts[:, None]
    area = _cross(along, wall)
    parallel = np.abs(area) < 1e-9
    area = np.where(parallel, 1.0, area)
    share, other = _cross(between, wall) / area, _cross(between, along) / area
    hit = (share >= 0) & (share <= 1) & (other >= 0) & (other <= 1) & ~parallel
    return np.asarray(hit.any(1))


def _cross(a: Array, b: Array) -> Array:
    return np.asarray(a[..., 0] * b[..., 1] - a[..., 1] * b[..., 0])
