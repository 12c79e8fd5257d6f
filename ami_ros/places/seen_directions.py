"""Which directions nobody has looked in yet: a picture is recognised only near where one was taken that shows the same.

SciPy is imported where it is used: a mission of given goals does without its 30 MB.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array, wrap
from ami_ros.places.neighbours import pairs_within
from ami_ros.places.raster import Raster

DIRECTIONS = 12  # in which views are looked for
WANTED = np.linspace(-np.pi, np.pi, DIRECTIONS, endpoint=False)  # [rad] these
ASIDE = 0.6  # [rad] between a direction and that of a place that looks there, up to which it is seen


def missing_views(points: Array, places: Array, reach: float) -> Array:
    """Share (k,) of the directions in which no remembered place looks that is close by.

    Args:
        points: (k, 2) [m] in the map frame.
        places: (n, 3) likewise.
        reach: [m] from a point within which a place shows what can be seen from there.
    """
    return np.asarray(_unseen(points, places, reach).mean(axis=1))


def rough_missing_views(points: Array, places: Array, reach: float) -> Array:
    """As `missing_views`, of many points that have many places near them: within a cell of the raster."""
    if (raster := Raster.of(points)) is None:
        return missing_views(points, places, reach)
    columns = [np.abs(wrap(places[:, 2] - direction)) < ASIDE for direction in WANTED]
    return np.asarray(np.mean([raster.cell_gaps(places[column, :2]) >= reach for column in columns], axis=0))


def shortest_sweep(pose: Array, places: Array, reach: float) -> float:
    """Angle [rad], to the left if positive, by which a robot at `pose` (3,) turns to look in all directions in which
    no place (n, 3) within `reach` [m] looks: the way round that is shorter; 0: none is missing."""
    unseen = WANTED[_unseen(pose[None, :2], places, reach)[0]]
    if not len(unseen):
        return 0.0
    left = (unseen - pose[2]) % (2 * np.pi)
    leftwards, rightwards = left.max() - ASIDE, 2 * np.pi - left.min() - ASIDE
    return float(max(leftwards, 0.0) if leftwards <= rightwards else -max(rightwards, 0.0))


def _unseen(points: Array, places: Array, reach: float) -> NDArray[np.bool_]:
    """Whether no place near each point looks in each direction (k, DIRECTIONS)."""
    point, place, _ = pairs_within(points, places[:, :2], reach)
    k, way = np.nonzero(np.abs(wrap(WANTED - places[place, 2, None])) < ASIDE)
    found = np.ones((len(points), DIRECTIONS), bool)
    found[point[k], way] = False
    return found


def all_round(points: Array) -> Array:
    """Views (DIRECTIONS * k, 3) from `points` (k, 2), one in each direction."""
    turns = np.tile(WANTED, len(points))
    return np.column_stack([np.repeat(points, DIRECTIONS, axis=0), turns])


def gaps(points: Array, others: Array) -> Array:
    """Distance (k,) [m] of each point (k, 2) from the nearest of others (n, 2); inf without any."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(others).query(points)[0])


def rough_gaps(points: Array, others: Array) -> Array:
    """As `gaps`, within 0.3 m, up to 5 m; farther off at least that."""
    raster = Raster.of(points)
    return gaps(points, others) if raster is None else raster.gaps(others)
