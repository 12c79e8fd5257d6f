"""Sampled, then refined: iCEM finds the valley, gradients through the model go down in it."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from ami_ros.planning.protocols import Problem, SearchSize, Solution
from ami_ros.planning.solvers.gradient import descend
from ami_ros.planning.solvers.icem import Icem, IcemConfig
from ami_ros.planning.solvers.search import Incumbent


@dataclass(frozen=True)
class HybridConfig:
    """iCEM, whose best sequences then descend by the model's gradient."""

    share: float = 0.83  # of the search that is spent on gradients
    batch: int = 64  # sequences that are sampled at a time, at most as many as the search's samples
    starts: int = 12  # best sequences that are refined
    reach: float = 0.35  # of half the commands' range: the longest step of a descent that is tried
    icem: IcemConfig = field(default_factory=IcemConfig)


class Hybrid:
    """See the module."""

    Config = HybridConfig
    needs_gradient = True

    def __init__(self, size: SearchSize, config: HybridConfig, seed: int) -> None:
        self.size, self.config = size, config
        self.sampler = Icem(replace(size, samples=min(config.batch, size.samples)), config.icem, seed)

    def reset(self) -> None:
        """See `Solver.reset`."""
        self.sampler.reset()

    def shift(self, fraction: float) -> None:
        """See `Solver.shift`."""
        self.sampler.shift(fraction)

    def solve(self, problem: Problem) -> Solution:
        """See `Solver.solve`."""
        config, sampler, incumbent = self.config, self.sampler, Incumbent(problem, self.sampler.mean)
        budget = self.size.samples * self.size.iterations
        sampled = max(1, round((1 - config.share) * budget / sampler.size.samples))
        elites = sampler.iterate(problem, incumbent, sampled)
        budget -= sampled * sampler.size.samples
        if budget > 0 and not incumbent.out_of_time():
            descend(problem, incumbent, elites[: config.starts], budget, config.reach)
        sampler.mean, sampler.kept = incumbent.actions, elites[: config.icem.keep]
        return incumbent.solution()
