"""Doubt: whether the world model is unsure of what comes next, measured by what it usually is."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from ami_ros.commands import Command, of_width
from ami_ros.geometry import Array
from ami_ros.planning.protocols import Dynamics


@dataclass(frozen=True)
class DoubtConfig:
    """When the model counts as unsure."""

    factor: float = 2.5  # times the usual disagreement
    moments: int = 4  # in a row
    window: int = 300  # moments that make up what is usual
    warm_up: int = 50  # moments before anything is unusual


class Doubt:
    """Watches the disagreement of the model's predictors about each next step.

    Args:
        model: which may lack the heads for it; then there never is doubt.
        config: see there.
    """

    def __init__(self, model: Dynamics, config: DoubtConfig) -> None:
        self.config = config
        self._width = model.spec.command_dim
        self._disagreement = getattr(model, "disagreement", None) if model.spec.ensemble else None
        self._usual: deque[float] = deque(maxlen=config.window)
        self._high = 0

    def about(self, latent: NDArray[np.float32], chunk: Array, previous: Command) -> bool:
        """Whether the model is unsure of what the commands (chunk, width) do from `latent` (latent_dim,) on."""
        if self._disagreement is None:
            return False
        with torch.inference_mode():
            start, commands = torch.from_numpy(latent)[None], torch.from_numpy(chunk.astype(np.float32))[None]
            before = torch.tensor([of_width(previous, self._width)], dtype=torch.float32)
            return self.unsure(float(self._disagreement(start, commands, before)))

    def unsure(self, disagreement: float) -> bool:
        """Whether the model is unsure now, with its `disagreement` [latent units] about the step that was chosen."""
        usual = float(np.median(self._usual)) if len(self._usual) >= self.config.warm_up else np.inf
        self._usual.append(disagreement)
        self._high = self._high + 1 if disagreement > self.config.factor * usual else 0
        return self._high >= self.config.moments
