"""The node `loopback`: a kinematic robot without rendering, on the topics of `simulator`, to test a stack cheaply."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial

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


class LoopbackNode(RobotNode[LoopbackParameters], name="loopback", parameters=LoopbackParameters):
    """See `ami_ros.ros.simulated_robot`; kinematic."""

    camera_info = False

    def make_robot(self) -> Loopback:
        config = self.config
        return Loopback(config.world, config.image_size or None, config.seed, self.noise, self.description)


main = partial(run, LoopbackNode)


if __name__ == "__main__":
    sys.exit(main())
