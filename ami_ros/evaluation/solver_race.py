"""Solvers against each other on the same model, cost and moments: who is how good, how soon."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ami_ros.evaluation.planning_cases import PlanningCase
from ami_ros.evaluation.swm.rivals import HORIZON, ITERATIONS, SAMPLES, solve_with
from ami_ros.geometry import Array
from ami_ros.planning.costs.registry import Costs
from ami_ros.planning.geometric_proposals import GeometricProposals
from ami_ros.planning.gradients import TorchGradients
from ami_ros.planning.imagination import Imagination
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import PlannerConfig
from ami_ros.planning.protocols import (
    Evaluate,
    Gradients,
    Problem,
    Scene,
    SearchSize,
    Solver,
    Target,
    no_proposals,
)  # fmt: skip
from ami_ros.planning.solvers.icem import Icem, IcemConfig
from ami_ros.planning.solvers.registry import BUILT_IN, SolverConfig, make_solver
from ami_ros.world_model.arrays import ArrayModel, Floats
from ami_ros.world_model.on_tensors import on_tensors

FOREVER = float("inf")
PATIENCE = 1.0  # how long one of ours goes on looking, in units of what the yardstick took
YARDSTICK = "yardstick"  # our own stand-in for the rival where that is not installed


class Trace:
    """Watches a search: when it had which best cost."""

    def __init__(self, evaluate: Evaluate, gradients: Gradients) -> None:
        self._evaluate, self._gradients, self.began = evaluate, gradients, time.perf_counter()
        self.best: list[tuple[float, float]] = []  # (seconds since the start, best cost so far), one a batch

    def evaluate(self, actions: Floats) -> Floats:
        """See `Problem`."""
        return self._noted(self._evaluate(actions))

    def gradients(self, actions: Floats) -> tuple[Floats, Floats]:
        """See `Problem`."""
        cost, slope = self._gradients(actions)
        return self._noted(cost), slope

    def _noted(self, cost: Floats) -> Floats:
        before = self.best[-1][1] if self.best else FOREVER
        self.best.append((time.perf_counter() - self.began, min(float(cost.min()), before)))
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
    model: ArrayModel, moments: list[PlanningCase], rivals: Mapping[str, Any], seed: int, tolerance: float
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
    """
    usual = SolverConfig()
    size = SearchSize(usual.samples, usual.iterations, HORIZON)
    large = SearchSize(SAMPLES, ITERATIONS, HORIZON)
    yardsticks = list(rivals) or [YARDSTICK]
    tensors = on_tensors(model)
    lanes = {name: Lane(name, str(large)) for name in yardsticks} | {name: Lane(name, str(size)) for name in BUILT_IN}
    for index, moment in enumerate(moments):
        target, patience = FOREVER, 0.0
        for name in yardsticks:
            trace, problem = _problem(model, tensors, moment, False)
            began = time.perf_counter()
            if name == YARDSTICK:
                found = Icem(large, IcemConfig(), seed + index).solve(problem).actions
            else:
                found = solve_with(rivals[name], problem, seed + index)
            took, cost = time.perf_counter() - began, float(trace.evaluate(found[None])[0])
            if name == yardsticks[0]:
                target, patience = cost + tolerance, PATIENCE * took
            _note(lanes[name], took, cost, trace.time_to(target) if name != yardsticks[0] else took)
        for name in BUILT_IN:
            trace, problem = _problem(model, tensors, moment, True)
            solver = make_solver(SolverConfig(name), size, seed + index)
            _run_ours(lanes[name], solver, trace, problem, target, patience)
        yield lanes


def _run_ours(lane: Lane, solver: Solver, trace: Trace, problem: Problem, target: float, patience: float) -> None:
    first = solver.solve(problem)
    took = time.perf_counter() - trace.began
    while trace.time_to(target) == FOREVER and time.perf_counter() - trace.began < patience:
        solver.solve(problem)
    _note(lane, took, first.cost, trace.time_to(target))


def _note(lane: Lane, seconds: float, cost: float, to_equal: float) -> None:
    lane.seconds.append(seconds)
    lane.cost.append(cost)
    lane.to_equal.append(to_equal)


def _problem(model: ArrayModel, tensors: Any, moment: PlanningCase, proposals: bool) -> tuple[Trace, Problem]:
    """The search for the goal of `moment`, watched; with what ours begin with, if `proposals`."""
    robot, config = Kinematics(), PlannerConfig()
    scene = Scene(model, robot, config.disc, Target(moment.goal, None, True), moment.scan)
    costs = Costs(config.costs)
    imagination = Imagination(model, moment.latent, (0.0, 0.0), costs.at(scene))
    gradients = TorchGradients(imagination, tensors, costs.at(replace(scene, dynamics=tensors)))
    trace, start = Trace(imagination.evaluate, gradients), no_proposals(HORIZON)
    if proposals:
        geometric = GeometricProposals(config.geometric, config.costs.latent_goal, seed=0).propose(
            imagination, scene, robot, HORIZON, FOREVER
        )
        start = np.concatenate([geometric, robot.primitives(HORIZON)])
    return trace, Problem(trace.evaluate, robot, start, FOREVER, trace.gradients)


def percentiles_ms(seconds: list[float]) -> Array:
    """p50 and p95 (2,) in milliseconds; inf where too many never came."""
    return np.percentile(1000 * np.asarray(seconds), [50, 95], method="inverted_cdf")
