"""A phase of training on finished latents: how a goal's picture is compared with what the camera sees.

Pairs are moments of one run within some seconds, labelled by odometry, whose gains are known by now
(`learning.odometry_gains`). Near pairs count most: that is where a robot decides that it has arrived.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.geometry import relative
from ami_ros.learning.descent import descend
from ami_ros.learning.losses import pose_loss
from ami_ros.learning.windows import WindowSampler
from ami_ros.world_model.model import WorldModel

GROUPS, MEMBERS = 16, 8  # moments of a step; all pairs within a group are compared
REACH = 6.0  # from the middle of a group to its members [s]
ERROR_WEIGHT = 0.1  # weight of how far off the head expects to be
WARM_UP = 100  # steps
CLIP = 2.0  # norm of the gradient


def fit_sighting(
    model: WorldModel,
    sampler: WindowSampler,
    latents: Tensor,
    steps: int,
    learning_rate: float,
    seed: int,
    bfloat16: bool,
    report: Callable[[int, float], None],
    fresh: bool = True,
    keep: Path | None = None,
) -> None:
    """Trains the model's `sighting`; everything else stays as it is. Nothing to do for a model without it.

    Args:
        model: finished but for this.
        sampler: of the data.
        latents: (n, latent_dim) of all of it, by that model.
        steps: optimiser steps.
        learning_rate: at its highest; it falls to zero along half a cosine.
        seed: of the pairs drawn.
        bfloat16: run the image encoders in bfloat16.
        report: called with the steps done and the loss.
        keep: see `descend`.
        fresh: begin with the image encoder of the latents, which knows pictures, instead of going on.
    """
    if model.sighting is None or not steps:
        return
    model.eval().requires_grad_(False)
    learned = model.sighting
    if fresh and model.encoder.image is not None:
        learned.encoder.load_state_dict(model.encoder.image.state_dict())

    def loss(step: int) -> Tensor:
        rng = np.random.default_rng((seed, step, 1))
        return _loss(model, sampler, latents, _moments(sampler, rng), rng, bfloat16)

    descend(learned, loss, steps, learning_rate, report, warm_up=WARM_UP, clip=CLIP, keep=keep)
    model.eval()


def _moments(sampler: WindowSampler, rng: np.random.Generator) -> NDArray[np.int64]:
    """Rows (MEMBERS, GROUPS) of the data: moments of one episode, near each other in time."""
    reach = round(REACH / sampler.spec.period)
    middle = sampler.moments(rng, GROUPS)
    rows = middle + rng.integers(-reach, reach + 1, (MEMBERS, GROUPS))
    return np.clip(rows, sampler.begins[middle], sampler.ends[middle] - 1)


def _loss(
    model: WorldModel,
    sampler: WindowSampler,
    latents: Tensor,
    rows: NDArray[np.int64],
    rng: np.random.Generator,
    bfloat16: bool,
) -> Tensor:
    assert model.sighting is not None
    sensors = sampler.sensors(rows.ravel(), rng)
    assert sensors.image is not None
    with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
        features = model.sighting.encoder(sensors.image)
    codes = model.sighting.out(features.float()).view(*rows.shape, -1)
    here = latents[torch.from_numpy(rows)]
    poses = sampler.odometry[rows]
    first, second = np.nonzero(~np.eye(MEMBERS, dtype=bool))
    wanted = torch.from_numpy(relative(poses[first], poses[second]).astype(np.float32))
    seen = model.sighting(here[first], codes[first], codes[second])
    error = (seen[..., :2].detach() - wanted[..., :2]).square().sum(-1).add(1e-6).sqrt()
    expected = seen[..., 4]
    return pose_loss(seen[..., :4], wanted) + ERROR_WEIGHT * (error * (-expected).exp() + expected).mean()
