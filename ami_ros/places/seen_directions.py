"""Which directions nobody has looked in yet: a picture is recognised only near where one was taken that shows the same.

SciPy is imported where it is used: a mission of given goals does without its 30 MB.
"""

from __future__ import annotations

import numpy as np

from ami_ros.geometry import Array, wrap

DIRECTIONS = 12  # in which views are looked for
ASIDE = 0.6  # [rad] between a direction and that of a place that looks there, up to which it is seen


def missing_views(points: Array, places: Array, reach: float) -> Array:
    """Share (k,) of the directions in which no remembered place looks that is close by.

    Args:
        points: (k, 2) [m] in the map frame.
        places: (n, 3) likewise.
        reach: [m] from a point within which a place shows what can be seen from there.
    """
    from scipy.spatial import cKDTree

    wanted = np.linspace(-np.pi, np.pi, DIRECTIONS, endpoint=False)
    missing = np.ones(len(points))
    for k, near in enumerate(cKDTree(places[:, :2]).query_ball_point(points, reach)):
        if near:
            seen = np.abs(wrap(wanted[:, None] - places[near, 2][None])) < ASIDE
            missing[k] = 1.0 - seen.any(axis=1).mean()
    return missing


def all_round(points: Array) -> Array:
    """Views (DIRECTIONS * k, 3) from `points` (k, 2), one in each direction."""
    turns = np.tile(np.linspace(-np.pi, np.pi, DIRECTIONS, endpoint=False), len(points))
    return np.column_stack([np.repeat(points, DIRECTIONS, axis=0), turns])


def gaps(points: Array, others: Array) -> Array:
    """Distance (k,) [m] of each point (k, 2) from the nearest of others (n, 2); inf without any."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(others).query(points)[0])
