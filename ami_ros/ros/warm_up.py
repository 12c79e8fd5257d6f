"""First calls of a planner's model, before anybody waits for them."""

from __future__ import annotations

import numpy as np

from ami_ros.planning.budget import ENOUGH
from ami_ros.planning.planner import LatentPlanner
from ami_ros.planning.protocols import Target
from ami_ros.world_model.perception import Perception


def warm_up(perception: Perception, planner: LatentPlanner) -> None:
    """Makes a model's first calls, which take longer, before anybody waits for them, and fits the search's size to what
    the others took."""
    spec = perception.spec
    latent = np.zeros(spec.latent_dim, dtype=np.float32)
    for k in range(1 + ENOUGH):
        planner.plan(k * spec.period, latent, (0.0, 0.0), None, Target(latent, None, final=True))
    planner.reset()
    if spec.inputs.image_size:
        blank = np.zeros((spec.inputs.image_size, spec.inputs.image_size, 3), dtype=np.uint8)
        perception.encode_goal(blank)
        perception.encode_picture(blank)
