"""Zones, other sensors, areas and tracks of the node `safety` on its topics."""

from __future__ import annotations

import array
import math
import re
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import yaml
from geometry_msgs.msg import PolygonStamped
from nav_msgs.msg import MapMetaData, OccupancyGrid, Odometry
from sensor_msgs.msg import LaserScan, Range
from std_msgs.msg import Bool

from ami_interfaces.msg import KeepAway, Location, MovingThing, MovingThings
from ami_ros.core.scan import Scan
from ami_ros.ros.messages.conversions import header_at
from ami_ros.ros.messages.range_sensors import scan_to_message
from ami_ros.ros.node.qos import LATCHED, RELIABLE
from ami_ros.ros.nodes.safety import SafetyNode
from harness.processes import REPOSITORY
from harness.ros import RosPeer
from harness.safety_node import Bench


def test_a_zone_of_nav2s_collision_monitor_acts_is_named_and_shown(bench: Callable[..., Bench]) -> None:
    safety = bench(
        polygons=["front"],
        front__type="polygon",
        front__action_type="slowdown",
        front__slowdown_ratio=0.25,
        front__points="[[1.5, 0.5], [1.5, -0.5], [0.0, -0.5], [0.0, 0.5]]",
        front__visualize=True,
    )
    outlines = safety.ros.collect(PolygonStamped, "front")
    safety.ros.spin_until(lambda: safety.moves and safety.sent[-1].twist.linear.x == 0.3, what="driving")
    safety.reading = 1.2
    safety.ros.spin_until(lambda: safety.sent[-1].twist.linear.x == pytest.approx(0.075), what="driving slowly")
    safety.ros.spin_until(lambda: safety.said and safety.said[-1].message == "zone: front, slowdown", what="the status")
    said = {value.key: value.value for value in safety.said[-1].values}
    assert said == {"guarantee": "9", "polygon_name": "front", "action_type": "slowdown"}
    safety.ros.spin_until(lambda: outlines, what="its outline")
    assert (outlines[0].polygon.points[0].x, outlines[0].polygon.points[0].y) == (1.5, 0.5)


@pytest.mark.fault("another sensor of the gate falls silent")
def test_a_bumper_and_a_range_stop_the_robot_and_so_does_their_silence(bench: Callable[..., Bench]) -> None:
    safety = bench(
        observation_sources=["scan", "bumper", "sonar"],
        bumper__type="bool",
        bumper__topic="bumper",
        bumper__points=[0.2, 0.0, 0.19, 0.05],
        bumper__source_timeout=0.0,
        sonar__type="range",
        sonar__topic="sonar",
        source_timeout=0.5,
    )
    ros, ranges, pressed = safety.ros, [5.0], Bool()
    assert safety.stands() and safety.said[-1].message == "no data: bumper"
    bumper, sonar = ros.node.create_publisher(Bool, "bumper", 5), ros.node.create_publisher(Range, "sonar", 5)

    def send() -> None:
        bumper.publish(pressed)
        header = header_at(ros.node.get_clock().now().nanoseconds * 1e-9, "base_link")
        sonar.publish(Range(header=header, field_of_view=0.4, min_range=0.02, max_range=2.0, range=ranges[0]))

    timer = ros.node.create_timer(0.05, send)
    ros.spin_until(lambda: safety.moves, what="driving")
    pressed.data = True
    ros.spin_until(lambda: not safety.moves and safety.said[-1].message == "obstacle ahead", what="the bumper")
    pressed.data = False
    ros.spin_until(lambda: safety.moves, what="driving on")
    ranges[0] = 0.2
    ros.spin_until(lambda: not safety.moves and safety.said[-1].message == "obstacle ahead", what="the range")
    ranges[0] = 5.0
    ros.spin_until(lambda: safety.moves, what="driving on")
    timer.cancel()
    ros.spin_until(lambda: safety.said[-1].message == "no data: sonar", what="its silence")
    assert safety.stands()


