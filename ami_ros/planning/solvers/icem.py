"""iCEM: the cross-entropy method with coloured noise, kept elites and momentum (Pinneri et al., arXiv 2008.06389)."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ami_ros.planning.protocols import Problem, SearchSize, Solution
from ami_ros.planning.solvers.search import Incumbent, WarmStart, coloured_noise
from ami_ros.world_model.arrays import Floats

KEEP = 4  # elites carried into the next iteration and the next search
MOMENTUM = 0.2  # of mean and deviation between iterations
COLOUR = 1.5  # exponent of the noise's spectrum: 0 white, 2 a random walk
START_DEVIATION = 0.6  # of half the commands' range
LEAST_DEVIATION = 0.08  # of it, below which it does not shrink


@dataclass(frozen=True)
class IcemConfig:
    """iCEM: the cross-entropy method with coloured noise and kept elites."""

    elites: int = 12  # best sequences that shape the next iteration; fewer: converges faster, to worse optima


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
        self.mean, self.kept = incumbent.actions, elites[:KEEP]
        return incumbent.solution()

    def iterate(self, problem: Problem, incumbent: Incumbent, iterations: int) -> Floats:
        """Iterates at most so often; returns the elites (elites, steps, width) of the last iteration, best first."""
        config, unit = self.config, problem.kinematics.half_range
        deviation = np.broadcast_to(START_DEVIATION * unit, (self.steps, self.width))
        mean, extra = self.centre(problem), self.first(problem)
        for _ in range(iterations):
            count = max(0, self.size.samples - len(extra))
            fresh = coloured_noise(count, self.steps, COLOUR, self.generator, self.width)
            candidates, cost = incumbent.weigh(np.concatenate([extra, mean + deviation * fresh]))
            elites = candidates[cost.argsort()[: config.elites]]
            mean = MOMENTUM * mean + (1 - MOMENTUM) * elites.mean(0)
            deviation = MOMENTUM * deviation + (1 - MOMENTUM) * elites.std(0, ddof=1)
            deviation = np.maximum(deviation, LEAST_DEVIATION * unit)
            extra = np.concatenate([elites[:KEEP], mean[None]])
            if incumbent.out_of_time():
                break
        return elites
