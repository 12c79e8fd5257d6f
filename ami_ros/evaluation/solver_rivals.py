"""The solvers of stable-worldmodel (Maes et al., arXiv 2605.21800), on our model and our cost. An optional extra."""

from __future__ import annotations

import contextlib
import importlib
import io
import warnings
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import torch
from torch import Tensor

from ami_ros.errors import AmiError
from ami_ros.planning.protocols import Problem
from ami_ros.world_model.arrays import Floats

SAMPLES, ITERATIONS, ELITES, HORIZON = 300, 30, 30, 5  # as published for LeWM (arXiv 2603.19312) and as its defaults
RIVALS = ("swm_cem", "swm_mppi")


def load_rivals() -> dict[str, Any]:
    """Its solver classes by our names for them.

    Raises:
        AmiError: stable-worldmodel is not installed, or does not import.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of simulators that it could use and are not installed
            solvers = importlib.import_module("stable_worldmodel.solver")
    except ImportError as error:
        raise AmiError(
            f"bench solver: stable_worldmodel is not there ({error}); install the extra with `./ami shell pip install "
            "-r requirements/swm.txt`, or compare our own solvers only: --set options.rivals=false"
        ) from error
    return dict(zip(RIVALS, (solvers.CEMSolver, solvers.MPPISolver), strict=True))


class _Costs:
    """Our problem as its solvers see one: actions in units of half the commands' range around their middle."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        kinematics = problem.kinematics
        self.middle, self.unit = (kinematics.high + kinematics.low) / 2, kinematics.half_range

    def commands(self, actions: Tensor) -> Floats:
        """Commands (..., 2) that the robot can carry out for actions (..., 2)."""
        return self.problem.kinematics.project(self.middle + self.unit * actions.detach().numpy())

    def get_cost(self, info: dict[str, Tensor], actions: Tensor) -> Tensor:
        """Actions (1, samples, horizon, 2) -> costs (1, samples)."""
        return torch.from_numpy(self.problem.evaluate(self.commands(actions[0])))[None]


def solve_with(solver: Callable[..., Any], problem: Problem, seed: int) -> Floats:
    """The commands (horizon, 2) that a rival finds for `problem` with its published settings, starting from nothing."""
    import gymnasium

    costs = _Costs(problem)
    rival = solver(costs, num_samples=SAMPLES, n_steps=ITERATIONS, topk=ELITES, seed=seed)
    space = gymnasium.spaces.Box(-1.0, 1.0, shape=(1, 2))
    rival.configure(action_space=space, n_envs=1, config=SimpleNamespace(horizon=HORIZON, action_block=1))
    with contextlib.redirect_stdout(io.StringIO()):  # it prints how long it took
        found = rival.solve({"moment": torch.zeros(1, 1)})
    return costs.commands(found["actions"][0])
