"""Cases to plan: what a robot in a world perceives, and where it shall go."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.evaluation.goals import GoalSampler
from ami_ros.geometry import Array
from ami_ros.scan import Scan
from ami_ros.simulation.free_space import FreeSpace
from ami_ros.simulation.simulator import Simulator
from ami_ros.world_model.checkpoint import LoadedModel
from ami_ros.world_model.perception import Perception


@dataclass(frozen=True)
class PlanningCase:
    """A start and a goal, as the model sees them."""

    latent: NDArray[np.float32]  # (latent_dim,) at the start, at rest
    scan: Scan  # at the start
    goal: NDArray[np.float32]  # (latent_dim,) of the goal's picture
    start_pose: Array  # (3,) in the world's frame
    goal_pose: Array  # (3,) likewise


def sample_cases(loaded: LoadedModel, world: str, count: int, seed: int) -> list[PlanningCase]:
    """`count` starts anywhere in `world`, each with a near goal; rendered by the simulator's own camera."""
    simulator, perception = Simulator(world, seed=seed), Perception(loaded.model)
    space = FreeSpace(simulator.world)
    goals, rng = GoalSampler(space, seed), np.random.default_rng(seed)
    cases = []
    for index in range(count):
        start = space.sample_pose(rng)
        goal = goals.sample(2 * index, start).pose  # near goals have the even numbers
        simulator.place(start)
        seen = simulator.observe()
        latent = perception.encode(seen.image, seen.scan)
        picture = perception.encode_goal(simulator.photograph(goal))
        cases.append(PlanningCase(latent, seen.scan, picture, start, goal))
    return cases
