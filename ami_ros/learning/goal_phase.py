"""The last phase of training, for models whose goals have an image encoder of their own.

While the latent still changes, that encoder runs after it. Once everything else stands, a few hundred steps on the
finished latents teach it what the picture shows faintly, such as the heading of a robot four pixels wide.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from ami_ros.learning.descent import descend
from ami_ros.learning.windows import WindowSampler
from ami_ros.world_model.model import WorldModel

PICTURES = 192  # in a step
WEIGHT_DECAY = 1e-2


def fit_goals(
    model: WorldModel,
    sampler: WindowSampler,
    steps: int,
    learning_rate: float,
    seed: int,
    bfloat16: bool,
    report: Callable[[int, float], None],
) -> None:
    """Trains goal encoder and goal head towards the latents (batch, latent_dim) of the finished model.

    Args:
        model: finished but for its goals; nothing to do without a goal encoder of its own.
        sampler: of the data.
        steps: optimiser steps.
        learning_rate: at the start; it falls to zero along half a cosine.
        seed: of the pictures drawn.
        bfloat16: run the image encoder in bfloat16.
        report: called with the steps done and the loss.
    """
    if model.goal_encoder is None or model.goal_head is None:
        return
    model.eval().requires_grad_(False)
    encoder, head = model.goal_encoder, model.goal_head

    def loss(step: int) -> Tensor:
        rng = np.random.default_rng((seed, step))
        sensors = sampler.sensors(sampler.moments(rng, PICTURES), rng)
        assert sensors.image is not None
        with torch.autocast("cpu", torch.bfloat16, enabled=bfloat16):
            with torch.no_grad():
                latent = model.encode(sensors)
            features = encoder(sensors.image)
        return functional.mse_loss(head(features.float()), latent.float())

    descend(torch.nn.ModuleList([encoder, head]), loss, steps, learning_rate, report, weight_decay=WEIGHT_DECAY)
    model.eval()
