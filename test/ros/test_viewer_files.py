"""What RViz's file and Foxglove's layout ask for is there, with the types and the durability that they take."""

from __future__ import annotations

import json
from typing import Any
from xml.etree import ElementTree

import pytest
import yaml
from builtin_interfaces.msg import Time

from ami_ros.console.listener import Listener
from ami_ros.console.node import RECORDED
from ami_ros.console.scene import Scene
from ami_ros.core.installation import share
from ami_ros.core.robots.derived import recorded_topics
from ami_ros.core.robots.description import load_robot
from ami_ros.ros.interfaces import INTERFACES
from ami_ros.ros.messages.conversions import message_class
from ami_ros.ros.messages.memory import TOPIC
from ami_ros.ros.scanner import sensor_frames
from ami_ros.ros.simulated_robot import wheel_frames
from ami_ros.simulation.gazebo.robot_sdf import robot_urdf

PUBLISHED = {
    name.replace("~/", f"{node}/"): kind for node, i in INTERFACES.items() for name, kind in i.publishes.items()
}
ROSES_OWN = {"diagnostics": "diagnostic_msgs/msg/DiagnosticArray"}
LATCHED = {"map", "keep_out_mask", "robot_description", "places", "goal", "goal_markers", "goal_picture/compressed"}
IMAGES = {"sensor_msgs/msg/Image", "sensor_msgs/msg/CompressedImage"}
# rviz_default_plugins: what a display subscribes to.
DISPLAYS = {
    "Map": {"nav_msgs/msg/OccupancyGrid"}, "RobotModel": {"std_msgs/msg/String"}, "Image": IMAGES,
    "LaserScan": {"sensor_msgs/msg/LaserScan"}, "Odometry": {"nav_msgs/msg/Odometry"},
    "PoseWithCovariance": {"geometry_msgs/msg/PoseWithCovarianceStamped"}, "Path": {"nav_msgs/msg/Path"},
    "MarkerArray": {"visualization_msgs/msg/MarkerArray"}, "Pose": {"geometry_msgs/msg/PoseStamped"},
    "Polygon": {"geometry_msgs/msg/PolygonStamped"},
}  # fmt: skip
# Lichtblick 1.29, suite-base/src/panels/ThreeDeeRender/ros.ts: what its 3D panel draws.
DRAWN = {kind for kinds in DISPLAYS.values() for kind in kinds} - {"nav_msgs/msg/Odometry"}
PANELS = {"3D", "Image", "RawMessages", "Plot", "DiagnosticSummary"}  # suite-base/src/panels/index.ts has these types


def test_rviz_s_displays_get_what_they_take() -> None:
    manager = yaml.safe_load(share("rviz", "ami_ros.rviz").read_text())["Visualization Manager"]
    shown = set()
    for display in manager["Displays"]:
        topic = (display.get("Topic") or display.get("Description Topic") or {}).get("Value")
        if topic is None:
            continue
        kind = display["Class"].rpartition("/")[2]
        assert PUBLISHED[topic] in DISPLAYS[kind], display["Name"]
        durability = (display.get("Topic") or display["Description Topic"])["Durability Policy"]
        assert (durability == "Transient Local") == (topic in LATCHED), display["Name"]
        shown.add(topic)
    assert shown >= {"map", "scan", "plan", "places", "imagined", "people", "goal", "robot_description", "footprint"}
    assert {tool["Topic"]["Value"] for tool in manager["Tools"] if "Topic" in tool} == {"initialpose", "goal_pose"}


def test_rviz_needs_no_plugin_that_it_does_not_bring() -> None:
    """It ends at a topic of CompressedImage where compressed_image_transport is not installed."""
    displays = yaml.safe_load(share("rviz", "ami_ros.rviz").read_text())["Visualization Manager"]["Displays"]
    assert not [d["Name"] for d in displays if d.get("Topic", {}).get("Value", "").endswith("/compressed")]


@pytest.mark.parametrize("name", ["ami_bot", "ackermann", "ami_bot_omnidirectional", "turtlebot4"])
def test_each_link_of_a_simulated_robot_has_a_frame(name: str) -> None:
    """RViz shows an error for a robot that lacks one."""
    robot = load_robot(name)
    links = {link.get("name") for link in ElementTree.fromstring(robot_urdf(robot)).iter("link")}
    frames = [*sensor_frames(robot, Time()), *wheel_frames(robot, Time())]
    assert links == {robot.frames.base, *(frame.child_frame_id for frame in frames)}


