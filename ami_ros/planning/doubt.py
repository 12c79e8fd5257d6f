"""Doubt: whether the world model is less sure of what comes next than usual."""

from __future__ import annotations

from collections import deque

import numpy as np

from ami_ros.commands import Command, of_width
from ami_ros.geometry import Array
from ami_ros.planning.protocols import Dynamics
from ami_ros.planning.stopwatch import Stopwatch
from ami_ros.world_model.arrays import Floats

FACTOR = 2.5  # times the usual disagreement
SECONDS = 0.55  # [s] without a break
WINDOW = 60.0  # [s] that make up what is usual
WARM_UP = 10.0  # [s] before anything is unusual


class Doubt:
    """Watches how much the model's ensemble disagrees about each next step.

    Args:
        model: without an ensemble there is never any doubt.
    """

    def __init__(self, model: Dynamics) -> None:
        self._width = model.spec.command_dim
        self._disagreement = getattr(model, "disagreement", None) if model.spec.ensemble else None
        self._usual: deque[tuple[float, float]] = deque()  # stamp [s], disagreement
        self._high = Stopwatch()

    def about(self, stamp: float, latent: Floats, chunk: Array, previous: Command) -> bool:
        """Whether the model is unsure of what the commands (chunk, width) do from `latent` (latent_dim,)."""
        if self._disagreement is None:
            return False
        before = np.array([of_width(previous, self._width)], np.float32)
        return self.unsure(stamp, float(self._disagreement(latent[None], chunk.astype(np.float32)[None], before)[0]))

    def unsure(self, stamp: float, disagreement: float) -> bool:
        """Whether the model is unsure at `stamp` [s], with its `disagreement` [latent units] about the step chosen."""
        known = self._usual
        while known and not 0 <= stamp - known[0][0] <= WINDOW:
            known.popleft()
        ready = bool(known) and stamp - known[0][0] >= WARM_UP
        usual = float(np.median([value for _, value in known])) if ready else np.inf
        known.append((stamp, disagreement))
        return self._high.held(disagreement > FACTOR * usual, stamp) >= SECONDS
