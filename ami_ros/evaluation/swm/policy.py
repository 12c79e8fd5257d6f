"""Our model and planner as a policy in a world of stable-worldmodel's."""

from __future__ import annotations

import time
from typing import Any, Protocol

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from ami_ros.planning.costs.registry import CostsConfig
from ami_ros.planning.geometric_proposals import GeometricConfig
from ami_ros.planning.kinematics import Kinematics
from ami_ros.planning.planner import LatentPlanner, PlannerConfig
from ami_ros.planning.protocols import Dynamics, Target
from ami_ros.planning.solvers.registry import SolverConfig

# Both numbers of an action lie in [-1, 1]: the commands of a robot that may drive and turn as it likes.
ACTIONS = Kinematics(max_linear=1.0, max_reverse=1.0, max_angular=1.0)


class Encodes(Protocol):
    """What makes latents of pictures."""

    def encode_pictures(self, pictures: NDArray[np.uint8]) -> Tensor:
        """(n, H, W, 3) -> (n, latent_dim)."""
        ...


class LatentPolicy:
    """Plans anew at every step, a search for each environment, each with a warm start of its own.

    Args:
        model: what imagines.
        encoder: what makes latents of pictures.
        costs: what counts.
        seed: of the searches' noise.
        horizon: model steps.
        solver: the search.
    """

    def __init__(
        self,
        model: Dynamics,
        encoder: Encodes,
        costs: CostsConfig,
        seed: int,
        horizon: int = 7,
        solver: SolverConfig | None = None,
    ) -> None:
        solver = solver or SolverConfig(adapt=False)
        self._encoder = encoder
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
        self._planners = [LatentPlanner(self._model, self._config, self._seed + i) for i in range(env.num_envs)]
        self._actions = np.zeros((env.num_envs, 2), np.float32)
        self._step = 0

    def get_action(self, info: dict[str, Any], **_: Any) -> NDArray[np.float32]:
        """Actions (environments, 2) in [-1, 1]; NaN for an environment that is done."""
        done = np.asarray(info.get("terminated", np.zeros(len(self._planners)))).reshape(-1).astype(bool)
        with torch.inference_mode():
            latents, goals = (self._encoder.encode_pictures(_newest(info[name])).numpy() for name in ("pixels", "goal"))
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


def _newest(pictures: Any) -> NDArray[np.uint8]:
    """The last picture of each environment: (environments, time, H, W, 3) -> (environments, H, W, 3)."""
    return np.ascontiguousarray(np.asarray(pictures)[:, -1])
