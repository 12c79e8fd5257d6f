"""Compares what a laser saw around two spots, early: point by point where the two lie on one another."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from scipy.spatial import cKDTree

from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, inverse, transform_points
from ami_ros.core.scan_matching import Match
from ami_ros.core.submaps import RAYS, REACH, Submap
from ami_ros.world_model import layers
from ami_ros.world_model.layers import Floats, Network, Values, joined, kind_of
from ami_ros.world_model.networks import mlp

# The network that compares what a laser saw around two spots; what it is for: `scan_pairs`.

FEATURES = 12  # of a point
NUMBERS = 6  # of a match
WIDTH, HIDDEN = 48, 64


class ScanPairNetwork(Network):
    """Reads points as a set: each by itself, then their mean and their maximum."""

    def __init__(self, nn: Any) -> None:
        self.point = mlp(nn, FEATURES, WIDTH, WIDTH)
        self.out = nn.Sequential(nn.Linear(4 * WIDTH + NUMBERS, HIDDEN), nn.GELU(), nn.Linear(HIDDEN, 1))

    def forward(self, points: Values, numbers: Values) -> Values:
        """Log odds (batch,) that two submaps are one place.

        Args:
            points: (batch, 2, POINTS, FEATURES), see `point_features`.
            numbers: (batch, NUMBERS), see `match_numbers`.
        """
        seen = self.point(points)
        sets = joined(seen.mean(2), kind_of(seen).amax(seen, 2)).reshape(len(seen), -1)
        return self.out(joined(sets, numbers))[:, 0]


# Compares what a laser saw around two spots, early: point by point where the two lie on one another.
#
# Of each point of one it is known how far off the other's nearest is, whether the other saw free space there, and
# whether its wall holds the direction that is known worst. A network reads them as a set (Zaheer et al., "Deep Sets",
# NeurIPS 2017), in both directions, and says how likely the two are one place, seen so. A share of points that agree
# says less: along a corridor its walls outvote its doors. The network is `scan_pair_network.ScanPairNetwork`.

POINTS = 96  # of each submap; those within REACH, which is what the network has learned from, or 24 of the nearest
OFF, BEYOND = 0.2, 0.3  # [m] off the other's nearest point, and before or behind what it saw, from which it contradicts


class ScanPairs:
    """Says how likely two submaps show the same.

    Args:
        weights: by the names that files have.
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]]) -> None:
        self._network = layers.network(ScanPairNetwork)
        self._network.load(weights)

    def log_odds(self, reference: Submap, others: Sequence[tuple[Submap, Match]]) -> Floats:
        """Of each other (k,) that it is seen from where the match has it; the match is one with `reference`."""
        if not others:
            return np.zeros(0, np.float32)
        points = np.stack([point_features(reference, other, match) for other, match in others])
        return np.asarray(self._network(points, np.stack([match_numbers(m) for _, m in others])))


def point_features(reference: Submap, other: Submap, match: Match) -> Floats:
    """(2, POINTS, FEATURES) of points of `other` among those of `reference`, and the other way round."""
    worst = np.linalg.eigh(match.covariance[:2, :2])[1][:, 1]
    c, s = np.cos(match.pose[2]), np.sin(match.pose[2])
    turn = np.array([[c, -s], [s, c]])  # from the other's frame into that of the reference
    there = transform_points(match.pose, other.points), other.normals @ turn.T
    back = transform_points(inverse(match.pose), reference.points), reference.normals @ turn
    return np.stack([_among(*there, reference, worst), _among(*back, other, turn.T @ worst)])


def _among(points: Array, normals: Array, seen: Submap, worst: Array) -> Floats:
    """Of POINTS of the points (n, 2), whose walls have such normals (n, 2), among what was seen from the origin.

    Args:
        points: [m].
        normals: of unit length, or 0.
        seen: what they are compared with.
        worst: (2,) direction that is known worst.
    """
    distance = np.hypot(*points.T)
    within = max(REACH, float(np.partition(distance, k := min(24, len(distance)) - 1)[k]))
    rows = np.flatnonzero(distance <= within)
    rows = rows[np.linspace(0, len(rows) - 1, POINTS).astype(np.int64)]
    points, normals, distance = points[rows], normals[rows], distance[rows]
    off, nearest = cKDTree(seen.points).query(points)
    free = seen.free[np.round(np.arctan2(points[:, 1], points[:, 0]) / (2 * np.pi / RAYS)).astype(np.int64) % RAYS]
    unknown = np.isnan(free)
    before = np.where(unknown, 0.0, np.clip(free - distance, -2.0, 2.0))
    along, across = points @ worst, points @ np.array([-worst[1], worst[0]])
    slip = np.clip((seen.points[nearest] - points) @ worst, -0.6, 0.6)
    columns = (
        np.minimum(off, 0.6) / 0.3,
        np.exp(-np.square(off / 0.05)),
        np.exp(-np.square(off / 0.15)),
        np.abs(normals @ worst),
        before,
        unknown,
        (off > OFF) & (before > BEYOND),
        (off > OFF) & (before < -BEYOND),
        distance / REACH,
        np.clip(along / REACH, -1.5, 1.5),
        np.clip(across / 3.0, -2.0, 2.0),
        slip / 0.3,
    )
    return np.column_stack(columns).astype(np.float32)


def match_numbers(match: Match) -> Floats:
    """(NUMBERS,) of what the match says of itself."""
    loose, count = min(match.looseness, 0.5) * 5, match.count / 300
    said = match.support, match.conflict, match.firmness, loose, count, match.support - match.conflict
    return np.array(said, np.float32)


@cache
def load_scan_pairs(folder: Path) -> ScanPairs:
    """Reads what `./ami scans` wrote.

    Raises:
        AmiError: it is not there, or is something else.
    """
    try:
        weights = load_arrays((folder / "weights.safetensors").read_bytes())
        return ScanPairs(weights)
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise AmiError(f"{folder} has no network that compares scans ({error}); see ./ami scans") from error
