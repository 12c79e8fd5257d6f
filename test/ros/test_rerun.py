"""Rerun gets the scene of RViz's file: what is on the floor, in the frames that messages are in."""

from __future__ import annotations

import array
import re
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from geometry_msgs.msg import Point, PoseStamped
from nav_msgs.msg import OccupancyGrid, Odometry
from nav_msgs.msg import Path as Plan
from sensor_msgs.msg import Image, LaserScan
from std_msgs.msg import Header, String
from visualization_msgs.msg import Marker, MarkerArray

from ami_interfaces.msg import Location
from ami_ros.core.errors import AmiError
from ami_ros.ros.node.qos import LATCHED, RELIABLE, SENSOR
from ami_ros.ros.rerun import RerunViewer, time_of
from harness.ros import RosPeer

FRAMES = "map", "odom", "base_link"


def scene() -> dict[str, tuple[Any, Any]]:
    """A message of each kind, and the quality of service that it has."""
    base = Header(frame_id="base_link")
    found = OccupancyGrid(header=Header(frame_id="map"), data=array.array("b", [0, 100, -1, 0]))
    found.info.resolution = 0.5
    found.info.width = found.info.height = 2
    found_at = Location(header=Header(frame_id="map"), localised=True)
    found_at.pose.position.x = 1.5
    points = [Point(x=1.0), Point(y=2.0)]
    dots = Marker(header=Header(frame_id="map"), ns="places", type=Marker.SPHERE_LIST, points=points)
    words = Marker(header=Header(frame_id="odom"), ns="goal", type=Marker.TEXT_VIEW_FACING, text="there")
    return {
        "map": (found, LATCHED),
        "odom": (Odometry(), SENSOR),
        "location": (found_at, RELIABLE),
        "scan": (
            LaserScan(header=base, angle_increment=0.1, range_max=5.0, ranges=array.array("f", [1.0, 9.0])),
            SENSOR,
        ),
        "plan": (Plan(header=Header(frame_id="odom"), poses=[PoseStamped(), PoseStamped()]), RELIABLE),
        "places": (MarkerArray(markers=[Marker(action=Marker.DELETEALL), dots]), LATCHED),
        "goal_markers": (MarkerArray(markers=[words]), LATCHED),
        "image": (Image(height=2, width=2, step=6, encoding="rgb8", data=bytes(12)), SENSOR),
        "planner/decision": (String(data="straight on"), LATCHED),
    }


def test_all_of_the_scene_is_in_the_file_below_its_frame(ros: RosPeer, tmp_path: Path) -> None:
    pytest.importorskip("rerun")
    viewer = RerunViewer(ros.make_node("view"), tmp_path / "scene.rrd", 9090, FRAMES)
    publishers = {name: ros.node.create_publisher(type(m), name, qos) for name, (m, qos) in scene().items()}
    ros.spin_until(lambda: all(p.get_subscription_count() for p in publishers.values()), what="the viewer")
    for name, (message, _) in scene().items():
        publishers[name].publish(message)
    publishers["plan"].publish(Plan(header=Header(frame_id="mars")))  # is said, and ends nothing
    ros.spin_until_idle()
    viewer.close()
    paths = entities(tmp_path / "scene.rrd")
    odom = "/floor/map/odom"
    assert paths >= {
        "/floor/map/map", odom, f"{odom}/base_link", f"{odom}/base_link/scan", f"{odom}/plan",
        "/floor/map/places/places/0",        f"{odom}/goal_markers/goal/0", "/camera", "/words/planner",
    }  # fmt: skip


def entities(file: Path) -> set[str]:
    """The paths of all entities in a file of Rerun's."""
    words = [sys.executable, "-m", "rerun", "rrd", "print", "-v", str(file)]
    printed = subprocess.run(words, capture_output=True, text=True, timeout=60, check=True).stdout
    return set(re.findall(r" - (/\S+) - data columns", printed))


def test_without_rerun_one_line_names_the_extra(ros: RosPeer, tmp_path: Path) -> None:
    if find_spec("rerun") is None:
        with pytest.raises(AmiError, match="extra rerun"):
            RerunViewer(ros.make_node("view"), tmp_path / "scene.rrd", 9090, FRAMES)


def test_words_without_a_stamp_are_shown_beside_what_the_robot_saw_then() -> None:
    """In simulated time they were shown decades later, at the time of day."""
    scan = LaserScan(header=Header(frame_id="base_link"))
    scan.header.stamp.sec = 34
    newest = time_of(scan, None)
    assert newest == 34.0 and time_of(String(data="looking around"), newest) == 34.0
    assert time_of(String(data="looking around"), None) is None
