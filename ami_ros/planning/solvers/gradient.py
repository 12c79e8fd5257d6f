"""Gradient descent on the commands, through the world model, from several starts: Adam's direction (Kingma & Ba 2015),
and of several lengths of a step the one that is best.

A gradient takes several times as long as looking at a few more futures, so each is made the most of. The best length is
taken even if it leads up: narrow valleys are crossed that way.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ami_ros.planning.protocols import Problem, SearchSize, Solution
from ami_ros.planning.solvers.search import Incumbent, WarmStart, coloured_noise

PRICE = 3  # of a future with its gradient, in evaluations without
LENGTHS = (0.06, 0.17, 0.43, 1.0)  # of steps that are tried, in units of the longest
MEAN, SQUARE = 0.7, 0.95  # what is kept of the mean of gradients and of their squares


@dataclass(frozen=True)
class GradientConfig:
    """Gradient descent through the world model."""

    candidates: int = 32  # at least, looked at first: proposals, and noise where those are fewer
    starts: int = 4  # the best of them, which descend side by side
    reach: float = 0.35  # of half the commands' range: the longest step that is tried


class Gradient(WarmStart):
    """See the module."""

    Config = GradientConfig
    needs_gradient = True

    def __init__(self, size: SearchSize, config: GradientConfig, seed: int) -> None:
        super().__init__(size, seed)
        self.config = config

    def solve(self, problem: Problem) -> Solution:
        """See `Solver.solve`. Looks at as many futures as a sampled search of the same size."""
        config, incumbent = self.config, Incumbent(problem, self.mean)
        first = self.first(problem)
        fresh = coloured_noise(max(0, config.candidates - len(first)), self.steps, 1.5, self.generator, self.width)
        with torch.no_grad():
            weighed, cost = incumbent.weigh(torch.cat([first, problem.kinematics.half_range * fresh]))
        starts, budget = weighed[cost.argsort()[: config.starts]], self.size.samples * self.size.iterations
        if not incumbent.out_of_time():
            starts = descend(problem, incumbent, starts, budget - incumbent.evaluated, config.reach)
        self.mean, self.kept = incumbent.actions, starts[:2]
        return incumbent.solution()


def descend(problem: Problem, incumbent: Incumbent, starts: Tensor, budget: int, reach: float) -> Tensor:
    """Descends from sequences (n, length, width) side by side; returns the last ones, best first.

    Args:
        problem: that is being solved.
        incumbent: takes what is found.
        starts: where to begin.
        budget: evaluations, at most so many; a gradient's count as `PRICE` each. One step is taken in any case.
        reach: of half the commands' range, the longest step that is tried.
    """
    unit, project = problem.kinematics.half_range.clamp(min=1e-6), problem.kinematics.project
    lengths = reach * torch.tensor(LENGTHS)[:, None, None, None]
    # In units of the range, so that one reach fits metres and radians.
    point = project(starts) / unit
    mean = square = torch.zeros_like(point)
    for k in range(1, 1 + max(1, budget // ((PRICE + len(LENGTHS)) * len(starts)))):
        slope, cost = _slope(incumbent, point, unit)
        if incumbent.out_of_time():
            break
        mean, square = torch.lerp(slope, mean, MEAN), torch.lerp(slope.square(), square, SQUARE)
        way = mean / (1 - MEAN**k) / ((square / (1 - SQUARE**k)).sqrt() + 1e-8)
        with torch.no_grad():
            tried, costs = incumbent.weigh(((point - lengths * way) * unit).flatten(0, 1))
        cost, best = costs.view(len(LENGTHS), -1).min(0)
        point = tried.view(len(LENGTHS), *point.shape)[best, torch.arange(len(best))] / unit
        if incumbent.out_of_time():
            break
    return (point * unit)[cost.argsort()]


def _slope(incumbent: Incumbent, point: Tensor, unit: Tensor) -> tuple[Tensor, Tensor]:
    """How the cost changes with a point, and the cost; no slope where the future is not finite."""
    with torch.enable_grad():
        point = point.clone().requires_grad_()
        cost = incumbent.weigh(point * unit, PRICE)[1]
        cost[cost.isfinite()].sum().backward()  # type: ignore[no-untyped-call]
    assert point.grad is not None
    return point.grad.nan_to_num(0.0, 0.0, 0.0), cost.detach()
