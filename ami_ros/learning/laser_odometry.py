"""Odometry of a recording that has none, from its laser alone.

Each scan is fitted to the walls that the last metres showed, from where the robot would be if it went on as before
(Censi's point-to-line fit, `ami_ros.scan_matching`). Where that does not hold, poses around are searched.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, compose, pose_gap, relative, transform_points
from ami_ros.scan import Scan
from ami_ros.scan_matching import Match, Matcher, Window
from ami_ros.submaps import Submap, free_distance, points_of, submap_of

SPREAD = (0.15, 0.15, 0.2)  # [m], [m], [rad] deviation of a step from the one before
REACH, TURN = 0.6, 0.6  # [m], [rad] that are searched where the fit does not hold
SURE, LEAST = 0.75, 0.5  # share of points on walls at which a fit is taken at once, and at all
EVERY, EVERY_TURN, KEPT = 0.2, 0.25, 4.0  # [m], [rad] between scans that are kept; [m] of way whose scans are
FEWEST = 10  # points of a scan by which a robot can be followed


def laser_odometry(scans: Sequence[Scan]) -> tuple[Array, NDArray[np.bool_]]:
    """Poses (n, 3) of the robot at its scans, in a frame that begins at the first one, and at which it was followed.

    Args:
        scans: in base_link, in order and without gaps.
    """
    poses, followed = np.zeros((len(scans), 3)), np.ones(len(scans), bool)
    stops: deque[tuple[Array, Array, float]] = deque()  # pose, points, way driven until then
    matcher: Matcher | None = None
    origin, motion, way = np.zeros(3), np.zeros(3), 0.0
    for i, scan in enumerate(scans):
        points, free = points_of(scan), free_distance(scan)
        if i:
            expected = compose(poses[i - 1], motion)
            match = None
            if matcher is not None and len(points) >= FEWEST:
                match = _fit(matcher, submap_of(points, free), relative(origin, expected))
            followed[i] = match is not None
            poses[i] = expected if match is None else compose(origin, match.pose)
            motion = relative(poses[i - 1], poses[i])
            way += float(np.hypot(*motion[:2]))
        gap = pose_gap(stops[-1][0], poses[i]) if stops else (np.inf, np.inf)
        if followed[i] and len(points) >= FEWEST and (gap[0] > EVERY or gap[1] > EVERY_TURN):
            stops.append((poses[i].copy(), points, way))
            while way - stops[0][2] > KEPT:
                stops.popleft()
            origin = poses[i].copy()
            seen = [transform_points(relative(origin, pose), kept) for pose, kept, _ in stops]
            matcher = Matcher(submap_of(np.concatenate(seen), free))
    return poses, followed


def _fit(matcher: Matcher, scan: Submap, expected: Array) -> Match | None:
    """Where a scan lies in what was seen before; None where nothing fits."""
    spread = np.diag(np.square(SPREAD))
    match = matcher.fit(scan, expected, spread)
    if match is None or match.support < SURE:
        for _, pose, _ in matcher.search([scan], [Window(expected, REACH, TURN)], most=2):
            tried = matcher.fit(scan, expected, spread, start=pose)
            if tried is not None and (match is None or tried.support > match.support):
                match = tried
    return match if match is not None and match.support >= LEAST else None
