"""What the searches share: a warm start that is shifted with time, and the best sequence so far."""

from __future__ import annotations

import time

import torch
from torch import Tensor

from ami_ros.planning.protocols import Problem, SearchSize, Solution


class WarmStart:
    """What was found last, as the start of the next search.

    Args:
        size: of the search.
        seed: of its noise.
    """

    needs_gradient = False

    def __init__(self, size: SearchSize, seed: int) -> None:
        self.size, self.steps, self.width = size, size.horizon, size.width
        self.generator = torch.Generator().manual_seed(seed)
        self.reset()

    def reset(self) -> None:
        """See `Solver.reset`."""
        self.mean = torch.zeros(self.steps, self.width)
        self.kept = torch.zeros(0, self.steps, self.width)

    def shift(self, fraction: float) -> None:
        """See `Solver.shift`."""
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

    def centre(self, problem: Problem) -> Tensor:
        """Where to sample (steps, width): around what was found last, or without that around the first proposal."""
        is_cold = not len(self.kept) and not self.mean.any()
        return problem.proposals[0] if is_cold and len(problem.proposals) else self.mean

    def first(self, problem: Problem) -> Tensor:
        """Candidates (n, steps, width) that need no sampling: the last solution, and the proposals."""
        return torch.cat([self.mean[None], self.kept, problem.proposals])


class Incumbent:
    """The best sequence so far, and when to stop looking for a better one.

    Args:
        problem: that is being solved.
        start: (steps, width), the answer if nothing has a finite cost.
    """

    def __init__(self, problem: Problem, start: Tensor) -> None:
        self.problem, self.actions, self.cost, self.evaluated = problem, start, float("inf"), 0
        self._began, self._took = time.perf_counter(), 0.0

    def weigh(self, candidates: Tensor, price: int = 1) -> tuple[Tensor, Tensor]:
        """Weighs sequences (batch, steps, width); each counts as `price` evaluations.

        Returns:
            Them as the robot can carry them out, and their costs (batch,), inf where they are not finite.
        """
        now = time.perf_counter()
        self._began, self._took = now, now - self._began if self.evaluated else 0.0
        allowed = self.problem.kinematics.project(candidates)
        cost = self.problem.evaluate(allowed)
        cost = torch.where(cost.isfinite(), cost, torch.inf)
        self.evaluated += price * len(allowed)
        best = int(cost.argmin())
        least = float(cost[best].detach())
        if least < self.cost:
            self.actions, self.cost = allowed[best].detach(), least
        return allowed, cost

    def out_of_time(self) -> bool:
        """Whether another batch like the longer of the last two would end after the deadline."""
        now = time.perf_counter()
        return now + max(now - self._began, self._took) > self.problem.deadline

    def solution(self) -> Solution:
        """The answer."""
        return Solution(self.actions, self.cost, self.evaluated)


def coloured_noise(count: int, steps: int, exponent: float, generator: torch.Generator, width: int = 2) -> Tensor:
    """Gaussian noise (count, steps, width), power falling with frequency ** exponent (Timmer & Koenig 1995)."""
    if count < 1:
        return torch.zeros(0, steps, width)
    frequencies = torch.fft.rfftfreq(2 * steps)
    frequencies[0] = frequencies[1]
    amplitude = frequencies ** (-exponent / 2)
    shape = (count, width, len(frequencies))
    spectrum = torch.complex(torch.randn(shape, generator=generator), torch.randn(shape, generator=generator))
    signal = torch.fft.irfft(spectrum * amplitude, n=2 * steps)[..., :steps]
    return (signal / signal.std()).transpose(1, 2)
