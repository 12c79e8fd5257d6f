"""What each node subscribes to, publishes and offers: the graph of parts, as ROS has it. A test compares nodes with it.

Names as in the code: relative, "~/" for the node's own. Types as `ros2 interface show` takes them.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

from ami_ros.parts.graph import GRAPH
from ami_ros.ros.node.bus import TYPES


@dataclass(frozen=True)
class Interface:
    """One node's side of the graph: name -> type."""

    subscribes: dict[str, str]
    publishes: dict[str, str]
    services: dict[str, str] = field(default_factory=dict)
    actions: dict[str, str] = field(default_factory=dict)


_STATUS, _COMMAND = "diagnostic_msgs/msg/DiagnosticStatus", TYPES["cmd_vel"]
_CAMERA_INFO = {"camera_info": "sensor_msgs/msg/CameraInfo"}  # of models that know their own camera


def _part(name: str, deaf: Collection[str] = (), silent: Collection[str] = (), **more: dict[str, str]) -> Interface:
    """A node that is a part: its ports, and what it has beside them; `deaf` and `silent`: ports that it takes or gives
    only where its parameters say so."""
    part = GRAPH[name]
    takes = {port.name: TYPES[port.name] for port in part.takes if port.name not in deaf}
    gives = {port.name: TYPES[port.name] for port in part.gives if port.name in TYPES and port.name not in silent}
    return Interface(takes | more.pop("subscribes", {}), gives | more.pop("publishes", {}), **more)


_ROBOT = Interface(
    subscribes={"cmd_vel": _COMMAND},
    publishes={
        **{name: TYPES[name] for name in ("image", "scan", "odom")},
        **_CAMERA_INFO,
        "robot_description": "std_msgs/msg/String",
        "ground_truth": "geometry_msgs/msg/PoseStamped",
        "~/contacts": "std_msgs/msg/UInt32",
        "/clock": "rosgraph_msgs/msg/Clock",
    },
    services={
        "~/reset": "std_srvs/srv/Trigger",
        "~/place_robot": "ami_interfaces/srv/PlaceRobot",
        "~/set_door": "ami_interfaces/srv/SetDoor",
        "~/photograph": "ami_interfaces/srv/Photograph",
    },
)

INTERFACES: dict[str, Interface] = {
    "simulator": _ROBOT,
    "loopback": _ROBOT,
    "command_timeout": Interface(  # before a base that keeps its last command, as in Gazebo
        subscribes={"cmd_vel": _COMMAND}, publishes={"cmd_vel_base": _COMMAND}
    ),
    "perception": _part(
        "perception",
        deaf=("depth",),
        silent=("scan",),
        subscribes=_CAMERA_INFO,
        publishes={"model_info": "ami_interfaces/msg/ModelInfo"},
    ),
    "world_model": _part(  # with adaptation.learning.colours also what perception sees by
        "world_model",
        deaf=("image", "scan"),
        services={"~/predict": "ami_interfaces/srv/Predict", "~/adaptation": "ami_interfaces/srv/ChangeAdaptation"},
    ),
    "memory": _part(
        "memory",
        subscribes={**_CAMERA_INFO, "keep_out_areas": "ami_interfaces/msg/KeepAway"},
        publishes={
            "places": "visualization_msgs/msg/MarkerArray",
            "map": "nav_msgs/msg/OccupancyGrid",
            "map_updates": "map_msgs/msg/OccupancyGridUpdate",
            "keep_out_mask": "nav_msgs/msg/OccupancyGrid",
            "pose": "geometry_msgs/msg/PoseWithCovarianceStamped",
        },
        services={
            "~/find_route": "ami_interfaces/srv/FindRoute",
            "~/recall": "ami_interfaces/srv/RecallPlaces",
            "~/remember": "ami_interfaces/srv/RememberPlace",
            "~/forget": "ami_interfaces/srv/ForgetPlaces",
            "~/save": "ami_interfaces/srv/MemoryFile",
            "~/load": "ami_interfaces/srv/MemoryFile",
            "~/merge": "ami_interfaces/srv/MemoryFile",
            "~/statistics": "ami_interfaces/srv/MemoryStatistics",
        },
    ),
    "sharing": Interface(  # one topic for all robots of a site
        subscribes={"/memory_sharing": "ami_interfaces/msg/SharedMemory"},
        publishes={"/memory_sharing": "ami_interfaces/msg/SharedMemory"},
    ),
    "planner": _part(
        "planner",
        subscribes={**_CAMERA_INFO, "goal_pose": "geometry_msgs/msg/PoseStamped"},
        publishes={
            "people": "visualization_msgs/msg/MarkerArray",
            "plan": "nav_msgs/msg/Path",
            "~/state": "ami_interfaces/msg/PlannerState",
            "~/rollout": "ami_interfaces/msg/Rollout",
            "imagined": "visualization_msgs/msg/MarkerArray",
            "goal": "geometry_msgs/msg/PoseStamped",
            "goal_markers": "visualization_msgs/msg/MarkerArray",
            "goal_picture/compressed": "sensor_msgs/msg/CompressedImage",
            "~/decision": "std_msgs/msg/String",
            "~/costs": "diagnostic_msgs/msg/DiagnosticArray",
        },
        actions={"navigate_to_goal": "ami_interfaces/action/NavigateToGoal"},
    ),
    "mission": _part(
        "mission",
        publishes={"~/decision": "std_msgs/msg/String"},
        actions={"run_mission": "ami_interfaces/action/RunMission"},
    ),
    "safety": _part(  # of a robot with a depth camera also depth and depth_info, as perception does without a laser
        "safety",
        deaf=("depth",),
        silent=("safety/status",),  # which is its own ~/status
        subscribes={"supervisor/state": _STATUS},  # if `supervised`
        publishes={"~/status": _STATUS, "footprint": "geometry_msgs/msg/PolygonStamped"},
        services={"~/emergency_stop": "std_srvs/srv/Trigger", "~/release": "std_srvs/srv/Trigger"},
    ),
    "supervisor": Interface(  # sends zero where the gate is gone
        subscribes={"heartbeat": _STATUS},
        publishes={"~/state": _STATUS, "cmd_vel": _COMMAND, "emergency_stop": "std_msgs/msg/Bool"},
    ),
}
