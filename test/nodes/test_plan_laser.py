"""The node `plan_laser`: what a laser of ours would see from a true pose."""

from __future__ import annotations

import numpy as np
from geometry_msgs.msg import PoseStamped
from sensor_msgs.msg import LaserScan

from ami_ros.nodes.plan_laser import PlanLaserNode
from ami_ros.robots.description import load_robot
from ami_ros.ros.messages import conversions, range_sensors
from ami_ros.ros.node.qos import RELIABLE, SENSOR
from ami_ros.simulation.doors import Doors
from ami_ros.simulation.world_file import load_world
from harness.ros import RosPeer


def test_scan_is_that_of_the_floor_plan_at_the_rate_of_the_laser(ros: RosPeer) -> None:
    node = PlanLaserNode(context=ros.context)
    ros.add(node)
    node.start()
    scans, poses = (
        ros.collect(LaserScan, "scan", SENSOR),
        ros.node.create_publisher(PoseStamped, "ground_truth", RELIABLE),
    )
    pose, time = np.array([4.0, 1.0, 0.7]), 0.0

    def drive() -> bool:
        nonlocal time
        time += 0.02  # five poses for each scan of 10 Hz
        header = conversions.header_at(time, "world")
        poses.publish(PoseStamped(header=header, pose=conversions.pose_to_message(pose)))
        return len(scans) >= 3

    ros.spin_until(drive)
    laser = load_robot("ami_bot").laser
    assert laser is not None
    read = range_sensors.scan_from_message(scans[0])
    expected = Doors(load_world("home"), 0.18).seen.cast(pose[:2], pose[2] + read.angles)
    assert np.nanmedian(np.abs(read.ranges - expected)) < 0.05 and len(read.ranges) == laser.beams
    assert scans[0].header.frame_id == "base_link"
    stamps = [conversions.stamp_to_seconds(scan.header.stamp) for scan in scans]
    assert min(np.diff(stamps)) > 0.099
