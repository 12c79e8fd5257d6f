"""What a scan says about surfaces and directions, and about corners out of which somebody may come."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array, Disc, wrap
from ami_ros.core.scan import Scan, is_full_turn, scan_points
from ami_ros.planning.kinematics import Kinematics


@dataclass(frozen=True)
class WhoComesOut:
    """Somebody who may come out of what the robot does not see."""

    walk: float = 1.6  # [m/s] (ISO 13855: speed of approach by walking)
    body: float = 0.25  # [m] radius
    gap: float = 1.5  # [m] by which the range jumps where a person can come walking: two steps from standing to `walk`
    unhurried: float = 0.5  # [m/s] nobody makes the robot slower: it drives so among people, see docs/safety.md


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
    that the scan shows; as it is where it is free, or there is no such spot within half a metre."""
    if scan is None:
        return pose
    reach, beam = 0.5, 0.05  # [m] around the pose, and half width of what must be free for a spot to be in sight
    points, middle = scan_points(scan, float(np.hypot(pose[0], pose[1])) + 2 * reach), disc.centre(pose)
    if np.hypot(*(points - middle).T).min(initial=np.inf) >= disc.radius:
        return pose
    circle = np.stack([np.cos(angles := np.arange(0.0, 2 * np.pi, 0.4)), np.sin(angles)], -1)
    rings = (np.arange(0.05, reach + 0.01, 0.05)[:, None, None] * circle).reshape(-1, 2)  # the nearest first
    spots, middles = pose[:2] + rings, middle + rings
    clear = np.hypot(*(middles[:, None] - points[None]).transpose(2, 0, 1)).min(axis=1) >= disc.radius
    in_sight = (s for s in spots[clear] if free_range(scan, float(np.arctan2(s[1], s[0])), beam) > np.hypot(*s))
    spot = next(in_sight, None)
    return pose if spot is None else np.array([*spot, pose[2]])


def roomiest(scan: Scan, half_width: float, most: float) -> Array | None:
    """Pose (3,) in base_link that a disc of radius `half_width` [m] can drive straight on to, and which leads farthest,
    up to `most` [m]; of those that lead as far, the one ahead. None: there is no room anywhere."""
    bearings = np.linspace(-np.pi, np.pi, 36, endpoint=False)
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


def dense(path: Array) -> Array:
    """A path (n, 2) with a point every 0.1 m."""
    lengths = np.hypot(*np.diff(path, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    at = np.arange(0.0, along[-1] + 0.05, 0.1)
    return np.column_stack([np.interp(at, along, path[:, axis]) for axis in (0, 1)])


def unhurried(
    scan: Scan | None, way: Array, radius: float, robot: Kinematics, who: WhoComesOut = WhoComesOut()
) -> float:
    """The greatest speed [m/s] along a `way` (n, 2) [m] in base_link that minds who may come out past a corner, or
    through a door; inf: any.

    At an edge of sight the range jumps, and behind it a person has room. From there the person may walk onto the
    robot's way. The robot drives so fast that it stands before that person's way crosses its own, or has stopped when
    the person gets there (Chung et al., "Safe navigation of a mobile robot considering visibility of environment", IEEE
    Transactions on Industrial Electronics, 2009).

    Args:
        scan: in base_link; None: nothing is known to hide anybody.
        way: that the robot is going to drive, from where it is.
        radius: of the robot [m].
        robot: how it brakes.
        who: may come out.
    """
    if scan is None or robot.max_linear <= who.unhurried or not len(way):
        return math.inf
    edges, line = edges_of_sight(scan, who), dense(np.concatenate([np.zeros((1, 2)), way]))
    beside = 0.05  # [m] beside and before the robot that the gate keeps free, and a little
    room = free_range(scan, 0.0, radius + beside) - radius - beside
    stands = float(robot.stopping_from(np.array([room]))[0])  # else the gate would cut turns, too
    if not len(edges):
        return max(who.unhurried, stands)
    away = np.hypot(*(edges[:, None] - line[None]).transpose(2, 0, 1))
    nearest = away.argmin(axis=1)
    ahead = nearest > 0  # else the robot is past it
    reach = radius + who.body
    before = robot.stopping_from(0.1 * nearest[ahead] - reach)
    comes = (away.min(axis=1)[ahead] - reach) / who.walk  # [s]
    until = robot.deceleration * (comes - robot.reaction).clip(0, None)
    return float(max(who.unhurried, np.maximum(before, until).min(initial=stands)))


def edges_of_sight(scan: Scan, who: WhoComesOut = WhoComesOut()) -> Array:
    """Where somebody may come out (n, 2) [m] in base_link: ends of things that hide what is behind them."""
    ranges = np.where(np.isposinf(scan.ranges), min(8.0, scan.max_range), scan.ranges).astype(np.float64)
    known = (ranges > 0) & np.isfinite(ranges)
    inverse = np.where(known, 1.0 / np.where(known, ranges, 1.0), np.nan)
    points = scan.origin + ranges[:, None] * np.stack([np.cos(scan.angles), np.sin(scan.angles)], -1)
    after, before = (_ends(ranges, inverse, side, scan, who.gap) for side in (1, -1))
    breaks = after | np.roll(before, -1)  # behind which beams another thing begins
    things = np.concatenate([[0], np.cumsum(breaks[:-1])])
    if is_full_turn(scan) and not breaks[-1]:
        things[things == things[-1]] = 0
    low = np.full((things.max() + 1, 2), np.inf)
    high = -low
    np.minimum.at(low, things, points)
    np.maximum.at(high, things, points)
    wide = np.hypot(*(high - low).T)[things] >= 2 * who.body  # a narrower thing hides nobody
    return np.asarray(points[(after | before) & wide & known])


def _ends(ranges: Array, inverse: Array, side: int, scan: Scan, gap: float) -> NDArray[np.bool_]:
    """Whether the thing that each beam meets (n,) ends there, seen towards one `side`: the next beam goes much farther
    than to the straight line through this end point and the one before. In polar coordinates the inverse ranges of a
    line satisfy u[i + 1] = 2 cos(step) u[i] - u[i - 1]."""
    following = np.roll(ranges, -side)
    line = 2 * math.cos(scan.angle_increment) * inverse - np.roll(inverse, side)
    with np.errstate(divide="ignore", invalid="ignore"):
        on_line = np.where(line > 0, 1.0 / line, np.inf)
    found = (following > ranges + gap) & (following > on_line + gap)
    if not is_full_turn(scan):
        found[[0, -1]] = False
    return np.asarray(found)
