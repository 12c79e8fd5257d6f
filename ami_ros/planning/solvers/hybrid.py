"""Sampled, then refined: iCEM finds the valley, gradients through the model descend in it.

The descent takes Adam's direction (Kingma & Ba 2015), and of several lengths of a step the one that is best. A gradient
takes several times as long as looking at a few more futures, so each is made the most of. The best length is taken even
if it leads up: narrow valleys are crossed that way.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from ami_ros.planning.protocols import Problem, SearchSize, Solution
from ami_ros.planning.solvers.icem import KEEP, Icem, IcemConfig
from ami_ros.planning.solvers.search import Incumbent
from ami_ros.world_model.arrays import Floats

PRICE = 2  # of a future with its gradient, in evaluations without
LENGTHS = (0.1, 0.3, 0.8)  # of steps that are tried, in units of the longest
KEPT, LEAST = 0.7, 3  # share of the sequences that goes on after each step, and how many do at least
MEAN, SQUARE = 0.7, 0.95  # what is kept of the mean of gradients and of their squares


SHARE = 0.83  # of the search that is spent on gradients
BATCH = 64  # sequences that are sampled at a time, at most as many as the search's samples
REACH = 0.35  # of half the commands' range: the longest step of a descent that is tried


@dataclass(frozen=True)
class HybridConfig:
    """iCEM, whose best sequences then descend by the model's gradient."""

    starts: int = 12  # best sequences that descend; more: fewer local optima, slower


class Hybrid:
    """See the module."""

    Config = HybridConfig
    needs_gradient = True

    def __init__(self, size: SearchSize, config: HybridConfig, seed: int) -> None:
        self.size, self.config = size, config
        self.sampler = Icem(replace(size, samples=min(BATCH, size.samples)), IcemConfig(), seed)

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
        sampled = max(1, round((1 - SHARE) * budget / sampler.size.samples))
        elites = sampler.iterate(problem, incumbent, sampled)
        budget -= sampled * sampler.size.samples
        if budget > 0 and not incumbent.out_of_time():
            descend(problem, incumbent, elites[: config.starts], budget, REACH)
        sampler.mean, sampler.kept = incumbent.actions, elites[:KEEP]
        return incumbent.solution()


def descend(problem: Problem, incumbent: Incumbent, starts: Floats, budget: int, reach: float) -> Floats:
    """Descends from sequences (n, length, width) side by side, of which the worst are left behind step by step.

    The lengths of a step are looked at with gradients, so that the best of them brings the next direction with it: one
    batch a step instead of two small ones.

    Args:
        problem: that is being solved; it has gradients.
        incumbent: takes what is found.
        starts: where to begin.
        budget: evaluations, at most so many; with a gradient each counts as `PRICE`. One step is taken in any case.
        reach: of half the commands' range, the longest step that is tried.

    Returns:
        The last ones (m, length, width), best first.
    """
    unit, project = problem.kinematics.half_range.clip(1e-6, None), problem.kinematics.project
    lengths = reach * np.array(LENGTHS, np.float32)[:, None, None, None]
    # In units of the range, so that one reach fits metres and radians.
    point, slope, cost = _lowest(incumbent, project(starts)[None] / unit, unit, True)
    mean = square = np.zeros_like(point)
    budget -= PRICE * len(starts)
    for k, (count, sloped) in enumerate(_steps(len(starts), budget), 1):
        if incumbent.out_of_time():
            break
        order = cost.argsort()[:count]
        point, slope, mean, square = point[order], slope[order], mean[order], square[order]
        mean, square = slope + MEAN * (mean - slope), np.square(slope) + SQUARE * (square - np.square(slope))
        way = mean / (1 - MEAN**k) / (np.sqrt(square / (1 - SQUARE**k)) + 1e-8)
        tried = project((point - lengths * way) * unit) / unit
        point, slope, cost = _lowest(incumbent, tried, unit, sloped)
    return np.asarray((point * unit)[cost.argsort()])


def _steps(count: int, budget: int) -> list[tuple[int, bool]]:
    """How many descend in each step, and whether the step needs gradients: all but the last do."""
    counts = [count]
    while True:
        following = max(min(LEAST, count), round(KEPT * counts[-1]))
        if len(LENGTHS) * (PRICE * sum(counts) + following) > budget:
            return [(n, k < len(counts)) for k, n in enumerate(counts, 1)]
        counts.append(following)


def _lowest(incumbent: Incumbent, points: Floats, unit: Floats, sloped: bool) -> tuple[Floats, Floats, Floats]:
    """Of points (lengths, n, ...) the lowest along the first axis; their gradients, 0 if not `sloped`; their costs."""
    flat, slope = points.reshape(-1, *points.shape[2:]) * unit, np.zeros_like(points)
    if sloped:
        cost, found = incumbent.gradients(flat, PRICE)
        slope = (found * unit).reshape(points.shape)
    else:
        cost = incumbent.weigh(flat)[1]
    cost = cost.reshape(points.shape[:2])
    best, here = cost.argmin(0), np.arange(points.shape[1])
    return points[best, here], slope[best, here], cost[best, here]
