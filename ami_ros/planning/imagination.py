"""The function that a solver minimises: what commands lead to, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.commands import Command, of_width
from ami_ros.planning.protocols import Cost, Dynamics, Futures


def integrate(motions: Tensor) -> Tensor:
    """Chains displacements (batch, steps, 3), each in the frame at its start, into poses in the first frame."""
    yaw = motions[..., 2].cumsum(1)
    before = yaw - motions[..., 2]
    c, s = before.cos(), before.sin()
    x = c * motions[..., 0] - s * motions[..., 1]
    y = s * motions[..., 0] + c * motions[..., 1]
    return torch.stack([x.cumsum(1), y.cumsum(1), yaw], -1)


@dataclass(frozen=True)
class Foreseen:
    """One future and what it costs."""

    actions: Tensor  # (steps, width)
    poses: Tensor  # (steps, 3)
    terms: Tensor  # (costs,)


class Imagination:
    """Futures from one moment, and what they cost; keeps the costs of the last batch (`terms`), and the best future.

    Args:
        model: what imagines.
        latent: (latent_dim,) of the moment.
        previous: command in force; zero in what it does not say.
        costs: by name, at least one.
    """

    def __init__(
        self, model: Dynamics, latent: NDArray[np.float32], previous: Command, costs: Mapping[str, Cost]
    ) -> None:
        self.model, self.costs = model, costs
        self.latent = torch.from_numpy(latent)
        self.previous = torch.tensor(of_width(previous, model.spec.command_dim), dtype=torch.float32)
        self._best: Foreseen | None = None
        self._least = float("inf")

    def imagine(self, actions: Tensor) -> Futures:
        """Rolls actions (batch, steps, width) out."""
        batch = len(actions)
        commands = actions[:, :, None].expand(-1, -1, self.model.spec.chunk, -1)
        previous = self.previous.expand(batch, -1)
        latents, motions = self.model.rollout(self.latent.expand(batch, -1), commands, previous)
        return Futures(actions, self.previous, latents, integrate(motions), self.latent)

    def weigh(self, futures: Futures) -> Tensor:
        """What each cost says: (costs, batch)."""
        return torch.stack([cost(futures) for cost in self.costs.values()])

    def evaluate(self, actions: Tensor) -> Tensor:
        """The sum of all costs (batch,) of actions (batch, steps, width)."""
        futures = self.imagine(actions)
        terms = self.weigh(futures)
        self.terms = terms.detach()
        # A pose that is not finite touches nothing, so that no other cost would speak against it.
        cost = torch.where(futures.poses.isfinite().flatten(1).all(1), terms.sum(0), torch.inf)
        best = int(cost.argmin())
        least = float(cost[best].detach())
        if least < self._least:
            self._least = least
            self._best = Foreseen(*(v.detach() for v in (actions[best], futures.poses[best], terms[:, best])))
        return cost

    def foresee(self, actions: Tensor) -> Foreseen:
        """What one sequence (steps, width) leads to; the best of all that were evaluated is not imagined again."""
        if self._best is not None and torch.equal(actions, self._best.actions):
            return self._best
        futures = self.imagine(actions[None])
        return Foreseen(actions, futures.poses[0], self.weigh(futures)[:, 0])
