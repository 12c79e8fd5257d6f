"""Policies in a world of stable-worldmodel's: our planner, and theirs on the same model, futures and costs."""

from __future__ import annotations

import contextlib
import io
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ami_ros.disc import Disc
from ami_ros.evaluation.swm.rivals import ELITES, HORIZON, ITERATIONS, SAMPLES
from ami_ros.evaluation.swm.tasks import load_module
from ami_ros.planning.costs.registry import Costs, CostsConfig
from ami_ros.planning.geometric_proposals import GeometricConfig
from ami_ros.planning.imagination import integrate, weigh
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import LatentPlanner, PlannerConfig
from ami_ros.planning.protocols import Futures, Scene, Target
from ami_ros.planning.solvers.registry import SolverConfig
from ami_ros.world_model.arrays import ArrayModel, Floats
from ami_ros.world_model.by_torch import on_arrays
from ami_ros.world_model.model import WorldModel
from ami_ros.world_model.spec import Sensors

# Both numbers of an action lie in [-1, 1]: the commands of a robot that may drive and turn as it likes.
ACTIONS = Kinematics(max_linear=1.0, max_reverse=1.0, max_angular=1.0)
RADIUS = 0.18  # [m] no cost that is enabled here asks how large the agent is


def encode_pictures(model: WorldModel | ArrayModel, pictures: Any) -> Floats:
    """(n, size, size, 3) -> (n, latent_dim); a goal is a picture like any other here and needs no head of its own."""
    return on_arrays(model).encode(Sensors(image=np.ascontiguousarray(np.asarray(pictures).transpose(0, 3, 1, 2))))


class LatentPolicy:
    """Plans anew at every step, a search for each environment, each with a warm start of its own.

    Args:
        model: what imagines.
        costs: what counts.
        seed: of the searches' noise.
        horizon: model steps.
        solver: the search.
    """

    def __init__(
        self,
        model: WorldModel,
        costs: CostsConfig,
        seed: int,
        horizon: int = 7,
        solver: SolverConfig | None = None,
    ) -> None:
        solver = solver or SolverConfig(adapt=False)
        self._config = PlannerConfig(
            horizon=horizon,
            deadline=60.0,
            kinematics=ACTIONS,
            solver=solver,
            costs=costs,
            geometric=GeometricConfig(proposals=0),  # what actions do here is no geometry of wheels
        )
        self._model, self._seed, self._period = model, seed, model.spec.period
        self.seconds: list[float] = []  # of each search

    def set_env(self, env: Any) -> None:
        """Called by the world: `env` is the pool of its environments."""
        model = on_arrays(self._model)
        self._planners = [LatentPlanner(model, self._config, self._seed + i) for i in range(env.num_envs)]
        self._actions = np.zeros((env.num_envs, 2), np.float32)
        self._step = 0

    def get_action(self, info: dict[str, Any], **_: Any) -> Floats:
        """Actions (environments, 2) in [-1, 1]; NaN for an environment that is done."""
        done = np.asarray(info.get("terminated", np.zeros(len(self._planners)))).reshape(-1).astype(bool)
        newest = (np.asarray(info[name])[:, -1] for name in ("pixels", "goal"))
        latents, goals = (encode_pictures(self._model, pictures) for pictures in newest)
        for i, planner in enumerate(self._planners):
            if done[i]:
                self._actions[i] = np.nan
                continue
            began = time.perf_counter()
            previous = (float(self._actions[i, 0]), float(self._actions[i, 1]))
            target = Target(goals[i], None, final=True)
            plan = planner.plan(self._step * self._period, latents[i], previous, None, target)
            self.seconds.append(time.perf_counter() - began)
            self._actions[i] = plan.commands[0]
        self._step += 1
        return self._actions.copy()


class Energies:
    """What one of their solvers minimises: the protocol `Costable` of theirs.

    Args:
        model: what imagines.
        costs: the same as our planner has.
    """

    def __init__(self, model: WorldModel, costs: CostsConfig) -> None:
        self._model, self._costs = on_arrays(model), Costs(costs)
        self._chunk = model.spec.chunk

    def get_cost(self, info: dict[str, Any], actions: Tensor) -> Tensor:
        """Actions (environments, samples, steps, chunk * 2) -> costs (environments, samples)."""
        if "latent" not in info:  # they hand the same mapping to every iteration of a search
            for name, source in (("latent", "pixels"), ("goal_latent", "goal")):
                info[name] = encode_pictures(self._model, info[source][:, 0, -1])
        asked = zip(actions.detach().numpy(), info["latent"], info["goal_latent"], strict=True)
        return torch.from_numpy(np.stack([self._weigh(*moment) for moment in asked]))

    def criterion(self, info: dict[str, Any], actions: Tensor) -> Tensor:
        """The same; their protocol has both names."""
        return self.get_cost(info, actions)

    def _weigh(self, actions: Floats, latent: Floats, goal: Floats) -> Floats:
        samples, steps = actions.shape[:2]
        commands = ACTIONS.project(actions.reshape(samples, steps, self._chunk, 2))
        previous = np.zeros((samples, 2), np.float32)
        latents, motions = self._model.rollout(latent[None].repeat(samples, 0), commands, previous)
        futures = Futures(commands.mean(2), previous[0], latents, integrate(motions), latent)
        scene = Scene(self._model, ACTIONS, Disc(RADIUS), Target(goal, None, final=True))
        return np.asarray(weigh(self._costs.at(scene), futures).sum(0))


class TimedPolicy:
    """A policy of theirs that keeps how long its searches took, and says nothing."""

    def __init__(self, policy: Any) -> None:
        self._policy = policy
        self.seconds: list[float] = []

    def set_env(self, env: Any) -> None:
        """Called by the world."""
        self._policy.set_env(env)

    def get_action(self, info: dict[str, Any], **options: Any) -> Any:
        """Theirs; a call in which it did not search takes next to no time and is not kept."""
        planned = sum(not buffer for buffer in getattr(self._policy, "_action_buffer", []) or [])
        began = time.perf_counter()
        with contextlib.redirect_stdout(io.StringIO()):  # it prints how long it took
            actions = self._policy.get_action(info, **options)
        if planned:
            self.seconds.append((time.perf_counter() - began) / planned)
        return actions


def cem_policy(model: WorldModel, costs: CostsConfig, seed: int) -> TimedPolicy:
    """Their model-predictive control with their CEM as published: 300 x 30, 5 blocks of 5, all 25 steps carried out."""
    solvers = load_module("stable_worldmodel.solver", "bench swm")
    policies = load_module("stable_worldmodel.policy", "bench swm")
    solver = solvers.CEMSolver(Energies(model, costs), num_samples=SAMPLES, n_steps=ITERATIONS, topk=ELITES, seed=seed)
    plan = policies.PlanConfig(horizon=HORIZON, receding_horizon=HORIZON, action_block=model.spec.chunk)
    return TimedPolicy(policies.WorldModelPolicy(solver=solver, config=plan))


def random_policy(seed: int) -> TimedPolicy:
    """Their random policy: what goals are worth."""
    return TimedPolicy(load_module("stable_worldmodel.policy", "bench swm").RandomPolicy(seed=seed))
