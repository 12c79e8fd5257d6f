"""How costs change with commands: gradients through the world model, by torch, for solvers that descend."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import torch

from ami_ros.planning.imagination import Imagination, imagine, weigh
from ami_ros.planning.protocols import Cost, Dynamics
from ami_ros.world_model.arrays import Floats


class TorchGradients:
    """`protocols.Gradients` of one moment.

    Args:
        imagination: of the moment, which takes note of what is found.
        model: the same as imagines there, on tensors; its parameters need no gradients.
        costs: the same, built for `model`.
    """

    def __init__(self, imagination: Imagination, model: Dynamics, costs: Mapping[str, Cost]) -> None:
        self._note, self._model, self._costs = imagination.note, model, costs
        self._latent, self._previous = map(torch.from_numpy, (imagination.latent, imagination.previous))

    def __call__(self, actions: Floats) -> tuple[Floats, Floats]:
        """Costs (batch,) of actions (batch, steps, width), and their gradients, 0 where a future is not finite."""
        asked = torch.from_numpy(np.ascontiguousarray(actions)).requires_grad_()
        futures = imagine(self._model, self._latent, asked, self._previous)
        terms = weigh(self._costs, futures)
        cost = self._note(actions, futures.poses.detach().numpy(), terms.detach().numpy())
        terms.sum(0)[torch.from_numpy(np.isfinite(cost))].sum().backward()
        slope = torch.zeros_like(asked) if asked.grad is None else asked.grad.nan_to_num(0.0, 0.0, 0.0)
        return cost, slope.numpy()
