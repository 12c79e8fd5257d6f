"""Unknown space that a robot could drive to: free space in the scan, and the ways over remembered places to it.

SciPy is imported where it is used: a mission of given goals does without its 30 MB.
"""

from __future__ import annotations

import numpy as np

from ami_ros.geometry import Array
from ami_ros.planning.exploration_config import ExplorationConfig
from ami_ros.planning.scan_geometry import free_range
from ami_ros.scan import Scan


def open_points(scan: Scan, config: ExplorationConfig) -> Array:
    """Points (k, 2) [m] in base_link that the robot could drive to in a straight line, by the scan."""
    found = [np.zeros((0, 2))]
    for direction in np.linspace(-np.pi, np.pi, config.directions, endpoint=False):
        end = min(free_range(scan, float(direction), config.half_width) - config.margin, config.sight)
        reach = np.arange(config.apart, end, 0.2)
        found.append(reach[:, None] * [np.cos(direction), np.sin(direction)])
    return np.concatenate(found)


def way_lengths(places: Array, start: Array, points: Array, config: ExplorationConfig) -> Array:
    """Lengths (k,) [m] of ways over places (n, 2) from `start` (2,) to near each of the points (k, 2).

    Places nearer to each other than `link` count as connected, as in the memory's own graph; parts that are not
    connected count as five times the straight way off.
    """
    from scipy.sparse import csr_array
    from scipy.sparse.csgraph import dijkstra
    from scipy.spatial import cKDTree

    if not len(points):
        return np.zeros(0)
    tree = cKDTree(places)
    pairs = tree.query_pairs(config.link, output_type="ndarray").reshape(-1, 2)
    steps = np.hypot(*(places[pairs[:, 0]] - places[pairs[:, 1]]).T) + 1e-6
    graph = csr_array((steps, (pairs[:, 0], pairs[:, 1])), shape=(len(places), len(places)))
    reach = dijkstra(graph, directed=False, indices=int(tree.query(start)[1]))
    rest, ends = tree.query(points)
    straight = 5.0 * np.hypot(*(points - start).T)
    return np.where(np.isfinite(reach[ends]), reach[ends] + rest, straight)


def gaps(points: Array, places: Array) -> Array:
    """Distance (k,) [m] of each point (k, 2) from the nearest place (n, 2)."""
    from scipy.spatial import cKDTree

    return np.asarray(cKDTree(places).query(points)[0])
