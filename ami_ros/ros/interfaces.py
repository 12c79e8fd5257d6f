"""What each node subscribes to, publishes and offers, for tables and recordings; a test compares the nodes with it.

Names as in the code: relative, "~/" for the node's own. Types as `ros2 interface show` takes them.
"""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True)
class Interface:
    """One node's side of the graph: name -> type."""

    subscribes: dict[str, str]
    publishes: dict[str, str]
    services: dict[str, str] = field(default_factory=dict)
    actions: dict[str, str] = field(default_factory=dict)


_STATUS = "diagnostic_msgs/msg/DiagnosticStatus"
_COMMAND = "geometry_msgs/msg/TwistStamped"
_IMAGE, _CAMERA_INFO, _SCAN, _ODOM, _IMU = (
    {"image": "sensor_msgs/msg/Image"},
    {"camera_info": "sensor_msgs/msg/CameraInfo"},  # of models that know their own camera
    {"scan": "sensor_msgs/msg/LaserScan"},
    {"odom": "nav_msgs/msg/Odometry"},
    {"imu": "sensor_msgs/msg/Imu"},
)
_LATENT = {"latent": "ami_interfaces/msg/Latent"}
_SURPRISE = {"surprise": "ami_interfaces/msg/Surprise"}
_ADAPTATION = {"adaptation": "ami_interfaces/msg/Adaptation"}
_KEEP_AWAY = {"keep_away": "ami_interfaces/msg/KeepAway"}
_GOAL_POSE = {"goal_pose": "geometry_msgs/msg/PoseStamped"}
_INITIAL_POSE = {"initialpose": "geometry_msgs/msg/PoseWithCovarianceStamped"}
_LOCATION = {"location": "ami_interfaces/msg/Location"}

_ROBOT = Interface(
    subscribes={"cmd_vel": _COMMAND},
    publishes={
        **_IMAGE,
        **_CAMERA_INFO,
        **_SCAN,
        **_ODOM,
        **_IMU,
        "ground_truth": "geometry_msgs/msg/PoseStamped",
        "robot_description": "std_msgs/msg/String",
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
    "plan_laser": Interface(subscribes={"ground_truth": "geometry_msgs/msg/PoseStamped"}, publishes={**_SCAN}),
    "perception": Interface(
        subscribes={**_ODOM, **_IMU, **_SCAN, **_IMAGE, **_CAMERA_INFO, **_ADAPTATION},
        publishes={**_LATENT, "model_info": "ami_interfaces/msg/ModelInfo"},
    ),
    "world_model": Interface(  # with adaptation.learning.colours also those that perception sees by
        subscribes={**_LATENT, "cmd_vel": _COMMAND, **_ODOM},
        publishes={**_SURPRISE, **_ADAPTATION},
        services={"~/predict": "ami_interfaces/srv/Predict", "~/adaptation": "ami_interfaces/srv/ChangeAdaptation"},
    ),
    "memory": Interface(
        subscribes={
            **_ODOM,
            **_SCAN,
            **_IMAGE,
            **_CAMERA_INFO,
            "cmd_vel": _COMMAND,
            **_SURPRISE,
            **_LATENT,
            **_INITIAL_POSE,
        },
        publishes={
            **_LOCATION,
            "places": "visualization_msgs/msg/MarkerArray",
            "place_graph": "ami_interfaces/msg/PlaceGraph",
            "map": "nav_msgs/msg/OccupancyGrid",
            "pose": "geometry_msgs/msg/PoseWithCovarianceStamped",
            **_KEEP_AWAY,
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
    "planner": Interface(
        subscribes={
            **_ODOM,
            **_SCAN,
            **_CAMERA_INFO,
            **_LOCATION,
            **_LATENT,
            **_SURPRISE,
            **_ADAPTATION,
            **_KEEP_AWAY,
            **_GOAL_POSE,
        },
        publishes={
            "cmd_vel_raw": _COMMAND,
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
    "mission": Interface(
        subscribes={
            **_ODOM,
            **_SCAN,
            **_LOCATION,
            **_SURPRISE,
            "place_graph": "ami_interfaces/msg/PlaceGraph",
            "battery_state": "sensor_msgs/msg/BatteryState",
        },
        publishes={"~/decision": "std_msgs/msg/String"},
        actions={"run_mission": "ami_interfaces/action/RunMission"},
    ),
    "safety": Interface(
        subscribes={
            "cmd_vel_raw": _COMMAND,
            **_SCAN,
            **_ODOM,
            "emergency_stop": "std_msgs/msg/Bool",
            "supervisor/state": _STATUS,  # with `supervised`
        },
        publishes={"cmd_vel": _COMMAND, "~/status": _STATUS, "footprint": "geometry_msgs/msg/PolygonStamped"},
        services={"~/emergency_stop": "std_srvs/srv/Trigger", "~/release": "std_srvs/srv/Trigger"},
    ),
    "supervisor": Interface(  # sends zero where the gate is gone
        subscribes={"heartbeat": _STATUS},
        publishes={"~/state": _STATUS, "cmd_vel": _COMMAND, "emergency_stop": "std_msgs/msg/Bool"},
    ),
}
