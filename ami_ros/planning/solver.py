"""Search over sequences of commands: iCEM, the cross-entropy method with coloured noise and kept elites."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

Evaluate = Callable[[Tensor], Tensor]


@dataclass(frozen=True)
class SolverConfig:
    """Size of the search (Pinneri et al., iCEM, arXiv 2008.06389)."""

    samples: int = 128  # sequences in an iteration
    iterations: int = 3  # at most: the deadline may come first
    elites: int = 12  # best sequences, from which the next mean and deviation come
    keep: int = 4  # elites carried into the next iteration and the next call
    momentum: float = 0.2  # of mean and deviation between iterations
    colour: float = 1.5  # exponent of the noise's spectrum: 0 white, 2 a random walk
    start_deviation: float = 0.6  # of the commands' range
    least_deviation: float = 0.08  # below which it does not shrink


@dataclass(frozen=True)
class Solution:
    """The best sequence found."""

    actions: Tensor  # (steps, 2) in [low, high]
    cost: float
    evaluated: int  # sequences


def coloured_noise(count: int, steps: int, exponent: float, generator: torch.Generator) -> Tensor:
    """Gaussian noise (count, steps, 2), power falling with frequency ** exponent (Timmer & Koenig 1995)."""
    frequencies = torch.fft.rfftfreq(2 * steps)
    frequencies[0] = frequencies[1]
    amplitude = frequencies ** (-exponent / 2)
    shape = (count, 2, len(frequencies))
    spectrum = torch.complex(torch.randn(shape, generator=generator), torch.randn(shape, generator=generator))
    signal = torch.fft.irfft(spectrum * amplitude, n=2 * steps)[..., :steps]
    return (signal / signal.std()).transpose(1, 2)


class Solver:
    """Keeps its last solution and elites as the start of the next search.

    Args:
        steps: length of a sequence.
        low: least action (2,).
        high: greatest action (2,).
        config: size of the search.
        seed: of the noise.
    """

    def __init__(self, steps: int, low: Tensor, high: Tensor, config: SolverConfig, seed: int = 0) -> None:
        self.steps, self.low, self.high, self.config = steps, low, high, config
        self.generator = torch.Generator().manual_seed(seed)
        self.reset()

    def reset(self) -> None:
        """Forgets the last solution, as when the goal changed."""
        self.mean = torch.zeros(self.steps, 2)
        self.kept = torch.zeros(0, self.steps, 2)

    def shift(self, fraction: float) -> None:
        """Moves the warm start on by `fraction` of a step, holding the last action."""
        if not fraction > 0:
            return
        if fraction >= self.steps:
            self.reset()
            return
        at = (torch.arange(self.steps) + fraction).clamp(max=self.steps - 1)
        low = at.floor().long()
        high = (low + 1).clamp(max=self.steps - 1)
        part = (at - low)[:, None]
        self.mean = torch.lerp(self.mean[low], self.mean[high], part)
        self.kept = torch.lerp(self.kept[:, low], self.kept[:, high], part)

    def solve(self, evaluate: Evaluate, proposals: Tensor, deadline: float, high: Tensor | None = None) -> Solution:
        """Searches until all iterations are done or `deadline` has come; at least one iteration is made.

        Args:
            evaluate: (batch, steps, 2) -> cost (batch,).
            proposals: (n, steps, 2) candidates for the first iteration.
            deadline: on `time.perf_counter` [s].
            high: a lower bound on the greatest action for this call, as for a speed limit.
        """
        config = self.config
        top = self.high if high is None else torch.minimum(self.high, high)
        low = torch.maximum(self.low, -top) if high is not None else self.low
        deviation = (config.start_deviation * (top - low) / 2).expand(self.steps, 2)
        least = config.least_deviation * (top - low) / 2
        mean, best, best_cost, evaluated = self.mean, self.mean, float("inf"), 0
        extra = torch.cat([self.mean[None], self.kept, proposals])
        for _ in range(config.iterations):
            fresh = mean + deviation * coloured_noise(
                config.samples - len(extra), self.steps, config.colour, self.generator
            )
            candidates = torch.maximum(torch.minimum(torch.cat([extra, fresh]), top), low)
            cost = evaluate(candidates)
            cost = torch.where(cost.isfinite(), cost, torch.inf)
            evaluated += len(candidates)
            order = cost.argsort()[: config.elites]
            elites = candidates[order]
            if float(cost[order[0]]) < best_cost:
                best, best_cost = elites[0], float(cost[order[0]])
            mean = config.momentum * mean + (1 - config.momentum) * elites.mean(0)
            deviation = config.momentum * deviation + (1 - config.momentum) * elites.std(0)
            deviation = torch.maximum(deviation, least)
            extra = torch.cat([elites[: config.keep], mean[None]])
            if time.perf_counter() > deadline:
                break
        self.mean, self.kept = best, extra[: config.keep]
        return Solution(best, best_cost, evaluated)
