"""A scan from a picture alone, for robots without a laser: how far off the nearest thing is in each direction."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays

from ami_ros.core.camera import CameraMount, Window
from ami_ros.core.config import parse_yaml
from ami_ros.core.errors import AmiError
from ami_ros.core.geometry import Array, compose, relative
from ami_ros.core.images import Image
from ami_ros.core.scan import Scan
from ami_ros.world_model import layers
from ami_ros.world_model.layers import Floats, Network, Values, float32, gelu, joined, kind_of, permuted
from ami_ros.world_model.model_files import WEIGHTS, save_network
from ami_ros.world_model.pairs import FeatureMap, with_rays
from ami_ros.world_model.perception import fit_image
from ami_ros.world_model.picture_rays import compared, picture_rays
from ami_ros.world_model.spec import PAIR

# The network that guesses distances from a picture; what it is for: `picture_scan`.

SIZE = 96  # [px] of the square pictures that the network takes
BEARINGS = 48  # directions in which it looks, evenly across a picture
STEPS = 40  # of distance, evenly on a logarithmic scale
NEAREST, FARTHEST = 0.15, 6.5  # [m] between which distances are told apart


class RangeNetwork(Network):
    """Begins as the maps of features that pictures are compared by, which know how far off things are; each column of
    them says what stands in its direction.

    Args:
        nn: its layers, see `layers`.
        features: a trained `FeatureMap` to begin with; None: a new one.
    """

    def __init__(self, nn: Any, features: FeatureMap | None = None) -> None:
        layers, skip, width = list((features or nn.network(FeatureMap)).layers), 32, 192
        self._rows = SIZE // PAIR.first // 2
        self.first, self.deep = nn.Sequential(*layers[:3]), nn.Sequential(*layers[3:])
        self.skip = nn.Conv2d(64, skip, 3, (2, 1))  # keeps the width of the first map
        inputs = (PAIR.channels + skip) * self._rows + 1
        self.columns = nn.Sequential(nn.Conv1d(inputs, width, 3), nn.GroupNorm(8, width), nn.GELU())
        self.beside = nn.Sequential(nn.Conv1d(width, width, 3), nn.GroupNorm(8, width), nn.GELU())
        self.out = nn.Conv1d(width, 2 * STEPS, 1)  # of a column: two bearings

    def forward(self, image: Values, told: Values, tangent: Values) -> Values:
        """Scores of distances.

        Args:
            image: (batch, 3, SIZE, SIZE) uint8.
            told: where its pixels look, see `PictureRays`: (batch, ...).
            tangent: how far from the axis it reaches, at distance 1 (batch,).

        Returns:
            (batch, BEARINGS, STEPS) logits, from left to right and from near to far.
        """
        x, columns = self.first(with_rays(image, told)), BEARINGS // 2
        deep = self.deep(x)
        twice = kind_of(x).stack([deep, deep], 3).reshape(len(x), self._rows, columns, -1)
        maps = joined(twice, gelu(self.skip(x)))
        rows = permuted(maps, 0, 2, 3, 1).reshape(len(x), columns, -1)
        reach = kind_of(tangent).broadcast_to(tangent[:, None, None], (len(x), columns, 1))
        x = self.columns(joined(rows, reach))
        return float32(self.out(x + self.beside(x))).reshape(len(x), BEARINGS, STEPS)


def save_ranges(folder: Path, network: RangeNetwork, field_of_view: float) -> None:
    """Writes what `load_picture_scan` reads; weights in half precision."""
    folder.mkdir(parents=True, exist_ok=True)
    save_network(folder / WEIGHTS, network, np.float16)
    (folder / "config.yaml").write_text(yaml.safe_dump({"field_of_view": field_of_view}))


class RangeBelief:
    """What stands how far off, by the pictures of the last moments: a Bayes filter over the distances in each direction
    of the newest one.

    One picture leaves open whether a thing is close or far, where its foot is hidden; the next, from elsewhere, may
    not. Errors of successive pictures are alike, so what was believed before counts as a fraction of an observation.

    Args:
        bearings: (b,) [rad] from left to right, evenly over their tangents.
        nearest, farthest: [m] between which distances are told apart, evenly over their logarithms.
    """

    def __init__(self, bearings: Floats, nearest: float, farthest: float) -> None:
        self.bearings, self._nearest, self._farthest = bearings, nearest, farthest
        self._belief: Array | None = None  # (b, steps)
        self._pose: Array | None = None  # (3,) of the camera then

    def update(self, chances: Floats, pose: Array | None) -> Floats:
        """How likely each distance is (b, steps), by a picture's `chances` and those before it.

        Args:
            chances: likewise, by the picture alone.
            pose: (3,) of the camera by odometry, on the floor; None: nobody knows, and the picture counts alone.
        """
        found = chances.astype(np.float64) + BELIEF.least
        if pose is not None and self._belief is not None and self._pose is not None:
            fresh = BELIEF.fresh
            before = self._seen_from(relative(self._pose, pose), self._belief)
            found = found * ((1 - fresh) * before + fresh / chances.shape[1]) ** BELIEF.kept
        found /= found.sum(-1, keepdims=True)
        self._belief, self._pose = found, pose
        return found.astype(np.float32)

    def _seen_from(self, step: Array, belief: Array) -> Array:
        """A `belief` (b, steps) where the camera has moved by `step` (3,); where it did not look, all is as likely."""
        count, steps = belief.shape
        width = math.log(self._farthest / self._nearest) / steps
        middles = self._nearest * np.exp((np.arange(steps) + 0.5) * width)
        angles = self.bearings.astype(np.float64)[:, None] + step[2]
        x, y = step[0] + middles * np.cos(angles), step[1] + middles * np.sin(angles)
        edge = math.tan(float(self.bearings[0])) * count / (count - 1)  # tangent of the edge of the picture
        column = (1 - y / np.maximum(x, 1e-3) / edge) * count / 2 - 0.5
        looked = (x > 0) & (column > -0.5) & (column < count - 0.5)
        column = np.rint(np.where(looked, column, 0)).astype(int)
        at = np.log(np.maximum(np.hypot(x, y), 1e-3) / self._nearest) / width - 0.5
        nearer = np.floor(at)
        low, high = (belief[column, (nearer + k).clip(0, steps - 1).astype(int)] for k in (0, 1))
        seen = np.where(looked, low + (at - nearer) * (high - low), 1.0 / steps)
        return np.asarray(seen / seen.sum(-1, keepdims=True))


@dataclass(frozen=True)
class BeliefConfig:
    """What pictures before the newest one count, and when nothing is told."""

    kept: float = 0.7  # exponent of what was believed before: together the pictures before count as two and a third
    fresh: float = 0.05  # of it, that something has come or gone since
    least: float = 1e-4  # chance of any distance, whatever a picture says
    unsure: float = 0.35  # standard deviation of a distance's logarithm, from which the least that it may be is told
    same_field: float = 0.01  # [rad] by which fields of view may differ


BELIEF = BeliefConfig()


@dataclass(frozen=True)
class Guess:
    """What a picture shows in each direction, from left to right: (BEARINGS,) each."""

    bearings: Floats  # [rad], positive to the left
    ranges: Floats  # [m] from the camera, along the floor; the middle of what it may be
    spread: Floats  # standard deviation of their logarithm


def bearings_of(tangent: float) -> Floats:
    """Directions (BEARINGS,) [rad], left to right, of a picture that reaches `tangent` from its axis, at distance 1."""
    steps = (np.arange(BEARINGS) + 0.5) / BEARINGS * 2 - 1
    return np.asarray(-np.arctan(steps * tangent), np.float32)


class PictureScan:
    """Makes scans of pictures; not thread-safe.

    Args:
        weights: by the names that files have.
        field_of_view: of the model's camera [rad], whose pictures are given.

    Attributes:
        mount: where the robot's camera sits.
        window: what it sees of the picture that the model's camera would take.
    """

    def __init__(self, weights: Mapping[str, NDArray[Any]], field_of_view: float) -> None:
        self._full = math.tan(field_of_view / 2)
        self.mount, self.window = CameraMount(), Window.square(self._full)
        self._network = layers.network(RangeNetwork)
        self._network.load(weights)
        self._belief: RangeBelief | None = None

    def forget(self) -> None:
        """What pictures showed so far: odometry begins anew, or time does."""
        self._belief = None

    def guess(self, image: Image, pose: Array | None = None) -> Guess:
        """Of a picture (H, W, 3) RGB as the model's camera would have taken it, and those before it.

        Args:
            image: see above.
            pose: (3,) of base_link in odom; None: this picture counts alone.
        """
        tangent = compared(self.window, self._full)
        picture = fit_image(image, SIZE, tangent / self._full)[None]
        told = picture_rays(self.mount, tangent, SIZE).told[None]
        scores = self._network(picture.transpose(0, 3, 1, 2), told, np.array([tangent], np.float32))[0]
        chances = np.exp(scores - scores.max(-1, keepdims=True))
        chances /= chances.sum(-1, keepdims=True)
        bearings = bearings_of(tangent)
        if self._belief is None or not np.array_equal(self._belief.bearings, bearings):
            self._belief = RangeBelief(bearings, NEAREST, FARTHEST)
        sits = np.array([self.mount.x, self.mount.y, self.mount.yaw])
        chances = self._belief.update(chances, None if pose is None else compose(pose, sits))
        low, middle, high = (_quantile(chances, share) for share in (0.16, 0.5, 0.84))  # two deviations apart
        return Guess(bearings, np.exp(middle), (high - low) / np.float32(2))

    def scan(self, image: Image, beams: int, field_of_view: float, farthest: float, pose: Array | None = None) -> Scan:
        """A scan in the frame of a level scanner that sits where the camera does, and looks as it does.

        Args:
            image: as of `guess`.
            beams: of the scan, evenly over ...
            field_of_view: ... so much [rad]; what the camera does not see is NaN.
            farthest: what is farther off [m] is inf.
            pose: as of `guess`.
        """
        guess, step = self.guess(image, pose), field_of_view / (beams - 1)
        angles = step * np.arange(beams) - field_of_view / 2
        nearest = np.abs(guess.bearings - angles[:, None]).argmin(1)
        ranges, spread = guess.ranges[nearest], guess.spread[nearest]
        # Where it said nothing there, the safety gate would let no robot go on; with the middle it would go on too far.
        ranges = np.where(spread < BELIEF.unsure, np.where(ranges < farthest, ranges, np.inf), ranges * np.exp(-spread))
        edge = guess.bearings.max() + np.ptp(guess.bearings) / BEARINGS
        ranges = np.where(np.abs(angles) <= edge, ranges, np.nan)
        return Scan(ranges.astype(np.float32), -field_of_view / 2, step, max_range=farthest)


def _quantile(chances: Floats, share: float) -> Floats:
    """Logarithm of the distance below which a `share` of chances (n, STEPS) lies: (n,)."""
    sums = chances.cumsum(-1)
    step = (sums < share).sum(-1).clip(0, STEPS - 1)
    rows = np.arange(len(chances))
    within = (share - (sums[rows, step] - chances[rows, step])) / np.maximum(chances[rows, step], 1e-6)
    low, high = math.log(NEAREST), math.log(FARTHEST)
    return np.asarray(low + (step + within.clip(0, 1)) * (high - low) / STEPS, np.float32)


def load_picture_scan(folder: Path, field_of_view: float) -> PictureScan:
    """Reads what `range_network.save_ranges` wrote, for pictures of a camera of `field_of_view` [rad].

    Raises:
        AmiError: it is not there, is something else, or has learned from another camera.
    """
    try:
        known = parse_yaml((folder / "config.yaml").read_text())
        weights = load_arrays((folder / "weights.safetensors").read_bytes())
        learned = float(known["field_of_view"])
        found = PictureScan(weights, learned)
    except (OSError, SafetensorError, KeyError, TypeError, ValueError) as error:
        raise AmiError(f"{folder} has no network that makes scans of pictures ({error}); see ./ami ranges") from error
    if abs(field_of_view - learned) > BELIEF.same_field:
        degrees = math.degrees(learned), math.degrees(field_of_view)
        raise AmiError(
            f"{folder} is for a camera of {degrees[0]:.0f} degrees, and that of the model has {degrees[1]:.0f}"
        )
    return found
