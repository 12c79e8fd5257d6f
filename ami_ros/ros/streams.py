"""What the streams between parts are in ROS: the types of their messages."""

from __future__ import annotations

import importlib
from typing import Any

# What is not here passes within a process only.
TYPES = {
    "image": "sensor_msgs/msg/Image",
    "scan": "sensor_msgs/msg/LaserScan",
    "depth": "sensor_msgs/msg/Image",
    "odom": "nav_msgs/msg/Odometry",
    "battery_state": "sensor_msgs/msg/BatteryState",
    "cmd_vel": "geometry_msgs/msg/TwistStamped",
    "cmd_vel_raw": "geometry_msgs/msg/TwistStamped",
    "latent": "ami_interfaces/msg/Latent",
    "surprise": "ami_interfaces/msg/Surprise",
    "location": "ami_interfaces/msg/Location",
    "place_graph": "ami_interfaces/msg/PlaceGraph",
    "moving_things": "ami_interfaces/msg/MovingThings",
    "keep_away": "ami_interfaces/msg/KeepAway",
    "adaptation": "ami_interfaces/msg/Adaptation",
    "attention": "std_msgs/msg/Bool",
    "initialpose": "geometry_msgs/msg/PoseWithCovarianceStamped",
    "emergency_stop": "std_msgs/msg/Bool",
}


def message_type(name: str) -> Any:
    """The class of a type, as "nav_msgs/msg/Odometry"."""
    package, kind, message = name.split("/")
    return getattr(importlib.import_module(f"{package}.{kind}"), message)
