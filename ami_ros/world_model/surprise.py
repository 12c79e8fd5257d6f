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
UNREST = 0.2  # change of a latent that a change of the command by its maximum is worth
LEAST_SPREAD = 0.1  # of the median: below, differences are those of rounding, not of the world


@dataclass(frozen=True)
class Surprise:
    """One reading."""

    surprise: float  # root mean square prediction error [latent units]
    baseline: float  # what it usually is for a change as large as the predicted one
    z_score: float  # (surprise - baseline) / scaled MAD for such a change; NaN until there are enough samples
    alarm: bool


class SurpriseMonitor:
    """Predicts each latent from the one a model step earlier and the commands between, and compares.

    A prediction of much change errs more than one of little. Errors are therefore taken relative to the predicted
    change, so that a world which stands still where it should move is as plain as one that jumps. Commands that vary
    make it harder, too (a robot that turns to and fro ends where it began), and the running median of the change is
    added for a robot that hardly moves. docs/decisions.md has what that brought.

    Args:
        model: the world model.
        threshold: z score above which `alarm` is set.
        window: readings in the running median.
        warm_up: readings before there is a z score.
    """

    def __init__(self, model: WorldModel, threshold: float = 6.0, window: int = 300, warm_up: int = 20) -> None:
        self.model, self.threshold, self.warm_up = model, threshold, warm_up
        # Error, predicted change, and how hard the prediction was.
        self.readings: deque[tuple[float, float, float]] = deque(maxlen=window)

    def reset(self) -> None:
        """Forgets all readings, as after a jump in time."""
        self.readings.clear()

    def observe(self, before: ArrayLike, commands: ArrayLike, previous: ArrayLike, now: ArrayLike) -> Surprise:
        """One reading.

        Args:
            before: latent (latent_dim,) one model step ago.
            commands: (chunk, 2) sent since [m/s, rad/s].
            previous: (2,) the command in force before those.
            now: latent (latent_dim,) observed.
        """

        def tensor(values: ArrayLike) -> torch.Tensor:
            return torch.from_numpy(np.array(values, dtype=np.float32))[None]

        with torch.inference_mode():
            start = tensor(before)
            predicted, _ = self.model.step(start, tensor(commands), tensor(previous))
            error = float((predicted - tensor(now)).square().mean().sqrt())
            change = float((predicted - start).square().mean().sqrt())
        scale = (self.model.spec.max_linear, self.model.spec.max_angular)
        unrest = float(np.abs(np.diff(np.vstack([previous, commands]) / scale, axis=0)).sum())
        demand = change + UNREST * unrest
        history = np.array(self.readings).reshape(-1, 3)
        # A robot that stands predicts itself almost perfectly; beside that every motion would be a surprise.
        if np.abs(np.asarray(commands)).max() > STANDING:
            self.readings.append((error, change, demand))
        if len(history) < self.warm_up:
            return Surprise(error, float(np.median(history[:, 0])) if len(history) else error, math.nan, False)
        usual = max(float(np.median(history[:, 1])), 1e-9)
        ratios = history[:, 0] / (history[:, 2] + usual)
        median = float(np.median(ratios))
        spread = max(MAD_TO_SIGMA * float(np.median(np.abs(ratios - median))), LEAST_SPREAD * median, 1e-9)
        z_score = (error / (demand + usual) - median) / spread
        return Surprise(error, median * (demand + usual), z_score, z_score > self.threshold)
