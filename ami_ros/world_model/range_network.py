"""The network that guesses distances from a picture; what it is for: `picture_scan`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import yaml

from ami_ros.world_model.identity import WEIGHTS, save_network
from ami_ros.world_model.layers import Network, Values, float32, gelu, joined, kind_of, permuted
from ami_ros.world_model.pairs import FeatureMap, with_rays
from ami_ros.world_model.picture_rays import FIRST
from ami_ros.world_model.spec import PAIR_CHANNELS as CHANNELS

SIZE = 96  # [px] of the square pictures that the network takes
BEARINGS = 48  # directions in which it looks, evenly across a picture
STEPS = 40  # of distance, evenly on a logarithmic scale
COLUMNS = 24  # of the maps that are read
SKIP, WIDTH = 32, 192  # channels of what keeps the width of the first map, and of a column
ROWS = SIZE // FIRST // 2


class RangeNetwork(Network):
    """Begins as the maps of features that pictures are compared by, which know how far off things are; each column of
    them says what stands in its direction.

    Args:
        nn: its layers, see `layers`.
        features: a trained `FeatureMap` to begin with; None: a new one.
    """

    def __init__(self, nn: Any, features: FeatureMap | None = None) -> None:
        layers = list((features or nn.network(FeatureMap)).layers)
        self.first, self.deep = nn.Sequential(*layers[:3]), nn.Sequential(*layers[3:])
        self.skip = nn.Conv2d(64, SKIP, 3, (2, 1))
        inputs = (CHANNELS + SKIP) * ROWS + 1
        self.columns = nn.Sequential(nn.Conv1d(inputs, WIDTH, 3), nn.GroupNorm(8, WIDTH), nn.GELU())
        self.beside = nn.Sequential(nn.Conv1d(WIDTH, WIDTH, 3), nn.GroupNorm(8, WIDTH), nn.GELU())
        self.out = nn.Conv1d(WIDTH, BEARINGS // COLUMNS * STEPS, 1)

    def forward(self, image: Values, told: Values, tangent: Values) -> Values:
        """Scores of distances.

        Args:
            image: (batch, 3, SIZE, SIZE) uint8.
            told: where its pixels look, see `PictureRays`: (batch, ...).
            tangent: how far from the axis it reaches, at distance 1 (batch,).

        Returns:
            (batch, BEARINGS, STEPS) logits, from left to right and from near to far.
        """
        x = self.first(with_rays(image, told))
        deep = self.deep(x)
        twice = kind_of(x).stack([deep, deep], 3).reshape(len(x), ROWS, COLUMNS, CHANNELS)
        maps = joined(twice, gelu(self.skip(x)))
        rows = permuted(maps, 0, 2, 3, 1).reshape(len(x), COLUMNS, -1)
        reach = kind_of(tangent).broadcast_to(tangent[:, None, None], (len(x), COLUMNS, 1))
        x = self.columns(joined(rows, reach))
        return float32(self.out(x + self.beside(x))).reshape(len(x), BEARINGS, STEPS)


def save_ranges(folder: Path, network: RangeNetwork, field_of_view: float) -> None:
    """Writes what `load_picture_scan` reads; weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    save_network(folder / WEIGHTS, network, np.float16)
    (folder / "config.yaml").write_text(yaml.safe_dump({"field_of_view": field_of_view}))
