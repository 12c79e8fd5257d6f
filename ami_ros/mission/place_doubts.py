"""Where the world model was unsure, place by place, even if the place itself is well known."""

from __future__ import annotations

import math
from functools import partial

import numpy as np
from numpy.typing import NDArray

from ami_ros.geometry import Array
from ami_ros.places.neighbours import gaussian_sums
from ami_ros.places.raster import Raster

REACH = 0.7  # [m] over which doubt met at one place tells about others: a Gaussian's deviation
PRIOR = 5.0  # readings of usual doubt that are assumed before any come


class PlaceDoubts:
    """A running mean of the doubt near each place. Kept over missions: what one met, another may look into.

    Doubt is the prediction error that the model's ensemble expected, over the one that is usual for a prediction as
    hard: 1 is as usual, 2 twice as unsure. By itself the expected error tells how fast the robot moved rather
    than where.

    Attributes:
        silent: readings came without doubt: the model has no ensemble.
    """

    def __init__(self) -> None:
        self.silent = False
        self._met: dict[int, tuple[float, float, float, int]] = {}  # place id -> x, y [m, map], mean doubt, readings

    def __len__(self) -> int:
        return len(self._met)

    def note(self, place_id: int, at: Array, doubt: float) -> None:
        """The robot is at `at` (2+,) in the map frame, nearest to that place (0: to none); NaN: doubt unknown."""
        if not math.isfinite(doubt):
            self.silent = not self._met
            return
        self.silent = False
        if place_id:
            _, _, mean, count = self._met.get(place_id, (0.0, 0.0, 0.0, 0))
            self._met[place_id] = (float(at[0]), float(at[1]), mean + (doubt - mean) / (count + 1), count + 1)

    def near(self, points: Array) -> Array:
        """The doubt expected at points (k, 2) [m] in the map frame (k,); 1 where nothing near is known."""
        if not self._met:
            return np.ones(len(points))
        met = np.array(list(self._met.values()))
        raster = Raster.of(points)
        sums = partial(gaussian_sums, points) if raster is None else raster.near
        weight, doubt = (sums(met[:, :2], met[:, 3] * of, REACH) for of in (1.0, met[:, 2] - 1.0))
        return np.asarray(1.0 + doubt / (weight + PRIOR))

    def doubtful(self, least: float) -> tuple[NDArray[np.int64], Array]:
        """Ids (n,) and positions (n, 2) of places around which doubt of at least `least` is expected."""
        if not self._met:
            return np.zeros(0, np.int64), np.zeros((0, 2))
        ids, at = np.array(list(self._met), np.int64), np.array(list(self._met.values()))[:, :2]
        unsure = self.near(at) >= least
        return ids[unsure], at[unsure]
