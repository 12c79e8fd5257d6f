"""The node `loopback`: a kinematic robot without rendering, on the topics of `simulator`, to test a stack cheaply."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Any

import numpy as np

from ami_ros.core.config import parameter
from ami_ros.ros.node.process import run
from ami_ros.ros.simulated_robot import RobotNode, RobotParameters
from ami_ros.simulation.loopback import Loopback


@dataclass(frozen=True)
class LoopbackParameters(RobotParameters):
    """Parameters of the node."""

    image_size: int = parameter(
        0, "Height and width of images that show a test pattern; 0: no images.", "px", (0, 1024)
    )


class LoopbackNode(RobotNode[LoopbackParameters]):
    """See `ami_ros.ros.simulated_robot`; kinematic."""

    camera_info = False

    def __init__(self, **options: Any) -> None:
        super().__init__("loopback", LoopbackParameters, **options)

    def make_robot(self) -> Loopback:
        config = self.config
        robot = Loopback(config.world, config.image_size or None, config.seed, self.noise, self.description)
        if config.start_pose:
            robot.reset(np.array(config.start_pose))
        return robot


def main() -> int:
    """Runs the node; returns the exit code."""
    return run(LoopbackNode)


if __name__ == "__main__":
    sys.exit(main())
