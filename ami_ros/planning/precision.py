"""float32 or bf16: whichever is faster on this machine, provided that both rank futures alike."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from ami_ros.errors import AmiError
from ami_ros.planning.costs.registry import Costs
from ami_ros.planning.imagination import Imagination
from ami_ros.planning.planner import PlannerConfig
from ami_ros.planning.protocols import Dynamics, Scene, Target
from ami_ros.planning.solvers.search import coloured_noise
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.predictors import ResidualPredictor
from ami_ros.world_model.runtime import HalfDynamics, TracedDynamics, cpu_has_bf16

Precision = Literal["auto", "fp32", "bf16"]
MOMENTS = 9  # imagined in either; the first is a warm-up and does not count
SOONER = 0.95  # of float32's time, at most, else it is not worth the rounding
WORSE = 0.01  # [m] of cost by which bf16's best may be worse, at every moment
RANK = 0.99  # rank correlation of all costs, at least, at every moment


@dataclass(frozen=True)
class Comparison:
    """Both on the same futures."""

    fp32: float  # [s] for one batch of futures, median
    bf16: float
    worse: float  # [m] by which bf16's best is worse, judged in float32; the largest of all moments
    rank: float  # rank correlation of the costs of a moment's futures; the least of all moments

    @property
    def bf16_is_better(self) -> bool:
        """Whether to search in it."""
        return self.bf16 <= SOONER * self.fp32 and self.worse <= WORSE and self.rank >= RANK

    def __str__(self) -> str:
        """What was chosen, and why."""
        chosen = "bf16" if self.bf16_is_better else "fp32"
        return (
            f"searches in {chosen}: a batch takes {1000 * self.fp32:.1f} ms in fp32, {1000 * self.bf16:.1f} in bf16; "
            f"bf16's best is worse by at most {1000 * self.worse:.1f} mm, rank correlation {self.rank:.4f}"
        )


def choose_precision(
    model: WorldModel, config: PlannerConfig, wanted: Precision, clock: Callable[[], float] = time.thread_time
) -> tuple[Dynamics, str]:
    """The model to search with, and why, in a line.

    Args:
        model: in float32.
        config: of the planner; its costs, horizon and samples are what is compared.
        wanted: `auto` measures.
        clock: by which time is measured [s]; at start-up other nodes want the cores too, so it is this thread's own.

    Raises:
        AmiError: bf16 is wanted, and the CPU or the model has none.
    """
    lacks = lacks_bf16(model)
    exact = TracedDynamics(model) if isinstance(model._modules.get("predictor"), ResidualPredictor) else model
    if wanted == "fp32" or (lacks and wanted == "auto"):
        return exact, f"searches in fp32: {lacks or 'as configured'}"
    if lacks:
        raise AmiError(f"planner: {lacks}; set the parameter precision to auto or fp32")
    half = HalfDynamics(model)
    if wanted == "bf16":
        return half, "searches in bf16: as configured"
    compared = compare(exact, half, config, clock)
    return half if compared.bf16_is_better else exact, str(compared)


def lacks_bf16(model: WorldModel) -> str:
    """Why there is no bf16 here, in a few words; empty where there is."""
    if not isinstance(model._modules.get("predictor"), ResidualPredictor):
        return "only the predictor mlp runs in bf16"
    return "" if cpu_has_bf16() else "this CPU has no bf16"


def compare(exact: Dynamics, rough: Dynamics, config: PlannerConfig, clock: Callable[[], float]) -> Comparison:
    """Lets both imagine the same futures, in turn.

    Moments are random latents; the goal of each is where random commands would lead, as near as goals of a search are.
    """
    generator, robot, costs = torch.Generator().manual_seed(0), config.kinematics, Costs(config.costs)
    seconds, worse, ranks = [], [], []

    def commands(count: int) -> Tensor:
        return robot.project(robot.half_range * coloured_noise(count, config.horizon, 1.5, generator, robot.width))

    with torch.inference_mode():
        for _ in range(MOMENTS):
            latent = torch.randn(exact.spec.latent_dim, generator=generator).numpy()
            ahead = Imagination(exact, latent, (0.0, 0.0), {}).imagine(commands(1))
            target = Target(ahead.latents[0, -1].numpy(), ahead.poses[0, -1].double().numpy(), True)
            tried, found, took = commands(config.solver.samples), [], []
            for dynamics in (exact, rough):
                scene = Scene(dynamics, robot, config.disc, target)
                imagination = Imagination(dynamics, latent, (0.0, 0.0), costs.at(scene))
                began = clock()
                found.append(imagination.evaluate(tried))
                took.append(clock() - began)
            seconds.append(took)
            worse.append(float(found[0][found[1].argmin()] - found[0].min()))
            ranks.append(_rank_correlation(*found))
    fp32, bf16 = (float(v) for v in np.median(seconds[1:], 0))
    return Comparison(fp32, bf16, float(np.max(worse)), float(np.min(ranks)))


def _rank_correlation(a: Tensor, b: Tensor) -> float:
    """Spearman's; NaN where any is not finite."""
    if not (a.isfinite().all() and b.isfinite().all()):
        return float("nan")
    return float(torch.corrcoef(torch.stack([v.argsort().argsort().double() for v in (a, b)]))[0, 1])
