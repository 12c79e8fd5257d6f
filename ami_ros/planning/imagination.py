"""The function that a solver minimises: what commands lead to, and what that costs."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from ami_ros.commands import Command, of_width
from ami_ros.planning.protocols import Cost, Dynamics, Futures
from ami_ros.world_model.arrays import Floats


def integrate(motions: Floats) -> Floats:
    """Chains displacements (batch, steps, 3), each in the frame at its start, into poses in the first frame."""
    yaw = motions[..., 2].cumsum(1)
    before = yaw - motions[..., 2]
    c, s = np.cos(before), np.sin(before)
    x = c * motions[..., 0] - s * motions[..., 1]
    y = s * motions[..., 0] + c * motions[..., 1]
    return np.stack([x.cumsum(1), y.cumsum(1), yaw], -1)


def imagine(model: Dynamics, latent: Floats, actions: Floats, previous: Floats) -> Futures:
    """Rolls actions (batch, steps, width) out from a latent (latent_dim,) and the command before (width,)."""
    batch, steps, width = actions.shape
    commands = np.broadcast_to(actions[:, :, None], (batch, steps, model.spec.chunk, width))
    start, before = np.broadcast_to(latent, (batch, len(latent))), np.broadcast_to(previous, (batch, width))
    latents, motions = model.rollout(start, commands, before)
    return Futures(actions, previous, latents, integrate(motions), latent)


def weigh(costs: Mapping[str, Cost], futures: Futures) -> Floats:
    """What each cost says: (costs, batch)."""
    return np.stack([cost(futures) for cost in costs.values()])


@dataclass(frozen=True)
class Foreseen:
    """One future and what it costs."""

    actions: Floats  # (steps, width)
    poses: Floats  # (steps, 3)
    terms: Floats  # (costs,)


class Imagination:
    """Futures from one moment, and what they cost; keeps the last batch (`poses`, `terms`), and the best future.

    Args:
        model: what imagines.
        latent: (latent_dim,) of the moment.
        previous: command in force; zero in what it does not say.
        costs: by name, at least one.
    """

    def __init__(self, model: Dynamics, latent: Floats, previous: Command, costs: Mapping[str, Cost]) -> None:
        self.model, self.costs, self.latent = model, costs, latent
        self.previous = np.array(of_width(previous, model.spec.command_dim), np.float32)
        self._best: Foreseen | None = None
        self._least = float("inf")

    def imagine(self, actions: Floats) -> Futures:
        """Rolls actions (batch, steps, width) out."""
        return imagine(self.model, self.latent, actions, self.previous)

    def evaluate(self, actions: Floats) -> Floats:
        """The sum of all costs (batch,) of actions (batch, steps, width)."""
        futures = self.imagine(actions)
        return self.note(actions, futures.poses, weigh(self.costs, futures))

    def note(self, actions: Floats, poses: Floats, terms: Floats) -> Floats:
        """The sum (batch,) of costs `terms` (costs, batch) of a batch that was imagined, of which it keeps the best."""
        self.terms, self.poses = terms, poses
        # A pose that is not finite touches nothing, so that no other cost would speak against it.
        cost: Floats = np.where(np.isfinite(poses).all((1, 2)), terms.sum(0), np.float32(np.inf))
        best = int(cost.argmin())
        if cost[best] < self._least:
            self._least = float(cost[best])
            self._best = Foreseen(actions[best], poses[best], terms[:, best])
        return cost

    def sample(self, most: int) -> Floats:
        """Some futures (n, steps, 3) of the last batch, from the best to the worst in equal steps."""
        finite = np.isfinite(self.poses).all((1, 2))
        poses = self.poses[finite][self.terms.sum(0)[finite].argsort()]
        return poses[:: max(1, len(poses) // most)][:most]

    def foresee(self, actions: Floats) -> Foreseen:
        """What one sequence (steps, width) leads to; the best of all that were evaluated is not imagined again."""
        if self._best is not None and np.array_equal(actions, self._best.actions):
            return self._best
        futures = self.imagine(actions[None])
        return Foreseen(actions, futures.poses[0], weigh(self.costs, futures)[:, 0])
