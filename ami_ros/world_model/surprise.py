"""Surprise: how far an observation is from what the world model had predicted, on a scale that needs no tuning."""

from __future__ import annotations

import math
from collections import deque
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import ArrayLike

from ami_ros.world_model.model import WorldModel

# Scales the median absolute deviation to the standard deviation of a normal distribution.
MAD_TO_SIGMA = 1.4826
STANDING = 0.02  # [m/s] and [rad/s], commands up to this count as standing still
LEAST_SPREAD = 0.1  # of the median: below, differences are those of rounding, not of the world


@dataclass(frozen=True)
class Surprise:
    """One reading."""

    surprise: float  # root mean square prediction error [latent units]
    baseline: float  # running median of it
    z_score: float  # (surprise - baseline) / scaled MAD; NaN until there are enough samples
    alarm: bool


class SurpriseMonitor:
    """Predicts each latent from the one a model step earlier and the commands between, and compares.

    Args:
        model: the world model.
        threshold: z score above which `alarm` is set.
        window: readings in the running median.
        warm_up: readings before there is a z score.
    """

    def __init__(self, model: WorldModel, threshold: float = 6.0, window: int = 300, warm_up: int = 20) -> None:
        self.model, self.threshold, self.warm_up = model, threshold, warm_up
        self.errors: deque[float] = deque(maxlen=window)

    def reset(self) -> None:
        """Forgets all readings, as after a jump in time."""
        self.errors.clear()

    def observe(self, before: ArrayLike, commands: ArrayLike, previous: ArrayLike, now: ArrayLike) -> Surprise:
        """One reading.

        Args:
            before: latent (latent_dim,) one model step ago.
            commands: (chunk, 2) sent since [m/s, rad/s].
            previous: (2,) the command in force before those.
            now: latent (latent_dim,) observed.
        """

        def tensor(values: ArrayLike) -> torch.Tensor:
            return torch.as_tensor(np.asarray(values, dtype=np.float32))[None]

        with torch.inference_mode():
            predicted, _ = self.model.step(tensor(before), tensor(commands), tensor(previous))
            error = float((predicted - tensor(now)).square().mean().sqrt())
        history = np.array(self.errors)
        # A robot that stands predicts itself almost perfectly; beside that every motion would be a surprise.
        if np.abs(np.asarray(commands)).max() > STANDING:
            self.errors.append(error)
        if len(history) < self.warm_up:
            return Surprise(error, float(np.median(history)) if len(history) else error, math.nan, False)
        median = float(np.median(history))
        spread = max(MAD_TO_SIGMA * float(np.median(np.abs(history - median))), LEAST_SPREAD * median, 1e-9)
        z_score = (error - median) / spread
        return Surprise(error, median, z_score, z_score > self.threshold)
