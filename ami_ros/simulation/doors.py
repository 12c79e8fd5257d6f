"""Which doors are open, and what is solid because of it."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike

from ami_ros.errors import AmiError
from ami_ros.geometry import Array
from ami_ros.simulation.floor_plan import FloorPlan
from ami_ros.simulation.layout import Obstacle, at_height, in_the_way, obstacles_of
from ami_ros.simulation.world import World


class Doors:
    """The state of a world's doors, for a robot of `radius` [m].

    `plan` is the floor plan that goes with it, of what the robot can touch; `seen` that of what a scanner meets that
    sits at `height` [m]; `open` says name -> is open.
    """

    def __init__(self, world: World, radius: float, height: float = 0.0) -> None:
        self._world, self._radius, self._height = world, radius, height
        self.open = {door.name: door.open for door in world.doors}
        self._stand(obstacles_of(world, self.open))

    def _stand(self, obstacles: list[Obstacle]) -> None:
        self.plan, self.seen = FloorPlan(in_the_way(obstacles)), FloorPlan(at_height(obstacles, self._height))

    def set(self, name: str, is_open: bool, robot: Array) -> None:
        """Opens or closes door `name` with the robot at pose `robot` (3,).

        Raises AmiError for an unknown door, or one that would close on the robot.
        """
        if name not in self.open:
            known = ", ".join(self.open) or "none"
            raise AmiError(f"world '{self._world.name}' has no door '{name}': known are {known}")
        doors = {**self.open, name: is_open}
        obstacles = obstacles_of(self._world, doors)
        there = FloorPlan(in_the_way(obstacles)).clearance(robot[None, :2])[0]
        if there < min(self._radius, self.plan.clearance(robot[None, :2])[0]):
            raise AmiError(f"door '{name}' cannot {'open' if is_open else 'close'}: the robot stands in it")
        self.open = doors
        self._stand(obstacles)

    def checked_pose(self, pose: ArrayLike) -> Array:
        """`pose` as an array (3,). Raises AmiError unless the robot fits there, doors as they are."""
        checked = np.array(pose, dtype=np.float64)
        if checked.shape != (3,) or not np.isfinite(checked).all():
            raise AmiError(f"a pose is x, y, yaw in metres and radians, found {checked.tolist()}")
        x, y, _ = checked
        if not (0.0 <= x <= self._world.size[0] and 0.0 <= y <= self._world.size[1]):
            raise AmiError(f"({x:.2f}, {y:.2f}) lies outside world '{self._world.name}'")
        if self.plan.clearance(checked[None, :2])[0] < self._radius:
            raise AmiError(f"the robot does not fit at ({x:.2f}, {y:.2f}): something solid is within {self._radius} m")
        return checked
