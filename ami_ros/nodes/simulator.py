"""The node `simulator`: a robot in a world, simulated by MuJoCo, as if it were a real one."""

from __future__ import annotations

import sys
from typing import Any

import numpy as np

from ami_ros.ros.node.process import URGENT, run
from ami_ros.ros.simulated.node import RobotNode, RobotParameters
from ami_ros.simulation.robot import Robot


class SimulatorNode(RobotNode[RobotParameters]):
    """See `ami_ros.ros.simulated.node`; pictures come from MuJoCo's renderer."""

    def __init__(self, **options: Any) -> None:
        super().__init__("simulator", RobotParameters, **options)

    def make_robot(self) -> Robot:
        from ami_ros.simulation.simulator import Simulator  # here, so that a machine without MuJoCo gets one line

        config = self.config
        robot = Simulator(config.world, self.description, config.seed, self.noise)
        if config.start_pose:
            robot.reset(np.array(config.start_pose))
        return robot


def main() -> int:
    """Runs the node; returns the exit code."""
    return run(SimulatorNode, niceness=URGENT)


if __name__ == "__main__":
    sys.exit(main())
