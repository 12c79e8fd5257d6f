"""The simulated robot."""

from ami_ros.ros.start.launching import launch_description
from launch import LaunchDescription


def generate_launch_description() -> LaunchDescription:
    return launch_description("simulation")
