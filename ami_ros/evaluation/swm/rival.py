"""stable-worldmodel's planner on our model: the same latents, futures and energy, their search at their settings."""

from __future__ import annotations

import contextlib
import io
import time
from typing import Any

import numpy as np
import torch
from torch import Tensor

from ami_ros.evaluation.rivals import ELITES, HORIZON, ITERATIONS, SAMPLES
from ami_ros.evaluation.swm.package import load_module
from ami_ros.evaluation.swm.policy import ACTIONS, Encodes
from ami_ros.planning.costs.registry import Costs, CostsConfig
from ami_ros.planning.imagination import integrate
from ami_ros.planning.protocols import Dynamics, Futures, Scene, Target

RADIUS = 0.18  # [m] no cost that is enabled here asks how large the agent is


class Energies:
    """What one of their solvers minimises: the protocol `Costable` of theirs.

    Args:
        model: what imagines.
        encoder: what makes latents of pictures.
        costs: the same as our planner has.
    """

    def __init__(self, model: Dynamics, encoder: Encodes, costs: CostsConfig) -> None:
        self._model, self._encoder, self._costs = model, encoder, Costs(costs)
        self._chunk = model.spec.chunk

    def get_cost(self, info: dict[str, Any], actions: Tensor) -> Tensor:
        """Actions (environments, samples, steps, chunk * 2) -> costs (environments, samples)."""
        if "latent" not in info:  # they hand the same mapping to every iteration of a search
            for name, source in (("latent", "pixels"), ("goal_latent", "goal")):
                pictures = np.ascontiguousarray(np.asarray(info[source][:, 0, -1]))
                info[name] = self._encoder.encode_pictures(pictures)
        return torch.stack(
            [self._weigh(a, z, g) for a, z, g in zip(actions, info["latent"], info["goal_latent"], strict=True)]
        )

    def criterion(self, info: dict[str, Any], actions: Tensor) -> Tensor:
        """The same; their protocol has both names."""
        return self.get_cost(info, actions)

    def _weigh(self, actions: Tensor, latent: Tensor, goal: Tensor) -> Tensor:
        samples, steps = actions.shape[:2]
        commands = ACTIONS.project(actions.view(samples, steps, self._chunk, 2))
        previous = torch.zeros(samples, 2)
        latents, motions = self._model.rollout(latent.expand(samples, -1), commands, previous)
        futures = Futures(commands.mean(2), previous[0], latents, integrate(motions), latent)
        scene = Scene(self._model, ACTIONS, RADIUS, Target(goal.numpy(), None, final=True))
        return torch.stack([cost(futures) for cost in self._costs.at(scene).values()]).sum(0)


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


def cem_policy(model: Dynamics, encoder: Encodes, costs: CostsConfig, seed: int) -> TimedPolicy:
    """Their model-predictive control with their CEM as published: 300 x 30, 5 blocks of 5, all 25 steps carried out."""
    solvers = load_module("stable_worldmodel.solver", "bench swm")
    policies = load_module("stable_worldmodel.policy", "bench swm")
    solver = solvers.CEMSolver(
        Energies(model, encoder, costs), num_samples=SAMPLES, n_steps=ITERATIONS, topk=ELITES, seed=seed
    )
    plan = policies.PlanConfig(horizon=HORIZON, receding_horizon=HORIZON, action_block=model.spec.chunk)
    return TimedPolicy(policies.WorldModelPolicy(solver=solver, config=plan))


def random_policy(seed: int) -> TimedPolicy:
    """Their random policy: what goals are worth."""
    return TimedPolicy(load_module("stable_worldmodel.policy", "bench swm").RandomPolicy(seed=seed))
