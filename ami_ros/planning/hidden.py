"""Slower where somebody may come out of what the robot does not see: past a corner, or through a door.

At an edge of sight the range jumps, and behind it a person has room. From there the person may walk onto the robot's
way. The robot drives so fast that it stands before that person's way crosses its own, or has stopped when the person
gets there (Chung et al., "Safe navigation of a mobile robot considering visibility of environment", IEEE Transactions
on Industrial Electronics, 2009).
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.passing import dense
from ami_ros.planning.scan_geometry import free_range
from ami_ros.scan import Scan, is_full_turn

WALK = 1.6  # [m/s] of who comes out (ISO 13855: speed of approach by walking)
BODY = 0.25  # [m] radius of a person
GAP = 1.5  # [m] by which the range jumps where a person can come walking: two steps from standing to that speed
NARROW = 0.5  # [m] across, less than which a thing hides nobody: 2 * BODY
ROOM = 0.05  # [m] beside and before the robot that the gate keeps free, and a little
FAR = 8.0  # [m] as far as a beam counts
UNHURRIED = 0.5  # [m/s] no edge makes it slower: robots drive so among people, see docs/safety.md


def unhurried(scan: Scan | None, way: Array, radius: float, robot: Kinematics) -> float:
    """The greatest speed [m/s] along a `way` (n, 2) [m] in base_link that minds who may come out; inf: any.

    Args:
        scan: in base_link; None: nothing is known to hide anybody.
        way: that the robot is going to drive, from where it is.
        radius: of the robot [m].
        robot: how it brakes.
    """
    if scan is None or robot.max_linear <= UNHURRIED or not len(way):
        return math.inf
    edges, line = edges_of_sight(scan), dense(np.concatenate([np.zeros((1, 2)), way]))
    room = free_range(scan, 0.0, radius + ROOM) - radius - ROOM
    stands = float(robot.stopping_from(np.array([room]))[0])  # else the gate would cut turns, too
    if not len(edges):
        return max(UNHURRIED, stands)
    away = np.hypot(*(edges[:, None] - line[None]).transpose(2, 0, 1))
    nearest = away.argmin(axis=1)
    ahead = nearest > 0  # else the robot is past it
    reach = radius + BODY
    before = robot.stopping_from(0.1 * nearest[ahead] - reach)
    until = robot.stopped_within((away.min(axis=1)[ahead] - reach) / WALK)
    return float(max(UNHURRIED, np.maximum(before, until).min(initial=stands)))


def edges_of_sight(scan: Scan) -> Array:
    """Where somebody may come out (n, 2) [m] in base_link: ends of things that hide what is behind them."""
    ranges = np.where(np.isposinf(scan.ranges), min(FAR, scan.max_range), scan.ranges).astype(np.float64)
    known = (ranges > 0) & np.isfinite(ranges)
    inverse = np.where(known, 1.0 / np.where(known, ranges, 1.0), np.nan)
    points = scan.origin + ranges[:, None] * np.stack([np.cos(scan.angles), np.sin(scan.angles)], -1)
    after, before = (_ends(ranges, inverse, side, scan) for side in (1, -1))
    wide = _width(points, after | np.roll(before, -1), scan) >= NARROW
    return np.asarray(points[(after | before) & wide & known])


def _ends(ranges: Array, inverse: Array, side: int, scan: Scan) -> NDArray[np.bool_]:
    """Whether the thing that each beam meets (n,) ends there, seen towards one `side`: the next beam goes much farther
    than to the straight line through this end point and the one before. In polar coordinates the inverse ranges of a
    line satisfy u[i + 1] = 2 cos(step) u[i] - u[i - 1]."""
    following = np.roll(ranges, -side)
    line = 2 * math.cos(scan.angle_increment) * inverse - np.roll(inverse, side)
    with np.errstate(divide="ignore", invalid="ignore"):
        on_line = np.where(line > 0, 1.0 / line, np.inf)
    found = (following > ranges + GAP) & (following > on_line + GAP)
    if not is_full_turn(scan):
        found[[0, -1]] = False
    return np.asarray(found)


def _width(points: Array, breaks: NDArray[np.bool_], scan: Scan) -> Array:
    """How wide [m] the thing is that each beam meets (n,); `breaks` (n,): behind which beams another thing begins."""
    things = np.concatenate([[0], np.cumsum(breaks[:-1])])
    if is_full_turn(scan) and not breaks[-1]:
        things[things == things[-1]] = 0
    low = np.full((things.max() + 1, 2), np.inf)
    high = -low
    np.minimum.at(low, things, points)
    np.maximum.at(high, things, points)
    return np.asarray(np.hypot(*(high - low).T)[things])