@pytest.mark.parametrize("recorded", [RECORDED, recorded_topics(load_robot("ami_bot"))], ids=["console", "ami record"])
def test_a_bag_has_all_that_is_shown(recorded: tuple[str, ...]) -> None:
    """But for the feedback of an action, whose type has no definition of its own; the mission's words are there. What
    robots of a site tell each other is theirs: whole memories, with pictures."""
    manager = yaml.safe_load(share("rviz", "ami_ros.rviz").read_text())["Visualization Manager"]
    rviz = {(d.get("Topic") or d.get("Description Topic") or {"Value": "/tf"})["Value"] for d in manager["Displays"]}
    panels = LAYOUT["configById"].values()
    foxglove = {topic.removeprefix("/") for topic in LAYOUT["configById"]["3D!floor"]["topics"]}
    foxglove |= {panel["imageMode"]["imageTopic"][1:] for panel in panels if panel.get("imageMode")}
    page = set(Listener(None, Scene()).topics) - {"run_mission/_action/feedback", TOPIC}
    names = {name for entry in recorded for name in entry.split("|")}
    assert not (rviz | foxglove | page) - names and {"/tf", "/tf_static", "/diagnostics"} <= names


LAYOUT: dict[str, Any] = json.loads(share("foxglove", "ami_ros.json").read_text())


def ids_of(node: Any) -> list[str]:
    """The panels of a layout's tree."""
    return [node] if isinstance(node, str) else [*ids_of(node["first"]), *ids_of(node["second"])]


def test_foxglove_s_layout_holds_panels_that_are_there_each_once() -> None:
    assert sorted(ids_of(LAYOUT["layout"])) == sorted(LAYOUT["configById"])
    assert {name.partition("!")[0] for name in LAYOUT["configById"]} <= PANELS


def test_lichtblick_draws_the_scan_in_its_colour_and_shows_the_titles() -> None:
    """Without `colorField` it replaces the colour mode of a scan, and it has a key of its own for titles."""
    scene = LAYOUT["configById"]["3D!floor"]
    assert scene["topics"]["/scan"]["colorField"] in ("intensity", "range")
    assert scene["scene"]["transforms"]["editable"], "else offsets count for nothing"
    assert scene["transforms"]["frame:base_link"]["xyzOffset"][2] > 0, "else the map hides the scan, which is as high"
    for name, config in LAYOUT["configById"].items():
        assert config["lichtblickPanelTitle"] == config["foxglovePanelTitle"], name


@pytest.mark.parametrize("panel", sorted(LAYOUT["configById"]))
def test_foxglove_s_panels_get_what_they_take(panel: str) -> None:
    config, kind = LAYOUT["configById"][panel], panel.partition("!")[0]
    if kind == "3D":
        topics = {name.removeprefix("/") for name in config["topics"]}
        assert {PUBLISHED[topic] for topic in topics} <= DRAWN
        rviz = yaml.safe_load(share("rviz", "ami_ros.rviz").read_text())["Visualization Manager"]["Displays"]
        same = {display["Topic"]["Value"] for display in rviz if "Topic" in display} | {"robot_description"}
        assert topics == same - {"image", "odom", "goal_picture/compressed"}, "both show the same scene"
        assert (config["publish"]["poseTopic"], config["publish"]["poseEstimateTopic"]) == (
            "/goal_pose",
            "/initialpose",
        )
    elif kind == "Image":
        assert PUBLISHED[config["imageMode"]["imageTopic"][1:]] in IMAGES
    elif kind == "DiagnosticSummary":
        assert config["topicToRender"][1:] in ROSES_OWN
    else:
        for path in [config["topicPath"]] if kind == "RawMessages" else [line["value"] for line in config["paths"]]:
            topic, *fields = path.removeprefix("/").split(".")
            value = message_class(PUBLISHED[topic])()
            for field in fields:
                value = getattr(value, field)
            assert kind == "RawMessages" or isinstance(value, float)
