"""Surprise in the closed loop: what the node world_model tells the planner, without ROS."""

from __future__ import annotations

from collections import deque

import numpy as np
from numpy.typing import NDArray

from ami_ros.commands import Command
from ami_ros.planning.situations import Reading
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.surprise import SurpriseMonitor


class SurpriseWatch:
    """Compares each latent with what was predicted from the commands since; a latent and a command each period."""

    def __init__(self, model: WorldModel) -> None:
        self._monitor = SurpriseMonitor(model)
        reach = self._monitor.reach
        self._latents: deque[NDArray[np.float32]] = deque(maxlen=reach + 1)
        self._commands: deque[Command] = deque(maxlen=reach + 1)

    def see(self, stamp: float, latent: NDArray[np.float32], command: Command) -> Reading | None:
        """The reading at `stamp` [s], after a period of `command`; None while there are too few."""
        self._commands.append(command)
        self._latents.append(latent)
        reach = self._monitor.reach
        if len(self._latents) <= reach or len(self._commands) <= reach:
            return None
        commands = np.array(self._commands)
        found = self._monitor.observe(self._latents[0], commands[1:], commands[0], latent)
        return Reading(stamp, found.z_score, found.alarm, found.surprise, found.uncertainty, found.baseline)