def test_a_mask_and_circles_of_memory_keep_it_out_once_it_is_known_where_they_are(bench: Callable[..., Bench]) -> None:
    safety = bench(keep_out__mask_topic="mask", keep_out__memory=True)
    ros = safety.ros
    assert safety.stands() and safety.said[-1].message == "keep-out: mask did not come"
    info = MapMetaData(resolution=0.1, width=1, height=1)
    info.origin.position.x, info.origin.orientation.w = 50.0, 1.0
    masks, circles = (
        ros.node.create_publisher(k, n, LATCHED) for k, n in ((OccupancyGrid, "mask"), (KeepAway, "keep_away"))
    )
    mask = OccupancyGrid(info=info, data=array.array("b", [100]))
    mask.header.frame_id = "odom"
    masks.publish(mask)
    ros.spin_until(lambda: safety.said[-1].message == "keep-out: no odometry", what="the mask")
    odometry = ros.node.create_publisher(Odometry, "odom", 5)
    ros.node.create_timer(0.05, lambda: odometry.publish(Odometry(header=safety.scan().header)))
    ros.spin_until(lambda: safety.moves, what="driving")
    circle = KeepAway(x=array.array("f", [9.5]), y=array.array("f", [0.0]), radius=array.array("f", [0.3]))
    circle.header.frame_id = "map"
    circles.publish(circle)
    location = Location(localised=True)
    location.header.frame_id = "map"
    location.pose.position.x, location.pose.orientation.w, location.odom_pose.orientation.w = 9.0, 1.0, 1.0
    places = ros.node.create_publisher(Location, "location", RELIABLE)

    def say_where() -> None:
        location.header.stamp = safety.scan().header.stamp
        places.publish(location)

    ros.node.create_timer(0.1, say_where)
    # Odometry stands still here, so it creeps on towards the edge for ever.
    ros.spin_until(
        lambda: safety.said[-1].message == "keep-out: ahead" and safety.sent[-1].twist.linear.x < 0.02,
        what=lambda: f"the circle: {safety.said[-1].message}",
    )
    assert {value.key: value.value for value in safety.said[-1].values} == {"guarantee": "10"}


def test_the_configuration_of_the_manual_is_taken_as_it_stands(ros: RosPeer, tmp_path: Path) -> None:
    (text,) = re.findall(r"```yaml\n(.*?)```", (REPOSITORY / "docs" / "safety.md").read_text(), re.DOTALL)
    file = tmp_path / "zones.yaml"
    file.write_text(text)
    node = ros.start(SafetyNode, ["--ros-args", "--params-file", str(file)])
    assert set(node.config.polygons) == set(yaml.safe_load(text)["/**/safety"]["ros__parameters"]["polygons"])
    assert node.config.polygons["PolygonStop"].radius == 0.25 and node.config.timeout_of("depth") == 1.0
    topics = {"/camera/points", "/bumper", "/scan", "/keepout_filter_mask", "/location"}

    def heard() -> set[str]:
        return {name for name, _ in node.get_subscriber_names_and_types_by_node("safety", "/")}

    ros.spin_until(lambda: topics <= heard(), what="its topics")


@pytest.mark.fault("moving things with NaN, of another time, or thousands of them")
def test_what_a_tracker_says_slows_it_down_and_what_cannot_be_is_warned_of(bench: Callable[..., Bench]) -> None:
    safety = bench()
    ros = safety.ros
    odometry = ros.node.create_publisher(Odometry, "odom", 5)
    tracks = ros.node.create_publisher(MovingThings, "moving_things", 5)
    ahead, things = MovingThing(radius=0.3), MovingThings()
    ahead.position.x, ahead.position.y = 0.6, 0.0
    things.things = [ahead]

    def send() -> None:
        things.header = safety.scan().header
        things.header.frame_id = "odom"
        odometry.publish(Odometry(header=things.header))
        tracks.publish(things)

    ros.node.create_timer(0.05, send)
    ros.spin_until(lambda: safety.said and safety.said[-1].message == "moving thing ahead", what="yielding")
    assert safety.stands()
    ahead.position.x = math.nan
    ros.spin_until(lambda: safety.moves, what="driving")
    assert safety.node.health.count("moving_things")


