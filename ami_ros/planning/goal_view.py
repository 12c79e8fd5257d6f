"""Where a goal that was given as a latent or an image is, seen from one moment."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
import torch

from ami_ros.geometry import Array, from_cos_sin
from ami_ros.planning.protocols import Dynamics
from ami_ros.planning.types import Goal, Percept


class Seen(NamedTuple):
    """A goal as one moment sees it."""

    pose: Array  # (3,) in base_link
    expected_error: float | None  # of its place [m]; None: who sees it cannot tell


class GoalView:
    """Locates a goal: by comparing images where goal, moment and model allow it, else by latents.

    Args:
        model: whose heads look.
        goal: with a latent.
    """

    def __init__(self, model: Dynamics, goal: Goal) -> None:
        assert goal.latent is not None
        self.model = model
        self.latent = torch.from_numpy(goal.latent)
        self.picture = torch.from_numpy(goal.picture) if goal.picture is not None else None

    def look(self, percept: Percept) -> Seen:
        """The goal, seen from this moment alone."""
        latent, sighting = torch.from_numpy(percept.latent), self.model.sighting
        with torch.inference_mode():
            if sighting is None or self.picture is None or percept.picture is None:
                return Seen(from_cos_sin(self.model.relative_pose(latent, self.latent).numpy()), None)
            seen = sighting(latent, torch.from_numpy(percept.picture), self.picture).numpy()
        return Seen(from_cos_sin(seen), float(np.exp(seen[4])))
