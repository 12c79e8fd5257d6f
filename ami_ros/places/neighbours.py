"""Of many points those that are near one another: in a large building each has few, and all pairs would be millions.

SciPy is imported where it is used: a mission of given goals does without its 30 MB.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array

FARTHEST = 3.5  # deviations: beyond, a value counts less than one part in 400


def around(points: Array, others: Array, margin: float) -> NDArray[np.int64]:
    """Rows (m,) of `others` (n, 2) in the box that holds `points` (k, 2), with a margin [m]."""
    if not len(points):
        return np.zeros(0, np.int64)
    inside = np.ones(len(others), bool)
    for along, at in zip(points.T, others.T, strict=True):
        inside &= (at >= along.min() - margin) & (at <= along.max() + margin)
    return np.flatnonzero(inside)


def pairs_within(points: Array, others: Array, reach: float) -> tuple[NDArray[np.int64], NDArray[np.int64], Array]:
    """Rows (m,) of `points` (k, 2) and of `others` (n, 2) up to `reach` [m] apart, and how far they are (m,) [m]."""
    from scipy.spatial import cKDTree

    rows = around(points, others, reach)
    quick = {"balanced_tree": False, "compact_nodes": False}  # asked once: half of the time, of thousands of points
    trees = cKDTree(points, **quick), cKDTree(others[rows], **quick)
    near = trees[0].sparse_distance_matrix(trees[1], reach, output_type="ndarray")
    return near["i"], rows[near["j"]], near["v"]


def gaussian_sums(points: Array, others: Array, values: Array, deviation: float) -> Array:
    """For each of `points` (k, 2) the sum (k,) of the `values` (n,) of `others` (n, 2), weighed by a Gaussian of their
    distance that is 1 at none and has this deviation [m]."""
    row, other, apart = pairs_within(points, others, FARTHEST * deviation)
    found = np.exp(-np.square(apart / deviation) / 2) * values[other]
    return np.asarray(np.bincount(row, found, len(points)), np.float64)
