"""The node `simulator`: a robot in a world, simulated by MuJoCo, as if it were a real one."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from functools import partial

from geometry_msgs.msg import PoseStamped

from ami_ros.core.config import parameter
from ami_ros.ros.messages import conversions
from ami_ros.ros.node.process import URGENT, run
from ami_ros.ros.simulated_robot import RobotNode, RobotParameters
from ami_ros.simulation.robot import Robot


@dataclass(frozen=True)
class SimulatorParameters(RobotParameters):
    """Parameters of the node."""

    others: tuple[str, ...] = parameter(
        (), "Namespaces of other simulated robots in this world: it sees them, and bumps into them."
    )


class SimulatorNode(RobotNode[SimulatorParameters], name="simulator", parameters=SimulatorParameters):
    """See `ami_ros.ros.simulated_robot`; pictures come from MuJoCo's renderer."""

    def configure(self) -> None:
        super().configure()
        for index, namespace in enumerate(self.config.others):
            topic = f"/{namespace.strip('/')}/ground_truth"
            self.subscribe(PoseStamped, topic, partial(self._meet, index))

    def make_robot(self) -> Robot:
        from ami_ros.simulation.simulator import Simulator  # here, so that a machine without MuJoCo gets one line

        config = self.config
        return Simulator(config.world, self.description, config.seed, self.noise, others=len(config.others))

    def _meet(self, index: int, message: PoseStamped) -> None:
        pose = conversions.pose_from_message(message.pose)
        self.loop.tell(lambda robot: robot.show_other(index, pose))


main = partial(run, SimulatorNode, niceness=URGENT)


if __name__ == "__main__":
    sys.exit(main())
