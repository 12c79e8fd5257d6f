"""MPPI: the mean of all samples, weighted by exp(-cost / temperature) (Williams et al., ICRA 2017)."""

from __future__ import annotations

from dataclasses import dataclass

import torch

from ami_ros.planning.protocols import Problem, SearchSize, Solution
from ami_ros.planning.solvers.search import Incumbent, WarmStart, coloured_noise, shrinking


@dataclass(frozen=True)
class MppiConfig:
    """MPPI: samples weighted by exp(-cost / temperature)."""

    temperature: float = 0.02  # [m] of cost by which a sample loses a factor e of weight
    deviation: float = 0.6  # of half the commands' range, in the first iteration
    last_deviation: float = 0.1  # in the last
    colour: float = 1.5  # exponent of the noise's spectrum: 0 white, 2 a random walk


class Mppi(WarmStart):
    """See the module."""

    Config = MppiConfig

    def __init__(self, size: SearchSize, config: MppiConfig, seed: int) -> None:
        super().__init__(size, seed)
        self.config = config

    def solve(self, problem: Problem) -> Solution:
        """See `Solver.solve`."""
        config, incumbent = self.config, Incumbent(problem, self.mean)
        unit, mean, extra = problem.kinematics.half_range, self.centre(problem), self.first(problem)
        for deviation in shrinking(config.deviation, config.last_deviation, self.size.iterations):
            count = max(0, self.size.samples - len(extra))
            fresh = coloured_noise(count, self.steps, config.colour, self.generator, self.width)
            candidates, cost = incumbent.weigh(torch.cat([extra, mean + deviation * unit * fresh]))
            if not incumbent.cost < float("inf"):
                break
            weights = torch.softmax((cost.min() - cost) / config.temperature, 0)
            mean = (weights[:, None, None] * candidates).sum(0)
            extra = torch.stack([mean, incumbent.actions])
            if incumbent.out_of_time():
                break
        self.mean, self.kept = incumbent.actions, mean[None]
        return incumbent.solution()
