"""The network that compares what a laser saw around two spots; what it is for: `scan_pairs`."""

from __future__ import annotations

from typing import Any

from ami_ros.world_model.layers import Network, Values, joined, kind_of
from ami_ros.world_model.networks import mlp

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