NAV2 = """
/**/safety:
  ros__parameters:
    source_timeout: 1.0
    polygons: [FootprintApproach, VelocityPolygonStop]
    FootprintApproach:
      type: polygon
      action_type: approach
      footprint_topic: /local_costmap/published_footprint
      time_before_collision: 1.2
      simulation_time_step: 0.1
      min_points: 6
      visualize: false
      enabled: true
    VelocityPolygonStop:
      type: velocity_polygon
      action_type: stop
      min_points: 1
      visualize: true
      enabled: true
      polygon_pub_topic: velocity_polygon_stop
      velocity_polygons: [rotation, translation_forward, stopped]
      holonomic: false
      rotation:
        points: "[[0.3, 0.3], [0.3, -0.3], [-0.3, -0.3], [-0.3, 0.3]]"
        linear_min: 0.0
        linear_max: 0.05
        theta_min: -1.0
        theta_max: 1.0
      translation_forward:
        points: "[[0.8, 0.3], [0.8, -0.3], [0.0, -0.3], [0.0, 0.3]]"
        linear_min: 0.05
        linear_max: 1.0
        theta_min: -1.0
        theta_max: 1.0
      stopped:
        points: "[[0.25, 0.25], [0.25, -0.25], [-0.25, -0.25], [-0.25, 0.25]]"
        linear_min: -1.0
        linear_max: 1.0
        theta_min: -1.0
        theta_max: 1.0
    observation_sources: [scan]
    scan:
      type: scan
      topic: scan
      min_height: 0.15
      max_height: 2.0
      enabled: true
"""


def test_a_configuration_of_nav2s_collision_monitor_is_taken_as_it_stands_and_acts(
    bench: Callable[..., Bench], tmp_path: Path
) -> None:
    file = tmp_path / "collision_monitor.yaml"
    file.write_text(NAV2)
    safety = bench(arguments=["--ros-args", "--params-file", str(file)])
    outlines = safety.ros.collect(PolygonStamped, "velocity_polygon_stop")
    safety.ros.spin_until(lambda: safety.moves, what="driving")
    safety.ros.spin_until(lambda: outlines, what="the outline")
    assert max(corner.x for corner in outlines[-1].polygon.points) == pytest.approx(0.8)
    safety.reading = 0.7  # in front, in the polygon of driving ahead alone
    reason = "zone: VelocityPolygonStop, stop"
    safety.ros.spin_until(lambda: safety.said and safety.said[-1].message == reason, what="the zone")
    assert safety.stands()
    safety.wish.twist.linear.x, safety.wish.twist.angular.z = 0.0, 0.5
    safety.ros.spin_until(lambda: safety.moves, what="turning on the spot")


@pytest.mark.parametrize(("yaw", "blocked"), [(0.0, 0.2), (math.pi, -0.2)])
def test_the_gate_minds_what_stands_where_its_scanner_was_said_to_look(
    ros: RosPeer, yaw: float, blocked: float
) -> None:
    """Something stands right before the scanner's own first axis."""
    gate = Bench(ros, scans=False, scanner__yaw=yaw, scanner__fixed=True)
    scans, out = ros.node.create_publisher(LaserScan, "scan", 5), gate.sent
    ranges = np.full(72, np.inf, np.float32)
    ranges[[70, 71, 0, 1, 2]] = 0.22
    seen = Scan(ranges, 0.0, math.pi / 36)
    ros.node.create_timer(0.05, lambda: scans.publish(scan_to_message(seen, header_at(gate.node.now(), "laser"))))
    gate.wish.twist.linear.x = -blocked
    ros.spin_until(lambda: out and out[-1].twist.linear.x == pytest.approx(-blocked), what="the way that is free")
    gate.wish.twist.linear.x = blocked
    ros.spin_until(lambda: abs(out[-1].twist.linear.x) < 0.06, what="standing")
    count = len(out)
    ros.spin_until(lambda: len(out) > count + 10)
    assert all(abs(message.twist.linear.x) < 0.06 for message in out[count:])
