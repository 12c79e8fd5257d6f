"""Gradient descent on the commands, through the world model, from several starts (Adam, Kingma & Ba 2015)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ami_ros.planning.protocols import Problem, SearchSize, Solution
from ami_ros.planning.solvers.search import Incumbent, WarmStart, coloured_noise

PRICE = 3  # of a step with its gradient, in evaluations without


@dataclass(frozen=True)
class GradientConfig:
    """Gradient descent through the world model."""

    starts: int = 16  # sequences that descend side by side
    rate: float = 0.15  # of half the commands' range in one step


class Gradient(WarmStart):
    """See the module."""

    Config = GradientConfig
    needs_gradient = True

    def __init__(self, size: SearchSize, config: GradientConfig, seed: int) -> None:
        super().__init__(size, seed)
        self.config = config

    def solve(self, problem: Problem) -> Solution:
        """See `Solver.solve`. Takes as many steps as cost what a sampled search of the same size costs."""
        config, incumbent = self.config, Incumbent(problem, self.mean)
        first = self.first(problem)
        fresh = coloured_noise(max(0, config.starts - len(first)), self.steps, 1.5, self.generator)
        starts = torch.cat([first, problem.kinematics.half_range * fresh])[: config.starts]
        budget = self.size.samples * self.size.iterations
        found = descend(problem, incumbent, starts, max(1, budget // (PRICE * len(starts))), config.rate)
        self.mean, self.kept = incumbent.actions, found[:2]
        return incumbent.solution()


def descend(problem: Problem, incumbent: Incumbent, starts: Tensor, steps: int, rate: float) -> Tensor:
    """Descends from sequences (n, length, 2) side by side; returns the last ones, best first.

    Args:
        problem: that is being solved.
        incumbent: takes what is found.
        starts: where to begin.
        steps: at most so many.
        rate: of half the commands' range in one step.
    """
    unit, project = problem.kinematics.half_range, problem.kinematics.project
    with torch.enable_grad():
        # In units of the range, so that one rate fits metres and radians.
        point = (project(starts) / unit.clamp(min=1e-6)).detach().requires_grad_()
        optimiser = torch.optim.Adam([point], lr=rate, betas=(0.7, 0.95))
        cost = torch.zeros(len(starts))
        for _ in range(steps):
            cost_of = incumbent.weigh(point * unit, PRICE)[1]
            cost = cost_of.detach()
            optimiser.zero_grad(set_to_none=True)
            cost_of[cost.isfinite()].sum().backward()  # type: ignore[no-untyped-call]
            assert point.grad is not None
            point.grad.nan_to_num_(0.0, 0.0, 0.0)  # of futures that are not finite
            optimiser.step()
            with torch.no_grad():
                point.copy_(project(point * unit) / unit.clamp(min=1e-6))
            if incumbent.out_of_time():
                break
    return (point.detach() * unit)[cost.argsort()]
