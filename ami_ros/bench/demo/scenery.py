"""The ground on which drives are shown: the world from above, and the places that the robot remembers in it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from ami_ros.core.geometry import Array
from ami_ros.simulation.world import World


@dataclass(frozen=True)
class Backdrop:
    """A world seen from above: `image` (H, W, 3) uint8 RGB, `extent` x_min, x_max, y_min, y_max [m]."""

    image: NDArray[np.uint8]
    extent: tuple[float, float, float, float]
    robot_radius: float  # [m]

    @classmethod
    def of(cls, world: World, robot_radius: float) -> Backdrop:
        """Draws `world`, its doors as its file has them. Raises AmiError where there is no OpenGL."""
        from ami_ros.simulation.mjcf import BORDER, draw_top_view  # slow to import

        view = draw_top_view(world)
        height, width = (pixels / view.scale for pixels in view.image.shape[:2])
        return cls(view.image, (-BORDER, width - BORDER, -BORDER, height - BORDER), robot_radius)


@dataclass(frozen=True)
class RememberedPlaces:
    """Places `xy` (n, 2) and the ends of the ways between them `edges` (m, 2, 2), in the world's frame [m]."""

    xy: Array
    edges: Array
