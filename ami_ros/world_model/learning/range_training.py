"""A phase of training: what stands how far off in each direction of a picture, on views of many simulated worlds.

The truth is that of a scanner which sees what is in a low robot's way: the nearest of what meets four planes.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.simulation.floor_plan import FloorPlan, at_height, obstacles_of
from ami_ros.simulation.world import World
from ami_ros.world_model.layers import Floats
from ami_ros.world_model.learning.descent import Descent, descend
from ami_ros.world_model.learning.views import Views, photographed, rays_of
from ami_ros.world_model.picture_scan import BEARINGS, FARTHEST, NEAREST, STEPS, RangeNetwork, bearings_of


@dataclass(frozen=True)
class RangeConfig:
    """How distances are learned."""

    steps: int = 8000  # of the optimiser
    batch: int = 64  # pictures in a step
    learning_rate: float = 1.2e-3  # at its highest; it falls to zero along half a cosine
    bfloat16: bool = False
    seed: int = 0
    weight_decay: float = 0.03
    clip: float = 1.0  # norm of the gradient
    warm_up: int = 200  # steps


@dataclass(frozen=True)
class RangeQuality:
    """What pictures say of what is within 5 m."""

    error_p50: float  # of distances, as a share
    error_p90: float
    close_error_p50: float  # of those within 2 m
    close_error_p90: float
    close_taken_for_far: float  # share of those within 2 m that are taken to be 1.3 times as far off, or farther


def ranges_in(world: World, views: Views) -> Floats:
    """What the `views` of a `world` show, (n, BEARINGS) [m] from the camera, from left to right; inf: nothing."""
    obstacles = obstacles_of(world, {door.name: door.open for door in world.doors})
    planes = [FloorPlan(at_height(obstacles, height)) for height in (0.06, 0.14, 0.22, 0.3)]  # [m]
    found = np.zeros((len(views), BEARINGS), np.float32)
    for k, (pose, half) in enumerate(zip(views.poses, views.halves, strict=True)):
        angles = pose[2] + bearings_of(half)
        found[k] = np.min([plane.cast(pose[:2], angles) for plane in planes], axis=0)
    return found


def fit_ranges(
    network: RangeNetwork, views: Views, ranges: Floats, config: RangeConfig, report: Callable[[int, float], None],
    keep: Path | None = None,
) -> None:  # fmt: skip
    """Trains `network`; it is left in evaluation mode.

    Args:
        network: see there.
        views: of the worlds to learn from.
        ranges: what they show, see `ranges_in`.
        config: see there.
        report: called with the steps done and the loss.
        keep: see `descend`.
    """
    steps = torch.arange(STEPS)

    def loss(step: int) -> Tensor:
        rng = np.random.default_rng((config.seed, step, 3))
        rows = rng.choice(len(views), min(config.batch, len(views)), replace=False)
        with torch.autocast("cpu", torch.bfloat16, enabled=config.bfloat16):
            scores = _scores(network, views, rows, rng)
        share = (torch.from_numpy(ranges[rows]).clamp(NEAREST, FARTHEST) / NEAREST).log() / math.log(FARTHEST / NEAREST)
        off = (steps - (share * STEPS).long().clamp(max=STEPS - 1)[..., None]).float()
        label = torch.softmax(-0.5 * off.square(), -1)  # blurred by a step: being a little off is hardly wrong
        return -(label * scores.float().log_softmax(-1)).sum(-1).mean()

    descend(
        network,
        loss,
        Descent(config.steps, config.learning_rate, report, keep, config.weight_decay, config.warm_up, config.clip),
    )


def judge_ranges(network: RangeNetwork, views: Views, ranges: Floats, seed: int = 0) -> RangeQuality:
    """How good `network` is on views that it has not learned from."""
    rng, guessed = np.random.default_rng((seed, 4)), []
    with torch.inference_mode():
        for rows in np.array_split(np.arange(len(views)), max(1, len(views) // 128)):
            sums = _scores(network, views, rows, rng).float().softmax(-1).cumsum(-1)
            step = (sums < 0.5).sum(-1).clamp(max=STEPS - 1)  # of the median; its middle is what is guessed
            guessed.append((NEAREST * ((step + 0.5) / STEPS * math.log(FARTHEST / NEAREST)).exp()).numpy())
    error = np.log(np.concatenate(guessed) / np.maximum(ranges, NEAREST))
    near, close = ranges < 5.0, ranges < 2.0

    def share(rows: NDArray[np.bool_], quantile: float) -> float:
        return float(np.expm1(np.quantile(np.abs(error[rows]), quantile))) if rows.any() else math.nan

    over = float((error[close] > math.log(1.3)).mean()) if close.any() else math.nan
    return RangeQuality(share(near, 0.5), share(near, 0.9), share(close, 0.5), share(close, 0.9), over)


def _scores(network: RangeNetwork, views: Views, rows: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
    seen = photographed(views, rows, rng)
    images = torch.from_numpy(seen.images).permute(0, 3, 1, 2)
    scores: Tensor = network(images, rays_of(seen, rng)[0], torch.from_numpy(seen.halves).float())
    return scores
