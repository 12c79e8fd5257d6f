"""Solvers against each other on the same model, cost and moments: who is how good, how soon."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ami_ros.evaluation.planning_cases import PlanningCase
from ami_ros.evaluation.swm.rivals import HORIZON, ITERATIONS, SAMPLES, solve_with
from ami_ros.geometry import Array
from ami_ros.planning.costs.registry import Costs
from ami_ros.planning.geometric_proposals import GeometricProposals
from ami_ros.planning.imagination import Imagination
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import PlannerConfig
from ami_ros.planning.protocols import Dynamics, Problem, Scene, SearchSize, Solver, Target, no_proposals
from ami_ros.planning.solvers.icem import Icem, IcemConfig
from ami_ros.planning.solvers.registry import BUILT_IN, SolverConfig, make_solver

FOREVER = float("inf")
PATIENCE = 1.0  # how long one of ours goes on looking, in units of what the yardstick took
YARDSTICK = "yardstick"  # our own stand-in for the rival where that is not installed
BY_ONNX = ("icem", "hybrid")  # of ours, that run by ONNX Runtime as well


class Trace:
    """Watches a search: when it had which best cost."""

    def __init__(self, evaluate: Callable[[Tensor], Tensor]) -> None:
        self._evaluate, self.began = evaluate, time.perf_counter()
        self.best: list[tuple[float, float]] = []  # (seconds since the start, best cost so far), one a batch

    def __call__(self, actions: Tensor) -> Tensor:
        cost = self._evaluate(actions)
        least = float(cost.detach().min())
        before = self.best[-1][1] if self.best else FOREVER
        self.best.append((time.perf_counter() - self.began, min(least, before)))
        return cost

    def time_to(self, cost: float) -> float:
        """Seconds until the best cost was at most `cost`; inf if it never was."""
        return next((t for t, c in self.best if c <= cost), FOREVER)


@dataclass
class Lane:
    """What one solver did, a number for each moment."""

    name: str
    size: str
    seconds: list[float] = field(default_factory=list)  # of one search at its own size
    cost: list[float] = field(default_factory=list)  # of what that search found [m]
    to_equal: list[float] = field(default_factory=list)  # seconds to the yardstick's cost; inf: not within its time


def race(
    model: Dynamics,
    moments: list[PlanningCase],
    rivals: Mapping[str, Any],
    seed: int,
    tolerance: float,
    by_onnx: Dynamics | None = None,
) -> Iterator[dict[str, Lane]]:
    """Runs all solvers on one moment after the other; yields the lanes after each.

    The yardstick is the first of `rivals`, or without any our iCEM with as many samples and iterations. All have the
    same horizon, cost and kinematics, and start from nothing: rivals from their zero mean, ours from primitives and
    plans by geometry, whose time counts. Ours search at their usual size, again and again with their own warm start,
    until they have its cost.

    Args:
        model: what imagines.
        moments: to plan from.
        rivals: as `load_rivals` gives them.
        seed: of noise.
        tolerance: [m] by which a cost may be higher and still counts as equal.
        by_onnx: the same model by ONNX Runtime; then `BY_ONNX` run by it too. Rivals run as they are published.
    """
    usual = SolverConfig()
    size = SearchSize(usual.samples, usual.iterations, HORIZON)
    large = SearchSize(SAMPLES, ITERATIONS, HORIZON)
    yardsticks = list(rivals) or [YARDSTICK]
    ours = {name: (name, model) for name in BUILT_IN}
    if by_onnx is not None:
        ours |= {f"{name}_onnx": (name, by_onnx) for name in BY_ONNX}
    lanes = {name: Lane(name, str(large)) for name in yardsticks} | {name: Lane(name, str(size)) for name in ours}
    for index, moment in enumerate(moments):
        target, patience = FOREVER, 0.0
        for name in yardsticks:
            trace, problem = _problem(model, moment, False)
            with torch.no_grad():
                began = time.perf_counter()
                if name == YARDSTICK:
                    found = Icem(large, IcemConfig(), seed + index).solve(problem).actions
                else:
                    found = solve_with(rivals[name], problem, seed + index)
                took, cost = time.perf_counter() - began, float(trace(found[None]))
            if name == yardsticks[0]:
                target, patience = cost + tolerance, PATIENCE * took
            _note(lanes[name], took, cost, trace.time_to(target) if name != yardsticks[0] else took)
        for name, (solver, dynamics) in ours.items():
            trace, problem = _problem(dynamics, moment, True)
            _run_ours(
                lanes[name], make_solver(SolverConfig(solver), size, seed + index), trace, problem, target, patience
            )
        yield lanes


def _run_ours(lane: Lane, solver: Solver, trace: Trace, problem: Problem, target: float, patience: float) -> None:
    with torch.no_grad() if solver.needs_gradient else torch.inference_mode():
        first = solver.solve(problem)
        took = time.perf_counter() - trace.began
        while trace.time_to(target) == FOREVER and time.perf_counter() - trace.began < patience:
            solver.solve(problem)
    _note(lane, took, first.cost, trace.time_to(target))


def _note(lane: Lane, seconds: float, cost: float, to_equal: float) -> None:
    lane.seconds.append(seconds)
    lane.cost.append(cost)
    lane.to_equal.append(to_equal)


def _problem(model: Dynamics, moment: PlanningCase, proposals: bool) -> tuple[Trace, Problem]:
    """The search for the goal of `moment`, watched; with what ours begin with, if `proposals`."""
    robot, config = Kinematics(), PlannerConfig()
    scene = Scene(model, robot, config.disc, Target(moment.goal, None, True), moment.scan)
    imagination = Imagination(model, moment.latent, (0.0, 0.0), Costs(config.costs).at(scene))
    trace, start = Trace(imagination.evaluate), no_proposals(HORIZON)
    if proposals:
        with torch.no_grad():
            geometric = GeometricProposals(config.geometric, config.costs.latent_goal, seed=0).propose(
                imagination, scene, robot, HORIZON, FOREVER
            )
        start = torch.cat([geometric, robot.primitives(HORIZON)])
    return trace, Problem(trace, robot, start, FOREVER)


def percentiles_ms(seconds: list[float]) -> Array:
    """p50 and p95 (2,) in milliseconds; inf where too many never came."""
    return np.percentile(1000 * np.asarray(seconds), [50, 95], method="inverted_cdf")
