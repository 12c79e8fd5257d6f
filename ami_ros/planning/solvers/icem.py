"""iCEM: the cross-entropy method with coloured noise, kept elites and momentum (Pinneri et al., arXiv 2008.06389)."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor

from ami_ros.planning.protocols import Problem, SearchSize, Solution
from ami_ros.planning.solvers.search import Incumbent, WarmStart, coloured_noise


@dataclass(frozen=True)
class IcemConfig:
    """iCEM: the cross-entropy method with coloured noise and kept elites."""

    elites: int = 12  # best sequences, from which the next mean and deviation come
    keep: int = 4  # elites carried into the next iteration and the next search
    momentum: float = 0.2  # of mean and deviation between iterations
    colour: float = 1.5  # exponent of the noise's spectrum: 0 white, 2 a random walk
    start_deviation: float = 0.6  # of half the commands' range
    least_deviation: float = 0.08  # of it, below which it does not shrink


class Icem(WarmStart):
    """See the module."""

    Config = IcemConfig

    def __init__(self, size: SearchSize, config: IcemConfig, seed: int) -> None:
        super().__init__(size, seed)
        self.config = config

    def solve(self, problem: Problem) -> Solution:
        """See `Solver.solve`."""
        incumbent = Incumbent(problem, self.mean)
        elites = self.iterate(problem, incumbent, self.size.iterations)
        self.mean, self.kept = incumbent.actions, elites[: self.config.keep]
        return incumbent.solution()

    def iterate(self, problem: Problem, incumbent: Incumbent, iterations: int) -> Tensor:
        """Iterates at most so often; returns the elites (elites, steps, width) of the last iteration, best first."""
        config, unit = self.config, problem.kinematics.half_range
        deviation = (config.start_deviation * unit).expand(self.steps, -1)
        mean, extra = self.centre(problem), self.first(problem)
        for _ in range(iterations):
            count = max(0, self.size.samples - len(extra))
            fresh = coloured_noise(count, self.steps, config.colour, self.generator, self.width)
            candidates, cost = incumbent.weigh(torch.cat([extra, mean + deviation * fresh]))
            elites = candidates[cost.argsort()[: config.elites]]
            mean = config.momentum * mean + (1 - config.momentum) * elites.mean(0)
            deviation = config.momentum * deviation + (1 - config.momentum) * elites.std(0)
            deviation = torch.maximum(deviation, config.least_deviation * unit)
            extra = torch.cat([elites[: config.keep], mean[None]])
            if incumbent.out_of_time():
                break
        return elites
