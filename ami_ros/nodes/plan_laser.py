"""The node `plan_laser`: a robot's laser by rays on the floor plan of its world, on the CPU, from its true pose.

For simulators of others, whose lasers need a renderer: Gazebo's does. Doors are as in the world's file.
"""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import LaserScan

from ami_ros.config import parameter
from ami_ros.errors import AmiError
from ami_ros.robots.description import DEFAULT, load_robot
from ami_ros.ros.messages import conversions, range_sensors
from ami_ros.ros.node.lifecycle import AmiNode
from ami_ros.ros.node.process import run

EARLY = 1e-3  # [s] by which a scan may come before its time: stamps are multiples of the physics' step


@dataclass(frozen=True)
class PlanLaserParameters:
    """Parameters of the node."""

    world: str = parameter("home", "Name of a world that comes with the package, or a world file.")
    robot: str = parameter(DEFAULT, "Name of a robot in config/robots, or its file.")
    seed: int = parameter(0, "Seed of the noise.", limits=(0, 2**31 - 1))


class PlanLaserNode(AmiNode[PlanLaserParameters]):
    """One scan for each true pose, but no more than the laser gives."""

    def __init__(self, **options: Any) -> None:
        super().__init__("plan_laser", PlanLaserParameters, **options)

    def configure(self) -> None:
        from ami_ros.simulation.doors import Doors
        from ami_ros.simulation.noise import noise_of
        from ami_ros.simulation.robot import laser_height
        from ami_ros.simulation.world_file import load_world

        robot = load_robot(self.config.robot)
        if robot.laser is None or not robot.has_laser:
            raise AmiError(f"robot {robot.name} has no laser")
        self._laser, self._frame = robot.laser, robot.laser.frame or robot.frames.base
        self._plan = Doors(load_world(self.config.world), robot.shape.radius, laser_height(robot)).seen
        self._noise, self._rng = noise_of(robot), np.random.default_rng(self.config.seed)
        self._due = -math.inf  # stamp from which on the next scan is due [s]
        self._output = self.publisher(LaserScan, "scan")
        self.subscribe(PoseStamped, "ground_truth", self._look)

    def time_jumped(self) -> None:
        self._due = -math.inf

    def _look(self, message: PoseStamped) -> None:
        from ami_ros.simulation.noise import scan_of

        stamp = conversions.stamp_to_seconds(message.header.stamp)
        if stamp < self._due - EARLY:
            return
        self._due = stamp + 1.0 / self._laser.rate
        pose = conversions.pose_from_message(message.pose)
        seen = self._laser.scan(scan_of(self._plan, pose, self._laser, self._noise, self._rng).ranges)
        header = conversions.header_at(message.header.stamp, self._frame)
        self._output.publish(range_sensors.scan_to_message(seen, header, self._laser.range_min, 1.0 / self._laser.rate))


def main() -> int:
    """Runs the node; returns the exit code."""
    return run(PlanLaserNode)


if __name__ == "__main__":
    sys.exit(main())
