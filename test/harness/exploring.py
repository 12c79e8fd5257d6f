"""What a robot that explores is told of the world, moment by moment."""

from __future__ import annotations

from typing import Any

import numpy as np

from ami_ros.behaviour.exploration import Exploration
from ami_ros.behaviour.task import Leg, WorldState
from ami_ros.behaviour.unexplored import ExplorationConfig
from ami_ros.core.geometry import Array
from ami_ros.memory.types import Location
from harness.scans import NOTHING

CONFIG = ExplorationConfig(look_apart=0.0, coarse=1.0)
HERE = np.zeros(3)
WALL = np.column_stack([np.linspace(0.6, 3.0, 60), np.full(60, 0.7)])
ONE_PLACE = np.array([[0.0, 0.0, 0.0]])
EVERYWHERE = np.stack(np.meshgrid(np.arange(-8, 8.1, 1.0), np.arange(-8, 8.1, 1.0), [0.0]), -1).reshape(-1, 3)


def state_at(
    stamp: float, places: Array = ONE_PLACE, pose: Array = HERE, localised: bool = True, **changes: Any
) -> WorldState:
    """A robot in the open, whose map and odometry agree."""
    location = Location(stamp, pose, pose, 1.0 if localised else 0.2, 0.0, localised, 1)
    values: dict = {"odometry": pose, "scan": NOTHING, "location": location, "places": places}
    return WorldState(stamp, **(values | changes))


def leg_of(exploration: Exploration, moment: WorldState) -> Leg:
    leg = exploration.step(moment).leg
    assert leg is not None, exploration.message
    return leg


def ring(radius: float) -> Array:
    """Walls all round."""
    angles = np.radians(np.arange(360))
    return radius * np.stack([np.cos(angles), np.sin(angles)], -1)
