"""A scan from a picture alone, for robots without a laser: how far off the nearest thing is in each direction.

A network guesses it, as networks guess depth (pseudo-LiDAR, arXiv 1812.07179; MonoLayout, arXiv 2002.08394), by what
stands on the floor and where its foot is seen. In each direction it says how likely each distance is; where these are
far apart, it tells the least. The network is `range_network.RangeNetwork`.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays

from ami_ros.camera import CameraMount, Window
from ami_ros.config import parse_yaml
from ami_ros.errors import AmiError
from ami_ros.geometry import Array, compose
from ami_ros.images import Image
from ami_ros.scan import Scan
from ami_ros.world_model import layers
from ami_ros.world_model.layers import Floats
from ami_ros.world_model.perception import fit_image
from ami_ros.world_model.picture_rays import compared, picture_rays
from ami_ros.world_model.range_belief import RangeBelief
from ami_ros.world_model.range_network import BEARINGS, SIZE, STEPS, RangeNetwork

RANGES = "ranges"  # the folder in models/
NEAREST, FARTHEST = 0.15, 6.5  # [m] between which distances are told apart
UNSURE = 0.35  # standard deviation of the logarithm of a distance, from which the least that it may be is told
SAME_FIELD = 0.01  # [rad] by which fields of view may differ
SPREAD = 0.16, 0.84  # quantiles that are two standard deviations apart


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
        low, middle, high = (_quantile(chances, share) for share in (SPREAD[0], 0.5, SPREAD[1]))
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
        ranges = np.where(spread < UNSURE, np.where(ranges < farthest, ranges, np.inf), ranges * np.exp(-spread))
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
    if abs(field_of_view - learned) > SAME_FIELD:
        degrees = math.degrees(learned), math.degrees(field_of_view)
        raise AmiError(
            f"{folder} is for a camera of {degrees[0]:.0f} degrees, and that of the model has {degrees[1]:.0f}"
        )
    return found
