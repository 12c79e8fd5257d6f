"""What each node subscribes to, publishes and offers: the graph of parts, as ROS has it; and from it who may say what
(SROS 2)."""

from __future__ import annotations

import xml.etree.ElementTree as ET
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field

from ami_ros.ros.node.bus import TYPES
from ami_ros.ros.start.graph import ENCLAVES, STACK, TRANSFORMS
from ami_ros.runtime.graph import GRAPH

# What each node subscribes to, publishes and offers: the graph of parts, as ROS has it. A test compares nodes with it.
#
# Names as in the code: relative, "~/" for the node's own. Types as `ros2 interface show` takes them.


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


# Who may say what: SROS 2 policies with one enclave a node, from the description of the graph.
#
# Only `safety` may publish the robot's cmd_vel (`supervisor` zeros, where that is gone), only `planner` and `console`,
# by which people drive by hand, what goes into it, and only the robot scans, odometry and the clock.
# The form is that of SROS 2 (https://design.ros2.org/articles/ros2_access_control_policies.html).

NODES = (*STACK, "supervisor", "sharing", "simulator")
# What rclpy and a managed node bring along, and where Nav2's names may be offered as well.
BROUGHT = {
    "publish": ("/rosout", "/parameter_events", "/diagnostics", "/tf", "/bond", "heartbeat", "~/transition_event"),
    "subscribe": ("/clock", "/parameter_events", "/tf", "/tf_static", "/bond"),
    "reply": (
        *("~/describe_parameters", "~/get_parameter_types", "~/get_parameters", "~/list_parameters"),
        *("~/set_parameters", "~/set_parameters_atomically", "~/get_type_description"),
        *("~/change_state", "~/get_state", "~/get_available_states", "~/get_available_transitions"),
        "~/get_transition_graph",
    ),
    "execute": ("navigate_to_pose", "navigate_through_poses"),
}
Rights = dict[str, set[str]]  # what one enclave may do: fully qualified names by verb
Full = Callable[..., str]  # the fully qualified name of a topic, service or action of a node


def policies(remappings: Mapping[str, str], namespace: str = "", scans_of_pictures: bool = False) -> str:
    """The policy file (XML) of the stack, of the robot, of an operator, and of a console that also drives by hand.

    Args:
        remappings: of the code's topics to those of the robot, as `core.robots.derived.topics` gives them.
        namespace: of all nodes.
        scans_of_pictures: the robot has no laser: not it publishes scans but perception.
    """
    prefix = "/" + namespace.strip("/") if namespace.strip("/") else ""
    renamed = {**remappings, **(TRANSFORMS if prefix else {})}

    def full(name: str, node: str = "") -> str:
        name = renamed.get(name, name).replace("~", f"{prefix}/{node}", 1)
        return name if name.startswith("/") else f"{prefix}/{name}"

    rights = {node: _of_node(node, INTERFACES[node], full) for node in NODES}
    rights["supervisor"]["request"] |= {full(f"{node}/change_state") for node in STACK}
    rights["operator"], rights["console"] = _of_operator(full), _of_operator(full)
    rights["console"]["publish"] |= {full("cmd_vel_raw"), full("keep_out_areas")}
    if scans_of_pictures:
        rights["perception"]["publish"].add(full("scan"))
        rights["simulator"]["publish"].discard(full("scan"))
    if "depth" in remappings:
        heard = {full("depth"), full("depth_info")}
        rights["simulator"]["publish"] |= heard
        for node in ("perception", "safety"):
            rights[node]["subscribe"] |= heard
    root = ET.Element("policy", version="0.2.0")  # of the form
    enclaves = ET.SubElement(root, "enclaves")
    for node, allowed in rights.items():
        profiles = ET.SubElement(ET.SubElement(enclaves, "enclave", path=f"{ENCLAVES}/{node}"), "profiles")
        profile = ET.SubElement(profiles, "profile", ns=prefix or "/", node=node)
        for kind, verbs in (("service", "reply request"), ("topic", "publish subscribe"), ("action", "call execute")):
            for verb in verbs.split():
                if allowed[verb]:
                    group = ET.SubElement(profile, f"{kind}s", {verb: "ALLOW"})
                    for name in sorted(allowed[verb]):
                        ET.SubElement(group, kind).text = name
    ET.indent(root)
    return '<?xml version="1.0" encoding="UTF-8"?>\n' + ET.tostring(root, encoding="unicode") + "\n"


def enclaves() -> tuple[str, ...]:
    """The paths of all enclaves."""
    return tuple(f"{ENCLAVES}/{node}" for node in (*NODES, "operator", "console"))


def _of_node(node: str, described: Interface, full: Full) -> Rights:
    drives = node in ("planner", "mission")  # `INTERFACES` does not say what nodes ask of each other
    rights = {
        "publish": {full(name, node) for name in (*described.publishes, *BROUGHT["publish"])},
        "subscribe": {full(name, node) for name in (*described.subscribes, *BROUGHT["subscribe"])},
        "reply": {full(name, node) for name in (*described.services, *BROUGHT["reply"])},
        "request": {full("memory/find_route")} if drives else set(),
        "execute": {full(name, node) for name in described.actions},
        "call": {full("navigate_to_goal")} if drives else set(),
    }
    if node == "safety":  # with keep_out.*
        rights["subscribe"] |= {full(name) for name in ("keep_away", "location", "keep_out_mask")}
    if node == "mission":
        rights["subscribe"].add(full("keep_out_mask"))
    if node == "planner":
        rights["execute"] |= {full(name) for name in BROUGHT["execute"]}
    return rights


def _of_operator(full: Full) -> Rights:
    """Who gives goals, looks at everything, and may stop the robot; it drives nothing by itself."""
    given = ("goal_pose", "initialpose", "emergency_stop", "/rosout", "/parameter_events")
    rights: Rights = {
        "publish": {full(name) for name in given},
        "subscribe": {full(name) for name in (*BROUGHT["subscribe"], "/diagnostics", "/rosout")},
        "reply": set(),
        "request": set(),
        "execute": set(),
        "call": {full(name) for name in BROUGHT["execute"]},
    }
    for node in (*STACK, "supervisor", "sharing"):
        described = INTERFACES[node]
        rights["subscribe"] |= {full(name, node) for name in (*described.publishes, *described.subscribes)}
        rights["request"] |= {full(name, node) for name in (*described.services, *BROUGHT["reply"])}
        rights["call"] |= {full(name) for name in described.actions}
    return rights
