"""All nodes of the stack in one process, around one loaded model: for robots with little memory."""

from __future__ import annotations

import sys

from ami_ros.ros.node.process import URGENT, run
from ami_ros.ros.nodes.memory import MemoryNode
from ami_ros.ros.nodes.mission import MissionNode
from ami_ros.ros.nodes.perception import PerceptionNode
from ami_ros.ros.nodes.planner import PlannerNode
from ami_ros.ros.nodes.safety import SafetyNode
from ami_ros.ros.nodes.world_model import WorldModelNode


def main() -> int:
    """Runs the nodes; returns the exit code. The gate starts first and ends last."""
    # Torch gives the interpreter's lock away at every operation, of which a search has hundreds, and waits this long
    # for a thread that has taken it meanwhile. With Python's own 5 ms a command is half a second late.
    sys.setswitchinterval(1e-4)
    return run(SafetyNode, PerceptionNode, WorldModelNode, MemoryNode, PlannerNode, MissionNode, niceness=URGENT)


if __name__ == "__main__":
    sys.exit(main())
