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
from ami_ros.planning.codes import Code
from ami_ros.planning.costs import Cost, Futures, LatentGoal, Obstacles, PoseGoal, Smoothness
from ami_ros.planning.local_map import LocalMap
from ami_ros.planning.solver import Solver, SolverConfig
from ami_ros.scan import Scan
from ami_ros.world_model.model import WorldModel


@dataclass(frozen=True)
class PlannerConfig:
    """The robot's limits, the horizon, and the weight of each cost."""

    horizon: int = 7  # model steps
    max_linear: float = 0.4  # [m/s] forwards
    max_reverse: float = 0.15  # [m/s] backwards
    max_angular: float = 1.4  # [rad/s] either way
    deadline: float = 0.08  # [s] for one search
    robot_radius: float = 0.18  # [m] of the smallest circle around base_link that holds the robot
    margin: float = 0.14  # [m] beyond the radius, within which nearness costs
    latent_weight: float = 1.0  # of the distance to the goal that the model sees [1/m]
    pose_weight: float = 1.0  # of the distance to the pose that memory knows [1/m]
    path_weight: float = 0.5  # of the mean distance on the way, against that at its end
    heading_weight: float = 0.25  # [m/rad] at a goal; sub-goals use a fifth
    obstacle_weight: float = 3.0  # of nearness to what the scan sees
    change_weight: float = 0.02  # of changes from command to command
    reverse_weight: float = 0.1  # of driving backwards
    effort_weight: float = 0.005  # of moving at all
    solver: SolverConfig = field(default_factory=SolverConfig)


@dataclass(frozen=True)
class Target:
    """What one search is for; at least one of latent and pose."""

    latent: NDArray[np.float32] | None  # (latent_dim,)
    pose: Array | None  # (3,) in base_link now
    final: bool  # the goal itself: heading counts


@dataclass(frozen=True)
class Plan:
    """The best future found."""

    commands: Array  # (horizon * chunk, 2) [m/s, rad/s], each held for one model period
    poses: Array  # (horizon, 3) expected after each model step, in base_link now
    cost: float
    evaluated: int  # sequences imagined
    seconds: float  # spent


def integrate(motions: Tensor) -> Tensor:
    """Chains displacements (batch, steps, 3), each in the frame at its start, into poses in the first frame."""
    yaw = motions[..., 2].cumsum(1)
    before = yaw - motions[..., 2]
    c, s = before.cos(), before.sin()
    x = c * motions[..., 0] - s * motions[..., 1]
    y = s * motions[..., 0] + c * motions[..., 1]
    return torch.stack([x.cumsum(1), y.cumsum(1), yaw], -1)


class LatentPlanner:
    """Plans from one moment; keeps the last plan as a warm start. Not thread-safe."""

    def __init__(self, model: WorldModel, config: PlannerConfig, seed: int = 0) -> None:
        self.model, self.config = model, config
        self.chunk = model.spec.chunk
        self.step_duration = model.spec.step_duration
        self.high = torch.tensor([config.max_linear, config.max_angular])
        low = torch.tensor([-config.max_reverse, -config.max_angular])
        self.solver = Solver(config.horizon, low, self.high, config.solver, seed)
        self.proposals = self._primitives()
        self._stamp: float | None = None

    def reset(self) -> None:
        """Forgets the last plan."""
        self.solver.reset()
        self._stamp = None

    def _primitives(self) -> Tensor:
        """Standing still, turning either way, driving on, gentle arcs, backing up: (n, horizon, 2)."""
        v, w, b = self.config.max_linear, self.config.max_angular, self.config.max_reverse
        chosen = [(0, 0), (0, w), (0, -w), (v, 0), (v, w / 3), (v, -w / 3), (v / 2, w / 2), (v / 2, -w / 2), (-b, 0)]
        return torch.tensor(chosen, dtype=torch.float32)[:, None].repeat(1, self.config.horizon, 1)

    def plan(
        self,
        stamp: float,
        latent: NDArray[np.float32],
        previous: tuple[float, float],
        scan: Scan | None,
        target: Target,
        speed_limit: tuple[float, float] | None = None,
    ) -> Plan:
        """Searches for the commands that lead to `target`.

        Args:
            stamp: of the moment [s]; the warm start is moved on by the time since the last call.
            latent: (latent_dim,) of the moment.
            previous: command in force [m/s, rad/s].
            scan: of the moment, in base_link; None where there is no scanner: nothing is known to be in the way.
            target: where to.
            speed_limit: greatest speeds [m/s, rad/s] for this call; can only lower the configured ones.

        Raises:
            AmiError: `Code.MODEL_FAILURE` if the model gives no finite cost for any sequence.
        """
        began = time.perf_counter()
        if self._stamp is not None:
            self.solver.shift((stamp - self._stamp) / self.step_duration)
        self._stamp = stamp
        with torch.inference_mode():
            start, before = torch.from_numpy(latent), torch.tensor(previous, dtype=torch.float32)
            costs = self._costs(target, scan)

            def evaluate(actions: Tensor) -> Tensor:
                futures = self._imagine(start, actions, before)
                total = torch.stack([cost(futures) for cost in costs]).sum(0)
                # A pose that is not finite touches nothing, so that no other cost would speak against it.
                return torch.where(futures.poses.isfinite().flatten(1).all(1), total, torch.inf)

            limit = torch.tensor(speed_limit, dtype=torch.float32) if speed_limit else None
            found = self.solver.solve(evaluate, self.proposals, began + self.config.deadline, limit)
            if not np.isfinite(found.cost):
                self.reset()
                raise AmiError(
                    "planner: the world model gives no finite prediction; check the weights", Code.MODEL_FAILURE
                )
            best = self._imagine(start, found.actions[None], before)
        commands = found.actions.repeat_interleave(self.chunk, 0).numpy().astype(np.float64)
        poses = best.poses[0].numpy().astype(np.float64)
        return Plan(commands, poses, found.cost, found.evaluated, time.perf_counter() - began)

    def _imagine(self, latent: Tensor, actions: Tensor, previous: Tensor) -> Futures:
        """Rolls (batch, steps, 2) out from one latent (latent_dim,)."""
        batch = len(actions)
        commands = actions[:, :, None].expand(-1, -1, self.chunk, -1)
        latents, motions = self.model.rollout(latent.expand(batch, -1), commands, previous.expand(batch, 2))
        return Futures(actions, previous, latents, integrate(motions))

    def _costs(self, target: Target, scan: Scan | None) -> list[Cost]:
        config = self.config
        heading = config.heading_weight if target.final else 0.2 * config.heading_weight
        costs: list[Cost] = [
            Smoothness(self.high, config.change_weight, config.reverse_weight, config.effort_weight),
        ]
        if target.latent is not None:
            goal = torch.from_numpy(target.latent)
            weight = config.latent_weight
            costs.append(LatentGoal(self.model.relative_pose, goal, weight, heading, config.path_weight))
        if target.pose is not None:
            pose = torch.from_numpy(target.pose.astype(np.float32))
            costs.append(PoseGoal(pose, config.pose_weight, heading, config.path_weight))
        if scan is not None:
            costs.append(Obstacles(LocalMap(scan), config.robot_radius, config.margin, config.obstacle_weight))
        return costs
