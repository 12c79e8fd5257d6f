"""Searches: a warm start that is shifted with time, the best sequence so far, and iCEM.

iCEM is the cross-entropy method with coloured noise, kept elites and momentum (Pinneri et al., arXiv 2008.06389).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import Any

import numpy as np

from ami_ros.core.installation import SOLVERS, find_plugin, plugin_config
from ami_ros.planning.protocols import Problem, SearchSize, Solution, Solver
from ami_ros.world_model.layers import Floats


class Incumbent:
    """The best sequence so far, and when to stop looking for a better one.

    Args:
        problem: that is being solved.
        start: (steps, width), the answer if nothing has a finite cost.
    """

    def __init__(self, problem: Problem, start: Floats) -> None:
        self.problem, self.actions, self.cost, self.evaluated = problem, start, float("inf"), 0
        self._began, self._took = problem.clock(), 0.0

    def weigh(self, candidates: Floats) -> tuple[Floats, Floats]:
        """Weighs sequences (batch, steps, width).

        Returns:
            Them as the robot can carry them out, and their costs (batch,), inf where they are not finite.
        """
        now = self.problem.clock()
        self._began, self._took = now, now - self._began if self.evaluated else 0.0
        allowed = self.problem.kinematics.project(candidates)
        cost = self.problem.evaluate(allowed)
        cost = np.where(np.isfinite(cost), cost, np.float32(np.inf))
        self.evaluated += len(allowed)
        best = int(cost.argmin())
        if cost[best] < self.cost:
            self.actions, self.cost = allowed[best], float(cost[best])
        return allowed, cost

    def out_of_time(self) -> bool:
        """Whether another batch like the longer of the last two would end after the deadline."""
        now = self.problem.clock()
        return now + max(now - self._began, self._took) > self.problem.deadline


def coloured_noise(count: int, steps: int, exponent: float, generator: np.random.Generator, width: int = 2) -> Floats:
    """Gaussian noise (count, steps, width), power falling with frequency ** exponent (Timmer & Koenig 1995)."""
    if count < 1:
        return np.zeros((0, steps, width), np.float32)
    spectrum = generator.standard_normal((count * width, 2 * (steps + 1)), np.float32)
    signal = (spectrum @ _signal(steps, exponent)).reshape(count, width, steps)
    return np.asarray((signal / signal.std()).transpose(0, 2, 1))


@cache
def _signal(steps: int, exponent: float) -> Floats:
    """What each number of a spectrum, real parts first, adds to a signal (2 * (steps + 1), steps)."""
    frequencies = np.fft.rfftfreq(2 * steps)
    frequencies[0] = frequencies[1]
    parts = np.concatenate([np.eye(len(frequencies)), 1j * np.eye(len(frequencies))])
    return np.fft.irfft(parts * frequencies ** (-exponent / 2), n=2 * steps)[:, :steps].astype(np.float32)


@dataclass(frozen=True)
class IcemConfig:
    """iCEM: the cross-entropy method with coloured noise and kept elites."""

    elites: int = 12  # best sequences that shape the next iteration; fewer: converges faster, to worse optima


@dataclass(frozen=True)
class IcemRules:
    """What else shapes the search; Pinneri et al. have values alike."""

    keep: int = 4  # elites carried into the next iteration, and into the next search
    momentum: float = 0.2  # of mean and deviation between iterations
    colour: float = 1.5  # exponent of the noise's spectrum: 0 white, 2 a random walk
    start: float = 0.6  # deviation of the first noise, of half the commands' range ...
    least: float = 0.08  # ... and that below which it does not shrink


class Icem:
    """See the module.

    Args:
        size: of the search.
        config: see there.
        seed: of its noise.
        rules: see there.

    Attributes:
        mean: (steps, width) what was found last, as the start of the next search.
        kept: (n, steps, width) likewise, its elites.
    """

    Config = IcemConfig

    def __init__(self, size: SearchSize, config: IcemConfig, seed: int, rules: IcemRules = IcemRules()) -> None:
        self.size, self.config, self._rules = size, config, rules
        self.generator = np.random.default_rng(seed)
        self.reset()

    def reset(self) -> None:
        """See `Solver.reset`."""
        self.mean: Floats = np.zeros((self.size.horizon, self.size.width), np.float32)
        self.kept: Floats = np.zeros((0, self.size.horizon, self.size.width), np.float32)

    def shift(self, fraction: float) -> None:
        """See `Solver.shift`."""
        if not fraction > 0:
            return
        steps = self.size.horizon
        if fraction >= steps:
            self.reset()
            return
        at = (np.arange(steps) + fraction).clip(None, steps - 1)
        low = at.astype(np.int64)
        high = (low + 1).clip(None, steps - 1)
        part = (at - low).astype(np.float32)[:, None]
        self.mean = self.mean[low] + part * (self.mean[high] - self.mean[low])
        self.kept = self.kept[:, low] + part * (self.kept[:, high] - self.kept[:, low])

    def solve(self, problem: Problem) -> Solution:
        """See `Solver.solve`."""
        best = Incumbent(problem, self.mean)
        elites = self.iterate(problem, best, self.size.iterations)
        self.mean, self.kept = best.actions, elites[: self._rules.keep]
        return Solution(best.actions, best.cost, best.evaluated)

    def iterate(self, problem: Problem, incumbent: Incumbent, iterations: int) -> Floats:
        """Iterates at most so often; returns the elites (elites, steps, width) of the last iteration, best first."""
        size, unit, rules = self.size, problem.kinematics.half_range, self._rules
        momentum = rules.momentum
        deviation = np.broadcast_to(rules.start * unit, (size.horizon, size.width))
        is_cold = not len(self.kept) and not self.mean.any()
        mean = problem.proposals[0] if is_cold and len(problem.proposals) else self.mean
        extra = np.concatenate([self.mean[None], self.kept, problem.proposals])
        for _ in range(iterations):
            count = max(0, size.samples - len(extra))
            fresh = coloured_noise(count, size.horizon, rules.colour, self.generator, size.width)
            candidates, cost = incumbent.weigh(np.concatenate([extra, mean + deviation * fresh]))
            elites = candidates[cost.argsort()[: self.config.elites]]
            mean = momentum * mean + (1 - momentum) * elites.mean(0)
            deviation = momentum * deviation + (1 - momentum) * elites.std(0, ddof=1)
            deviation = np.maximum(deviation, rules.least * unit)
            extra = np.concatenate([elites[: rules.keep], mean[None]])
            if incumbent.out_of_time():
                break
        return elites


BUILT_IN: dict[str, Any] = {"icem": Icem}


@dataclass(frozen=True)
class SolverConfig:
    """Which search, and how large it is at most."""

    name: str = "icem"  # icem, or one of another package
    samples: int = 128  # sequences in an iteration; more: better plans, slower
    iterations: int = 3  # each around the best of the one before; more: better plans, slower
    adapt: bool = True  # make the search smaller when a goal begins, until it fits the deadline on this machine
    options: tuple[str, ...] = ()  # for a solver of another package, each "key=value"
    icem: IcemConfig = field(default_factory=IcemConfig)

    def __post_init__(self) -> None:
        if self.samples < 2 or self.iterations < 1:
            raise ValueError("a search needs at least 2 samples and 1 iteration")
        if self.options and self.name in BUILT_IN:
            raise ValueError(f"options are for solvers of other packages; {self.name} has parameters of its own")


def make_solver(config: SolverConfig, size: SearchSize, seed: int) -> Solver:
    """The solver that `config` names, of size `size`.

    Raises:
        AmiError: there is none of that name, or its options do not fit.
    """
    plugin = find_plugin(SOLVERS, config.name, BUILT_IN)
    own = (
        getattr(config, config.name) if config.name in BUILT_IN else plugin_config(plugin, config.options, config.name)
    )
    solver: Solver = plugin(size, own, seed)
    return solver
