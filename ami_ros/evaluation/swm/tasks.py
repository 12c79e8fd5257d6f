"""Which environments, and how our model is made for each."""

from __future__ import annotations

import importlib
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

from ami_ros.errors import AmiError
from ami_ros.learning.objective import LossWeights
from ami_ros.learning.trainer import TrainingConfig
from ami_ros.planning.costs.goal import GoalConfig, LatentDistanceConfig
from ami_ros.planning.costs.registry import CostsConfig
from ami_ros.planning.costs.smoothness import SmoothnessConfig
from ami_ros.world_model.spec import InputSpec, ModelSpec

FRAME_SKIP = 5  # environment steps in one model step, as published for LeWM (arXiv 2603.19312)
PIXELS = 64  # of the pictures that models see


@dataclass(frozen=True)
class Task:
    """One environment."""

    name: str
    environment: str  # its name in gymnasium's registry
    collector: Callable[[int, int], Any]  # (round, seed) -> a policy of theirs that collects
    position_scale: float  # state per metre of our model; 0: positions are not told to it at all
    setters: tuple[tuple[str, str, str], ...]  # (method, argument, column) that put a start or a goal in place
    training: TrainingConfig
    costs: CostsConfig


def _spec(latent_dim: int, place_pose: bool) -> ModelSpec:
    """A model whose command is an action: both its numbers lie in [-1, 1]."""
    return ModelSpec(
        inputs=InputSpec(image_size=PIXELS, scan_beams=0),
        latent_dim=latent_dim,
        period=0.1,
        chunk=FRAME_SKIP,
        max_linear=1.0,
        max_angular=1.0,
        place_pose=place_pose,
    )


NOISES = (0.5, 1.5, 3.0)  # of the experts' actions: from purposeful to nearly random


def _noisy_expert(index: int, seed: int) -> Any:
    experts = load_module("stable_worldmodel.envs.two_room.expert_policy", "bench swm")
    return experts.ExpertPolicy(action_noise=NOISES[index % len(NOISES)], action_repeat_prob=0.3, seed=seed)


def _weak_pusher(index: int, seed: int) -> Any:
    return load_module("stable_worldmodel.envs.pusht.expert_policy", "bench swm").WeakPolicy(seed=seed)


_SETTERS = (("_set_state", "state", "state"), ("_set_goal_state", "goal_state", "goal_state"))
_TRAINING = TrainingConfig(steps=1200, bfloat16=True, weights=LossWeights(contrast=0.0, goal=0.0))
_QUIET = CostsConfig(smoothness=SmoothnessConfig(enabled=False))

TASKS: dict[str, Task] = {
    # The agent is a dot, its position is what odometry would say.
    "TwoRoom": Task(
        "TwoRoom", "swm/TwoRoom-v1", _noisy_expert, 50.0, _SETTERS,
        replace(_TRAINING, spec=_spec(16, place_pose=True)),
        replace(_QUIET, latent_goal=GoalConfig(heading=0.0)),
    ),
    # What counts is where the block lies, which no odometry tells: pictures and actions alone.
    "PushT": Task(
        "PushT", "swm/PushT-v1", _weak_pusher, 0.0, _SETTERS,
        replace(
            _TRAINING, spec=_spec(64, place_pose=False),
            weights=LossWeights(
                sigreg=0.0, vicreg=1.0, contrast=0.0, goal=0.0, relative_pose=0.0, imagined_pose=0.0, motion=0.0
            ),
        ),
        replace(_QUIET, latent_goal=GoalConfig(enabled=False), latent_distance=LatentDistanceConfig(enabled=True)),
    ),
}  # fmt: skip


def load_module(name: str, command: str) -> Any:
    """A module of stable-worldmodel, or of what comes with it.

    Args:
        name: dotted, `stable_worldmodel.solver` for one.
        command: who asks, for the error.

    Raises:
        AmiError: it is not installed, or does not import.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of simulators that it could use and are not installed
            return importlib.import_module(name)
    except ImportError as error:
        raise AmiError(
            f"{command}: {name} is not there ({error}); install the extra with `./ami shell pip install "
            "-r requirements/swm.txt`"
        ) from error


def find_task(name: str) -> Task:
    """The task of that name.

    Raises:
        AmiError: there is none.
    """
    if name not in TASKS:
        raise AmiError(f"bench swm: there is no environment {name}; choose {' or '.join(TASKS)}")
    return TASKS[name]


def open_world(task: Task, environments: int, limit: int) -> Any:
    """A world of theirs with that many environments side by side, whose episodes have at most `limit` steps.

    Raises:
        AmiError: the extra is not installed.
    """
    swm = load_module("stable_worldmodel", "bench swm")
    return swm.World(
        task.environment,
        num_envs=environments,
        image_shape=(PIXELS, PIXELS),
        max_episode_steps=limit,
        disable_env_checker=True,  # it only warns, of what is theirs
    )
