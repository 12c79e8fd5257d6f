"""The node `simulator`: a robot in a world, simulated by MuJoCo, as if it were a real one."""

from __future__ import annotations

import math
import sys
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from sensor_msgs.msg import CameraInfo

from ami_ros.ros.parameters import parameter
from ami_ros.ros.process import run
from ami_ros.ros.robot_node import RobotNode, RobotParameters
from ami_ros.ros.urgency import URGENT
from ami_ros.simulation.noise import SensorNoise
from ami_ros.simulation.robot import Robot


@dataclass(frozen=True)
class SimulatorParameters(RobotParameters):
    """Parameters of the node."""

    camera: Literal["onboard", "ceiling", "none"] = parameter("onboard", "Looks ahead, or down on the whole world.")
    image_size: int = parameter(96, "Height and width of the pictures.", "px", (16, 1024))


class SimulatorNode(RobotNode[SimulatorParameters]):
    """See robot_node.py; pictures come from MuJoCo's renderer."""

    def __init__(self, **options: Any) -> None:
        super().__init__("simulator", SimulatorParameters, **options)

    def make_robot(self) -> Robot:
        from ami_ros.simulation.simulator import Simulator  # here, so that a machine without MuJoCo is told in one line

        config = self.config
        noise = SensorNoise(scale=config.noise_scale)
        robot = Simulator(config.world, config.camera, config.image_size, config.seed, noise, config.drive)
        if config.start_pose:
            robot.reset(np.array(config.start_pose))
        return robot

    def camera_info(self) -> CameraInfo | None:
        """Pinhole intrinsics of the onboard camera; the ceiling camera is orthographic and so uncalibrated (K = 0)."""
        if self.config.camera == "none":
            return None
        size = self.config.image_size
        info = CameraInfo(height=size, width=size)
        if self.config.camera == "onboard":
            from ami_ros.simulation.robot_model import FIELD_OF_VIEW

            focal, centre = size / 2 / math.tan(math.radians(FIELD_OF_VIEW) / 2), size / 2
            info.distortion_model, info.d = "plumb_bob", [0.0] * 5
            info.k = [focal, 0.0, centre, 0.0, focal, centre, 0.0, 0.0, 1.0]
            info.r = [1.0, 0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 1.0]
            info.p = [focal, 0.0, centre, 0.0, 0.0, focal, centre, 0.0, 0.0, 0.0, 1.0, 0.0]
        return info


def main() -> int:
    """Runs the node; returns the exit code."""
    return run(SimulatorNode, niceness=URGENT)


if __name__ == "__main__":
    sys.exit(main())
