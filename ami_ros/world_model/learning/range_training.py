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
from ami_ros.world_model.learning.descent import descend
from ami_ros.world_model.learning.views import Views, photographed, rays_of
from ami_ros.world_model.picture_scan import BEARINGS, FARTHEST, NEAREST, STEPS, RangeNetwork, bearings_of

HEIGHTS = 0.06, 0.14, 0.22, 0.3  # [m] of the planes
CLIP, WARM_UP = 1.0, 200  # norm of the gradient; steps
BLUR = 1.0  # steps of distance by which a label is blurred: being a little off is hardly wrong
REACH = 5.0  # [m] up to which errors are counted
CLOSE, OVER = 2.0, 1.3  # [m] within which a thing must not be taken to be so much farther off


@dataclass(frozen=True)
class RangeConfig:
    """How distances are learned."""

    steps: int = 8000  # of the optimiser
    batch: int = 64  # pictures in a step
    learning_rate: float = 1.2e-3  # at its highest; it falls to zero along half a cosine
    bfloat16: bool = False
    seed: int = 0


@dataclass(frozen=True)
class RangeQuality:
    """What pictures say of what is within REACH."""

    error_p50: float  # of distances, as a share
    error_p90: float
    close_error_p50: float  # of those within CLOSE
    close_error_p90: float
    close_taken_for_far: float  # share of those within CLOSE that are taken to be OVER times as far off, or farther


def ranges_in(world: World, views: Views) -> NDArray[np.float32]:
    """What the `views` of a `world` show, (n, BEARINGS) [m] from the camera, from left to right; inf: nothing."""
    obstacles = obstacles_of(world, {door.name: door.open for door in world.doors})
    planes = [FloorPlan(at_height(obstacles, height)) for height in HEIGHTS]
    found = np.zeros((len(views), BEARINGS), np.float32)
    for k, (pose, half) in enumerate(zip(views.poses, views.halves, strict=True)):
        angles = pose[2] + bearings_of(half)
        found[k] = np.min([plane.cast(pose[:2], angles) for plane in planes], axis=0)
    return found


def fit_ranges(
    network: RangeNetwork,
    views: Views,
    ranges: NDArray[np.float32],
    config: RangeConfig,
    report: Callable[[int, float], None],
    keep: Path | None = None,
) -> None:
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
        off = (steps - _step_of(torch.from_numpy(ranges[rows]))[..., None]).float()
        label = torch.softmax(-0.5 * (off / BLUR).square(), -1)
        return -(label * scores.float().log_softmax(-1)).sum(-1).mean()

    descend(network, loss, config.steps, config.learning_rate, report, 0.03, WARM_UP, CLIP, keep)


def judge_ranges(network: RangeNetwork, views: Views, ranges: NDArray[np.float32], seed: int = 0) -> RangeQuality:
    """How good `network` is on views that it has not learned from."""
    rng, guessed = np.random.default_rng((seed, 4)), []
    with torch.inference_mode():
        for rows in np.array_split(np.arange(len(views)), max(1, len(views) // 128)):
            guessed.append(_middle(_scores(network, views, rows, rng).float()).numpy())
    error = np.log(np.concatenate(guessed) / np.maximum(ranges, NEAREST))
    near, close = ranges < REACH, ranges < CLOSE

    def share(rows: NDArray[np.bool_], quantile: float) -> float:
        return float(np.expm1(np.quantile(np.abs(error[rows]), quantile))) if rows.any() else math.nan

    over = float((error[close] > math.log(OVER)).mean()) if close.any() else math.nan
    return RangeQuality(share(near, 0.5), share(near, 0.9), share(close, 0.5), share(close, 0.9), over)


def _scores(network: RangeNetwork, views: Views, rows: NDArray[np.int64], rng: np.random.Generator) -> Tensor:
    seen = photographed(views, rows, rng)
    images = torch.from_numpy(seen.images).permute(0, 3, 1, 2)
    scores: Tensor = network(images, rays_of(seen, rng)[0], torch.from_numpy(seen.halves).float())
    return scores


def _step_of(ranges: Tensor) -> Tensor:
    """Which of the network's steps of distance (...) [m] falls into."""
    share = (ranges.clamp(NEAREST, FARTHEST) / NEAREST).log() / math.log(FARTHEST / NEAREST)
    return (share * STEPS).long().clamp(max=STEPS - 1)


def _middle(scores: Tensor) -> Tensor:
    """The median distance [m] of scores (..., STEPS), to the middle of its step."""
    step = (scores.softmax(-1).cumsum(-1) < 0.5).sum(-1).clamp(max=STEPS - 1)
    return NEAREST * ((step + 0.5) / STEPS * math.log(FARTHEST / NEAREST)).exp()
