"""Latent model-predictive control: imagine, weigh, choose (mode 2)."""

from __future__ import annotations

import time
from dataclasses import dataclass, field

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.planning.budget import Budget
from ami_ros.planning.codes import Code
from ami_ros.planning.costs.registry import Costs, CostsConfig
from ami_ros.planning.costs.statistics import CostShare, cost_shares
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.protocols import Cost, Dynamics, Futures, Problem, Scene, SearchSize, Solution, Target
from ami_ros.planning.solvers.registry import SolverConfig, make_solver
from ami_ros.scan import Scan

NOWHERE: Array = np.zeros((0, 3))


@dataclass(frozen=True)
class PlannerConfig:
    """The robot, the horizon, the search, and what counts."""

    horizon: int = 7  # model steps
    deadline: float = 0.08  # [s] for one search
    robot_radius: float = 0.18  # [m] of the smallest circle around base_link that holds the robot
    kinematics: Kinematics = field(default_factory=Kinematics)
    solver: SolverConfig = field(default_factory=SolverConfig)
    costs: CostsConfig = field(default_factory=CostsConfig)


@dataclass(frozen=True)
class Plan:
    """The best future found."""

    commands: Array  # (horizon * chunk, 2) [m/s, rad/s], each held for one model period
    poses: Array  # (horizon, 3) expected after each model step, in base_link now
    cost: float
    evaluated: int  # sequences imagined
    seconds: float  # spent
    shares: tuple[CostShare, ...]  # of each cost


def integrate(motions: Tensor) -> Tensor:
    """Chains displacements (batch, steps, 3), each in the frame at its start, into poses in the first frame."""
    yaw = motions[..., 2].cumsum(1)
    before = yaw - motions[..., 2]
    c, s = before.cos(), before.sin()
    x = c * motions[..., 0] - s * motions[..., 1]
    y = s * motions[..., 0] + c * motions[..., 1]
    return torch.stack([x.cumsum(1), y.cumsum(1), yaw], -1)


class LatentPlanner:
    """Plans from one moment; keeps the last plan as a warm start. Not thread-safe.

    Args:
        model: what imagines.
        config: robot, search and costs.
        seed: of the search's noise.

    Raises:
        AmiError: no such solver or cost, or options that it does not know.
    """

    def __init__(self, model: Dynamics, config: PlannerConfig, seed: int = 0) -> None:
        self.model, self.config, self._seed = model, config, seed
        self.chunk = model.spec.chunk
        self.costs = Costs(config.costs)
        wanted = SearchSize(config.solver.samples, config.solver.iterations, config.horizon)
        self.budget = Budget(wanted, config.deadline)
        self.solver = make_solver(config.solver, wanted, seed)
        self._stamp: float | None = None

    def reset(self) -> None:
        """Forgets the last plan; from then on, searches have the size that this machine can do (`budget`)."""
        self._stamp = None
        before = self.budget.size
        if self.config.solver.adapt and self.budget.fit() != before:
            self.solver = make_solver(self.config.solver, self.budget.size, self._seed)
        else:
            self.solver.reset()

    def plan(
        self,
        stamp: float,
        latent: NDArray[np.float32],
        previous: tuple[float, float],
        scan: Scan | None,
        target: Target,
        speed_limit: tuple[float, float] | None = None,
        keep_away: Array = NOWHERE,
    ) -> Plan:
        """Searches for the commands that lead to `target`.

        Args:
            stamp: of the moment [s]; the warm start is moved on by the time since the last call.
            latent: (latent_dim,) of the moment.
            previous: command in force [m/s, rad/s].
            scan: of the moment, in base_link; None where there is no scanner: nothing is known to be in the way.
            target: where to.
            speed_limit: greatest speeds [m/s, rad/s] for this call; can only lower the configured ones.
            keep_away: (n, 3) places not to enter: x, y in base_link now, radius [m].

        Raises:
            AmiError: `Code.MODEL_FAILURE` if the model gives no finite cost for any sequence.
        """
        began = time.perf_counter()
        if self._stamp is not None:
            self.solver.shift((stamp - self._stamp) / self.model.spec.step_duration)
        self._stamp = stamp
        own = self.config.kinematics
        limited = own.limited(*speed_limit) if speed_limit is not None else own
        # Costs know the robot's own limits: a lower one for a while must not change what is smooth.
        scene = Scene(self.model, own, self.config.robot_radius, target, scan, keep_away)
        with torch.no_grad() if self.solver.needs_gradient else torch.inference_mode():
            costs = self.costs.at(scene)
            if not costs:
                raise AmiError("planner: no cost is enabled that has something to say; see costs.*", Code.NO_VALID_PLAN)
            imagination = _Imagination(self.model, latent, previous, costs)
            deadline = began + self.config.deadline
            proposals = limited.primitives(self.budget.size.horizon)
            found = self.solver.solve(Problem(imagination.evaluate, limited, proposals, deadline))
            if not np.isfinite(found.cost):
                self.reset()
                raise AmiError(
                    "planner: the world model gives no finite prediction; check the weights", Code.MODEL_FAILURE
                )
            plan = self._chosen(found, imagination, began)
        self.budget.note(plan.evaluated, plan.seconds)
        return plan

    def _chosen(self, found: Solution, imagination: _Imagination, began: float) -> Plan:
        others = imagination.terms
        best = imagination.imagine(found.actions[None])
        shares = cost_shares(list(imagination.costs), imagination.weigh(best)[:, 0], others)
        return Plan(
            commands=found.actions.repeat_interleave(self.chunk, 0).numpy().astype(np.float64),
            poses=best.poses[0].numpy().astype(np.float64),
            cost=found.cost,
            evaluated=found.evaluated,
            seconds=time.perf_counter() - began,
            shares=shares,
        )


class _Imagination:
    """Futures from one moment, and what they cost; keeps the costs of the last batch."""

    def __init__(
        self, model: Dynamics, latent: NDArray[np.float32], previous: tuple[float, float], costs: dict[str, Cost]
    ) -> None:
        self.model, self.costs = model, costs
        self.latent, self.previous = torch.from_numpy(latent), torch.tensor(previous, dtype=torch.float32)

    def imagine(self, actions: Tensor) -> Futures:
        """Rolls actions (batch, steps, 2) out."""
        batch = len(actions)
        commands = actions[:, :, None].expand(-1, -1, self.model.spec.chunk, -1)
        latents, motions = self.model.rollout(self.latent.expand(batch, -1), commands, self.previous.expand(batch, 2))
        return Futures(actions, self.previous, latents, integrate(motions))

    def weigh(self, futures: Futures) -> Tensor:
        """What each cost says: (costs, batch)."""
        return torch.stack([cost(futures) for cost in self.costs.values()])

    def evaluate(self, actions: Tensor) -> Tensor:
        """The sum of all costs (batch,) of actions (batch, steps, 2)."""
        futures = self.imagine(actions)
        terms = self.weigh(futures)
        self.terms = terms.detach()
        # A pose that is not finite touches nothing, so that no other cost would speak against it.
        return torch.where(futures.poses.isfinite().flatten(1).all(1), terms.sum(0), torch.inf)
