"""Predictive sampling: noise on a few knots around the best so far; the best wins (Howell et al., arXiv 2212.00541)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from ami_ros.planning.protocols import Problem, SearchSize, Solution
from ami_ros.planning.solvers.search import Incumbent, WarmStart, shrinking


@dataclass(frozen=True)
class PredictiveConfig:
    """Predictive sampling: noise around the best so far, and the best wins."""

    knots: int = 3  # of the piecewise linear noise over the horizon
    deviation: float = 0.5  # of half the commands' range, in the first iteration
    last_deviation: float = 0.1  # in the last


class Predictive(WarmStart):
    """See the module."""

    Config = PredictiveConfig

    def __init__(self, size: SearchSize, config: PredictiveConfig, seed: int) -> None:
        super().__init__(size, seed)
        self.config = config

    def solve(self, problem: Problem) -> Solution:
        """See `Solver.solve`."""
        incumbent, extra = Incumbent(problem, self.mean), self.first(problem)
        unit, config = problem.kinematics.half_range, self.config
        for deviation in shrinking(config.deviation, config.last_deviation, self.size.iterations):
            fresh = incumbent.actions + deviation * unit * self._noise(max(0, self.size.samples - len(extra)))
            incumbent.weigh(torch.cat([extra, fresh]))
            extra = extra[:0]
            if incumbent.out_of_time():
                break
        self.mean = incumbent.actions
        return incumbent.solution()

    def _noise(self, count: int) -> Tensor:
        """Piecewise linear noise (count, steps, width) of unit deviation at its knots."""
        knots = torch.randn(count, self.width, min(self.config.knots, self.steps), generator=self.generator)
        return functional.interpolate(knots, size=self.steps, mode="linear", align_corners=True).transpose(1, 2)
