"""All moments of a recording, encoded once by a finished model: the last phases of training share it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from ami_ros.learning.windows import WindowSampler
from ami_ros.world_model.model import WorldModel

BATCH = 512


@dataclass(frozen=True)
class Encodings:
    """Rows are those of the recording.

    Attributes:
        latents: (n, latent_dim) as observed.
        goals: (n, latent_dim) by the picture alone; as observed for a model without a camera.
    """

    latents: Tensor
    goals: Tensor


def encode_all(model: WorldModel, sampler: WindowSampler, report: Callable[[float], None]) -> Encodings:
    """Encodes a recording.

    Args:
        model: in evaluation mode.
        sampler: of the recording.
        report: called with the share done.
    """
    count = len(sampler.odometry)
    latents, goals = torch.empty(2, count, model.spec.latent_dim).unbind(0)
    with torch.inference_mode():
        for first in range(0, count, BATCH):
            rows = np.arange(first, min(first + BATCH, count))
            block = slice(first, first + BATCH)
            latents[block], goals[block] = model.encode_with_goal(sampler.sensors(rows))
            report((rows[-1] + 1) / count)
    return Encodings(latents, goals)
